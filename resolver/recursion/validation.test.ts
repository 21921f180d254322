/**
 * The driver with a real cache and recursion over a network of functions: example. (the anchor) has
 * two servers, and what each says is up to the test.
 */

import { beforeAll, beforeEach, expect, test } from 'vitest';
import { manualClock, seededRandom } from '#runtime/fake';
import { nodeRuntime } from '#runtime/node';
import { type Cache, createCache } from '../cache/cache.ts';
import { createSynthesis } from '../cache/synthesis.ts';
import { readAnchors } from '../dnssec/anchors.ts';
import { createChainMemory } from '../dnssec/chain.ts';
import {
  NOW,
  name,
  nsec,
  records,
  type SampleZone,
  samples,
  set,
} from '../dnssec/signed.fixture.ts';
import type { Message } from '../message/message.ts';
import { printName } from '../message/name.ts';
import { decodeRdataAs, encodeRdata } from '../message/rdata.ts';
import type { RRset } from '../message/rrset.ts';
import { RCODE, TYPE } from '../message/type.ts';
import { type Budget, fullBudget, MAX_FAILED_SIGNATURES, MAX_SIGNATURES } from './budget.ts';
import { rootCut } from './delegation.ts';
import type { Event, Send } from './frame.ts';
import { createRecursion } from './recursion.ts';
import { nameOf, replyTo } from './reply.fixture.ts';
import { createValidation, type Validation } from './validation.ts';
import { createVerifier } from './verifier.ts';

const { crypto } = nodeRuntime();
const { zone: sampleZone, counting, nsec3Chain } = samples(crypto);

const FIRST = '198.51.100.1';
const SECOND = '198.51.100.2';

let zone: SampleZone;
let www: RRset;
let soa: RRset;
/** What the servers of example. say, by address and `name type`; the first key that fits. */
let says: Map<string, () => Message>;
let sends: string[];
let clock: ReturnType<typeof manualClock>;
let cache: Cache;
let counted: ReturnType<typeof counting>;
let validation: Validation;

beforeAll(async () => {
  zone = await sampleZone('example.');
  www = zone.sign(set('www.example. 300 A 192.0.2.1'));
  soa = zone.sign(soaAlone());
});

const soaAlone = () => set('example. 300 SOA ns.example. host.example. 1 2 3 4 300');

function positive(rrset: RRset, ...proof: readonly RRset[]): () => Message {
  const [dot, type] = ['.', rrset.type];
  return () => ({
    ...replyTo(dot, type),
    answers: records(rrset),
    authorities: records(...proof),
  });
}

const negative =
  (...sets: readonly RRset[]) =>
  () => ({
    ...replyTo('.', TYPE.A),
    authorities: records(...sets),
  });

type Options = {
  forwarding?: boolean;
  anchored?: boolean;
  negative?: readonly string[];
  also?: readonly string[];
};

function build(more: Options = {}): void {
  const lines = more.anchored === false ? [] : [zone.anchor, ...(more.also ?? [])];
  const read = readAnchors(lines, more.negative ?? []);
  if (!read.ok) throw new Error(read.line);
  const isForwarding = more.forwarding === true;
  const settings = {
    root: rootCut([{ name: 'a.root.', addresses: ['198.51.100.9'] }]),
    routes: isForwarding
      ? [{ zone: nameOf('.'), kind: 'forward' as const, servers: [{ address: FIRST, port: 53 }] }]
      : [],
    port: 53,
    ipv4: true,
    ipv6: false,
    minimise: false,
    allowsSpecial: true,
  };
  const ask = (send: Send): Promise<Event> => {
    const { server, type } = send;
    const text = `${printName(send.name)} ${type}`;
    sends.push(`${server.address} ${text}`);
    const made = says.get(`${server.address} ${text}`) ?? says.get(`* ${text}`) ?? refer;
    const answer = server.address === '198.51.100.9' ? refer() : made();
    return Promise.resolve({ kind: 'reply', message: answer, bytes: 200, milliseconds: 5 });
  };
  const random = seededRandom(1);
  const recursion = createRecursion({ clock, random }, settings, cache, { ask });
  validation = createValidation({
    clock,
    crypto: counted.check.crypto,
    verifier: createVerifier({ clock, crypto }),
    recursion,
    cache,
    anchors: read.anchors,
    memory: createChainMemory(),
    isForwarding,
    synthesis: createSynthesis(cache, crypto),
  });
}

