import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import type { RRset } from '../message/rrset.ts';
import { keyTag } from './algorithms.ts';
import type { TrustAnchor } from './anchors.ts';
import {
  ADD_HOLD_DOWN,
  type Configured,
  MAX_TRACKED,
  observe,
  queryInterval,
  REMOVE_HOLD_DOWN,
  readTracked,
  retryInterval,
  type Sighting,
  sight,
  type TrackedKey,
  trustedNow,
  writeTracked,
} from './rollover.ts';
import { NOW, name, type SampleZone, samples } from './signed.fixture.ts';

const { crypto } = nodeRuntime();
const { zone, check, settle } = samples(crypto);
const DAY = 86_400;

/* States: keys are told apart by one octet */

const keyOf = (id: number) => Uint8Array.of(1, 1, 3, 13, id);
const idOf = ({ rdata }: TrackedKey) => rdata[4] ?? 0;
const OLD = 1;
const configured: Configured = {
  anchor: { name: name('.'), digests: [], keys: [keyOf(OLD)] },
  crypto,
};
const seen = (present: readonly number[] | undefined, revoked: readonly number[] = []) =>
  ({
    ...{ present: present?.map(keyOf), revoked: revoked.map(keyOf) },
    ...{ originalTtl: 2 * DAY, expiresIn: 10 * DAY },
  }) satisfies Sighting;

type Look = readonly [day: number, sighting: Sighting];

function play(looks: readonly Look[]): readonly TrackedKey[] {
  return looks.reduce<readonly TrackedKey[]>(
    (keys, [day, sighting]) => observe(keys, sighting, configured, day * DAY),
    [],
  );
}

const statesOf = (keys: readonly TrackedKey[]) =>
  keys.map((key) => `${idOf(key)} ${key.state}`).join(', ');
const trustedIn = (keys: readonly TrackedKey[]) =>
  (trustedNow(keys, configured)?.keys ?? []).map((rdata) => rdata[4]).join();

