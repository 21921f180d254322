import { beforeAll, describe, expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import { encodeRdata } from '../message/rdata.ts';
import type { RRset } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import {
  answer,
  type Case,
  denial,
  type Family,
  family,
  name,
  nsec,
  type SampleZone,
  said,
  samples,
  set,
} from './signed.fixture.ts';

const { crypto } = nodeRuntime();
const { nsec3Chain } = samples(crypto);
let parent: SampleZone;
let child: SampleZone;
let soa: RRset;
let judge: Family['judge'];

beforeAll(async () => {
  ({ parent, child, soa, judge } = await family(crypto));
});

describe('denials', () => {
  const apexGap = () => parent.sign(nsec('example. → plain.example. NS SOA RRSIG NSEC'));
  test.each<Case>([
    {
      of: 'no.example.',
      found: () => denial('no-name', soa, apexGap()),
      says: 'secure',
      why: 'name and wildcard covered',
    },
    {
      of: 'no.example.',
      found: () => denial('no-name', soa),
      says: 'bogus nsec-missing',
      why: 'stripped of its NSEC',
    },
    {
      of: 'no.example.',
      found: () => ({ kind: 'no-name', denial: undefined }),
      says: 'bogus nsec-missing',
      why: 'nothing at all',
    },
    {
      of: 'no.plain.example.',
      found: () => ({ kind: 'no-name', denial: undefined }),
      says: 'insecure unsigned-delegation',
      why: 'nothing at all, in an unsigned zone',
    },
    {
      of: 'no.example.',
      found: () => denial('no-data', soa, apexGap()),
      says: 'bogus nsec-missing',
      why: 'NODATA is not NXDOMAIN',
    },
    {
      of: 'no.example.',
      found: () => denial('no-name', { ...soa, signatures: [] }, apexGap()),
      says: 'bogus signatures-missing',
      why: 'its SOA unsigned',
    },
    {
      of: 'www.sub.example.',
      found: () =>
        denial(
          'no-name',
          soa,
          parent.sign(nsec('sub.example. → www.example. NS DS RRSIG NSEC')),
          apexGap(),
        ),
      says: 'bogus nsec-missing',
      why: "the parent denies the child's names (RFC 6840 §4.1)",
    },
    {
      of: 'gone.example.',
      found: () =>
        denial(
          'no-data',
          soa,
          parent.sign(nsec('gone.example. → \\000.gone.example. RRSIG NSEC NXNAME')),
        ),
      says: 'secure',
      why: 'compact denial (RFC 9824)',
    },
    {
      of: 'no.example.',
      found: () =>
        denial(
          'no-name',
          soa,
          ...nsec3Chain(parent.apex, ['example. SOA'], {
            iterations: 151,
            salt: new Uint8Array(0),
          }).map((rrset) => parent.sign(rrset)),
        ),
      says: 'insecure too-many-iterations',
      why: 'RFC 9276 §3.2',
    },
    {
      of: 'no.example.',
      found: () =>
        denial(
          'no-name',
          soa,
          ...nsec3Chain(parent.apex, ['example. SOA'], undefined, true).map((rrset) =>
            parent.sign(rrset),
          ),
        ),
      says: 'insecure opt-out',
      why: 'RFC 5155 §9.2',
    },
  ])('$of, $says: $why', ({ of, type = 'A', found, says }) => {
    expect(said(judge(of, type, found()))).toBe(says);
  });

  test('a name that is there only to be denied has no name (RFC 9824 §2)', () => {
    const gap = parent.sign(nsec('gone.example. → \\000.gone.example. RRSIG NSEC NXNAME'));
    const step = judge('gone.example.', 'A', denial('no-data', soa, gap));
    expect(step).toMatchObject({ verdict: { state: 'secure', isDenial: true } });
  });

  test('what denies names of other zones is not passed on (CVE-2026-13321)', () => {
    const far = parent.sign(nsec('x.example. → zzz. A RRSIG NSEC'));
    const claimed = { ...far, signatures: [...parent.sign(far, { signer: name('.') }).signatures] };
    const step = judge('no.example.', 'A', denial('no-name', soa, apexGap(), claimed));
    if (step.kind !== 'verdict' || step.verdict.state !== 'secure') throw new Error(said(step));
    const { found } = step.verdict;
    const proof = found.kind === 'no-name' ? found.denial?.proof : undefined;
    expect(proof?.map(({ owner }) => owner.key)).not.toContain(far.owner.key);
  });

  test('a denial lives no longer than the shortest of its sets', () => {
    const gap = parent.sign(nsec('example. → plain.example. NS SOA RRSIG NSEC'), {
      originalTtl: 20,
    });
    const step = judge('no.example.', 'A', denial('no-name', soa, gap));
    expect(step).toMatchObject({ verdict: { ttl: 20, found: { denial: { soa: { ttl: 20 } } } } });
  });
});

test.each([
  {
    without: `${TYPE.DNSKEY} ${name('example.').key}`,
    asks: { name: 'example.', type: TYPE.DNSKEY },
  },
  {
    without: `${TYPE.DS} ${name('sub.example.').key}`,
    asks: { name: 'sub.example.', type: TYPE.DS },
  },
  {
    without: `${TYPE.DNSKEY} ${name('sub.example.').key}`,
    asks: { name: 'sub.example.', type: TYPE.DNSKEY },
  },
])('what is missing is asked for: $asks', ({ without, asks }) => {
  const step = judge(
    'www.sub.example.',
    'A',
    answer(child.sign(set('www.sub.example. A 192.0.2.2'))),
    without,
  );
  if (step.kind !== 'missing') throw new Error(said(step));
  expect(step.ask.map(({ name: { key }, type }) => ({ key, type }))).toEqual([
    { key: name(asks.name).key, type: asks.type },
  ]);
});

test('a record that is no signature does no harm', () => {
  const signatures = [new Uint8Array(3), encodeRdata({ type: 'TXT', strings: [] })];
  const found = answer({ ...set('www.example. A 192.0.2.1'), signatures });
  expect(said(judge('www.example.', 'A', found))).toBe('bogus signatures-missing');
});
