/**
 * Configuration flows one way: the store's state in, one plain value per feature out. Pure.
 *
 * What does not fit is left out and named in `problems`: one bad record must not take the others'
 * names away.
 */

import * as v from 'valibot';
import { DEFAULT_RULES, type PolicyInput, parseRule, type Rule } from '#policy';
import {
  buildZone,
  type Name,
  parseName,
  parseRecord,
  type ResourceRecord,
  type ZoneInput,
} from '#resolver';
import type { Crypto } from '#runtime';
import { HORIZON, type State, type Problem as StoreProblem } from '#storage';
import { type Desired, overlayAddress, overlayPrefix, type TunnelDevice } from '#tunnels';
import { decodeBase64 } from './base64.ts';
import { readEndpoint } from './config.ts';
import { isPrivate } from './endpoints.ts';
import {
  AnchorRecord,
  BaseRecord,
  ConfirmationRecord,
  DeviceRecord,
  DeviceStatus,
  HubRecord,
  KeptHistory,
  KeyRecord,
  LateRecord,
  NameRecord,
  OptionRecord,
  ProposalRecord,
  problemsOf,
  RealmSettings,
  RecoveryRecord,
} from './records.ts';
import { UpstreamRecord } from './upstream/record.ts';

/** A device as the store has it, with what follows from it. */
export type RealmDevice = DeviceRecord & {
  readonly id: string;
  readonly fqdn: string;
  readonly ipv6: string;
  readonly publicKey: Uint8Array;
};

export type Projection = {
  readonly settings: RealmSettings;
  readonly devices: readonly RealmDevice[];
  readonly zone: ZoneInput;
  readonly policy: PolicyInput;
  readonly problems: readonly string[];
};

/** What a projection needs besides the state. */
export type ProjectContext = {
  readonly crypto: Pick<Crypto, 'hash'>;
  readonly realm: string;
  /** Commits so far: the zone's serial. */
  readonly seq: number;
};

/** Device records change hands quickly when policy or paths change. */
export const DEVICE_TTL = 30;
const ZONE_TTL = 3_600;

/** What is written here has no field that we do not know; what a later version wrote may have one. */
const FromLater = {
  settings: v.object({
    ...RealmSettings.entries,
    // What cannot be understood drops nothing.
    history: v.optional(v.fallback(v.object(KeptHistory.entries), HORIZON)),
  }),
  device: v.object(DeviceRecord.entries),
};

/** Projects a state that has a realm in it. */
export function project(state: State, context: ProjectContext): Projection {
  const problems: string[] = [];
  const settings = v.parse(FromLater.settings, state.get('realm')?.get('settings'));
  const devices = readDevices(state, settings, context, problems);
  const zone = projectZone(state, settings, devices, context.seq, problems);
  const rules = readRules(state, problems);
  return {
    settings,
    devices,
    zone,
    policy: {
      rules: [...DEFAULT_RULES, ...rules],
      devices: devices.map(({ id, fqdn, kind }) => ({ id, name: fqdn, user: settings.user, kind })),
    },
    problems,
  };
}

/** What tunnels/ is to hold, once policy has said who may connect with us. */
export function projectTunnels(
  devices: readonly RealmDevice[],
  self: string,
  { crypto, realm }: ProjectContext,
  mayConnect: (device: RealmDevice) => boolean,
): Desired {
  const own = devices.find(({ id }) => id === self);
  // Whoever was removed has no tunnels any more.
  const others = own === undefined ? [] : devices.filter(({ id }) => id !== self);
  const isHidden = own !== undefined && !own.endpoints.some(isPublic);
  return {
    self: { id: self, addresses: own === undefined ? [] : [own.ipv6, own.ipv4] },
    prefix: overlayPrefix(crypto, realm),
    devices: others.map((device) => ({
      ...tunnelDevice(device, mayConnect(device)),
      // Nobody finds us behind a router unless we hold the way open.
      keep: isHidden && device.kind === 'signpost',
    })),
  };
}

