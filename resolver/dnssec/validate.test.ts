import { beforeAll, describe, expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import type { RRset } from '../message/rrset.ts';
import { synthesise } from '../recursion/scrub.ts';
import {
  answer,
  type Case,
  type Family,
  family,
  NOW,
  name,
  nsec,
  type SampleZone,
  said,
  samples,
  set,
} from './signed.fixture.ts';
import type { Found } from './validate.ts';

const { crypto } = nodeRuntime();
const { nsec3Chain } = samples(crypto);
let parent: SampleZone;
let child: SampleZone;
let a: RRset;
let childA: RRset;
let judge: Family['judge'];

beforeAll(async () => {
  ({ parent, child, judge } = await family(crypto));
  a = set('www.example. A 192.0.2.1');
  childA = set('www.sub.example. A 192.0.2.2');
});

describe('answers', () => {
  test.each<Case>([
    {
      of: 'www.example.',
      found: () => answer(parent.sign(a)),
      says: 'secure',
      why: 'signed by its zone',
    },
    {
      of: 'www.sub.example.',
      found: () => answer(child.sign(childA)),
      says: 'secure',
      why: 'through the DS',
    },
    {
      of: 'www.example.',
      found: () => answer(a),
      says: 'bogus signatures-missing',
      why: 'unsigned in a signed zone',
    },
    {
      of: 'www.sub.example.',
      found: () => answer(childA),
      says: 'bogus signatures-missing',
      why: 'stripped',
    },
    {
      of: 'www.plain.example.',
      found: () => answer(set('www.plain.example. A 192.0.2.3')),
      says: 'insecure unsigned-delegation',
      why: 'the parent proves that there is no DS',
    },
    {
      of: 'www.other.',
      found: () => answer(set('www.other. A 192.0.2.3')),
      says: 'insecure no-anchor',
      why: 'below no anchor',
    },
    {
      of: 'www.example.',
      found: () => answer({ ...parent.sign(a), rdatas: [Uint8Array.of(6, 6, 6, 6)] }),
      says: 'bogus signature-invalid',
      why: 'changed',
    },
    {
      of: 'www.example.',
      found: () => answer(parent.sign(a, { expiration: NOW - 9 })),
      says: 'bogus signature-expired',
      why: 'expired',
    },
    {
      of: 'www.example.',
      found: () => answer(parent.sign(a, { signer: name('www.example.') })),
      says: 'bogus signer-not-zone',
      why: 'the signer is no zone',
    },
    {
      of: 'sub.example.',
      type: 'DS',
      found: () => answer(child.sign(child.ds)),
      says: 'bogus signatures-missing',
      why: "a DS of the child's own making",
    },
    {
      of: 'sub.example.',
      type: 'DS',
      found: () => answer(parent.sign(child.ds)),
      says: 'secure',
      why: 'by the parent',
    },
    {
      of: 'sub.example.',
      type: 'DNSKEY',
      found: () => answer(child.keys),
      says: 'secure',
      why: 'by itself',
    },
    {
      of: 'sub.example.',
      type: 'NSEC',
      found: () => answer(parent.sign(nsec('sub.example. → www.example. NS DS RRSIG NSEC'))),
      says: 'secure',
      why: "the parent's NSEC is its own (RFC 4035 §3.1.4.1)",
    },
  ])('$of, $says: $why', ({ of, type = 'A', found, says }) => {
    expect(said(judge(of, type, found()))).toBe(says);
  });

  test('of a secure answer only what was checked goes on', () => {
    const stray = set('stray.example. 300 NSEC example. A');
    const step = judge('www.example.', 'A', answer(parent.sign(a), stray));
    expect(step).toMatchObject({ verdict: { state: 'secure', ttl: 300, found: { proof: [] } } });
  });
});

describe('wildcards', () => {
  const made = () => parent.expand(set('x.w.example. A 192.0.2.1'), '*.w.example.');
  test.each<Case>([
    {
      of: 'x.w.example.',
      found: () => answer(made(), parent.sign(nsec('*.w.example. → www.example. A RRSIG NSEC'))),
      says: 'secure',
      why: 'nothing closer (RFC 4035 §5.3.4)',
    },
    {
      of: 'x.w.example.',
      found: () => answer(made()),
      says: 'bogus nsec-missing',
      why: 'replayed for a name that may exist',
    },
    {
      of: 'x.w.example.',
      found: () => answer(made(), parent.sign(nsec('x.w.example. → www.example. A RRSIG NSEC'))),
      says: 'bogus nsec-missing',
      why: 'the name exists',
    },
    {
      of: 'x.w.example.',
      found: () => ({
        kind: 'alias',
        rrsets: [parent.expand(set('x.w.example. CNAME www.example.'), '*.w.example.')],
        target: name('www.example.'),
        proof: [],
      }),
      says: 'bogus nsec-missing',
      why: 'a wildcard CNAME needs it as well (CVE-2026-52686)',
    },
    {
      of: 'x.w.example.',
      found: () =>
        answer(
          made(),
          parent.expand(nsec('w.w.example. → z.example. A RRSIG NSEC'), '*.w.example.'),
        ),
      says: 'bogus nsec-missing',
      why: "an NSEC of a wildcard's making proves nothing",
    },
    {
      of: 'x.w.example.',
      found: () =>
        answer(
          made(),
          ...nsec3Chain(parent.apex, ['example. SOA', 'w.example. RRSIG'], undefined, true).map(
            (rrset) => parent.sign(rrset),
          ),
        ),
      says: 'insecure opt-out',
      why: 'an opted-out span (RFC 5155 §8.8)',
    },
  ])('$of, $says: $why', ({ of, type = 'A', found, says }) => {
    expect(said(judge(of, type, found()))).toBe(says);
  });
});

describe('aliases', () => {
  const dname = () => parent.sign(set('d.example. DNAME other.'));
  const alias = (...rrsets: RRset[]): Found => ({
    kind: 'alias',
    rrsets,
    target: name('x.other.'),
    proof: [],
  });
  test.each<Case>([
    {
      of: 'www.example.',
      found: () => alias(parent.sign(set('www.example. CNAME x.other.'))),
      says: 'secure',
      why: 'a signed CNAME',
    },
    {
      of: 'www.example.',
      found: () => alias(set('www.example. CNAME x.other.')),
      says: 'bogus signatures-missing',
      why: 'an unsigned one',
    },
    {
      of: 'x.d.example.',
      found: () => alias(dname(), synthesise(dname(), name('x.d.example.')) as RRset),
      says: 'secure',
      why: 'made by a signed DNAME (RFC 6672 §5.3.1)',
    },
    {
      of: 'x.d.example.',
      found: () => alias(dname(), set('x.d.example. CNAME evil.other.')),
      says: 'bogus alias-not-of-dname',
      why: 'not what the DNAME makes',
    },
  ])('$of, $says: $why', ({ of, type = 'A', found, says }) => {
    expect(said(judge(of, type, found()))).toBe(says);
  });
});