function refer(): Message {
  const authorities = ['example. NS ns1.example.', 'example. NS ns2.example.'];
  const additionals = [`ns1.example. A ${FIRST}`, `ns2.example. A ${SECOND}`];
  return replyTo('www.example.', TYPE.A, { authorities, additionals }, { authoritative: false });
}

beforeEach(() => {
  clock = manualClock();
  clock.set(NOW);
  cache = createCache();
  counted = counting();
  sends = [];
  const here = zone.sign(nsec('www.example. → example. A RRSIG NSEC'));
  says = new Map([
    [`* example. ${TYPE.DNSKEY}`, positive(zone.keys)],
    [`* www.example. ${TYPE.A}`, positive(www)],
    [`* www.example. ${TYPE.DS}`, negative(soa, here)],
    [`* www.example. ${TYPE.MX}`, negative(soa, here)],
  ]);
  build();
});

const ask = (type: number = TYPE.A, unchecked = false) =>
  validation.resolve(name('www.example.'), type, fullBudget(clock.monotonic() / 1000), unchecked);

test('what is secure comes from the cache the second time, unchecked', async () => {
  expect((await ask()).judgement).toEqual({ state: 'secure', isDenial: false, isTimed: true });
  const verified = counted.verifies();
  const again = await ask();
  expect(again).toMatchObject({ from: 'cache', judgement: { state: 'secure' } });
  expect(counted.verifies()).toBe(verified);
});

test('so does a denial', async () => {
  expect(await ask(TYPE.MX)).toMatchObject({
    outcome: { kind: 'no-data' },
    judgement: { state: 'secure' },
  });
  expect(await ask(TYPE.MX)).toMatchObject({ from: 'cache', judgement: { state: 'secure' } });
});

test('equal questions are judged once', async () => {
  const all = await Promise.all([ask(), ask(), ask()]);
  expect(all.map(({ judgement }) => judgement?.state)).toEqual(['secure', 'secure', 'secure']);
  expect(counted.verifies()).toBe(2);
});

/* Somebody's alias leads to this name when hardly anything is left of the question's budget */

const askPoorly = (more: Partial<Budget>) => {
  const budget = fullBudget(clock.monotonic() / 1000);
  return validation.resolve(name('www.example.'), TYPE.A, { ...budget, ...more }, false);
};

test.each<{ left: Partial<Budget>; why: string }>([
  { left: { sends: 0 }, why: 'the name' },
  { left: { sends: 1 }, why: 'its zone' },
  { left: { sends: 2 }, why: 'its keys' },
  { left: { signatures: 1 }, why: 'its signature' },
  { left: { deadline: 0 }, why: 'any time' },
])('what a question led here cannot afford fails for nobody else: $why', async ({ left }) => {
  const poor = await askPoorly(left);
  expect(poor.judgement?.state).not.toBe('secure');
  expect((await ask()).judgement?.state).toBe('secure');
});

test('nor for who asks at the same time', async () => {
  const [poor, ...others] = await Promise.all([askPoorly({ sends: 1 }), ask(), ask()]);
  expect(poor?.outcome.kind).toBe('failure');
  expect(others.map(({ judgement }) => judgement?.state)).toEqual(['secure', 'secure']);
  cache.clear();
  validation.clear();
  const [unkeyed, ...more] = await Promise.all([askPoorly({ sends: 2 }), ask(), ask()]);
  expect(unkeyed?.judgement?.state).toBe('bogus');
  expect(more.map(({ judgement }) => judgement?.state)).toEqual(['secure', 'secure']);
});

test('CD: nothing is checked', async () => {
  says.set(`* www.example. ${TYPE.A}`, positive({ ...www, signatures: [] }));
  const found = await ask(TYPE.A, true);
  expect(found.judgement).toBeUndefined();
  expect(found.outcome.kind).toBe('answer');
  expect(counted.verifies()).toBe(0);
});