/** The store's rules: what is wrong with a state that somebody wants to commit. */
export function checkState(state: State, crypto: Pick<Crypto, 'hash'>): readonly StoreProblem[] {
  const problems: StoreProblem[] = [];
  const say = (path: string) => (message: string) => problems.push({ path, message });
  for (const [collection, records] of state) {
    for (const [key, record] of records) {
      const path = `${collection}/${key}`;
      const schema = SCHEMAS[collection] ?? SCHEMAS[path.replace(BASE, '')];
      if (schema === undefined && collection !== 'rules') say(path)('there is no such record');
      if (schema !== undefined) problemsOf(schema, record, path).forEach(say(path));
      if (collection === 'rules') ruleProblems(record, key).forEach(say(path));
    }
  }
  repetitions(state).forEach(say('devices'));
  optionProblems(state).forEach(say('options'));
  return problems.length > 0 ? problems : zoneProblems(state, crypto);
}

/** Whether the records make a zone: what fits the schema may still contradict each other. */
function zoneProblems(state: State, crypto: Pick<Crypto, 'hash'>): readonly StoreProblem[] {
  // The realm's id moves addresses, which no check looks at.
  const { zone, problems } = project(state, { crypto, realm: '', seq: 1 });
  const built = buildZone(zone);
  const found = built.ok ? [] : built.problems.map(({ owner, reason }) => `${owner} ${reason}`);
  return [...problems, ...found].map((message) => ({ path: 'names', message }));
}

/** What follows `realm/base`: the beginning of a commit's name. */
const BASE = /(?<=^realm\/base)-[0-9a-f]{16}$/;

const SCHEMAS: Readonly<Record<string, v.GenericSchema>> = {
  'realm/settings': RealmSettings,
  'realm/recovery': RecoveryRecord,
  'realm/hub': HubRecord,
  'realm/base': BaseRecord,
  keys: KeyRecord,
  proposals: ProposalRecord,
  late: LateRecord,
  devices: DeviceRecord,
  names: NameRecord,
  options: OptionRecord,
  confirmations: ConfirmationRecord,
  status: DeviceStatus,
  anchors: AnchorRecord,
  upstreams: UpstreamRecord,
};

function ruleProblems(record: unknown, key: string): readonly string[] {
  const parsed = parseRule(record);
  if (!parsed.ok) return parsed.problems.map(({ key: field, problem }) => `${field} ${problem}`);
  return parsed.rule.id === key ? [] : [`id is ${parsed.rule.id}, not ${key}`];
}

/** One word per option of a device, and no two devices that wait for each other. */
function optionProblems(state: State): readonly string[] {
  const options = [...(state.get('options')?.values() ?? [])];
  const places = options.map(({ device, option }) => `${device} ${option}`);
  const again = places.filter((place, index) => places.indexOf(place) !== index);
  const waiting = new Set(
    options.filter(({ firstOn }) => firstOn !== undefined).map(({ device }) => device),
  );
  return [
    ...[...new Set(again)].map((place) => `two values for ${place}`),
    ...options
      .filter(({ firstOn }) => firstOn !== undefined && waiting.has(firstOn))
      .map(({ option, firstOn }) => `${option} waits for ${firstOn}, which waits for another one`),
  ];
}

/** Names, keys and addresses lead to one device each. */
function repetitions(state: State): readonly string[] {
  const devices = [...(state.get('devices')?.values() ?? [])];
  return Object.entries(UNIQUE).flatMap(([field, words]) => {
    const values = devices.map((record) => String(record[field]));
    const again = values.filter((value, index) => values.indexOf(value) !== index);
    return [...new Set(again)].map((value) => `two devices ${words} ${value}`);
  });
}

const UNIQUE = {
  name: 'are called',
  ipv4: 'have the address',
  wireguardKey: 'have the key',
} as const satisfies Partial<Record<keyof DeviceRecord, string>>;

