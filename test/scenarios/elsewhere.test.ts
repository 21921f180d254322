/**
 * Costly signatures are verified elsewhere: while that takes its time, others are served; who waits
 * is served once, or told in time. Elsewhere is in the hand of the test.
 */

import { expect, test } from 'vitest';
import { type Message, TYPE } from '#resolver';
import type { Crypto } from '#runtime';
import { fakeRuntime } from '#runtime/fake';
import { type Internet, nameOf, queryFor } from './internet.ts';
import { parseScenario } from './rpl-file.ts';
import { openScenario } from './rpl-run.ts';

const ZONES = `stub-addr: 192.0.2.1
key: root . 13
key: house house. 13
key: curve curve. 14
key: below below.curve. 13
key: goldilocks goldilocks. 16
trust-key: root
CONFIG_END
SCENARIO_BEGIN Cheap and costly zones
ZONE_BEGIN . 192.0.2.1 root
. NS ns.root.
ns.root. A 192.0.2.1
DNSKEY root
house. NS ns.house.
ns.house. A 192.0.2.3
DS house
curve. NS ns.curve.
ns.curve. A 192.0.2.4
DS curve
goldilocks. NS ns.goldilocks.
ns.goldilocks. A 192.0.2.5
DS goldilocks
ZONE_END
ZONE_BEGIN house. 192.0.2.3 house
house. NS ns.house.
ns.house. A 192.0.2.3
DNSKEY house
www.house. A 198.51.100.3
ftp.house. A 198.51.100.3
ZONE_END
ZONE_BEGIN curve. 192.0.2.4 curve
curve. NS ns.curve.
ns.curve. A 192.0.2.4
DNSKEY curve
a.curve. A 198.51.100.4
b.curve. A 198.51.100.4
c.curve. A 198.51.100.4
below.curve. NS ns.below.curve.
ns.below.curve. A 192.0.2.6
DS below
ZONE_END
ZONE_BEGIN below.curve. 192.0.2.6 below
below.curve. NS ns.below.curve.
ns.below.curve. A 192.0.2.6
DNSKEY below
www.below.curve. A 198.51.100.6
ZONE_END
ZONE_BEGIN goldilocks. 192.0.2.5 goldilocks
goldilocks. NS ns.goldilocks.
ns.goldilocks. A 192.0.2.5
DNSKEY goldilocks
www.goldilocks. A 198.51.100.5
ZONE_END
SCENARIO_END
`;

type Stand = AsyncDisposable & {
  readonly internet: Internet;
  /** Verifications asked for elsewhere. */
  readonly asked: string[];
  /** Lets those go that wait and those that come. */
  open(): Promise<void>;
};

/** The internet, and an elsewhere that is closed until it is opened. */
async function openStand(): Promise<Stand> {
  const { crypto } = fakeRuntime();
  const asked: string[] = [];
  const gate = Promise.withResolvers<void>();
  const gated: Crypto = {
    ...crypto,
    async verifyElsewhere(...args) {
      asked.push(args[0]);
      await gate.promise;
      return crypto.verify(...args);
    },
  };
  const parsed = parseScenario(ZONES);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const { internet } = await openScenario(parsed.scenario, { minimise: true, crypto: gated });
  return {
    internet,
    asked,
    open() {
      gate.resolve();
      return internet.clock.settle();
    },
    [Symbol.asyncDispose]: () => internet[Symbol.asyncDispose](),
  };
}

type Told = { message?: Message };

/** Asks without waiting; the message is there once it is answered. */
function begin({ internet: { resolver } }: Stand, name: string): Told {
  const told: Told = {};
  const query = { ...queryFor(name, 'A'), authenticData: true };
  void resolver.handle(query, CLIENT, 'tcp').then((message) => {
    told.message = message;
  });
  return told;
}

const CLIENT = { address: '203.0.113.9', port: 9 };

const SECURE = { message: { rcode: 0, authenticData: true } };
const FAILED = { message: { rcode: 2, authenticData: false, answers: [] } };

test('while signatures are verified elsewhere, others are answered, from the cache and anew', async () => {
  await using stand = await openStand();
  const { internet, asked } = stand;
  await internet.ask('www.house.', 'A');
  const waiting = ['a.curve.', 'www.goldilocks.'].map((name) => begin(stand, name));
  await internet.clock.advance(1_000);
  expect(asked).toEqual(['ecdsa-p384', 'ed448']);
  expect((await internet.ask('www.house.', 'A', { authenticData: true })).message).toMatchObject(
    SECURE.message,
  );
  expect(internet.events.at(-1)?.from).toBe('cache');
  expect((await internet.ask('ftp.house.', 'A', { authenticData: true })).message).toMatchObject(
    SECURE.message,
  );
  expect(waiting).toEqual([{}, {}]);
  await stand.open();
  expect(waiting).toMatchObject([SECURE, SECURE]);
});

test('what many wait for is verified once, and each signature once for one question', async () => {
  await using stand = await openStand();
  const { internet, asked } = stand;
  const names = ['a.curve.', 'b.curve.', 'c.curve.', 'a.curve.', 'a.curve.'];
  const waiting = names.map((name) => begin(stand, name));
  await internet.clock.advance(1_000);
  // The keys of the zone, for all of them.
  expect(asked).toHaveLength(1);
  await stand.open();
  expect(waiting).toMatchObject(names.map(() => SECURE));
  // And the signatures of the three names.
  expect(asked).toHaveLength(4);
});

test('nor is one verified again after something else was missing', async () => {
  await using stand = await openStand();
  await stand.open();
  const { message } = await stand.internet.ask('www.below.curve.', 'A', { authenticData: true });
  expect(message).toMatchObject(SECURE.message);
  // The keys, and the DS of the zone below: it is looked at before and after that one's keys are asked for.
  expect(stand.asked).toHaveLength(2);
});

test('who waits too long is told so within the limit, and nothing of it is left', async () => {
  await using stand = await openStand();
  const { internet, asked } = stand;
  const late = begin(stand, 'a.curve.');
  await internet.clock.advance(9_000);
  expect(late).toEqual({});
  await internet.clock.advance(2_000);
  expect(late).toMatchObject(FAILED);
  expect(internet.resolver.stats().inFlight).toBe(0);
  await stand.open();
  // Nothing was known of the data, so nothing is remembered of the failure.
  const { message } = await internet.ask('a.curve.', 'A', { authenticData: true });
  expect(message).toMatchObject(SECURE.message);
  expect(asked).toEqual(['ecdsa-p384', 'ecdsa-p384', 'ecdsa-p384']);
});

test('a resolver that is closed lets go of who waits', async () => {
  const stand = await openStand();
  const waiting = begin(stand, 'a.curve.');
  await stand.internet.clock.advance(1_000);
  await stand[Symbol.asyncDispose]();
  await stand.internet.clock.settle();
  expect(waiting).toMatchObject(FAILED);
});

test('so is what is only explained', async () => {
  await using stand = await openStand();
  const { internet, asked } = stand;
  let rcode = '';
  void internet.resolver.explain(nameOf('a.curve.'), TYPE.A, false).then((told) => {
    rcode = told.rcode;
  });
  await internet.clock.advance(1_000);
  expect([asked, rcode]).toEqual([['ecdsa-p384'], '']);
  await stand.open();
  expect([asked.length, rcode]).toEqual([2, 'NOERROR']);
});
