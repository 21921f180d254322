/** The running house as the API shows it: status, devices, zone, decisions. */

import { type Asker, type Decision, explain } from '#policy';
import { printRecord } from '#resolver';
import type { Store } from '#storage';
import type { PeerStatus, TunnelStatus } from '#tunnels';
import {
  type DecisionView,
  type Device,
  type Peer,
  type Status,
  WebAdminError,
  type WhyQuery,
  type ZoneView,
} from '#web-admin';
import { printEndpoint } from '../config.ts';
import { type Household, identify } from '../dns/ruling.ts';
import type { House } from '../house.ts';
import type { Projection, RealmDevice } from '../project.ts';
import type { Standing } from '../sync/follow.ts';
import { VERSION } from '../version.ts';
import { sayKeep } from './kept-words.ts';
import { REMOVED_READ_ONLY, sayRemoved } from './removed.ts';
import { viewMerge, viewWaiting } from './waiting.ts';

/** Why nothing can be changed here, and where it can. */
export function readOnlyReason(
  { problems, isBehind }: Pick<Store, 'problems' | 'isBehind'>,
  devices: readonly RealmDevice[],
  self: string,
): string {
  const owners = devices.filter(({ role, writer }) => role === 'owner' || writer);
  if (!devices.some(({ id }) => id === self)) return REMOVED_READ_ONLY;
  if (isBehind) return BEHIND;
  const isOwner = owners.some(({ id }) => id === self);
  if (isOwner && problems.length > 0) {
    return 'Part of the history is damaged or missing, so nothing can be changed until it comes back from another device of yours or from a backup.';
  }
  const names = owners.flatMap(({ id, name }) => (id === self ? [] : [name]));
  return `This device changes only what concerns itself; the rest is changed on ${names.join(' or ') || 'an owner’s device'}.`;
}

const BEHIND =
  'This device came back from a backup and has met no other device of yours since. Nothing can be changed until it meets one: what it wrote after that backup could count for nothing. If no other one is left, remove the file `restored` from its data directory and start it again.';

/** What was found when the store was opened, for people. */
export function describeDamage({ code, where, message }: Store['problems'][number]): string {
  return code === 'torn-tail'
    ? `the last change was cut short before it was confirmed, and was dropped (${where}: ${message})`
    : `${where}: ${message}`;
}

/** How things are. */
export async function viewStatus(house: House): Promise<Status> {
  const { store, resolver, clock, household } = house;
  const { settings, devices, problems } = house.projection();
  const { self, isRemoved } = household();
  const { name, kind } = house.own();
  const { questions, cacheHits, cacheEntries } = resolver.stats();
  const waiting = isRemoved === true ? undefined : await viewWaiting(store);
  const merge = await viewMerge(store);
  return {
    version: VERSION,
    user: settings.user,
    apex: settings.apex,
    device: { id: self, name, kind },
    readOnly: !store.isWritable,
    ...(store.isWritable ? {} : { readOnlyReason: readOnlyReason(store, devices, self) }),
    dns: {
      addresses: resolver.addresses.map(printEndpoint),
      questions,
      cacheHits,
      cacheEntries,
    },
    ...(house.encryptedDns === undefined ? {} : { encryptedDns: house.encryptedDns.view() }),
    tunnels: viewTunnels(await house.tunnels.status()),
    store: {
      head: store.head,
      commits: store.seq,
      problems: store.problems.map(describeDamage),
      history: sayKeep(house.pruning.keep(), store.bytes),
    },
    ...(waiting === undefined ? {} : { waiting }),
    ...(merge === undefined ? {} : { merge }),
    sync: house.sync.standings().map(viewStanding),
    clock: { isSet: clock.isSet() },
    uptimeSeconds: house.uptimeSeconds(),
    memoryBytes: house.memoryBytes(),
    warnings: [...(await sayRemoved(house)), ...house.warnings(), ...problems],
  };
}

function viewStanding({ name, ago, problem, refused, progress }: Standing) {
  return {
    ...{ name, refused },
    ...(ago === undefined ? {} : { agoSeconds: Math.round(ago / 1_000) }),
    ...(problem === undefined ? {} : { problem }),
    ...(progress === undefined ? {} : { done: progress.done }),
    ...(progress?.of === undefined ? {} : { of: progress.of }),
  };
}

/** The tunnels; off has a reason. */
export function viewTunnels(status: TunnelStatus): Status['tunnels'] {
  const { state, backend, peers } = status;
  const isUnwanted = status.reason === 'not-started';
  const reason = isUnwanted ? 'switched off by the setting tunnels=off' : status.problem;
  return {
    state,
    ...(reason === undefined ? {} : { reason }),
    ...(backend === undefined ? {} : { backend }),
    peers: peers.map(viewPeer),
  };
}

