/**
 * The state machine against a network that answers anything: the work stays inside the budget, and
 * an outcome always comes (I6).
 */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCache } from '../cache/cache.ts';
import type { Message } from '../message/message.ts';
import { RCODE, TYPE } from '../message/type.ts';
import {
  fullBudget,
  MAX_BYTES,
  MAX_MILLISECONDS,
  MAX_REFERRALS,
  MAX_SENDS,
  MAX_SENDS_PER_NAME,
  MAX_TIMEOUTS_IN_A_ROW,
} from './budget.ts';
import { rootCut } from './delegation.ts';
import type { Event, Outcome, Send, Settings, World } from './frame.ts';
import { begin, step } from './recursor.ts';
import { nameOf, replyTo } from './reply.fixture.ts';
import type { Route } from './route.ts';
import { createServers } from './servers.ts';

const SETTINGS: Settings = {
  root: rootCut([{ name: 'a.root.', addresses: ['198.51.100.1', '2001:db8::1'] }]),
  routes: [],
  port: 53,
  ipv4: true,
  ipv6: false,
  minimise: true,
  allowsSpecial: false,
};

/** Resolvers that need not be insisted on. */
const FORWARDERS: Route = {
  ...{ zone: nameOf('.'), kind: 'forward', fallback: true },
  servers: Array.from({ length: 12 }, (_, i) => ({ address: `203.0.113.${i}`, port: 53 })),
};

const worldOf = (
  changes: Partial<Settings> = {},
  random = (length: number) => new Uint8Array(length),
): World => ({
  settings: { ...SETTINGS, ...changes },
  cache: createCache(1_000_000),
  servers: createServers(),
  random,
});

type Network = (send: Send, index: number) => { event: Event; takes: number };

/** Plays one question to its end; returns what was sent, what came of it and how long it took. */
function play(name: string, type: number, world: World, network: Network) {
  const sends: Send[] = [];
  let now = 1000;
  let next = step(begin(nameOf(name), type, fullBudget(now)), { kind: 'start' }, now, world);
  while (next.outcome === undefined) {
    const [send] = next.sends;
    if (send === undefined || next.sends.length !== 1) throw new Error('one send at a time');
    sends.push(send);
    const { event, takes } = network(send, sends.length - 1);
    now += event.kind === 'timeout' ? send.timeout / 1000 : Math.min(takes, send.timeout) / 1000;
    next = step(next.state, event, now, world);
  }
  return { sends, outcome: next.outcome as Outcome, milliseconds: (now - 1000) * 1000 };
}

const reply = (message: Message, bytes = 100): Event => ({
  kind: 'reply',
  message,
  bytes,
  milliseconds: 10,
});

const LABELS = ['com', 'example', 'www', 'a', 'b', 'ns'];
const nameText = fc
  .array(fc.constantFrom(...LABELS), { maxLength: 5 })
  .map((parts) => `${parts.join('.')}.`);

/** Any record the recursor might stumble over. */
const recordText = fc.oneof(
  fc.tuple(nameText, fc.nat(255)).map(([owner, octet]) => `${owner} A 198.51.100.${octet}`),
  fc
    .tuple(nameText, fc.constantFrom('NS', 'CNAME', 'DNAME'), nameText)
    .map((parts) => parts.join(' ')),
  nameText.map((owner) => `${owner} SOA a. b. 1 2 3 4 5`),
);

const anyReply = fc
  .record({
    answers: fc.array(recordText, { maxLength: 4 }),
    authorities: fc.array(recordText, { maxLength: 4 }),
    additionals: fc.array(recordText, { maxLength: 4 }),
    rcode: fc.constantFrom(0, 0, 0, 0, 1, 2, 3, 5, 6, RCODE.BADCOOKIE),
    authoritative: fc.boolean(),
    truncated: fc.constantFrom(false, false, false, true),
    recursionAvailable: fc.constantFrom(false, false, true),
  })
  .map(({ answers, authorities, additionals, ...flags }) => (send: Send): Event => {
    const sections = { answers, authorities, additionals };
    return reply(replyTo('.', send.type, sections, flags), 600);
  });

const anyEvent: fc.Arbitrary<(send: Send) => Event> = fc.oneof(
  { weight: 8, arbitrary: anyReply },
  fc
    .constantFrom('timeout' as const, 'unreachable' as const, 'forged' as const)
    .map((kind) => () => ({ kind })),
  fc.constant(() => ({ kind: 'forged', isOnlyCase: true }) as const),
);

