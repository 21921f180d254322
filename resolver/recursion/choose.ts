/**
 * Which server to ask next, or whose address to look up first.
 *
 * The fastest by smoothed round-trip time, at random among those nearly as fast, so that neither a
 * slow server stalls us nor an observer can predict us (RFC 5452 §4.4). Pure but for the random
 * octet it draws.
 */

import type { Endpoint } from '#runtime';
import { isSpecial, printAddress } from '../message/address.ts';
import type { Reason } from '../message/ede.ts';
import { equalNames, isWithin, type Name, parentOf, ROOT } from '../message/name.ts';
import type { RRset } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import { MAX_NAMES_PER_DELEGATION } from './budget.ts';
import type { NameServer } from './delegation.ts';
import type { Frame, Settings, State, World } from './frame.ts';
import type { Route, RouteServer } from './route.ts';
import { MAX_ADDRESSES_PER_SERVER } from './scrub.ts';
import { serverKey } from './servers.ts';

/** Questions to one server for one name, those it was waited for in full: the second covers a lost packet. */
export const MAX_TRIES = 2;

/** Milliseconds within which servers count as equally fast. */
const BAND = 50;

export type Choice =
  | { readonly kind: 'server'; readonly server: RouteServer }
  | { readonly kind: 'look-up'; readonly name: Name; readonly type: number }
  /** The forwarders failed, and the tree may be asked instead. */
  | { readonly kind: 'fall-back' }
  /** Nobody is left; the reason when it is not what the servers did. */
  | { readonly kind: 'none'; readonly reason?: Reason };

/** Chooses for the topmost of the frames. */
export function chooseServer(
  frame: Frame,
  { frames, avoid }: Pick<State, 'frames' | 'avoid'>,
  now: number,
  world: World,
): Choice {
  const { servers } = world;
  const route = frame.cut?.route;
  const zone = frame.cut?.zone ?? ROOT;
  const all: readonly RouteServer[] = route?.servers ?? knownServers(frame, now, world);
  const triesOf = (server: Endpoint) => frame.tries.get(serverKey(server)) ?? 0;
  const open = all.filter((server) => triesOf(server) < MAX_TRIES);
  const serving = open.filter((server) => !servers.isLame(server, zone.key, now));
  // When all are lame, what they have to say is better than nothing.
  const willing = serving.length > 0 ? serving : open;
  const isBlamed = (server: Endpoint) => frames.length === 1 && avoid?.has(serverKey(server));
  // Where there is another way, nobody waits for forwarders that gave no answer a moment ago.
  const isGone = (server: Endpoint) => route?.fallback === true && servers.isSilent(server, now);
  const usable = willing.filter((server) => !isBlamed(server) && !isGone(server));
  if (usable.length > 0) {
    const fewest = Math.min(...usable.map(triesOf));
    const next = usable.filter((server) => triesOf(server) === fewest);
    return { kind: 'server', server: fastest(next, now, world) };
  }
  if (route?.kind === 'forward') return withoutForwarders(route, frame);
  if (route !== undefined) return { kind: 'none' };
  const next = chooseName(frame, frames, now, world, all.length > 0);
  if (next.kind !== 'none') return next;
  const rest = glueAbove(frame, now, world).filter(
    (server) => triesOf(server) < MAX_TRIES && !isBlamed(server),
  );
  return rest.length > 0 ? { kind: 'server', server: fastest(rest, now, world) } : next;
}

function withoutForwarders({ fallback }: Route, { problem }: Frame): Choice {
  if (fallback === true) return { kind: 'fall-back' };
  const isUntrusted = problem === 'forwarder-untrusted';
  return { kind: 'none', reason: isUntrusted ? problem : 'forwarders-failed' };
}

/** The servers an address set leads to; special addresses only when allowed. */
export function endpointsOf(rrsets: readonly RRset[], settings: Settings): Endpoint[] {
  const { port, allowsSpecial } = settings;
  const found: Endpoint[] = [];
  for (const { type, rdatas } of rrsets) {
    for (const rdata of rdatas.slice(0, MAX_ADDRESSES_PER_SERVER)) {
      const address = printAddress(type, rdata);
      if (address !== undefined && (allowsSpecial || !isSpecial(rdata)))
        found.push({ address, port });
    }
  }
  return found;
}

