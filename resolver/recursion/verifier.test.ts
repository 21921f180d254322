/**
 * The verifier with an elsewhere that is in the hand of the test: it is done when the test says so.
 */

import { beforeEach, expect, test } from 'vitest';
import { manualClock } from '#runtime/fake';
import { nodeRuntime } from '#runtime/node';
import type { Tried, Unverified } from '../dnssec/attempt.ts';
import { name, purse } from '../dnssec/signed.fixture.ts';
import { MAX_FAILED_SIGNATURES, MAX_MILLISECONDS, type Purse } from './budget.ts';
import { createVerifier, MAX_ELSEWHERE, MAX_UNVERIFIED, type Verifier } from './verifier.ts';

const { hash } = nodeRuntime().crypto;

type Begun = { readonly data: string; readonly done: (isGood: boolean) => Promise<void> };

let clock: ReturnType<typeof manualClock>;
let verifier: Verifier;
/** What was begun elsewhere, in order. */
let begun: Begun[];

beforeEach(() => {
  clock = manualClock();
  begun = [];
  verifier = createVerifier({
    clock,
    crypto: {
      hash,
      verifyElsewhere: (_algorithm, _key, data) =>
        new Promise((resolve) => {
          const done = (isGood: boolean) => {
            resolve(isGood);
            return clock.settle();
          };
          begun.push({ data: new TextDecoder().decode(data), done });
        }),
    },
  });
});

/** A verification for `zone`; those of the same text are equal. */
function unverified(zone: string, text: string): Unverified {
  const octets = new Uint8Array(1);
  const rrset = { owner: name(zone), type: 1, rdatas: [octets] };
  return {
    kind: 'unverified',
    attempt: { rrset, signature: octets, key: { rdata: octets } },
    signer: name(zone),
    verification: {
      algorithm: 'ecdsa-p384',
      publicKey: octets,
      data: new TextEncoder().encode(text),
      signature: octets,
    },
  };
}

/** A question that needs it: what became of it, what it learnt, what it paid. */
function ask(text: string, zone = 'example.com.', budget: Purse = purse()) {
  const check = { purse: budget, tried: [] as Tried[] };
  const said: string[] = [];
  void verifier.settle(unverified(zone, text), check).then((problem) => {
    said.push(problem ?? check.tried.map(({ isGood }) => String(isGood)).join());
  });
  return { said, check };
}

const texts = () => begun.map(({ data }) => data).join(' ');

/** Has whatever is begun be good, until nothing is left. */
async function finishAll(): Promise<void> {
  for (let at = 0; at < begun.length; at++) await begun[at]?.done(true);
}

test.each([
  { isGood: true, failed: 0 },
  { isGood: false, failed: 1 },
])('the result is noted, a wrong one is paid for: $isGood', async ({ isGood, failed }) => {
  const { said, check } = ask('one');
  await clock.settle();
  expect([said, verifier.size]).toEqual([[], 1]);
  await begun[0]?.done(isGood);
  expect(said).toEqual([String(isGood)]);
  expect(MAX_FAILED_SIGNATURES - check.purse.budget.failedSignatures).toBe(failed);
  expect(verifier.size).toBe(0);
});

test('equal verifications are made once, whoever needs them', async () => {
  const all = [ask('one'), ask('one'), ask('one')];
  ask('two');
  await clock.settle();
  expect(texts()).toBe('one two');
  await begun[0]?.done(true);
  expect(all.map(({ said }) => said)).toEqual([['true'], ['true'], ['true']]);
  ask('one');
  await clock.settle();
  expect(texts()).toBe('one two one');
});

test('only so many are under way at once, and domains take turns', async () => {
  for (const text of ['a1', 'a2', 'a3', 'a4']) ask(text, `${text}.attacker.com.`);
  ask('b1', 'bank.org.');
  await clock.settle();
  expect(begun).toHaveLength(MAX_ELSEWHERE);
  await finishAll();
  expect(texts()).toBe('a1 a2 a3 b1 a4');
});

test('the root and what registries sign have turns of their own', async () => {
  for (const text of ['a1', 'a2', 'a3', 'a4', 'a5']) ask(text, 'attacker.com.');
  ask('com', 'com.');
  ask('root', '.');
  await clock.settle();
  await finishAll();
  expect(texts()).toBe('a1 a2 a3 com root a4 a5');
});

test('when too many wait, whose most are gives one up, and says so', async () => {
  const most = Array.from({ length: MAX_ELSEWHERE + MAX_UNVERIFIED }, (_, index) =>
    ask(`a${index}`, 'attacker.com.'),
  );
  const own = ask('more', 'attacker.com.');
  const other = ask('b', 'bank.org.');
  await clock.settle();
  expect(own.said).toEqual(['overloaded']);
  expect(most.map(({ said }) => said).filter(([word]) => word === 'overloaded')).toHaveLength(1);
  expect(most.at(-1)?.said).toEqual(['overloaded']);
  expect(verifier.size).toBe(MAX_ELSEWHERE + MAX_UNVERIFIED);
  await finishAll();
  expect(other.said).toEqual(['true']);
  expect(verifier.size).toBe(0);
});

test('nobody waits longer than his question may take, and what nobody waits for is not made', async () => {
  const busy = Array.from({ length: MAX_ELSEWHERE }, (_, index) => ask(`busy${index}`));
  const late = ask('late');
  const poor: Purse = purse();
  poor.budget = { ...poor.budget, deadline: 1 };
  const hasty = ask('hasty', 'example.com.', poor);
  const both = ask('hasty');
  await clock.advance(1_000);
  expect([hasty.said, both.said]).toEqual([['out-of-time'], []]);
  await clock.advance(MAX_MILLISECONDS - 1_000);
  const all = [...busy, late, both].map(({ said }) => said.join());
  expect(new Set(all)).toEqual(new Set(['out-of-time']));
  expect(verifier.size).toBe(MAX_ELSEWHERE);
  await finishAll();
  expect(texts()).toBe('busy0 busy1');
  expect(verifier.size).toBe(0);
  // What came too late changes nothing.
  expect(busy.flatMap(({ check }) => check.tried)).toEqual([]);
});

test('who comes while an abandoned one is still under way waits for that', async () => {
  ask('one');
  await clock.advance(MAX_MILLISECONDS);
  const budget = purse();
  budget.budget = { ...budget.budget, deadline: 20 };
  const { said } = ask('one', 'example.com.', budget);
  await clock.settle();
  await begun[0]?.done(true);
  expect([said, texts()]).toEqual([['true'], 'one']);
});

test('closed, it lets go of all who wait and begins nothing more', async () => {
  const all = Array.from({ length: 5 }, (_, index) => ask(`${index}`));
  await clock.settle();
  verifier[Symbol.dispose]();
  const after = ask('after');
  await clock.settle();
  expect([...all, after].map(({ said }) => said)).toEqual(Array(6).fill(['overloaded']));
  expect(verifier.size).toBe(0);
  await finishAll();
  expect(begun).toHaveLength(MAX_ELSEWHERE);
});
