/**
 * Keys: every way a rule can name an asker or a thing.
 *
 * A rule's entry matches exactly when it is one of the thing's keys. `www.example.org` has the keys
 * `*`, `name:*`, `name:www.example.org`, `name:example.org` and `name:org`; a device has `device:x`,
 * `user:…`, `tag:…` and the groups it is in, directly or through other groups. So a match is a look
 * into a set, and an index from entry to rules finds all rules for a thing in a few steps.
 */

import { normalizeEntry } from './rule.ts';

export type PolicyDevice = {
  readonly id: string;
  /** Full name in the zone, as questions have it; what the device may publish. */
  readonly name?: string;
  readonly user?: string;
  readonly kind: 'signpost' | 'node' | 'plain';
  readonly tags?: readonly string[];
};

/** Group name → members: `user:`, `device:`, `tag:` or `group:` entries. */
export type Groups = Readonly<Record<string, readonly string[]>>;

/** The groups that are always there, by kind of device. Names may not be redefined. */
export const BUILT_IN_GROUPS = {
  signpost: ['own', 'full', 'signposts'],
  node: ['own', 'full'],
  plain: ['own', 'plain'],
} as const satisfies Record<PolicyDevice['kind'], readonly string[]>;

const RESERVED = new Set<string>(Object.values(BUILT_IN_GROUPS).flat());

/** A DNS name has at most 127 labels (RFC 1035 §2.3.4); longer texts are no names. */
const MAX_DEPTH = 128;

/** The keys of each device, by id. */
export function deviceKeys(
  devices: readonly PolicyDevice[],
  groups: Groups,
): ReadonlyMap<string, ReadonlySet<string>> {
  const named = Object.entries(groups).filter(([name]) => !RESERVED.has(name));
  return new Map(devices.map((device) => [device.id, keysOfDevice(device, named)]));
}

/** Says what is wrong with the groups; decisions are safe nevertheless. */
export function groupProblems(groups: Groups): readonly string[] {
  const problems: string[] = [];
  for (const [name, members] of Object.entries(groups)) {
    if (RESERVED.has(name)) {
      problems.push(`group ${name}: the name belongs to nymote`);
    }
    for (const member of members) {
      const inner = member.startsWith('group:') ? member.slice('group:'.length) : undefined;
      if (inner !== undefined && !RESERVED.has(inner) && groups[inner] === undefined) {
        problems.push(`group ${name}: there is no group ${inner}`);
      }
    }
    if (contains(groups, name, name)) {
      problems.push(`group ${name}: contains itself`);
    }
  }
  return problems;
}

/** The keys of a thing such as `name:www.example.org` or `path:devices/x`. */
export function resourceKeys(
  resource: string,
  devices: ReadonlyMap<string, ReadonlySet<string>>,
): Iterable<string> {
  const entry = normalizeEntry(resource);
  const colon = entry.indexOf(':');
  const kind = entry.slice(0, colon);
  const value = entry.slice(colon + 1);
  switch (kind) {
    case 'name':
    case 'record':
      return ['*', `${kind}:*`, ...nameSuffixes(value).map((suffix) => `${kind}:${suffix}`)];
    case 'device':
      return new Set(['device:*', entry, ...(devices.get(value) ?? ['*'])]);
    case 'path':
    case 'api':
      return ['*', `${kind}:*`, ...pathPrefixes(value).map((prefix) => `${kind}:${prefix}`)];
    default:
      return ['*'];
  }
}

function keysOfDevice(
  device: PolicyDevice,
  groups: readonly (readonly [string, readonly string[]])[],
): ReadonlySet<string> {
  const keys = new Set(['*', `device:${device.id}`]);
  if (device.user !== undefined) {
    keys.add(`user:${device.user}`);
  }
  for (const tag of device.tags ?? []) {
    keys.add(`tag:${tag}`);
  }
  for (const group of BUILT_IN_GROUPS[device.kind]) {
    keys.add(`group:${group}`);
  }
  // Growing until nothing is added resolves nesting of any depth, and ends even when groups
  // contain each other.
  for (let size = 0; size !== keys.size; ) {
    size = keys.size;
    for (const [name, members] of groups) {
      if (members.some((member) => keys.has(member))) {
        keys.add(`group:${name}`);
      }
    }
  }
  return keys;
}

function contains(
  groups: Groups,
  outer: string,
  wanted: string,
  seen = new Set<string>(),
): boolean {
  seen.add(outer);
  return (groups[outer] ?? [])
    .filter((member) => member.startsWith('group:'))
    .map((member) => member.slice('group:'.length))
    .some(
      (inner) => inner === wanted || (!seen.has(inner) && contains(groups, inner, wanted, seen)),
    );
}

function nameSuffixes(name: string): string[] {
  const suffixes = name === '.' || name === '' ? [] : [name];
  for (let at = 0; at < name.length && suffixes.length < MAX_DEPTH; at++) {
    if (name[at] === '\\') {
      // A dot behind a backslash is part of a label (RFC 1035 §5.1).
      at++;
    } else if (name[at] === '.' && at + 1 < name.length) {
      suffixes.push(name.slice(at + 1));
    }
  }
  return suffixes;
}

function pathPrefixes(path: string): string[] {
  const parts = path.split('/', MAX_DEPTH);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}
