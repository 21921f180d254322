/**
 * Our validator beside Unbound's, over zones that NSD serves and dnssec-signzone signed, sound and
 * broken in one way each: return code, AD and the number of records must be the same.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PATIENCE } from '../suites/waiting.ts';
import { type Leaf, openValidation, type ValidationStand } from './validation-stand.ts';

/** Dates as dnssec-signzone reads them. */
const LONG_AGO = ['-s', '20200101000000', '-e', '20200201000000'];
const LATER = ['-s', '20380101000000', '-e', '20380102000000'];

const NSEC3 = ['-3', '-'];

/** Lines with a record of `type` at `owner`, or its signature. */
const without = (pattern: RegExp) => (lines: readonly string[]) =>
  lines.filter((line) => !pattern.test(line));

type Row = Leaf & {
  readonly state: 'secure' | 'insecure' | 'bogus';
  readonly ede?: number;
  readonly why: string;
};

const P256 = { algorithm: 'ECDSAP256SHA256' } as const;

const LEAVES: readonly Row[] = [
  { name: 'nsec', ...P256, state: 'secure', why: 'NSEC, ECDSA P-256' },
  { name: 'p384', algorithm: 'ECDSAP384SHA384', state: 'secure', why: 'NSEC, ECDSA P-384' },
  { name: 'ed25519', algorithm: 'ED25519', sign: NSEC3, state: 'secure', why: 'NSEC3, Ed25519' },
  { name: 'ed448', algorithm: 'ED448', state: 'secure', why: 'NSEC, Ed448' },
  {
    name: 'rsa256',
    algorithm: 'RSASHA256',
    sign: NSEC3,
    state: 'secure',
    why: 'NSEC3, RSA/SHA-256',
  },
  { name: 'rsa512', algorithm: 'RSASHA512', state: 'secure', why: 'NSEC, RSA/SHA-512' },
  {
    name: 'rsa1',
    algorithm: 'NSEC3RSASHA1',
    sign: NSEC3,
    state: 'secure',
    why: 'NSEC3, RSA/SHA-1',
  },
  {
    name: 'salted',
    ...P256,
    sign: ['-3', 'aabbccdd', '-H', '12'],
    state: 'secure',
    why: 'NSEC3 as in RFC 5155',
  },
  { name: 'optout', ...P256, sign: ['-3', '-', '-A'], state: 'secure', why: 'NSEC3 with opt-out' },
  {
    name: 'costly',
    ...P256,
    sign: ['-3', '-', '-H', '150'],
    state: 'secure',
    why: 'as many iterations as are allowed',
  },
  { name: 'plain', state: 'insecure', why: 'unsigned' },
  { name: 'island', ...P256, ds: () => undefined, state: 'insecure', why: 'signed, but no DS' },
  {
    name: 'unknown',
    ...P256,
    ds: (ds) => ds.replace(/DS (\d+) 13/, 'DS $1 200'),
    state: 'insecure',
    ede: 1,
    why: 'an algorithm nobody knows',
  },
  {
    name: 'digest',
    ...P256,
    ds: (ds) => ds.replace(/DS (\d+) 13 2/, 'DS $1 13 200'),
    state: 'insecure',
    ede: 2,
    why: 'a digest nobody knows',
  },
  {
    name: 'expired',
    ...P256,
    sign: LONG_AGO,
    state: 'bogus',
    ede: 7,
    why: 'signatures of long ago',
  },
  { name: 'later', ...P256, sign: LATER, state: 'bogus', ede: 8, why: 'signatures of tomorrow' },
  {
    name: 'wrongds',
    ...P256,
    ds: (ds) => ds.replace(/[0-9A-F]{8}$/, 'DEADBEEF'),
    state: 'bogus',
    ede: 9,
    why: 'a DS of another key',
  },
  {
    name: 'nokeysig',
    ...P256,
    spoil: without(/RRSIG\s+DNSKEY /),
    state: 'bogus',
    ede: 10,
    why: 'DNSKEY without signature',
  },
  {
    name: 'nosig',
    ...P256,
    spoil: without(/RRSIG/),
    state: 'bogus',
    ede: 10,
    why: 'no signatures at all',
  },
];

