/**
 * Signed zones for tests of the validator: real keys, any record, any mistake.
 *
 * Where sign.ts makes only signatures that are right, this makes those that are wrong too.
 */

import type { Crypto } from '#runtime';
import { parseRecord } from '../authority/zone-file.ts';
import { countLabels, type Name, parseName } from '../message/name.ts';
import { encodeRdata, type RdataOf } from '../message/rdata.ts';
import type { ResourceRecord } from '../message/record.ts';
import { type RRset, recordsOf } from '../message/rrset.ts';
import { CLASS, TYPE, typeNumber } from '../message/type.ts';
import { BASE32, HEX, toDigits } from '../message/wire/digits.ts';
import { join } from '../message/wire/field.ts';
import { fullBudget, type Purse } from '../recursion/budget.ts';
import type { Outcome } from '../recursion/frame.ts';
import { COSTLY, dsDigest, keyTag } from './algorithms.ts';
import { readAnchors } from './anchors.ts';
import { learn, type Unverified } from './attempt.ts';
import { type ChainMemory, createChainMemory } from './chain.ts';
import { dnskeyRdata, generateZoneKey, type SigningAlgorithm, signingAlgorithm } from './keys.ts';
import { hashName } from './nsec3.ts';
import { canonicalSet } from './sign.ts';
import { type Found, type Trust, type Validated, validate } from './validate.ts';
import type { Check } from './verify.ts';

/** The time of all samples. */
export const NOW = 1_795_000_000;
const DAY = 86_400;

/** What the tests of a file use, given a crypto seam. */
export function samples(crypto: Crypto) {
  return {
    zone: (apex: string, algorithm?: SigningAlgorithm) => sampleZone(crypto, apex, algorithm),
    nsec3Chain: (apex: Name, lines: readonly string[], hashing?: Hashing, isOptOut?: boolean) =>
      nsec3Chain(crypto, apex, lines, hashing, isOptOut),
    check: (more?: Partial<Check>) => check(crypto, more),
    trust: (...args: Parameters<typeof trust> extends [unknown, ...infer Rest] ? Rest : never) =>
      trust(crypto, ...args),
    counting: () => counting(crypto),
    settle: <Step>(take: () => Step, given: Check) => settle(crypto, take, given),
  };
}

/** A name that must be one. */
export function name(text: string): Name {
  const parsed = parseName(text);
  if (parsed === undefined) throw new Error(`not a name: ${text}`);
  return parsed;
}

/** A set without signatures from zone-file lines of one owner and type. */
export function set(...lines: readonly string[]): RRset {
  const records = lines.map((line) => {
    const parsed = parseRecord(line, { ttl: 300 });
    if (!parsed.ok) throw new Error(`${line}: ${parsed.reason}`);
    return parsed.record;
  });
  const [first] = records;
  if (first === undefined) throw new Error('a set has records');
  const { owner, type, ttl } = first;
  return { owner, type, ttl, rdatas: records.map(({ rdata }) => rdata), signatures: [] };
}

type Fields = RdataOf<'RRSIG'>;

/** A zone that can sign. */
export type SampleZone = {
  readonly apex: Name;
  readonly dnskey: Uint8Array;
  readonly tag: number;
  /** The DNSKEY set, signed. */
  readonly keys: RRset;
  /** A DS set for the parent to sign. */
  readonly ds: RRset;
  readonly anchor: string;
  /** The set with a signature, whose fields may be wrong. */
  sign(rrset: RRset, wrong?: Partial<Fields>): RRset;
  /** Signed as the wildcard `wildcard`, shown under the set's owner. */
  expand(rrset: RRset, wildcard: string): RRset;
};