test('without an anchor nothing is checked', async () => {
  build({ anchored: false });
  expect((await ask()).judgement).toBeUndefined();
});

test('when one server lies, the other is asked', async () => {
  const forged = { ...www, rdatas: [Uint8Array.of(6, 6, 6, 6)] };
  for (const liar of [FIRST, SECOND]) {
    says.set(`${liar} www.example. ${TYPE.A}`, positive(forged));
    cache.clear();
    expect((await ask()).judgement?.state, liar).toBe('secure');
    says.delete(`${liar} www.example. ${TYPE.A}`);
  }
});

test('when one server has other keys, the other is asked', async () => {
  const forged = zone.sign({ ...zone.keys, signatures: [] }, { expiration: NOW - 1 });
  for (const liar of [FIRST, SECOND]) {
    says.set(`${liar} example. ${TYPE.DNSKEY}`, positive(forged));
    cache.clear();
    validation.clear();
    expect((await ask()).judgement?.state, liar).toBe('secure');
    says.delete(`${liar} example. ${TYPE.DNSKEY}`);
  }
});

test('when all lie it is bogus, for a while without asking again', async () => {
  says.set(
    `* www.example. ${TYPE.A}`,
    positive(zone.sign(set('www.example. A 192.0.2.1'), { expiration: NOW - 9 })),
  );
  expect((await ask()).judgement).toEqual({ state: 'bogus', reason: 'signature-expired' });
  const asked = sends.length;
  expect((await ask()).judgement).toEqual({ state: 'bogus', reason: 'signature-expired' });
  expect(sends.length).toBe(asked);
  says.set(`* www.example. ${TYPE.A}`, positive(www));
  await clock.advance(61_000);
  expect((await ask()).judgement?.state).toBe('secure');
});

test('the keys cannot be had: indeterminate (RFC 4035 §4.3)', async () => {
  says.set(`* example. ${TYPE.DNSKEY}`, () => replyTo('.', TYPE.A, {}, { rcode: RCODE.SERVFAIL }));
  expect((await ask()).judgement).toEqual({ state: 'bogus', reason: 'chain-unreachable' });
});

test('what was believed without a clock is checked once it is set (I9)', async () => {
  clock = manualClock({ now: 17, isSet: false });
  build();
  says.set(
    `* www.example. ${TYPE.A}`,
    positive(zone.sign(set('www.example. A 192.0.2.1'), { expiration: NOW - 9 })),
  );
  expect((await ask()).judgement).toEqual({ state: 'secure', isDenial: false, isTimed: false });
  clock.set(NOW);
  expect((await ask()).judgement).toEqual({ state: 'bogus', reason: 'signature-expired' });
});

test('so is what was believed to be unsigned: the proof of that may be an old one', async () => {
  clock = manualClock({ now: 17, isSet: false });
  build();
  const past = { expiration: NOW - 9 };
  const noDs = zone.sign(nsec('plain.example. → www.example. NS RRSIG NSEC'), past);
  says.set(`* plain.example. ${TYPE.DS}`, negative(zone.sign(soaAlone(), past), noDs));
  says.set(`* www.plain.example. ${TYPE.A}`, positive(set('www.plain.example. 3600 A 192.0.2.6')));
  const askPlain = () =>
    validation.resolve(
      name('www.plain.example.'),
      TYPE.A,
      fullBudget(clock.monotonic() / 1000),
      false,
    );
  expect((await askPlain()).judgement).toMatchObject({ state: 'insecure' });
  clock.set(NOW);
  expect((await askPlain()).judgement).toEqual({ state: 'bogus', reason: 'signature-expired' });
});