function readDevices(
  state: State,
  settings: RealmSettings,
  { crypto, realm }: ProjectContext,
  problems: string[],
): readonly RealmDevice[] {
  const devices: RealmDevice[] = [];
  for (const [id, record] of state.get('devices') ?? []) {
    const parsed = v.safeParse(FromLater.device, record);
    if (!parsed.success) {
      problems.push(...problemsOf(FromLater.device, record, `devices/${id}`));
      continue;
    }
    const publicKey = decodeBase64(parsed.output.wireguardKey);
    devices.push({
      ...parsed.output,
      id,
      publicKey,
      fqdn: `${parsed.output.name}.${settings.apex}`,
      ipv6: overlayAddress(crypto, realm, publicKey),
    });
  }
  return devices.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function projectZone(
  state: State,
  settings: RealmSettings,
  devices: readonly RealmDevice[],
  seq: number,
  problems: string[],
): ZoneInput {
  const apex = nameOf(settings.apex);
  const lines: string[] = [];
  for (const { fqdn, ipv6, ipv4 } of devices) {
    lines.push(`${fqdn}. ${DEVICE_TTL} IN AAAA ${ipv6}`, `${fqdn}. ${DEVICE_TTL} IN A ${ipv4}`);
  }
  for (const [owner, record] of state.get('names') ?? []) {
    const parsed = v.safeParse(NameRecord, record);
    if (!parsed.success) problems.push(...problemsOf(NameRecord, record, `names/${owner}`));
    const fqdn = owner === '@' ? settings.apex : `${owner}.${settings.apex}`;
    for (const { type, ttl, data } of parsed.success ? parsed.output.records : []) {
      lines.push(`${fqdn}. ${ttl} IN ${type} ${data}`);
    }
  }
  const full = devices.filter(({ kind }) => kind !== 'plain');
  return {
    apex,
    serial: seq,
    ttl: ZONE_TTL,
    nameServers: full.map(({ fqdn }) => nameOf(fqdn)),
    records: lines.flatMap((line) => readLine(line, problems)),
  };
}

function readLine(line: string, problems: string[]): readonly ResourceRecord[] {
  const parsed = parseRecord(line);
  if (parsed.ok) return [parsed.record];
  problems.push(`names: '${line}': ${parsed.reason}`);
  return [];
}

/** Tells whether the whole internet can send to this endpoint, as far as its address says. */
function isPublic(endpoint: string): boolean {
  const address = readEndpoint(endpoint)?.address;
  return address !== undefined && !isPrivate(address);
}

function tunnelDevice(device: RealmDevice, mayConnect: boolean): TunnelDevice {
  const { id, name, kind, publicKey, ipv6, ipv4, endpoints, home } = device;
  return {
    id,
    name,
    publicKey,
    addresses: [ipv6, ipv4],
    endpoints: endpoints
      .map((text) => readEndpoint(text))
      .filter((endpoint) => endpoint !== undefined),
    kind: kind === 'plain' ? 'plain' : 'node',
    mayConnect,
    ...(home === undefined ? {} : { home }),
  };
}

function readRules(state: State, problems: string[]): readonly Rule[] {
  const rules: Rule[] = [];
  for (const [id, record] of state.get('rules') ?? []) {
    const parsed = parseRule(record);
    if (parsed.ok) {
      rules.push(parsed.rule);
      continue;
    }
    rules.push(...withoutConditions(record));
    problems.push(...parsed.problems.map(({ key, problem }) => `rules/${id}: ${key} ${problem}`));
  }
  return rules;
}

/** A deny whose conditions we do not understand holds without them: what they spare stays denied. */
function withoutConditions(record: Readonly<Record<string, unknown>>): readonly Rule[] {
  const { id, tier, effect, who, do: verbs, what, note, enabled } = record;
  if (effect !== 'deny') return [];
  // An override must say when it ends, which may be what we do not understand.
  const lasting = tier === 'override' ? 'rule' : tier;
  const parsed = parseRule({ id, tier: lasting, effect, who, do: verbs, what, note, enabled });
  return parsed.ok ? [parsed.rule] : [];
}

function nameOf(text: string): Name {
  const name = parseName(text);
  if (name === undefined) throw new Error(`unreachable: ${text} passed the schema and is no name`);
  return name;
}
