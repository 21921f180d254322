/**
 * What is in the store, in the words of people who never saw a path: "the rule printer: whether it
 * allows or denies". Pure.
 */

import type { Change, Json, State } from '#storage';

/** Long texts and whole records are cut: the rest is in the diff. */
const MAX_SAID = 200;

/** How fields are called. */
const FIELDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  devices: {
    name: 'its name',
    kind: 'what kind of device it is',
    endpoints: 'where it can be reached',
    wireguardKey: 'its WireGuard key',
    signingKey: 'its signing key',
    ipv4: 'its IPv4 address',
    home: 'who holds its tunnel',
    note: 'its note',
    role: 'what it may do',
    rank: 'its seniority',
    grants: 'what it was granted',
    addedAt: 'when it was added',
  },
  rules: {
    effect: 'whether it allows or denies',
    who: 'whom it is about',
    do: 'what they want to do',
    what: 'what it is about',
    when: 'when it counts',
    enabled: 'whether it is switched on',
    tier: 'how strong it is',
    note: 'its note',
  },
  names: { records: 'its records' },
  options: { value: 'its value', firstOn: 'who tries it first', note: 'its note' },
  realm: {
    user: 'your name',
    apex: 'the domain',
    zoneAlgorithm: 'how names are signed',
    twoOwners: 'what needs two owners',
    history: 'how much history is kept',
  },
};

/** How the records of a collection are called; those of an option and a device are looked up. */
const THINGS: Readonly<Record<string, (key: string, state: State) => string>> = {
  devices: (key, state) => `the device ${nameDevice(state, key)}`,
  rules: (key) => `the rule ${key}`,
  names: (key, state) => `the name ${fullName(state, key)}`,
  options: (key, state) => sayOption(state, key),
  realm: (key) => REALM[key] ?? 'where the history begins',
  status: (key, state) => `what ${nameDevice(state, key)} says of itself`,
  confirmations: () => 'the word on a change on trial',
  anchors: () => "the keys of the internet's root",
  proposals: (key, state) => `a proposal of ${nameDevice(state, key.split('.', 1)[0] ?? '')}`,
  late: (key, state) => `the decision about late changes of ${nameDevice(state, key)}`,
  keys: () => 'a key of your realm',
  upstreams: (key) => `the upstream ${key}`,
};

const REALM: Readonly<Record<string, string>> = {
  settings: 'the settings',
  recovery: 'the recovery key',
  hub: 'the hub of your devices',
};

/** Whether anything can be at a path, or below it. */
export function isPlace(path: string): boolean {
  const [collection = '', key] = path.split('/');
  if (!Object.hasOwn(THINGS, collection)) return false;
  return collection !== 'realm' || key === undefined || Object.hasOwn(REALM, key);
}

/** A device by its name; one that is gone by the first digits of its id. */
export function nameDevice(state: State, id: string): string {
  const name = state.get('devices')?.get(id)?.['name'];
  return typeof name === 'string' ? name : id.slice(0, 12);
}

/** What is at a path: the thing, and which part of it. */
export function sayPath(state: State, path: string): string {
  const [collection = '', key = '', field] = path.split('/');
  const thing = key === '' ? undefined : THINGS[collection]?.(key, state);
  if (thing === undefined) return path;
  if (collection === 'keys' && field !== undefined)
    return `${thing}, for ${nameDevice(state, field)}`;
  return field === undefined ? thing : `${thing}: ${FIELDS[collection]?.[field] ?? field}`;
}

/** A value. */
export function sayValue(state: State, value: Json | undefined): string {
  const text = say(state, value);
  return text.length > MAX_SAID ? `${text.slice(0, MAX_SAID).toWellFormed()}…` : text;
}

/** What a commit changed, one sentence for each record. */
export function sayChanges(state: State, changes: readonly Change[]): readonly string[] {
  return changes.map(({ path, before, after }) => {
    const thing = sayPath(state, path);
    if (before === undefined) return `Added ${thing}`;
    if (after === undefined) return `Removed ${sayGone(path, before) ?? thing}`;
    const collection = path.split('/', 1)[0] ?? '';
    const fields = changedFields(before, after).map((name) => FIELDS[collection]?.[name] ?? name);
    return `Changed ${thing}${fields.length === 0 ? '' : `: ${fields.join(', ')}`}`;
  });
}

/** What ops ask for, one sentence each. */
export function sayOps(
  state: State,
  ops: readonly { readonly op: string; readonly path: string; readonly value?: Json }[],
): readonly string[] {
  return ops.map(({ op, path, value }) => {
    const thing = sayPath(state, path);
    if (op === 'del') return `Remove ${thing}`;
    if (op === 'revoke') return `Shut out ${thing}`;
    if (op === 'rem') return `Take ${sayValue(state, value)} from ${thing}`;
    return value === undefined ? `Change ${thing}` : `Set ${thing} to ${sayValue(state, value)}`;
  });
}

/** A device that is gone has its name in what was there. */
function sayGone(path: string, before: Json): string | undefined {
  const name = isRecord(before) ? before['name'] : undefined;
  return path.startsWith('devices/') && typeof name === 'string' ? `the device ${name}` : undefined;
}

const PLAIN = new Map<Json | undefined, string>([
  [undefined, 'removed'],
  [true, 'yes'],
  [false, 'no'],
  ['', 'nothing'],
]);

function say(state: State, value: Json | undefined): string {
  const plain = PLAIN.get(value);
  if (plain !== undefined) return plain;
  if (typeof value === 'string') {
    return state.get('devices')?.has(value) === true ? nameDevice(state, value) : value;
  }
  if (Array.isArray(value)) {
    return value.length === 0 ? 'nothing' : value.map((item) => say(state, item)).join(', ');
  }
  return isRecord(value) ? sayRecord(state, value) : String(value);
}

function sayRecord(state: State, record: { readonly [field: string]: Json }): string {
  const { type, ttl, data, any, except } = record;
  if (typeof type === 'string' && typeof data === 'string') {
    return `${type} ${data} (for ${String(ttl)} s)`;
  }
  if (Array.isArray(any)) {
    const spared = except === undefined ? '' : ` except ${say(state, except)}`;
    return `${say(state, any)}${spared}`;
  }
  return Object.entries(record)
    .map(([field, item]) => `${field} ${say(state, item)}`)
    .join('; ');
}

function changedFields(before: Json, after: Json): readonly string[] {
  if (!isRecord(before) || !isRecord(after)) return [];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
}

function sayOption(state: State, key: string): string {
  const record = state.get('options')?.get(key);
  if (record === undefined) return `the option ${key}`;
  return `${String(record['option'])} of ${nameDevice(state, String(record['device']))}`;
}

function fullName(state: State, owner: string): string {
  const apex = String(state.get('realm')?.get('settings')?.['apex'] ?? '');
  return owner === '@' ? apex : `${owner}.${apex}`;
}

function isRecord(value: Json | undefined): value is { readonly [field: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
