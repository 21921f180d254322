import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Action,
  applyAction,
  type Desired,
  makePlan,
  NEW_PAIR,
  type Observed,
  type Pair,
  pairState,
  type TunnelDevice,
} from './plan.ts';
import { type Peer, printKey } from './wg.ts';

const PREFIX = 'fd00:1:2::/48';
const NOW = 1_800_000_000;
const ENDPOINT = { address: '192.0.2.9', port: 51_820 };

const keyOf = (number: number) => new Uint8Array(32).fill(number);
const device = (number: number, change: Partial<TunnelDevice> = {}): TunnelDevice => ({
  id: `d${number}`,
  name: `device ${number}`,
  publicKey: keyOf(number),
  addresses: [`fd00:1:2::${number}`, `100.64.0.${number}`],
  endpoints: [],
  kind: 'node',
  mayConnect: true,
  ...change,
});
const peer = (number: number, change: Partial<Peer> = {}): Peer => ({
  publicKey: printKey(keyOf(number)),
  allowedIps: [`100.64.0.${number}/32`, `fd00:1:2::${number}/128`],
  latestHandshake: 0,
  received: 0,
  sent: 0,
  ...change,
});
const desired = (...devices: TunnelDevice[]): Desired => ({
  self: { id: 'd0', addresses: ['fd00:1:2::99'] },
  prefix: PREFIX,
  devices,
});
const observed = (peers: readonly Peer[], pairs: Record<string, Partial<Pair>> = {}): Observed => ({
  peers,
  added: new Set(),
  pairs: new Map(Object.entries(pairs).map(([id, pair]) => [id, { ...NEW_PAIR, ...pair }])),
  now: NOW,
  monotonic: 100_000,
});
const kinds = (want: Desired, seen: Observed) =>
  makePlan(want, seen).actions.map(({ kind }) => kind);

describe('actions', () => {
  const passive = { d1: { role: 'passive', joinedAt: 99_000 } } as const;
  const initiator = { d1: { role: 'initiator', joinedAt: 99_000, endpoint: ENDPOINT } } as const;
  test.each([
    { want: [device(1)], peers: [], pairs: {}, actions: [], why: 'nobody asked' },
    { want: [device(1)], peers: [], pairs: passive, actions: ['add-peer'], why: 'it knocked' },
    {
      want: [device(1)],
      peers: [],
      pairs: initiator,
      actions: ['add-peer'],
      why: 'it welcomed us',
    },
    {
      want: [device(1)],
      peers: [peer(1)],
      pairs: initiator,
      actions: ['set-endpoint'],
      why: 'known already',
    },
    {
      want: [device(1)],
      peers: [peer(1, { latestHandshake: NOW, endpoint: { address: '198.51.100.7', port: 7 } })],
      pairs: initiator,
      actions: [],
      why: 'a handshake proved a better endpoint',
    },
    {
      want: [device(1)],
      peers: [peer(1)],
      pairs: {},
      actions: ['remove-peer'],
      why: 'it never answered',
    },
    {
      want: [device(1)],
      peers: [peer(1)],
      pairs: { d1: { role: 'passive', joinedAt: 60_000 } },
      actions: ['remove-peer'],
      why: 'it knocked 40 s ago and never began',
    },
    {
      want: [device(1)],
      peers: [peer(1, { latestHandshake: 5 })],
      pairs: {},
      actions: [],
      why: 'from before a restart',
    },
    {
      want: [],
      peers: [peer(1, { latestHandshake: NOW })],
      pairs: {},
      actions: ['remove-peer'],
      why: 'revoked (I10)',
    },
    {
      want: [device(1, { mayConnect: false })],
      peers: [peer(1, { latestHandshake: NOW })],
      pairs: passive,
      actions: ['remove-peer'],
      why: 'denied (I10)',
    },
    {
      want: [device(1, { kind: 'plain' })],
      peers: [],
      pairs: {},
      actions: ['add-peer'],
      why: 'a phone is always expected',
    },
    {
      want: [device(1, { kind: 'plain', home: 'd2' }), device(2)],
      peers: [peer(2, { latestHandshake: NOW })],
      pairs: {},
      actions: ['set-allowed-ips'],
      why: 'a phone behind another node is reached through that one',
    },
    {
      want: [],
      peers: [peer(1, { allowedIps: ['10.0.0.1/32'] })],
      pairs: {},
      actions: [],
      why: "somebody else's peer",
    },
    {
      want: [device(2, { kind: 'plain', addresses: ['fd00:1:2::1'] })],
      peers: [peer(1, { latestHandshake: NOW })],
      pairs: {},
      actions: ['add-peer', 'remove-peer'],
      why: 'a new key under an old address: make before break',
    },
    { want: [device(1, { keep: true })], peers: [], pairs: {}, actions: ['knock'], why: 'kept up' },
    {
      want: [device(1, { keep: true })],
      peers: [],
      pairs: { d1: { lastKnock: 99_000 } },
      actions: [],
      why: 'knocked on a second ago',
    },
    {
      want: [device(1, { keep: true })],
      peers: [peer(1, { latestHandshake: NOW - 200 })],
      pairs: {},
      actions: ['knock'],
      why: 'kept, and its session died',
    },
  ] as const)('$why', ({ want, peers, pairs, actions }) => {
    expect(kinds(desired(...want), observed(peers, pairs))).toEqual(actions);
  });
});