test('a question that was under way when the clock was set rests on nothing undated (I9)', async () => {
  clock = manualClock({ now: 17, isSet: false });
  build();
  const expired = zone.sign({ ...zone.keys, signatures: [] }, { expiration: NOW - 9 });
  const noDs = zone.sign(nsec('plain.example. → www.example. NS RRSIG NSEC'));
  says.set(`* example. ${TYPE.DNSKEY}`, positive(expired));
  says.set(`* www.plain.example. ${TYPE.A}`, positive(set('www.plain.example. 3600 A 192.0.2.6')));
  says.set(`* plain.example. ${TYPE.DS}`, () => {
    clock.set(NOW);
    return negative(soa, noDs)();
  });
  const budget = fullBudget(clock.monotonic() / 1000);
  const { judgement } = await validation.resolve(name('www.plain.example.'), TYPE.A, budget, false);
  expect(judgement).toEqual({ state: 'bogus', reason: 'signature-expired' });
});

test('a forwarder that passes no signatures on is told from an attack', async () => {
  build({ forwarding: true });
  says.set(`* www.example. ${TYPE.A}`, positive({ ...www, signatures: [] }));
  says.set(`* example. ${TYPE.DNSKEY}`, positive({ ...zone.keys, signatures: [] }));
  expect((await ask()).judgement).toEqual({ state: 'bogus', reason: 'forwarder-unsigned' });
});

test.each([
  { options: {}, asked: 0, why: 'a proof answers for the names it covers (RFC 8198)' },
  {
    options: { negative: ['lan.example.'] },
    asked: 1,
    why: 'but not below a negative anchor (RFC 7646)',
  },
  {
    options: { also: [`lan.example. DS 1 13 2 ${'00'.repeat(32)}`] },
    asked: 1,
    why: 'nor below the anchor of a private zone, which its parent need not know',
  },
])('$why', async ({ options, asked }) => {
  build(options);
  const apex = zone.sign(nsec('example. → www.example. NS SOA RRSIG NSEC'));
  says.set(`* no.example. ${TYPE.A}`, () => ({ ...negative(soa, apex)(), rcode: RCODE.NXDOMAIN }));
  const resolve = (text: string) =>
    validation.resolve(name(text), TYPE.A, fullBudget(clock.monotonic() / 1000), false);
  expect((await resolve('no.example.')).judgement?.state).toBe('secure');
  sends = [];
  await resolve('nas.lan.example.');
  expect(sends.filter((sent) => sent.includes('nas.lan.')).length > 0 ? 1 : 0).toBe(asked);
});

test('what is hashed for proofs that prove nothing is paid for (I6)', async () => {
  const [apex, ...rest] = nsec3Chain(name('example.'), ['example. NS SOA', 'www.example. A']);
  if (apex === undefined) throw new Error('no chain');
  const chain = [apex, ...rest].map((each) => zone.sign(each));
  const denied = negative(soa, ...chain);
  says.set(`* no.example. ${TYPE.A}`, () => ({ ...denied(), rcode: RCODE.NXDOMAIN }));
  const budget = fullBudget(clock.monotonic() / 1000);
  await validation.resolve(name('no.example.'), TYPE.A, budget, false);
  // There is such a name, so nothing follows; and its set is signed without any hash.
  const judged = await ask();
  expect(judged.judgement?.state).toBe('secure');
  expect(judged.budget.hashes).toBeLessThan(budget.hashes);
});

test('the KeyTrap packet costs no more than the budget (CVE-2023-50387, I6)', async () => {
  const [rdata = new Uint8Array(0)] = www.signatures;
  const fields = decodeRdataAs('RRSIG', rdata);
  if (fields === undefined) throw new Error('no signature');
  const signatures = Array.from({ length: 100 }, (_, octet) =>
    encodeRdata({ ...fields, signature: new Uint8Array(64).fill(octet) }),
  );
  says.set(`* www.example. ${TYPE.A}`, positive({ ...www, signatures }));
  const before = fullBudget(clock.monotonic() / 1000);
  const judged = await ask();
  expect(judged.judgement?.state).toBe('bogus');
  expect(counted.verifies()).toBeLessThanOrEqual(MAX_FAILED_SIGNATURES + 4);
  const spent = before.signatures - judged.budget.signatures;
  expect(spent).toBe(counted.verifies());
  expect(spent).toBeLessThan(MAX_SIGNATURES);
});