/** Makes a zone with one new key. */
async function sampleZone(
  crypto: Crypto,
  apexText: string,
  algorithm: SigningAlgorithm = 'ecdsa-p256',
): Promise<SampleZone> {
  const apex = name(apexText);
  const key = await generateZoneKey(crypto, algorithm);
  const signer = crypto.signer(algorithm, key.privateKey);
  const dnskey = dnskeyRdata(key);
  const tag = keyTag(dnskey);
  const { number } = signingAlgorithm(algorithm);

  function sign(rrset: RRset, wrong: Partial<Fields> = {}, owner = rrset.owner): RRset {
    const asterisk = owner.key.startsWith('\x01*') ? 1 : 0;
    const fields: Fields = {
      type: 'RRSIG',
      typeCovered: rrset.type,
      algorithm: number,
      labels: countLabels(owner) - asterisk,
      originalTtl: rrset.ttl,
      expiration: NOW + DAY,
      inception: NOW - DAY,
      keyTag: tag,
      signer: apex,
      signature: new Uint8Array(0),
      ...wrong,
    };
    const ttl = fields.originalTtl;
    const data = join([encodeRdata(fields), canonicalSet({ ...rrset, owner, ttl })]);
    const signature = encodeRdata({ ...fields, signature: signer.sign(data) });
    return { ...rrset, signatures: [...rrset.signatures, signature] };
  }

  const shared = { owner: apex, ttl: 3600, signatures: [] };
  const digest = dsDigest(crypto, apex, dnskey, 2) ?? new Uint8Array(0);
  const dsRdata = encodeRdata({
    type: 'DS',
    keyTag: tag,
    algorithm: number,
    digestType: 2,
    digest,
  });
  return {
    apex,
    dnskey,
    tag,
    keys: sign({ ...shared, type: TYPE.DNSKEY, rdatas: [dnskey] }),
    ds: { ...shared, type: TYPE.DS, rdatas: [dsRdata] },
    anchor: `${apexText} DS ${tag} ${number} 2 ${toDigits(HEX, digest)}`,
    sign,
    expand: (rrset, wildcard) => sign(rrset, {}, name(wildcard)),
  };
}

/** An NSEC set: `a.example. → c.example. A RRSIG NSEC`. */
export function nsec(text: string): RRset {
  const [owner = '', , next = '', ...types] = text.split(' ');
  return set(`${owner} 300 IN NSEC ${next} ${types.join(' ')}`);
}

/** How a sample's NSEC3 records hash. */
export type Hashing = { readonly iterations: number; readonly salt: Uint8Array };

/** The NSEC3 chain of a zone from `name TYPE …` lines; one set for each. */
function nsec3Chain(
  crypto: Crypto,
  apex: Name,
  lines: readonly string[],
  { iterations, salt }: Hashing = { iterations: 0, salt: new Uint8Array(0) },
  isOptOut = false,
): RRset[] {
  const hashed = lines
    .map((line) => {
      const [owner = '', ...types] = line.split(' ');
      const hash = hashName(crypto, name(owner), salt, iterations);
      return {
        hash,
        digits: toDigits(BASE32, hash),
        types: types.map((type) => typeNumber(type) ?? 0),
      };
    })
    .sort((a, b) => (a.digits < b.digits ? -1 : 1));
  const parent = apex.wire.length === 1 ? '' : '.';
  return hashed.map(({ digits, types }, index) => {
    const next = hashed[(index + 1) % hashed.length]?.hash ?? new Uint8Array(20);
    const flags = isOptOut ? 1 : 0;
    const sorted = [...types].sort((a, b) => a - b);
    const rdata = encodeRdata({
      type: 'NSEC3',
      algorithm: 1,
      flags,
      iterations,
      salt,
      next,
      types: sorted,
    });
    const owner = name(`${digits}${parent}${apexText(apex)}`);
    return { owner, type: TYPE.NSEC3, ttl: 300, rdatas: [rdata], signatures: [] };
  });
}

function apexText(apex: Name): string {
  let text = '';
  for (let at = 0; apex.wire[at] !== 0; ) {
    const length = apex.wire[at] ?? 0;
    text += `${apex.key.slice(at + 1, at + 1 + length)}.`;
    at += length + 1;
  }
  return text === '' ? '.' : text;
}

/** The records of sets with their signatures. */
export function records(...sets: readonly RRset[]): ResourceRecord[] {
  return sets.flatMap((rrset) => recordsOf(rrset, true));
}

/** A positive answer. */
export function answer(rrset: RRset, ...proof: readonly RRset[]): Found {
  return { kind: 'answer', rrset, proof: records(...proof) };
}

/** A denial with its SOA. */
export function denial(
  kind: 'no-data' | 'no-name',
  soa: RRset,
  ...proof: readonly RRset[]
): Extract<Found, { kind: 'no-data' | 'no-name' }> {
  const [first, ...signatures] = recordsOf(soa, true);
  if (first === undefined) throw new Error('no SOA');
  return { kind, denial: { soa: first, proof: [...signatures, ...records(...proof)] } };
}

/** A purse that is full. */
export function purse(): Purse {
  return { budget: fullBudget(0) };
}

/** A check at the sample's time. */
function check(crypto: Crypto, more: Partial<Check> = {}): Check {
  const time = { now: NOW, clockIsSet: true };
  return { crypto, time, purse: purse(), tried: [], costly: COSTLY, ...more };
}

/** Takes a step until nothing is named that is to be verified elsewhere, as the driver does. */
function settle<Step>(crypto: Crypto, take: () => Step, given: Check): Exclude<Step, Unverified> {
  for (;;) {
    const step = take();
    if (!isUnverified(step)) return step as Exclude<Step, Unverified>;
    const { algorithm, publicKey, data, signature } = step.verification;
    learn(step.attempt, crypto.verify(algorithm, publicKey, data, signature), given);
  }
}