/** Zones of which one thing is broken, and only the questions that meet it fail. */
const SPOILED: readonly Leaf[] = [
  { name: 'nonsec', ...P256, spoil: without(/\sNSEC\s/) },
  { name: 'wwwsig', ...P256, spoil: without(/^www.*RRSIG\s+A /) },
  {
    name: 'changed',
    ...P256,
    spoil: (lines) => lines.map((line) => line.replace('192.0.2.80', '192.0.2.66')),
  },
];

const QUESTIONS = [
  { of: 'www', type: 'A', why: 'an address' },
  { of: '', type: 'DNSKEY', why: 'the keys' },
  { of: '', type: 'SOA', why: 'the apex' },
  { of: '', type: 'DS', why: 'the parent’s own' },
  { of: 'www', type: 'MX', why: 'no data' },
  { of: 'no', type: 'A', why: 'no name' },
  { of: 'a.b.no', type: 'A', why: 'no name, deep' },
  { of: 'ent', type: 'A', why: 'an empty non-terminal' },
  { of: 'deep.ent', type: 'A', why: 'below one' },
  { of: 'any.wild', type: 'TXT', why: 'a wildcard' },
  { of: 'x.y.wild', type: 'TXT', why: 'a wildcard, deep' },
  { of: 'any.wild', type: 'A', why: 'a wildcard without data' },
  { of: 'any.star', type: 'A', why: 'a wildcard alias' },
  { of: 'alias', type: 'A', why: 'an alias' },
  { of: 'away', type: 'A', why: 'an alias into another zone' },
  { of: 'www.moved', type: 'A', why: 'a DNAME' },
  { of: 'no.moved', type: 'A', why: 'a DNAME to nothing' },
  { of: 'cut', type: 'DS', why: 'an unsigned delegation' },
];

let stand: ValidationStand;

beforeAll(async () => {
  stand = await openValidation([...LEAVES, ...SPOILED]);
});

afterAll(async () => {
  await stand?.[Symbol.asyncDispose]();
});

const nameOf = (of: string, zone: string) => `${of === '' ? '' : `${of}.`}${zone}.lab.`;

describe.each([...LEAVES, ...SPOILED])('$name', ({ name: zone }) => {
  test.each(QUESTIONS)('$of $type as Unbound: $why', async ({ of, type }) => {
    const { ours, unbounds } = await stand.ask(nameOf(of, zone), type);
    expect(ours).toBe(unbounds);
  });
});

test.each([
  { of: '.', type: 'DS', why: 'the root has nobody above it' },
  { of: '.', type: 'DNSKEY', why: 'the root’s keys' },
  { of: '.', type: 'NS', why: 'the root’s servers' },
  { of: 'lab.', type: 'DS', why: 'a signed delegation' },
  { of: 'no.', type: 'A', why: 'no such top-level domain' },
  { of: 'no.no.lab.', type: 'AAAA', why: 'no such zone' },
])('$of $type as Unbound: $why', async ({ of, type }) => {
  const { ours, unbounds } = await stand.ask(of, type);
  expect(ours).toBe(unbounds);
  expect(ours).toContain(' AD ');
});

test.each(LEAVES)('$name is $state: $why', async ({ name: zone, state, ede }) => {
  const { ours } = await stand.ask(nameOf('www', zone), 'A');
  const says = { secure: 'NOERROR AD 1', insecure: 'NOERROR 1', bogus: 'SERVFAIL 0' }[state];
  expect(ours).toBe(says);
  await expect.poll(() => stand.error(nameOf('www', zone), 'A'), PATIENCE).toBe(ede);
});

test.each([
  { of: 'no.nonsec.lab.', type: 'A', ede: 12, why: 'NSEC stripped' },
  { of: 'www.wwwsig.lab.', type: 'A', ede: 10, why: 'one signature stripped' },
  { of: 'www.changed.lab.', type: 'A', ede: 6, why: 'an address changed' },
])('Extended DNS Error $ede: $why', async ({ of, type, ede }) => {
  // A server that was too busy to answer is another error, for a while.
  await expect.poll(() => stand.error(of, type), PATIENCE).toBe(ede);
});

test.each(['expired', 'wrongds', 'nosig', 'changed'])('CD lets %s through', async (zone) => {
  const { ours, unbounds } = await stand.ask(nameOf('www', zone), 'A', { cd: true });
  expect(ours).toBe('NOERROR 1');
  expect(unbounds).toBe(ours);
});