test.each<[Partial<Pair>, Peer | undefined, string, string]>([
  [{}, undefined, 'idle', 'nothing yet'],
  [{ isKnocking: true }, undefined, 'knocking', 'asking'],
  [{ role: 'passive', joinedAt: 99_000 }, peer(1), 'waiting', 'welcomed it'],
  [{ role: 'initiator', joinedAt: 99_000 }, peer(1), 'connecting', 'welcomed by it'],
  [{}, peer(1, { latestHandshake: NOW - 179 }), 'up', 'a living session'],
  [{}, peer(1, { latestHandshake: NOW - 180 }), 'quiet', 'a dead session'],
  [{ left: true }, peer(1, { latestHandshake: NOW }), 'quiet', 'it said bye'],
  [
    { role: 'initiator', joinedAt: 99_000, handshakeBefore: NOW - 9 },
    peer(1, { latestHandshake: NOW - 9 }),
    'connecting',
    'an old handshake is no proof of a new path',
  ],
  [{}, peer(1, { latestHandshake: NOW + 9 }), 'up', 'NTP set the clock back a little'],
  [{}, peer(1, { latestHandshake: NOW + 3_600 }), 'quiet', 'the clock was set back an hour'],
  [
    { role: 'initiator', joinedAt: 99_000, handshakeBefore: NOW + 3_600 },
    peer(1, { latestHandshake: NOW }),
    'up',
    'the first handshake after the clock was set back',
  ],
])('%o and %o is %s: %s', (pair, seen, state) => {
  const times = { now: NOW, monotonic: 100_000 };
  expect(pairState(device(1), { ...NEW_PAIR, ...pair }, seen, times)).toBe(state);
});

test('the next look is at the earliest of what can happen', () => {
  const kept = device(1, { keep: true });
  const { wake } = makePlan(
    desired(kept),
    observed([], { d1: { lastKnock: 99_000, failures: 1 } }),
  );
  expect(wake).toEqual({ at: 103_000, why: 'to knock on device 1 again' });
  expect(makePlan(desired(), observed([])).wake.at).toBe(130_000);
});

const numbers = fc.integer({ min: 1, max: 6 });
const devices = fc.uniqueArray(
  fc
    .record({
      number: numbers,
      kind: fc.constantFrom('node' as const, 'plain' as const),
      mayConnect: fc.boolean(),
      keep: fc.boolean(),
      home: fc.constantFrom(undefined, 'd0', 'd1', 'd2'),
    })
    .map(({ number, home, ...rest }) =>
      device(number, { ...rest, ...(home === undefined ? {} : { home }) }),
    ),
  { selector: ({ id }) => id },
);
const peers = fc.uniqueArray(
  fc
    .record({
      number: fc.integer({ min: 1, max: 9 }),
      latestHandshake: fc.constantFrom(0, NOW - 500, NOW - 5),
      isOurs: fc.boolean(),
      hasEndpoint: fc.boolean(),
    })
    .map(({ number, latestHandshake, isOurs, hasEndpoint }) =>
      peer(number, {
        latestHandshake,
        ...(hasEndpoint ? { endpoint: { address: '198.51.100.7', port: 7 } } : {}),
        ...(isOurs ? {} : { allowedIps: [`10.0.0.${number}/32`] }),
      }),
    ),
  { selector: ({ publicKey }) => publicKey },
);
const pairs = fc.dictionary(
  numbers.map((number) => `d${number}`),
  fc.record({
    role: fc.constantFrom('none' as const, 'initiator' as const, 'passive' as const),
    joinedAt: fc.constantFrom(0, 99_000),
    handshakeBefore: fc.constantFrom(0, NOW - 5),
    endpoint: fc.constant(ENDPOINT),
    isKnocking: fc.boolean(),
    left: fc.boolean(),
  }),
);

test('what was planned and done leaves nothing to do (I4)', () => {
  fc.assert(
    fc.property(devices, peers, pairs, (want, seen, known) => {
      const before = observed(seen, known);
      const { actions } = makePlan(desired(...want), before);
      const after = { ...before, peers: actions.reduce<readonly Peer[]>(applyAction, seen) };
      const again = makePlan(desired(...want), after).actions;
      expect(again.filter(({ kind }) => kind !== 'knock')).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test('who may not connect is no peer afterwards, and nothing else is done about it (I10)', () => {
  fc.assert(
    fc.property(devices, peers, pairs, (want, seen, known) => {
      const { actions } = makePlan(desired(...want), observed(seen, known));
      const after = actions.reduce<readonly Peer[]>(applyAction, seen);
      for (const { publicKey, id } of want.filter(({ mayConnect }) => !mayConnect)) {
        const key = printKey(publicKey);
        expect(after.some((one) => one.publicKey === key)).toBe(false);
        expect(actions.filter((action) => concerns(action, key, id))).toEqual(
          seen.some((one) => one.publicKey === key)
            ? [expect.objectContaining({ kind: 'remove-peer' })]
            : [],
        );
      }
    }),
    { numRuns: 300 },
  );
});

test('peers of others stay as they are', () => {
  fc.assert(
    fc.property(devices, peers, pairs, (want, seen, known) => {
      const ours = new Set(want.map(({ publicKey }) => printKey(publicKey)));
      const foreign = seen.filter(
        (one) => !ours.has(one.publicKey) && one.allowedIps[0]?.startsWith('10.'),
      );
      const { actions } = makePlan(desired(...want), observed(seen, known));
      for (const { publicKey } of foreign) {
        expect(actions.filter((action) => concerns(action, publicKey, ''))).toEqual([]);
      }
    }),
    { numRuns: 300 },
  );
});

function concerns(action: Action, key: string, id: string): boolean {
  return action.kind === 'knock' ? action.device === id : action.key === key;
}