test('whatever the network answers, an outcome comes within the budget', () => {
  const network = fc.array(fc.tuple(anyEvent, fc.nat(300)), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(
      nameText,
      fc.constantFrom(TYPE.A, TYPE.NS, TYPE.DS, TYPE.CNAME),
      network,
      fc.boolean(),
      fc.boolean(),
      (name, type, script, ipv6, isForwarding) => {
        const routes = isForwarding ? [FORWARDERS] : [];
        const world = worldOf({ ipv6, routes, cookies: true });
        const { sends, milliseconds } = play(name, type, world, (send, index) => {
          const [event, takes] = script[index % script.length] ?? [
            () => ({ kind: 'timeout' as const }),
            0,
          ];
          return { event: event(send), takes };
        });
        expect(sends.length).toBeLessThanOrEqual(MAX_SENDS);
        expect(milliseconds).toBeLessThanOrEqual(MAX_MILLISECONDS + 1);
      },
    ),
    { numRuns: 150 },
  );
});

test.each([
  { event: { kind: 'timeout' }, why: 'all are silent' },
  { event: { kind: 'unreachable' }, why: 'none can be reached' },
  { event: reply(replyTo('www.example.', TYPE.A, {}, { rcode: 2 })), why: 'all fail' },
] as const)('many forwarders do not use up the way around them: $why', ({ event }) => {
  const world = worldOf({ routes: [FORWARDERS], minimise: false });
  const { outcome } = play('www.example.', TYPE.A, world, (send) =>
    send.recursionDesired
      ? { event, takes: 1 }
      : {
          event: reply(
            replyTo('www.example.', TYPE.A, { answers: ['www.example. A 198.51.100.1'] }),
          ),
          takes: 1,
        },
  );
  expect(outcome.kind).toBe('answer');
});

