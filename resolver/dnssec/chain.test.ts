import { beforeAll, describe, expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import { decodeRdataAs, encodeRdata, type RdataOf } from '../message/rdata.ts';
import type { RRset } from '../message/rrset.ts';
import { CLASS, TYPE } from '../message/type.ts';
import { fullBudget, MAX_SIGNATURES } from '../recursion/budget.ts';
import type { Outcome } from '../recursion/frame.ts';
import { dsDigest, keyTag } from './algorithms.ts';
import { createChainMemory, MAX_DIGESTS } from './chain.ts';
import {
  answer,
  denial,
  name,
  nsec,
  type SampleZone,
  said,
  samples,
  set,
} from './signed.fixture.ts';
import { type Found, validate } from './validate.ts';
import type { Check } from './verify.ts';

const { crypto } = nodeRuntime();
const { zone: sampleZone, trust, counting, check } = samples(crypto);

let parent: SampleZone;
let child: SampleZone;
let www: Found;

beforeAll(async () => {
  parent = await sampleZone('example.');
  child = await sampleZone('sub.example.', 'ed25519');
  www = answer(child.sign(set('www.sub.example. A 192.0.2.2')));
});

type Ds = RdataOf<'DS'>;
type Given = {
  ds?: Outcome;
  keys?: Outcome;
  check?: Check;
  memory?: ReturnType<typeof createChainMemory>;
};

/** Judges www.sub.example. with other DS or DNSKEY outcomes for sub.example. */
function judge({ ds, keys, ...more }: Given): string {
  const known = new Map<string, Outcome>([
    [`${TYPE.DNSKEY} ${name('example.').key}`, answer(parent.keys)],
    [`${TYPE.DNSKEY} ${name('sub.example.').key}`, keys ?? answer(child.keys)],
    [`${TYPE.DS} ${name('sub.example.').key}`, ds ?? answer(parent.sign(child.ds))],
  ]);
  const question = { name: name('www.sub.example.'), type: TYPE.A, class: CLASS.IN };
  return said(validate(question, www, trust([parent.anchor], known, more)));
}

/** A DS set of variations of the right one, signed by the parent. */
function dsSet(...variations: readonly Partial<Ds>[]): Outcome {
  const right = decodeRdataAs('DS', child.ds.rdatas[0] ?? new Uint8Array(0));
  if (right === undefined) throw new Error('no DS');
  const rdatas = variations.map((variation) => encodeRdata({ ...right, ...variation }));
  return answer(parent.sign({ ...child.ds, rdatas }));
}

/** A DNSKEY set of variations of the child's key, signed by the real one. */
function keySet(...variations: readonly Partial<RdataOf<'DNSKEY'>>[]): RRset {
  const right = decodeRdataAs('DNSKEY', child.dnskey);
  if (right === undefined) throw new Error('no DNSKEY');
  const rdatas = variations.map((variation) => encodeRdata({ ...right, ...variation }));
  return child.sign({ ...child.keys, rdatas, signatures: [] });
}

const sha1 = () => ({
  digestType: 1,
  digest: dsDigest(crypto, child.apex, child.dnskey, 1) ?? new Uint8Array(20),
});
const wrong = new Uint8Array(32);
const unknowns = () =>
  Array.from({ length: MAX_DIGESTS }, (_, tag) => ({ algorithm: 200, keyTag: tag }));

describe('DS', () => {
  test.each<{ ds: () => Outcome; says: string; why: string }>([
    { ds: () => dsSet({}), says: 'secure', why: 'the key’s' },
    { ds: () => dsSet({ digest: wrong }, {}), says: 'secure', why: 'one of two is enough' },
    { ds: () => dsSet({ digest: wrong }), says: 'bogus dnskey-missing', why: 'of no key' },
    { ds: () => dsSet(sha1()), says: 'secure', why: 'SHA-1 alone' },
    {
      ds: () => dsSet(sha1(), { digest: wrong }),
      says: 'bogus dnskey-missing',
      why: 'SHA-1 does not count beside SHA-256 (RFC 4509 §3)',
    },
    {
      ds: () => dsSet({ algorithm: 200 }),
      says: 'insecure unsupported-algorithm',
      why: 'RFC 6840 §5.2',
    },
    {
      ds: () => dsSet({ algorithm: 1 }),
      says: 'insecure unsupported-algorithm',
      why: 'RSAMD5 (RFC 8624)',
    },
    {
      ds: () => dsSet({ algorithm: 12 }),
      says: 'insecure unsupported-algorithm',
      why: 'GOST (RFC 9906)',
    },
    {
      ds: () => dsSet({ digestType: 3 }),
      says: 'insecure unsupported-digest',
      why: 'GOST (RFC 9906)',
    },
    { ds: () => dsSet({ digestType: 200 }, {}), says: 'secure', why: 'an unknown one beside' },
    {
      ds: () => dsSet({ digestType: 2, digest: new Uint8Array(5) }),
      says: 'insecure unsupported-digest',
      why: 'a digest of no length of its type',
    },
    {
      ds: () => dsSet(...unknowns(), { digest: wrong }),
      says: 'bogus dnskey-missing',
      why: 'behind many unknown ones: the order is not signed, and no way around validation',
    },
    {
      ds: () => ({
        kind: 'alias',
        rrsets: [parent.expand(set('sub.example. CNAME www.example.'), '*.example.')],
        target: name('www.example.'),
        proof: [],
      }),
      says: 'bogus nsec-missing',
      why: "a wildcard's alias, played back over a delegation (CVE-2026-52686)",
    },
    {
      ds: () => answer(parent.expand(child.ds, '*.example.')),
      says: 'bogus signature-invalid',
      why: 'a wildcard delegates nothing',
    },
    { ds: () => answer(child.ds), says: 'bogus signatures-missing', why: 'unsigned' },
    {
      ds: () => answer(child.sign(child.ds)),
      says: 'bogus signatures-missing',
      why: 'signed by itself',
    },
    {
      ds: () => ({ kind: 'failure', reason: 'out-of-time' }),
      says: 'bogus chain-unreachable',
      why: 'not to be had',
    },
    {
      ds: () => ({ kind: 'no-data', denial: undefined }),
      says: 'bogus nsec-missing',
      why: 'denied without proof',
    },
    {
      ds: () =>
        denial(
          'no-data',
          set('example. SOA . . 1 2 3 4 5'),
          parent.sign(nsec('sub.example. → z.example. NS RRSIG NSEC')),
        ),
      says: 'insecure unsigned-delegation',
      why: 'denied with proof',
    },
    {
      ds: () =>
        denial(
          'no-data',
          set('example. SOA . . 1 2 3 4 5'),
          child.sign(nsec('sub.example. → z.sub.example. NS RRSIG NSEC')),
        ),
      says: 'bogus signatures-missing',
      why: 'denied by the child',
    },
    {
      ds: () =>
        denial(
          'no-data',
          set('example. SOA . . 1 2 3 4 5'),
          parent.sign(nsec('sub.example. → z.example. A RRSIG NSEC')),
        ),
      says: 'bogus signer-not-zone',
      why: 'no delegation, so the signer is no zone',
    },
  ])('$says: $why', ({ ds, says }) => {
    expect(judge({ ds: ds() })).toBe(says);
  });
});

describe('DNSKEY', () => {
  test.each<{ keys: () => Outcome; says: string; why: string }>([
    {
      keys: () => answer(keySet({}, { flags: 256, publicKey: new Uint8Array(32) })),
      says: 'secure',
      why: 'other keys beside',
    },
    {
      keys: () => answer(keySet({ flags: 256 })),
      says: 'bogus dnskey-missing',
      why: 'not the one of the DS',
    },
    {
      keys: () => ({ kind: 'no-data', denial: undefined }),
      says: 'bogus dnskey-missing',
      why: 'none',
    },
    {
      keys: () => ({ kind: 'failure', reason: 'out-of-time' }),
      says: 'bogus chain-unreachable',
      why: 'not to be had',
    },
    {
      keys: () => answer({ ...child.keys, signatures: [] }),
      says: 'bogus signatures-missing',
      why: 'unsigned',
    },
  ])('$says: $why', ({ keys, says }) => {
    expect(judge({ keys: keys() })).toBe(says);
  });

  test('the key of the DS is no zone key (RFC 8914 §4.12)', () => {
    const keys = keySet({ flags: 1 });
    const tag = keyTag(keys.rdatas[0] ?? new Uint8Array(0));
    expect(judge({ keys: answer(keys), ds: dsSet({ keyTag: tag }) })).toBe('bogus no-zone-key');
  });

  test('the key of the DS is revoked (RFC 5011 §2.1)', () => {
    const keys = keySet({ flags: 385 });
    const [rdata = new Uint8Array(0)] = keys.rdatas;
    const digest = dsDigest(crypto, child.apex, rdata, 2) ?? wrong;
    const ds = dsSet({ keyTag: keyTag(rdata), digest });
    expect(judge({ keys: answer(keys), ds })).toBe('bogus dnskey-missing');
  });
});

describe('the cost (CVE-2023-50387)', () => {
  test('of many DS only some are looked at', () => {
    const { check: counted, hashes } = counting();
    const many = Array.from({ length: 100 }, (_, i) => ({ digest: new Uint8Array(32).fill(i) }));
    expect(judge({ ds: dsSet(...many), check: counted })).toBe('bogus dnskey-missing');
    expect(hashes()).toBeLessThanOrEqual(MAX_DIGESTS + 1);
  });

  test('a chain is walked once', () => {
    const memory = createChainMemory();
    const { check: counted, verifies } = counting();
    judge({ memory, check: counted });
    expect(verifies()).toBe(4);
    judge({ memory, check: { ...counted, tried: [] } });
    expect(verifies()).toBe(5);
  });

  test('what a question could not afford is not held against the zone', () => {
    const memory = createChainMemory();
    const poor = { budget: { ...fullBudget(0), signatures: 1 } };
    expect(judge({ memory, check: check({ purse: poor }) })).toBe('bogus too-many-signatures');
    expect(judge({ memory })).toBe('secure');
    expect(MAX_SIGNATURES).toBeGreaterThan(10);
  });

  test('memory is bounded: the longest unused is forgotten', () => {
    const memory = createChainMemory(2);
    const link = { kind: 'no-cut' } as const;
    memory.put(name('a.'), link, 60, 0);
    memory.put(name('b.'), link, 60, 0);
    memory.find(name('a.'), 1);
    memory.put(name('c.'), link, 60, 1);
    expect(['a.', 'b.', 'c.'].map((each) => memory.find(name(each), 2) !== undefined)).toEqual([
      true,
      false,
      true,
    ]);
    expect(memory.find(name('a.'), 61)).toBeUndefined();
  });
});