describe('states (RFC 5011 §4)', () => {
  test.each<{ looks: readonly Look[]; says: string; trusts: string; why: string }>([
    { looks: [], says: '', trusts: '1', why: 'what is configured is trusted before it is seen' },
    { looks: [[0, seen([1])]], says: '1 valid', trusts: '1', why: 'and valid as soon as it is' },
    {
      looks: [[0, seen([1, 2])]],
      says: '1 valid, 2 add-pend',
      trusts: '1',
      why: 'a new key waits',
    },
    {
      looks: [
        [0, seen([1, 2])],
        [29.9, seen([1, 2])],
      ],
      says: '1 valid, 2 add-pend',
      trusts: '1',
      why: 'for thirty days',
    },
    {
      looks: [
        [0, seen([1, 2])],
        [30, seen([1, 2])],
      ],
      says: '1 valid, 2 valid',
      trusts: '1,2',
      why: 'and is trusted when it is seen after that',
    },
    {
      looks: [
        [0, seen([1, 2])],
        [40, seen(undefined)],
      ],
      says: '1 valid, 2 add-pend',
      trusts: '1',
      why: 'not when only time has passed',
    },
    {
      looks: [
        [0, seen([1, 2])],
        [10, seen([1])],
        [11, seen([1, 2])],
        [31, seen([1, 2])],
      ],
      says: '1 valid, 2 add-pend',
      trusts: '1',
      why: 'gone once: it begins anew',
    },
    {
      looks: [
        [0, seen([1, 2])],
        [10, seen(undefined)],
        [30, seen([1, 2])],
      ],
      says: '1 valid, 2 valid',
      trusts: '1,2',
      why: 'a set that nobody trusted signed says nothing',
    },
    {
      looks: [
        [0, { ...seen([1, 2]), originalTtl: 60 * DAY }],
        [59, seen([1, 2])],
      ],
      says: '1 valid, 2 add-pend',
      trusts: '1',
      why: 'the TTL of the first set, when that is longer (§2.4.1)',
    },
    {
      looks: [
        [0, seen([1])],
        [1, seen([])],
      ],
      says: '1 missing',
      trusts: '1',
      why: 'a missing key is still trusted',
    },
    {
      looks: [
        [0, seen([1])],
        [1, seen([])],
        [90, seen([1])],
      ],
      says: '1 valid',
      trusts: '1',
      why: 'and comes back whenever',
    },
    {
      looks: [
        [0, seen([1, 2])],
        [30, seen([1, 2])],
        [31, seen([2], [1])],
      ],
      says: '1 revoked, 2 valid',
      trusts: '2',
      why: 'revoked at once',
    },
    {
      looks: [
        [0, seen([1])],
        [1, seen([])],
        [2, seen(undefined, [1])],
      ],
      says: '1 revoked',
      trusts: '',
      why: 'also when missing; with no other anchor the zone has none (§5)',
    },
    {
      looks: [
        [0, seen([1, 2])],
        [30, seen([1, 2])],
        [31, seen([2], [1])],
        [61, seen([2])],
        [62, seen([1, 2])],
      ],
      says: '1 removed, 2 valid',
      trusts: '2',
      why: 'removed after thirty days, and never taken up again',
    },
    {
      looks: [
        [0, seen([1, 2])],
        [1, seen([1], [2])],
      ],
      says: '1 valid',
      trusts: '1',
      why: 'revoked while waiting: as if it was never there',
    },
    {
      looks: [[0, seen(undefined, [1])]],
      says: '1 revoked',
      trusts: '',
      why: 'a configured key that was revoked before we ever saw it',
    },
    {
      looks: [[0, seen([1], [7])]],
      says: '1 valid',
      trusts: '1',
      why: 'strangers may revoke themselves as they like',
    },
  ])('$says: $why', ({ looks, says, trusts }) => {
    const keys = play(looks);
    expect(statesOf(keys)).toBe(says);
    expect(trustedIn(keys)).toBe(trusts);
    expect(readTracked(JSON.parse(JSON.stringify(writeTracked(keys))))).toEqual(keys);
  });

  test('nothing changed: the same array, so that nothing is written', () => {
    const keys = play([[0, seen([1, 2])]]);
    expect(observe(keys, seen([1, 2]), configured, DAY)).toBe(keys);
    expect(observe(keys, seen(undefined), configured, 50 * DAY)).toBe(keys);
  });

  test('a zone full of keys is not remembered in full', () => {
    const many = Array.from({ length: 200 }, (_, id) => id + 1);
    const keys = play([[0, seen(many)]]);
    expect(keys).toHaveLength(MAX_TRACKED);
    expect(statesOf(keys)).toContain('1 valid');
  });

  test('nor does it hide that an anchor was revoked', () => {
    const many = Array.from({ length: MAX_TRACKED }, (_, id) => id + 100);
    const keys = play([
      [0, seen(many)],
      [1, seen(undefined, [OLD])],
    ]);
    expect(statesOf(keys)).toContain('1 revoked');
    expect(trustedIn(keys)).toBe('');
  });

  const oneLook = fc.record({
    days: fc.integer({ min: 0, max: 40 }),
    isVouched: fc.boolean(),
    present: fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 5 }),
    revoked: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
  });

  type OneLook = typeof oneLook extends fc.Arbitrary<infer Each> ? Each : never;

  /** What is trusted after each look, and what must not be. */
  function follow(all: readonly OneLook[]) {
    let keys: readonly TrackedKey[] = [];
    let now = 0;
    const firstSeen = new Map<number, number>();
    const dead = new Set<number>();
    return all.map(({ days, isVouched, present, revoked }) => {
      now += days * DAY;
      const alive = isVouched ? present.filter((id) => !revoked.includes(id)) : undefined;
      const before = trustedIn(keys);
      keys = observe(keys, seen(alive, revoked), configured, now);
      for (const id of alive ?? []) firstSeen.set(id, firstSeen.get(id) ?? now);
      for (const id of revoked) if (before.includes(String(id))) dead.add(id);
      const isYoung = (id: number) => now - (firstSeen.get(id) ?? now) < ADD_HOLD_DOWN;
      const isWrong = (id: number) => dead.has(id) || (id !== OLD && isYoung(id));
      return trustedIn(keys).split(',').filter(Boolean).map(Number).filter(isWrong);
    });
  }

  test('whatever is seen: no key is trusted early, none after it was revoked', () => {
    const history = fc.array(oneLook, { maxLength: 30 });
    fc.assert(fc.property(history, (all) => follow(all).every((wrong) => wrong.length === 0)));
  });
});

/* Signatures */