const isUnverified = (step: unknown): step is Unverified =>
  typeof step === 'object' && step !== null && 'kind' in step && step.kind === 'unverified';

/** What is trusted: `anchors`, and the DS and DNSKEY outcomes given. */
function trust(
  crypto: Crypto,
  anchors: readonly string[],
  outcomes: readonly Outcome[] | ReadonlyMap<string, Outcome>,
  more: { check?: Check; negative?: readonly string[]; memory?: ChainMemory } = {},
): Trust {
  const read = readAnchors(anchors, more.negative ?? []);
  if (!read.ok) throw new Error(`no anchor: ${read.line}`);
  const known =
    outcomes instanceof Map
      ? outcomes
      : new Map(
          (outcomes as readonly Outcome[]).flatMap((outcome) =>
            outcome.kind === 'answer'
              ? [[`${outcome.rrset.type} ${outcome.rrset.owner.key}`, outcome] as const]
              : [],
          ),
        );
  return {
    anchors: read.anchors,
    memory: more.memory ?? createChainMemory(),
    supplied: (wanted, type) => known.get(`${type} ${wanted.key}`),
    isCut: () => false,
    check: more.check ?? check(crypto),
    now: 0,
  };
}

/** Counts what is asked of the crypto seam. */
function counting(crypto: Crypto): { check: Check; verifies: () => number; hashes: () => number } {
  let verifies = 0;
  let hashes = 0;
  const counted = {
    ...crypto,
    verify: (...args: Parameters<typeof crypto.verify>) => {
      verifies++;
      return crypto.verify(...args);
    },
    hash: (...args: Parameters<typeof crypto.hash>) => {
      hashes++;
      return crypto.hash(...args);
    },
  };
  return {
    check: check(crypto, { crypto: counted }),
    verifies: () => verifies,
    hashes: () => hashes,
  };
}

/** What `family` makes. */
export type Family = {
  readonly parent: SampleZone;
  readonly child: SampleZone;
  /** The parent's, signed. */
  readonly soa: RRset;
  /** Judges what was found; the outcome `without` is missing. */
  judge(of: string, type: string, found: Found, without?: string): Validated;
};

/**
 * A signed parent, a signed child and an unsigned one: example. (the anchor, P-256), sub.example.
 * (Ed25519), plain.example.
 */
export async function family(crypto: Crypto): Promise<Family> {
  const { trust, zone } = samples(crypto);
  const parent = await zone('example.');
  const child = await zone('sub.example.', 'ed25519');
  const soa = parent.sign(set('example. 300 SOA ns.example. host.example. 1 2 3 4 300'));
  const known = new Map<string, Outcome>();
  const learn = (of: string, type: number, outcome: Outcome) =>
    known.set(`${type} ${name(of).key}`, outcome);
  learn('example.', TYPE.DNSKEY, answer(parent.keys));
  learn('sub.example.', TYPE.DNSKEY, answer(child.keys));
  learn('sub.example.', TYPE.DS, answer(parent.sign(child.ds)));
  // Where no signed zone begins, the DS is denied like any other type.
  const gaps = {
    'plain.example.': parent.sign(nsec('plain.example. → sub.example. NS RRSIG NSEC')),
    'www.example.': parent.sign(nsec('www.example. → example. A RRSIG NSEC')),
    'no.example.': parent.sign(nsec('example. → plain.example. NS SOA RRSIG NSEC')),
    'www.sub.example.': child.sign(nsec('www.sub.example. → sub.example. A RRSIG NSEC')),
  };
  for (const [of, gap] of Object.entries(gaps)) learn(of, TYPE.DS, denial('no-data', soa, gap));
  return {
    parent,
    child,
    soa,
    judge(of, type, found, without = '') {
      const rest = new Map([...known].filter(([key]) => key !== without));
      const question = { name: name(of), type: typeNumber(type) ?? 0, class: CLASS.IN };
      return validate(question, found, trust([parent.anchor], rest));
    },
  };
}

/** One row of a table: what is found for a name, and the verdict in words. */
export type Case = {
  readonly of: string;
  readonly type?: string;
  readonly found: () => Found;
  readonly says: string;
  readonly why: string;
};

/** The verdict in words. */
export function said(step: Validated): string {
  if (step.kind !== 'verdict') return step.kind;
  const { verdict } = step;
  return verdict.state === 'secure' ? 'secure' : `${verdict.state} ${verdict.reason}`;
}