function knownServers(frame: Frame, now: number, world: World): Endpoint[] {
  const glued = (frame.cut?.servers ?? []).flatMap((server) => addressesOf(server, now, world));
  return [...glued, ...frame.found];
}

/** What the parents of the servers' own zones say, for when those zones' word leads nowhere. */
function glueAbove({ cut }: Frame, now: number, { cache, settings }: World): Endpoint[] {
  const isEnabled = (address: string) => (address.includes(':') ? settings.ipv6 : settings.ipv4);
  return (cut?.servers ?? []).flatMap(({ name }) => {
    const glue: string[] = [];
    for (let zone = parentOf(name); zone !== undefined; zone = parentOf(zone)) {
      const same = cache
        .findCut(zone, now)
        ?.servers.find((server) => equalNames(server.name, name));
      glue.push(...(same?.addresses ?? []));
    }
    return glue.filter(isEnabled).map((address) => ({ address, port: settings.port }));
  });
}

/** A server's glue, or else its addresses in the cache. */
function addressesOf(server: NameServer, now: number, { settings, cache }: World): Endpoint[] {
  const { port, ipv4, ipv6 } = settings;
  const isEnabled = (address: string) => (address.includes(':') ? ipv6 : ipv4);
  const glue = server.addresses.filter(isEnabled).map((address) => ({ address, port }));
  if (glue.length > 0) return glue;
  const rrsets = addressTypes(settings).flatMap((type) => {
    const known = cache.find(server.name, type, now);
    return known?.kind === 'records' ? [known.rrset] : [];
  });
  return endpointsOf(rrsets, settings);
}

function addressTypes({ ipv4, ipv6 }: Settings): number[] {
  return [...(ipv4 ? [TYPE.A] : []), ...(ipv6 ? [TYPE.AAAA] : [])];
}

function fastest(servers: readonly RouteServer[], now: number, world: World): RouteServer {
  const [only, ...others] = servers;
  if (only !== undefined && others.length === 0) return only;
  const scored = servers.map((server) => ({ server, score: world.servers.score(server, now) }));
  const best = Math.min(...scored.map(({ score }) => score));
  const near = scored.filter(({ score }) => score <= best + BAND);
  const chosen = near[drawBelow(near.length, world)];
  if (chosen === undefined) throw new Error('unreachable: no server to choose from');
  return chosen.server;
}

/** A number below `count`; a slight bias does not matter for fewer than 256 servers. */
function drawBelow(count: number, world: World): number {
  const [octet = 0] = world.random(1);
  return octet % count;
}

/** The name of a server whose address is unknown and that can be found without asking itself. */
function chooseName(
  frame: Frame,
  frames: readonly Frame[],
  now: number,
  world: World,
  hadServers: boolean,
): Choice {
  const { cut, followed } = frame;
  if (cut === undefined) return { kind: 'none' };
  const names = new Set(followed.map((entry) => entry.slice(entry.indexOf(' ') + 1)));
  const isAllowed = (name: Name) => names.has(name.key) || names.size < MAX_NAMES_PER_DELEGATION;
  const nameless = cut.servers.filter(
    (server) => isAllowed(server.name) && addressesOf(server, now, world).length === 0,
  );
  // A server inside the zone it serves cannot be found without glue (RFC 9471 §2.1).
  const outside = nameless.filter(({ name }) => !isWithin(name, cut.zone));
  const open = addressTypes(world.settings).flatMap((type) =>
    outside.flatMap(({ name }) =>
      followed.includes(`${type} ${name.key}`) ? [] : [{ name, type }],
    ),
  );
  const isSought = ({ name, type }: { name: Name; type: number }) =>
    frames.some((frame) => frame.type === type && frame.name.key === name.key);
  const next = open.find((wanted) => !isSought(wanted));
  if (next !== undefined) return { kind: 'look-up', ...next };
  const isStuck = !hadServers && (open.length > 0 || nameless.length > outside.length);
  // They are found, but not by a way that is open: IPv4 or IPv6 is off.
  const isElsewhere = nameless.some(({ addresses }) => addresses.length > 0);
  if (isStuck && isElsewhere) return { kind: 'none', reason: 'server-family-off' };
  return isStuck ? { kind: 'none', reason: 'server-loop' } : { kind: 'none' };
}
