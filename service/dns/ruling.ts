/**
 * Who asks, what for, and what happens then: the hook that every DNS question passes.
 *
 * It identifies the asker, asks policy, and for a device's name brings the tunnel up before the
 * answer leaves. It decides nothing itself (I10): where policy says no, the question is refused with
 * the reason as Extended DNS Error (RFC 8914): REFUSED to whom the zone or the resolver is not for,
 * alike for names that exist and names that do not; NXDOMAIN where the household blocks a name.
 */

import { type Asker, type Decision, type Policy, zoneOf } from '#policy';
import {
  type Authority,
  type Before,
  DESIGNATION_APEX,
  type Designation,
  type Hosts,
  type Name,
  printName,
  type Question,
  type Reusable,
  type Ruling,
  readHosts,
  TYPE,
} from '#resolver';
import type { Clock, Endpoint } from '#runtime';
import type { Reach } from '#tunnels';
import { DEVICE_TTL, type RealmDevice } from '../project.ts';
import { viewOf } from './askers.ts';
import type { Lan } from './lan.ts';

/** How long an answer may wait for its tunnel; resolvers of clients give up after some seconds. */
const REACH_DEADLINE_MS = 1_500;

/** EDE "Other Error", "Prohibited" and "Not Authoritative" (RFC 8914 §4.1, §4.19, §4.21). */
const EDE_OTHER = 0;
const EDE_PROHIBITED = 18;
const EDE_NOT_AUTHORITATIVE = 20;
const REMOVED = 'this device was removed: it does not know these names any more';

type ZoneRuling = Extract<Ruling, { kind: 'zone' }>;

/** What rulings are made of; all of it may change with each commit. */
export type Household = {
  readonly apex: string;
  readonly self: string;
  readonly devices: readonly RealmDevice[];
  readonly policy: Policy;
  readonly authority: Authority;
  /** This device does not belong to the realm any more: the zone is not its own. */
  readonly isRemoved?: boolean;
};

/** Makes the resolver's hook. */
export function createRulings(
  clock: Pick<Clock, 'now' | 'isSet'>,
  household: () => Household,
  reach: (device: string, deadlineMs: number) => Promise<Reach>,
  designation: () => Designation,
  lan?: Lan,
): Before {
  return (question, from) =>
    rule({ clock, home: household(), reach, designation, lan }, question, from);
}

type Parts = {
  readonly clock: Pick<Clock, 'now' | 'isSet'>;
  readonly home: Household;
  readonly reach: (device: string, deadlineMs: number) => Promise<Reach>;
  readonly designation: () => Designation;
  readonly lan: Lan | undefined;
};

async function rule(
  { clock, home, reach, designation, lan }: Parts,
  question: Question,
  from: Endpoint,
): Promise<Ruling> {
  const asker = identify(home, from);
  const name = plain(question.name);
  const isOurs = isBelow(name, home.apex);
  const decide = (verb: 'resolve' | 'connect', resource: string): Decision =>
    home.policy.decide({ asker, verb, resource, now: clock.now(), clockIsSet: clock.isSet() });
  const repeat = (...decisions: readonly Decision[]) => reuse(clock, viewOf(home, from), decisions);

  const decideName = (each: string) =>
    decide('resolve', `${isBelow(each, home.apex) ? 'record' : 'name'}:${each}`);
  const resolving = decideName(name);
  if (resolving.effect === 'deny') return refusal(resolving);
  if (isBelow(name, DESIGNATION_APEX)) return { kind: 'zone', authority: designation() };
  if (isOurs && home.isRemoved === true) {
    return { kind: 'refuse', ede: EDE_NOT_AUTHORITATIVE, text: REMOVED };
  }
  if (!isOurs) {
    const owner = isBelow(name, 'arpa')
      ? home.devices.find((device) => isAddressOf(question, device))
      : undefined;
    if (owner === undefined)
      return ofLan(lan, question, name, decideName) ?? { kind: 'recurse', ...repeat(resolving) };
    const told = [
      decide('resolve', `record:${owner.fqdn}`),
      decide('connect', `device:${owner.id}`),
    ];
    return { ...wayBack(owner, told), ...repeat(resolving, ...told) };
  }

  const device = home.devices.find(({ fqdn }) => fqdn === name);
  const answer = zoneRuling(home, resolving, device, clock.now());
  if (device === undefined) {
    const above = askedAbove(home.apex, question).map((apex) => decide('resolve', `name:${apex}`));
    return { ...answer, ...parentOf(above), ...repeat(resolving, ...above) };
  }
  // Of any type: ANY would give the address, and every other one that there is such a device.
  const connecting = decide('connect', `device:${device.id}`);
  if (connecting.effect === 'deny') return refusal(connecting);
  const said = { ...answer, ...repeat(resolving, connecting) };
  if (!wakes(home, asker, question, device)) return said;
  const reached = await reach(device.id, REACH_DEADLINE_MS);
  // A name that wakes a tunnel is asked for each time; without tunnels there is none to wake.
  return reached.state === 'off' ? said : withPath(answer, reached);
}

/** What its parent knows of the zone (RFC 4035 §3.1.4.1). */
const askedAbove = (apex: string, { name, type }: Question): readonly string[] =>
  type === TYPE.DS && plain(name) === apex ? [apex] : [];

/** The parent is asked for whom we ask others at all; `above` is empty where it has no say. */
const parentOf = (above: readonly Decision[]): Pick<ZoneRuling, 'isOfParent'> =>
  above.length === 0 ? {} : { isOfParent: above.every(({ effect }) => effect !== 'deny') };

