/**
 * Signatures for scenarios, made when they are played: right ones, and wrong on purpose.
 *
 * Written from the RFCs and not with resolver/dnssec/sign.ts, so that signer and validator cannot
 * share a mistake. Scenarios write names in lower case: that is the canonical form (RFC 4034 §6.2).
 *
 * In a section, `DNSKEY id…` and `DS id…` stand for these records of the keys, and `SIGN id…` for
 * the signatures by all these keys over each set above it up to the last SIGN. Changes:
 * `expiration=-60` `inception=60` (seconds from the scenario's beginning), `signer=name`,
 * `labels=n`, `owner=*.name` (signed as this wildcard), `covers=NS` (only these sets), `tag=n`,
 * `algorithm=n`, `broken=yes`, `copies=n` (broken ones, each in another octet); for DS `digest=n`
 * (3: nobody's), `algorithm=n`, `tag=n`, `broken=yes`; for DNSKEY `twins=n`: so many more of the same tag,
 * none of which is a key.
 */

import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { type Name, parseName, type ResourceRecord, TYPE, typeNumber } from '#resolver';
import type { Crypto, Signer } from '#runtime';
import type { KeyOrder } from './rpl-head.ts';

/** A line of a section, after parsing. */
export type SectionLine =
  | { readonly kind: 'record'; readonly record: ResourceRecord }
  | {
      readonly kind: 'made';
      readonly line: number;
      readonly order: 'SIGN' | 'DNSKEY' | 'DS';
      readonly keys: readonly string[];
      readonly changes: ReadonlyMap<string, string>;
    };

type Made = Extract<SectionLine, { kind: 'made' }>;

type ScenarioKey = {
  readonly zone: Name;
  readonly order: KeyOrder;
  readonly signer: Signer;
  readonly dnskey: Uint8Array;
};

export type ScenarioKeys = {
  /** The records a section's lines stand for. */
  expand(lines: readonly SectionLine[]): ResourceRecord[];
  /** Signatures by all these keys over each set; `owner`: the wildcard it was made from. */
  sign(
    records: readonly ResourceRecord[],
    ids: readonly string[],
    owner?: string,
  ): ResourceRecord[];
  /** A key as a trust anchor: DS as text. */
  anchor(id: string): string;
};

/** Makes the keys that a scenario orders. */
export async function makeKeys(
  crypto: Pick<Crypto, 'generateSigningKey' | 'signer'>,
  orders: readonly KeyOrder[],
  now: number,
): Promise<ScenarioKeys> {
  const keys = new Map<string, ScenarioKey>();
  for (const order of orders) {
    const signer = await makeSigner(crypto, order.algorithm);
    const dnskey = octets(u16(order.flags), [3, order.algorithm], signer.publicKey);
    keys.set(order.id, { zone: nameOf(order.zone), order, signer, dnskey });
  }
  const find = (id: string, line: number) => {
    const key = keys.get(id);
    if (key === undefined) throw new Error(`line ${line}: no key ${id}`);
    return key;
  };
  return {
    anchor(id) {
      const key = find(id, 0);
      const [tag, digest] = [keyTag(key.dnskey), digestOf(key).toString('hex')];
      return `${key.order.zone} 3600 IN DS ${tag} ${key.order.algorithm} 2 ${digest}`;
    },
    sign(records, ids, owner) {
      const used = ids.map((id) => find(id, 0));
      const changes = new Map(owner === undefined ? [] : [['owner', owner]]);
      return signAll(records, used, changes, now);
    },
    expand(lines) {
      const records: ResourceRecord[] = [];
      let unsigned = 0;
      for (const line of lines) {
        if (line.kind === 'record') records.push(line.record);
        else {
          const used = line.keys.map((id) => find(id, line.line));
          if (line.order !== 'SIGN') records.push(...used.flatMap((key) => keyRecords(key, line)));
          else {
            records.push(...signAll(records.slice(unsigned), used, line.changes, now));
            unsigned = records.length;
          }
        }
      }
      return records;
    },
  };
}