/** tunnels/ tells seven states apart, people four. */
const LINK_STATES = {
  'not-allowed': 'idle',
  idle: 'idle',
  knocking: 'pending',
  waiting: 'pending',
  connecting: 'pending',
  up: 'up',
  quiet: 'idle',
} as const satisfies Record<PeerStatus['state'], Peer['state']>;

/** One tunnel. */
export function viewPeer(peer: PeerStatus): Peer {
  const { endpoint, lastHandshakeSecondsAgo: age } = peer;
  return {
    device: peer.id,
    name: peer.name,
    state: LINK_STATES[peer.state],
    ...(endpoint === undefined ? {} : { endpoint: printEndpoint(endpoint) }),
    ...(age === undefined ? {} : { lastHandshakeSeconds: age }),
    rxBytes: peer.received,
    txBytes: peer.sent,
    why: peer.why,
  };
}

/** All devices, with what their tunnels do. */
export async function viewDevices({ projection, household, tunnels }: House): Promise<Device[]> {
  const { self } = household();
  const { peers } = await tunnels.status();
  return projection().devices.map((device) => {
    const peer = peers.find(({ id }) => id === device.id);
    return viewDevice(device, device.id === self, peer);
  });
}

function viewDevice(device: RealmDevice, self: boolean, peer: PeerStatus | undefined): Device {
  const { id, name, fqdn, kind, ipv6, ipv4, addedAt, endpoints } = device;
  const reached = peer === undefined ? 'idle' : LINK_STATES[peer.state];
  return {
    ...{ id, name, fqdn, kind, ipv6, ipv4, addedAt, self },
    endpoints: [...endpoints],
    ...(device.role === undefined ? {} : { role: device.role }),
    state: self ? 'up' : reached,
    ...(peer === undefined ? {} : { why: peer.why }),
  };
}

/** The zone's records. */
export function viewZone({ zone, settings }: Projection): ZoneView {
  const records = zone.records.map((record) => printRecord(record));
  return { apex: settings.apex, serial: zone.serial, records };
}

/** What policy would decide, and why. */
export function viewWhy({ clock, household }: House, query: WhyQuery): DecisionView {
  const home = household();
  const verb = query.verb ?? 'resolve';
  if (verb !== 'resolve' && verb !== 'connect') {
    throw new WebAdminError('invalid', `The verb is 'resolve' or 'connect', not '${verb}'.`);
  }
  const { resource, name } = findResource(home, verb, query.name);
  const decision = home.policy.decide({
    asker: findAsker(home, query.asker),
    verb,
    resource,
    now: query.at ?? clock.now(),
    clockIsSet: query.at !== undefined || clock.isSet(),
  });
  return viewDecision(decision, { asker: query.asker ?? 'this device', verb, name });
}

function viewDecision(
  decision: Decision,
  asked: { readonly asker: string; readonly verb: string; readonly name: string },
): DecisionView {
  const { rule, validUntil } = decision;
  return {
    ...asked,
    effect: decision.effect,
    sentence: explain(decision),
    reason: decision.reason,
    ...(rule === undefined ? {} : { rule }),
    tier: decision.tier,
    ...(validUntil === undefined ? {} : { validUntil }),
    overridden: decision.overridden.map((outcome) => outcome.rule),
  };
}

function findAsker(home: Household, asker: string | undefined): Asker {
  if (asker === undefined) return identify(home, { address: '127.0.0.1' });
  const device = findDevice(home.devices, asker);
  if (device !== undefined) return { kind: 'device', id: device.id, strength: 'key' };
  if (!/^[0-9a-fA-F:.]+$/.test(asker)) {
    throw new WebAdminError('not-found', `'${asker}' is neither a device nor an address.`);
  }
  return identify(home, { address: asker });
}

/** A device's short name, its full name, or any name of the internet. */
function findResource(
  home: Household,
  verb: 'resolve' | 'connect',
  asked: string,
): { readonly resource: string; readonly name: string } {
  const text = asked.toLowerCase().replace(/\.$/, '');
  const device = findDevice(home.devices, text);
  if (verb === 'connect') {
    if (device === undefined) throw new WebAdminError('not-found', `There is no device ${text}.`);
    return { resource: `device:${device.id}`, name: device.fqdn };
  }
  const name = device?.fqdn ?? text;
  const isOurs = `.${name}`.endsWith(`.${home.apex}`);
  return { resource: `${isOurs ? 'record' : 'name'}:${name}`, name };
}

/** A device by its id, its name or its full name. */
export function findDevice(
  devices: readonly RealmDevice[],
  wanted: string,
): RealmDevice | undefined {
  return devices.find(({ id, name, fqdn }) => [id, name, fqdn].includes(wanted));
}