/** Names of addresses in the overlay; who may not know the device learns as much as of no device (I10). */
function wayBack(owner: RealmDevice, told: readonly Decision[]): Ruling {
  if (told.some(({ effect }) => effect === 'deny')) return { kind: 'recurse' };
  return { kind: 'zone', authority: hostsOf(owner), ttlCap: DEVICE_TTL };
}

const isAddressOf = (question: Question, device: RealmDevice): boolean =>
  hostsOf(device).knows({ ...question, type: TYPE.PTR });

const reverses = new WeakMap<RealmDevice, Hosts>();

function hostsOf(device: RealmDevice): Hosts {
  const known = reverses.get(device);
  if (known !== undefined) return known;
  const { ipv6, ipv4, fqdn } = device;
  const read = readHosts(`${ipv6} ${fqdn}\n${ipv4} ${fqdn}`);
  if (!read.ok) throw new Error(`unreachable: ${read.problem}`);
  reverses.set(device, read.hosts);
  return read.hosts;
}

/** EDE "Synthesized" (RFC 8914 §4.30). */
const EDE_SYNTHESIZED = 29;

/**
 * A host of the LAN; what is below its domain and unknown is nowhere else either (RFC 8244 §4.2).
 * Who may not ask for its name does not learn of it by its address or its first label (I10).
 */
function ofLan(
  lan: Lan | undefined,
  question: Question,
  name: string,
  decideName: (name: string) => Decision,
): Ruling | undefined {
  if (lan === undefined) return undefined;
  const authority = lan.hosts();
  const host = authority.nameAt(question.name);
  if (host !== undefined && decideName(plain(host)).effect === 'deny') return { kind: 'recurse' };
  const isHost = [question.type, TYPE.A, TYPE.AAAA].some((type) =>
    authority.knows({ ...question, type }),
  );
  if (isHost) {
    const whole = name.includes('.') ? undefined : decideName(`${name}.${lan.domain}`);
    return whole?.effect === 'deny' ? refusal(whole) : { kind: 'zone', authority };
  }
  if (lan.domain === undefined || !isBelow(name, lan.domain)) return undefined;
  return { kind: 'nxdomain', ede: EDE_SYNTHESIZED, text: 'no host of this network has that name' };
}

/** Stands for whoever asks through a forwarder on this machine: it comes from loopback and names nobody. */
export const FORWARDED = '0.0.0.0';

/**
 * Who sends from this address. Loopback is this device itself; an overlay address can only come
 * through WireGuard, which has checked the sender's key.
 */
export function identify(
  home: Pick<Household, 'devices' | 'self'>,
  from: Pick<Endpoint, 'address'>,
): Asker {
  if (from.address === FORWARDED) {
    return { kind: 'stranger', address: 'behind the forwarder', zone: 'home' };
  }
  const zone = zoneOf(from.address);
  if (zone === 'loopback') return { kind: 'device', id: home.self, strength: 'local', zone };
  const address = from.address.replace(/^::ffff:(?=\d+\.)/, '');
  const device = home.devices.find(({ ipv6, ipv4 }) => ipv6 === address || ipv4 === address);
  if (device !== undefined) {
    const isSelf = device.id === home.self;
    return { kind: 'device', id: device.id, strength: isSelf ? 'local' : 'key' };
  }
  return { kind: 'stranger', address, zone };
}

/**
 * May be said again to the same view until policy decides otherwise; never while nobody knows what
 * time it is, since schedules count as if against the asker then (I9).
 */
function reuse(
  clock: Pick<Clock, 'now' | 'isSet'>,
  view: string | undefined,
  decisions: readonly Decision[],
): { readonly reuse?: Reusable } {
  if (view === undefined || !clock.isSet()) return {};
  const ends = decisions.map(({ validUntil }) => validUntil ?? Number.POSITIVE_INFINITY);
  return { reuse: { view, seconds: Math.min(...ends) - clock.now() } };
}

const plain = (name: Name): string => printName(name).toLowerCase().replace(/\.$/, '');

const isBelow = (name: string, apex: string): boolean => `.${name}`.endsWith(`.${apex}`);

/** Whether the answer is to bring the device's tunnel up. */
function wakes(home: Household, asker: Asker, question: Question, device: RealmDevice): boolean {
  return asksForAddress(question) && goesThroughUs(home, asker, device);
}

const asksForAddress = ({ type }: Question): boolean => type === TYPE.A || type === TYPE.AAAA;

/** Our own questions and those of plain devices whose one tunnel ends here. */
function goesThroughUs(home: Household, asker: Asker, device: RealmDevice): boolean {
  if (asker.kind !== 'device' || device.id === home.self || device.id === asker.id) return false;
  if (asker.id === home.self) return true;
  return home.devices.some(({ id, home: signpost }) => id === asker.id && signpost === home.self);
}

/** The address is right in any case; a path that is not there is said along with it. */
function withPath(answer: ZoneRuling, reached: Reach): Ruling {
  if (reached.state === 'up') return answer;
  const error = { code: EDE_OTHER, text: `no tunnel yet: ${reached.reason}` };
  return { ...answer, ttlCap: 0, error };
}

function refusal({ ede: code, why }: Decision): Ruling {
  const ede: number = code ?? EDE_OTHER;
  return { kind: ede === EDE_PROHIBITED ? 'refuse' : 'nxdomain', ede, text: why };
}

/** What policy may decide otherwise soon must not be kept longer, and no path for long. */
function zoneRuling(
  { authority }: Household,
  { validUntil }: Decision,
  device: RealmDevice | undefined,
  now: number,
): ZoneRuling {
  const caps = [
    ...(device === undefined ? [] : [DEVICE_TTL]),
    ...(validUntil === undefined ? [] : [Math.max(0, Math.floor(validUntil - now))]),
  ];
  return { kind: 'zone', authority, ...(caps.length > 0 ? { ttlCap: Math.min(...caps) } : {}) };
}