describe('the budget', () => {
  const down = (send: Send, servers: readonly string[], glue: readonly string[] = []): Event =>
    reply({
      ...replyTo(
        '.',
        send.type,
        { authorities: servers, additionals: glue },
        { authoritative: false },
      ),
      questions: [],
    });

  test('bytes: replies that are too large together end the question', () => {
    const addresses = Array.from({ length: 10 }, (_, i) => `198.51.100.${i + 1}`);
    const root = rootCut([{ name: 'a.root.', addresses }]);
    const { outcome, sends } = play('www.', TYPE.A, worldOf({ root }), (send) => ({
      event: reply(replyTo('.', send.type, {}, { rcode: 2 }), 60_000),
      takes: 1,
    }));
    expect(outcome).toEqual({ kind: 'failure', reason: 'too-many-bytes' });
    expect(sends.length).toBe(Math.floor(MAX_BYTES / 60_000) + 1);
  });

  const manyServers = rootCut([
    { name: 'a.root.', addresses: Array.from({ length: 40 }, (_, i) => `198.51.100.${i + 1}`) },
  ]);

  test('time: slow servers end the question, to the millisecond', () => {
    const world = worldOf({ root: manyServers });
    for (const address of manyServers.servers[0]?.addresses ?? []) {
      for (let loss = 0; loss < 5; loss++) world.servers.lost({ address, port: 53 }, 1000);
    }
    const { outcome, milliseconds } = play('www.example.', TYPE.A, world, () => ({
      event: { kind: 'timeout' },
      takes: 0,
    }));
    expect(outcome).toEqual({ kind: 'failure', reason: 'out-of-time' });
    expect(Math.round(milliseconds)).toBe(MAX_MILLISECONDS);
  });

  test('a question that ends says nothing of the server it waits for, nor of the name', () => {
    const world = worldOf();
    const server = { address: '198.51.100.1', port: 53 };
    const budget = { ...fullBudget(1000), deadline: 1000.02 };
    const asked = nameOf('www.');
    const first = step(begin(asked, TYPE.A, budget), { kind: 'start' }, 1000, world);
    const before = world.servers.score(server, 1001);
    const last = step(first.state, { kind: 'timeout' }, 1000.02, world);
    expect(last.outcome).toEqual({ kind: 'failure', reason: 'out-of-time' });
    expect(world.servers.score(server, 1001)).toBe(before);
    expect(world.cache.findFailure(asked, TYPE.A, 1001)).toBeUndefined();
  });

  test('nor does it say that a server has no TCP, which was still to be tried', () => {
    const world = worldOf();
    const budget = { ...fullBudget(1000), deadline: 1000.5 };
    const begun = begin(nameOf('www.'), TYPE.A, budget);
    const first = step(begun, { kind: 'start' }, 1000, world);
    const forged = step(first.state, { kind: 'forged', isOnlyCase: true }, 1000.1, world);
    expect(forged.sends).toMatchObject([{ transport: 'tcp' }]);
    const last = step(forged.state, { kind: 'timeout' }, 1000.5, world);
    expect(last.outcome).toEqual({ kind: 'failure', reason: 'out-of-time' });
    expect(world.servers.lacksTcp({ address: '198.51.100.1', port: 53 }, 1001)).toBe(false);
  });

  test('silence: a line that is down is called so before the asker gives up', () => {
    const { outcome, sends, milliseconds } = play(
      'www.example.',
      TYPE.A,
      worldOf({ root: manyServers }),
      () => ({ event: { kind: 'timeout' }, takes: 0 }),
    );
    expect(outcome).toEqual({ kind: 'failure', reason: 'no-reachable-authority' });
    expect(sends.length).toBe(MAX_TIMEOUTS_IN_A_ROW);
    expect(milliseconds).toBeLessThan(5000);
  });

  test('sends for one name: many failing servers are not all asked', () => {
    const { sends, outcome } = play('www.', TYPE.A, worldOf({ root: manyServers }), (send) => ({
      event: reply(replyTo('.', send.type, {}, { rcode: 2 })),
      takes: 1,
    }));
    expect(outcome).toEqual({ kind: 'failure', reason: 'no-reachable-authority' });
    expect(sends.length).toBe(MAX_SENDS_PER_NAME);
  });

  test('referrals: deeper and deeper ends', () => {
    const labels = Array.from({ length: 60 }, (_, i) => `l${i}`);
    const { outcome, sends } = play(
      `${labels.join('.')}.`,
      TYPE.A,
      worldOf({ minimise: false }),
      (_send, index) => {
        const zone = `${labels.slice(59 - index).join('.')}.`;
        return {
          event: down(_send, [`${zone} NS ns.${zone}`], [`ns.${zone} A 198.51.100.9`]),
          takes: 1,
        };
      },
    );
    expect(outcome).toEqual({ kind: 'failure', reason: 'too-many-referrals' });
    expect(sends.length).toBe(MAX_REFERRALS + 1);
  });

  test('servers that can only be found by each other are not looked for in circles', () => {
    const { outcome, sends } = play('www.a.', TYPE.A, worldOf({ minimise: false }), (send) => {
      const zone = send.name.key.endsWith('\x01a\0') ? 'a.' : 'b.';
      return { event: down(send, [`${zone} NS ns.${zone === 'a.' ? 'b.' : 'a.'}`]), takes: 1 };
    });
    expect(outcome).toMatchObject({ kind: 'failure' });
    expect(sends.map(({ name }) => name.key.slice(1, 3))).toEqual(['ww', 'ns']);
  });

  test('names of servers: only a few are looked up for one delegation (NXNSAttack)', () => {
    const many = Array.from({ length: 30 }, (_, i) => `sub.example. NS ns${i}.victim.`);
    const { sends, outcome } = play(
      'www.sub.example.',
      TYPE.A,
      worldOf({ minimise: false }),
      (send) => ({
        event: send.name.key.includes('victim')
          ? reply({
              ...replyTo(
                '.',
                TYPE.A,
                { authorities: ['victim. SOA a. b. 1 2 3 4 5'] },
                { rcode: 3 },
              ),
              questions: [],
            })
          : down(send, many),
        takes: 1,
      }),
    );
    expect(outcome).toMatchObject({ kind: 'failure', reason: 'no-reachable-authority' });
    expect(sends.length).toBeLessThanOrEqual(6);
  });

  test('depth: servers that need servers that need servers', () => {
    let level = 0;
    const { outcome, sends } = play('www.z.', TYPE.A, worldOf({ minimise: false }), (send) => {
      level++;
      const zone = send.name.key.slice(send.name.key.charCodeAt(0) + 1, -1).slice(1);
      return { event: down(send, [`${zone}. NS ns.z${level}.`]), takes: 1 };
    });
    expect(outcome.kind).toBe('failure');
    expect(sends.length).toBeLessThanOrEqual(8);
  });
});