/** Signs with a new key; with 14 and 16 nymote signs nothing, so it has no part in those. */
async function makeSigner(
  crypto: Pick<Crypto, 'generateSigningKey' | 'signer'>,
  algorithm: number,
): Promise<Signer> {
  if (algorithm === 13 || algorithm === 15) {
    const kind = algorithm === 13 ? 'ecdsa-p256' : 'ed25519';
    return crypto.signer(kind, (await crypto.generateSigningKey(kind)).privateKey);
  }
  const isCurve = algorithm === 14;
  const { publicKey, privateKey } = isCurve
    ? generateKeyPairSync('ec', { namedCurve: 'P-384' })
    : generateKeyPairSync('ed448');
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const;
  return {
    publicKey: octets(Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')),
    sign: (data) => sign(isCurve ? 'sha384' : null, data, key),
  };
}

/** The NSEC3 hash of a name, without salt, in base32hex (RFC 5155 §5). */
export function nsec3Hash({ key }: Name, iterations = 0): string {
  let digest = createHash('sha1').update(key, 'latin1').digest();
  for (let count = 0; count < iterations; count++) {
    digest = createHash('sha1').update(digest).digest();
  }
  return base32(digest);
}

/** The hash `by` further. */
export function addToHash(hash: string, by: number): string {
  const digits = '0123456789abcdefghijklmnopqrstuv';
  let value = 0n;
  for (const letter of hash) value = value * 32n + BigInt(digits.indexOf(letter));
  return ((value + BigInt(by)) % (1n << 160n)).toString(32).padStart(32, '0');
}

function base32(bytes: Uint8Array): string {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
    .toString(32)
    .padStart(32, '0');
}

function keyRecords(key: ScenarioKey, { order, changes }: Made): ResourceRecord[] {
  const shared = { owner: key.zone, class: 1, ttl: 3600 };
  if (order === 'DNSKEY') {
    const twins = Array.from({ length: Number(changes.get('twins') ?? 0) }, (_, index) =>
      twin(key.dnskey, index + 1),
    );
    return [...twins, key.dnskey].map((rdata) => ({ ...shared, type: TYPE.DNSKEY, rdata }));
  }
  const kind = Number(changes.get('digest') ?? 2);
  const digest = digestOf(key, kind);
  if (changes.has('broken')) digest[0] = (digest[0] ?? 0) ^ 1;
  const algorithm = Number(changes.get('algorithm') ?? key.order.algorithm);
  const tag = Number(changes.get('tag') ?? keyTag(key.dnskey));
  const rdata = octets(u16(tag), [algorithm, kind], digest);
  return [{ ...shared, type: TYPE.DS, rdata }];
}

/** The key with two words changed round: the tag, a sum of words, stays. */
function twin(dnskey: Uint8Array, index: number): Uint8Array {
  const start = 4;
  const other = start + 2 * index;
  const changed = dnskey.slice();
  changed.set(dnskey.subarray(other, other + 2), start);
  changed.set(dnskey.subarray(start, start + 2), other);
  return changed;
}

const HASHES = new Map([
  [1, 'sha1'],
  [4, 'sha384'],
]);

/** Kinds that are nobody's look like SHA-256. */
function digestOf({ zone, dnskey }: ScenarioKey, kind = 2): Buffer {
  return createHash(HASHES.get(kind) ?? 'sha256')
    .update(zone.key, 'latin1')
    .update(dnskey)
    .digest();
}

function signAll(
  records: readonly ResourceRecord[],
  keys: readonly ScenarioKey[],
  changes: Made['changes'],
  now: number,
): ResourceRecord[] {
  const covered = changes.get('covers')?.split(',').map(typeNumber);
  const sets = Map.groupBy(
    records.filter(({ type }) => type !== TYPE.RRSIG && (covered?.includes(type) ?? true)),
    ({ owner, type }) => `${type} ${owner.key}`,
  );
  const copies = Array.from({ length: Number(changes.get('copies') ?? 1) }, (_, index) => index);
  return [...sets.values()].flatMap((set) =>
    keys.flatMap((key) => copies.map((copy) => signSet(set, key, changes, now, copy))),
  );
}

/** RFC 4034 §3.1.8.1. */
function signSet(
  set: readonly ResourceRecord[],
  key: ScenarioKey,
  changes: Made['changes'],
  now: number,
  copy: number,
): ResourceRecord {
  const [first] = set;
  if (first === undefined) throw new Error('unreachable: a group has a member');
  const { type, ttl } = first;
  const number = (name: string, standard: number) => Number(changes.get(name) ?? standard);
  const wildcard = changes.get('owner');
  const owner = wildcard === undefined ? first.owner : nameOf(wildcard);
  const signer = changes.get('signer');
  const fields = octets(
    u16(type),
    [number('algorithm', key.order.algorithm), number('labels', labelsOf(owner))],
    u32(ttl),
    u32(now + number('expiration', 30 * 86_400)),
    u32(now + number('inception', -3_600)),
    u16(number('tag', keyTag(key.dnskey))),
    lowered(signer === undefined ? key.zone : nameOf(signer)),
  );
  const ordered = set.map(({ rdata }) => Buffer.from(rdata)).sort(Buffer.compare);
  const signed = ordered.flatMap((rdata) => [
    octets(lowered(owner), u16(type), u16(1), u32(ttl), u16(rdata.length), rdata),
  ]);
  const signature = Uint8Array.from(key.signer.sign(octets(fields, ...signed)));
  if (changes.has('broken') || changes.has('copies')) signature[copy] = (signature[copy] ?? 0) ^ 1;
  return { ...first, type: TYPE.RRSIG, rdata: octets(fields, signature) };
}

function labelsOf({ wire }: Name): number {
  let count = 0;
  for (let at = 0; (wire[at] ?? 0) !== 0; at += (wire[at] ?? 0) + 1) count++;
  return wire[0] === 1 && wire[1] === 0x2a ? count - 1 : count;
}

/** RFC 4034 appendix B. */
function keyTag(dnskey: Uint8Array): number {
  let sum = 0;
  for (const [index, octet] of dnskey.entries()) sum += index % 2 === 0 ? octet << 8 : octet;
  return (sum + (sum >> 16)) & 0xffff;
}

function nameOf(text: string): Name {
  const name = parseName(text);
  if (name === undefined) throw new Error(`no name: ${text}`);
  return name;
}

const lowered = ({ key }: Name) => Buffer.from(key, 'latin1');
const u16 = (value: number) => [value >> 8, value & 255];
const u32 = (value: number) => [
  ...u16(Math.floor(value / 65_536) & 65_535),
  ...u16(value & 65_535),
];

function octets(...parts: readonly (readonly number[] | Uint8Array)[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts.map((part) => Uint8Array.from(part))));
}