describe('what a DNSKEY set says', () => {
  let old: SampleZone;
  let next: SampleZone;
  let anchor: TrustAnchor;

  beforeAll(async () => {
    [old, next] = [await zone('.'), await zone('.')];
    anchor = { name: name('.'), digests: old.ds.rdatas, keys: [] };
  });

  const revokedOf = ({ dnskey }: SampleZone) => dnskey.with(1, (dnskey[1] ?? 0) | 0x80);
  const bare = (...rdatas: Uint8Array[]): RRset => ({ ...old.keys, rdatas, signatures: [] });
  const signed = (set: RRset, ...signers: readonly [SampleZone, isRevoked?: boolean][]): RRset => ({
    ...set,
    signatures: signers.flatMap(([by, isRevoked]) => {
      const wrong = isRevoked === true ? { keyTag: keyTag(revokedOf(by)) } : {};
      return by.sign(set, wrong).signatures;
    }),
  });
  /** The same wherever signatures are verified. */
  const see = (set: RRset, trusted: TrustAnchor): Sighting | undefined => {
    const [here, elsewhere] = [Number.POSITIVE_INFINITY, 0].map((costly) => {
      const given = check({ costly });
      return settle(() => sight(set, trusted, given), given);
    });
    expect(elsewhere).toEqual(here);
    return here;
  };
  const look = (set: RRset) => {
    const found = see(set, anchor);
    const idsOf = (rdatas: readonly Uint8Array[] | undefined) =>
      rdatas?.map((rdata) => (rdata.join() === old.dnskey.join() ? 'old' : 'next')).join();
    return found && `${idsOf(found.present) ?? 'not vouched for'}; ${idsOf(found.revoked)}`;
  };

  test.each<{ set: () => RRset; says: string | undefined; why: string }>([
    {
      set: () => signed(bare(old.dnskey, next.dnskey), [old]),
      says: 'old,next; ',
      why: 'signed by the anchor: both are there',
    },
    {
      set: () => signed(bare(old.dnskey, next.dnskey), [next]),
      says: 'not vouched for; ',
      why: 'a key that is not trusted vouches for nobody',
    },
    {
      set: () => signed(bare(revokedOf(old), next.dnskey), [old, true], [next]),
      says: 'not vouched for; old',
      why: 'revoked by its own signature, which vouches for nothing else',
    },
    {
      set: () => signed(bare(revokedOf(old), next.dnskey), [next]),
      says: 'not vouched for; ',
      why: 'the bit alone, set by somebody else (§2.1)',
    },
    {
      set: () => signed(bare(old.dnskey, revokedOf(next)), [old]),
      says: 'old; ',
      why: 'neither there nor revoked',
    },
    {
      set: () => signed(bare(old.dnskey, revokedOf(next)), [old], [next, true]),
      says: 'old; next',
      why: 'one vouches, the other revokes itself',
    },
    {
      set: () => signed(bare(old.dnskey, next.dnskey.with(1, 0)), [old]),
      says: 'old; ',
      why: 'without SEP it is no anchor for anybody',
    },
    {
      set: () => {
        const set = bare(old.dnskey);
        return old.sign(set, { expiration: NOW - 1, inception: NOW - DAY });
      },
      says: 'not vouched for; ',
      why: 'the signature is over',
    },
    { set: () => bare(old.dnskey), says: undefined, why: 'no signatures, no times: nothing' },
  ])('$says: $why', ({ set, says }) => {
    expect(look(set())).toBe(says);
  });

  test('the digest of a revoked key is no anchor any more, another one stays', () => {
    const both = { ...anchor, digests: [...old.ds.rdatas, ...next.ds.rdatas] };
    const all: Configured = { anchor: both, crypto };
    const set = signed(bare(revokedOf(old), next.dnskey), [old, true], [next]);
    const found = see(set, both);
    const keys = found === undefined ? [] : observe([], found, all, NOW);
    expect(trustedNow(keys, all)?.digests).toEqual(next.ds.rdatas);
    expect(keys.find(({ state }) => state === 'revoked')?.until).toBe(NOW + REMOVE_HOLD_DOWN);
  });
});

describe('when it is looked at again (RFC 5011 §2.3)', () => {
  const of = (originalTtl: number, expiresIn: number): Sighting => ({
    ...seen([1]),
    originalTtl,
    expiresIn,
  });
  test.each([
    { last: of(2 * DAY, 10 * DAY), query: DAY, retry: 0.2 * DAY, why: 'the root: by the TTL' },
    { last: of(2 * DAY, DAY), query: DAY / 2, retry: 0.1 * DAY, why: 'signatures end sooner' },
    { last: of(60, 10 * DAY), query: 3600, retry: 3600, why: 'never more often than hourly' },
    { last: of(90 * DAY, 90 * DAY), query: 15 * DAY, retry: DAY, why: 'nor ever less often' },
  ])('$why', ({ last, query, retry }) => {
    expect(queryInterval(last)).toBe(query);
    expect(retryInterval(last)).toBe(retry);
  });
});

test.each([
  { value: undefined, why: 'nothing' },
  { value: {}, why: 'no list' },
  { value: [{}], why: 'no key' },
  { value: [{ key: '!', state: 'valid', since: 0, until: 0 }], why: 'no base64' },
  { value: [{ key: 'AQE=', state: 'valid', since: 0, until: 0 }], why: 'no DNSKEY' },
  { value: [{ key: 'AYEDDQE=', state: 'valid', since: 0, until: 0 }], why: 'a revoked one' },
  { value: [{ key: 'AQEDDQE=', state: 'trusted', since: 0, until: 0 }], why: 'no state' },
  { value: [{ key: 'AQEDDQE=', state: 'valid', since: '0', until: 0 }], why: 'no time' },
  { value: Array.from({ length: 33 }, () => ({})), why: 'too many' },
])('not what we wrote: $why', ({ value }) => {
  expect(readTracked(value)).toBeUndefined();
});
