/** Which server comes next: known ones, then names to look up, then other delegations' glue. */

import { expect, test } from 'vitest';
import { createCache } from '../cache/cache.ts';
import { TYPE } from '../message/type.ts';
import { chooseServer, MAX_TRIES } from './choose.ts';
import { type Cut, rootCut } from './delegation.ts';
import { frameFor, type Settings, type World, withCut } from './frame.ts';
import { nameOf } from './reply.fixture.ts';
import { createServers, serverKey } from './servers.ts';

const NOW = 1000;
const SETTINGS: Settings = {
  root: rootCut([{ name: 'a.root.', addresses: ['198.51.100.1'] }]),
  routes: [],
  port: 53,
  ipv4: true,
  ipv6: false,
  minimise: true,
  allowsSpecial: false,
};

const cutOf = (zone: string, servers: Readonly<Record<string, readonly string[]>>): Cut => ({
  zone: nameOf(zone),
  servers: Object.entries(servers).map(([name, addresses]) => ({ name: nameOf(name), addresses })),
  until: NOW + 100,
});

const OTHER = cutOf('host.left.', {
  'ns.host.left.': ['192.0.2.3', '2001:db8::3'],
  'other.host.left.': ['192.0.2.4'],
});

const WRONG = cutOf('wrong.right.', { 'ns.host.left.': [] });

/** Chooses for a zone whose one server is ns.host.left, of which nothing is known but `cuts`. */
function choose({
  cut = WRONG,
  cuts = [OTHER],
  followed = [`${TYPE.A} ${nameOf('ns.host.left.').key}`],
  tried = [],
}: {
  readonly cut?: Cut;
  readonly cuts?: readonly Cut[];
  readonly followed?: readonly string[];
  readonly tried?: readonly string[];
}) {
  const world: World = {
    settings: SETTINGS,
    cache: createCache(1_000_000),
    servers: createServers(),
    random: (length) => new Uint8Array(length),
  };
  for (const each of cuts) world.cache.putCut(each, NOW);
  const keys = tried.map((address) => serverKey({ address, port: 53 }));
  const frame = {
    ...withCut(frameFor(nameOf('www.wrong.right.'), TYPE.A), cut),
    followed,
    tries: new Map(keys.map((key) => [key, MAX_TRIES])),
  };
  return chooseServer(frame, { frames: [frame], avoid: undefined }, NOW, world);
}

test.each([
  {
    given: { followed: [] },
    chosen: { kind: 'look-up', name: nameOf('ns.host.left.'), type: TYPE.A },
    why: 'what the zone itself says of its server comes first',
  },
  {
    given: {},
    chosen: { kind: 'server', server: { address: '192.0.2.3', port: 53 } },
    why: 'when that led nowhere, the glue for the same name in its own delegation',
  },
  {
    given: { tried: ['192.0.2.3'] },
    chosen: { kind: 'none' },
    why: 'but not for ever, and no other server of that delegation',
  },
  {
    given: { cuts: [OTHER, cutOf('ns.host.left.', { 'nowhere.left.': [] })] },
    chosen: { kind: 'server', server: { address: '192.0.2.3', port: 53 } },
    why: 'a delegation of the very name does not hide the one above',
  },
  {
    given: { cuts: [cutOf('host.left.', { 'ns.elsewhere.': ['192.0.2.3'] })] },
    chosen: { kind: 'none' },
    why: "another server's address is no help",
  },
  {
    given: { cut: cutOf('wrong.right.', { 'ns.wrong.right.': [] }) },
    chosen: { kind: 'none', reason: 'server-loop' },
    why: 'without glue a server inside its zone is not found (RFC 9471 §2.1)',
  },
  {
    given: { cut: cutOf('wrong.right.', { 'ns.wrong.right.': ['2001:db8::9'] }) },
    chosen: { kind: 'none', reason: 'server-family-off' },
    why: 'with IPv6 glue it is, but IPv6 is off',
  },
])('$why', ({ given, chosen }) => {
  expect(choose(given)).toEqual(chosen);
});