describe('routes', () => {
  const STUB = { address: '203.0.113.1', port: 5353 };
  const FORWARDER = { address: '203.0.113.2', port: 53 };
  const ROUTES: Settings['routes'] = [
    { zone: nameOf('alice.nymote.'), kind: 'stub', servers: [STUB] },
    { zone: nameOf('corp.'), kind: 'forward', servers: [FORWARDER] },
  ];
  const SOA = '. SOA a.root. host. 1 2 3 4 300';
  const lost: Network = () => ({ event: { kind: 'timeout' }, takes: 0 });

  test.each([
    { name: 'www.alice.nymote.', server: STUB, rd: false, why: 'a stub' },
    { name: 'www.a.corp.', server: FORWARDER, rd: true, why: 'a forwarder' },
  ])('$name goes to $why and to nobody else', ({ name, server, rd }) => {
    const { sends, outcome } = play(name, TYPE.A, worldOf({ routes: ROUTES }), lost);
    expect(new Set(sends.map((send) => send.server))).toEqual(new Set([server]));
    expect(sends[0]).toMatchObject({ name: nameOf(name), recursionDesired: rd });
    expect(outcome.kind).toBe('failure');
  });

  test('a stub’s zone is not there for those above, and is asked all the same', () => {
    const world = worldOf({ routes: ROUTES });
    const denied = replyTo('nymote.', TYPE.A, { authorities: [SOA] }, { rcode: 3 });
    const [soa] = denied.authorities;
    if (soa === undefined) throw new Error('no SOA');
    world.cache.putNoName(nameOf('nymote.'), { soa, proof: [] }, 4, 1000);
    expect(play('www.alice.nymote.', TYPE.A, world, lost).sends[0]?.server).toEqual(STUB);
    expect(play('www.bob.nymote.', TYPE.A, world, lost)).toMatchObject({
      sends: [],
      outcome: { kind: 'no-name' },
    });
  });

  test('below a stub, its delegations are followed', () => {
    const refer = (send: Send) =>
      replyTo(
        'www.sub.alice.nymote.',
        send.type,
        {
          authorities: ['sub.alice.nymote. NS ns.sub.alice.nymote.'],
          additionals: ['ns.sub.alice.nymote. A 198.51.100.77'],
        },
        { authoritative: false },
      );
    const world = worldOf({ routes: ROUTES, minimise: false });
    const { sends } = play('www.sub.alice.nymote.', TYPE.A, world, (send, index) => ({
      event: index === 0 ? reply(refer(send)) : { kind: 'unreachable' },
      takes: 1,
    }));
    expect(sends.map(({ server }) => server.address).slice(0, 2)).toEqual([
      STUB.address,
      '198.51.100.77',
    ]);
  });
});

describe('choosing', () => {
  test('switched-off families are not asked', () => {
    for (const [ipv4, ipv6, family] of [
      [true, false, '.'],
      [false, true, ':'],
    ] as const) {
      const { sends } = play('www.example.', TYPE.A, worldOf({ ipv4, ipv6 }), () => ({
        event: { kind: 'timeout' },
        takes: 0,
      }));
      expect(sends.every(({ server }) => server.address.includes(family))).toBe(true);
    }
  });

  test('the faster server is preferred, the slow one not forgotten', () => {
    const world = worldOf({
      root: rootCut([{ name: 'a.root.', addresses: ['198.51.100.1', '198.51.100.2'] }]),
    });
    world.servers.answered({ address: '198.51.100.1', port: 53 }, 300);
    world.servers.answered({ address: '198.51.100.2', port: 53 }, 10);
    const { sends } = play('www.example.', TYPE.A, world, () => ({
      event: { kind: 'timeout' },
      takes: 0,
    }));
    expect(sends[0]?.server.address).toBe('198.51.100.2');
    expect(sends.some(({ server }) => server.address === '198.51.100.1')).toBe(true);
  });

  test('a forged reply moves the question to TCP at the same server', () => {
    const { sends } = play('www.example.', TYPE.A, worldOf(), (_send, index) => ({
      event: index === 0 ? { kind: 'forged' } : { kind: 'unreachable' },
      takes: 1,
    }));
    expect(sends.map(({ transport }) => transport).slice(0, 2)).toEqual(['udp', 'tcp']);
  });
});
