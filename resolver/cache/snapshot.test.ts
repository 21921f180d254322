import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '#runtime/fake';
import { nodeRuntime } from '#runtime/node';
import type { RRset } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import type { Judgement } from '../recursion/judgement.ts';
import { nameOf, recordOf } from '../recursion/reply.fixture.ts';
import { type Cache, createCache, type Denial, type Known } from './cache.ts';
import { MAX_SNAPSHOT_BYTES, restoreSnapshot, takeSnapshot } from './snapshot.ts';
import { TRUST } from './worth.ts';

const { crypto } = nodeRuntime();
const SCOPE = 'root';

const setOf = (owner: string, ttl: number): RRset => ({
  owner: nameOf(owner),
  type: TYPE.A,
  ttl,
  rdatas: [new Uint8Array([192, 0, 2, 1])],
  signatures: [],
});
const denial: Denial = {
  soa: recordOf('example. 300 SOA ns.example. host.example. 1 2 3 4 300'),
  proof: [recordOf('example. 300 NSEC a.example. NS SOA RRSIG NSEC')],
};
const SECURE: Judgement = { state: 'secure', isDenial: false, isTimed: true };
const BOGUS: Judgement = { state: 'bogus', reason: 'signature-invalid' };

let clock: ManualClock;
let cache: Cache;

const monotonic = () => clock.monotonic() / 1000;
const take = (): Uint8Array => {
  const bytes = takeSnapshot(cache, { clock, crypto, scope: SCOPE });
  if (bytes === undefined) throw new Error('no snapshot');
  return bytes;
};
const restore = (bytes: Uint8Array, at: ManualClock = clock, scope = SCOPE) => {
  const next = createCache();
  const restored = restoreSnapshot(next, bytes, { clock: at, crypto, scope });
  const find = (name: string, type: number): Known | undefined =>
    next.find(nameOf(name), type, at.monotonic() / 1000);
  return { restored, next, find };
};

beforeEach(() => {
  clock = manualClock();
  cache = createCache();
});

test('data and denials come back with the TTL they have left, and without verdict', async () => {
  const records = { kind: 'records', rrset: setOf('www.example.', 300), proof: [] } as const;
  cache.putJudged(nameOf('www.example.'), TYPE.A, { ...records, judgement: SECURE }, 300, 0);
  cache.putNoData(nameOf('www.example.'), TYPE.MX, denial, TRUST.answer, 0);
  cache.putNoName(nameOf('no.example.'), denial, TRUST.authoritative, 0);
  await clock.advance(100_000);
  const { restored, find } = restore(take());
  expect(restored).toMatchObject({ ok: true, facts: 3 });
  const www = find('www.example.', TYPE.A);
  expect(www).toMatchObject({ kind: 'records', rrset: { ttl: 200 } });
  expect(www?.judgement).toBeUndefined();
  expect(find('www.example.', TYPE.MX)).toMatchObject({
    kind: 'no-data',
    denial: { soa: { ttl: 200 }, proof: [{ type: TYPE.NSEC }] },
  });
  expect(find('a.no.example.', TYPE.A)?.kind).toBe('no-name');
});

test('what was bogus, failed or ended is left behind', async () => {
  const records = { kind: 'records', rrset: setOf('bad.example.', 300), proof: [] } as const;
  cache.putJudged(nameOf('bad.example.'), TYPE.A, { ...records, judgement: BOGUS }, 300, 0);
  cache.putFailure(nameOf('failed.example.'), TYPE.A, 'out-of-time', 0);
  cache.putRecords(setOf('old.example.', 10), TRUST.authoritative, 0);
  await clock.advance(11_000);
  expect(restore(take()).restored).toMatchObject({ ok: true, facts: 0 });
});

describe('what is not read', () => {
  const NOON = 1_800_000_000;
  beforeEach(() => {
    clock = manualClock({ now: NOON });
    cache.putRecords(setOf('www.example.', 300), TRUST.authoritative, monotonic());
  });

  test.each<{ now: number; isSet?: boolean; scope?: string; says: string; why: string }>([
    { now: NOON + 299, says: 'www', why: 'a second before its end' },
    { now: NOON + 300, says: 'nothing', why: 'at its end' },
    { now: NOON - 1, says: 'from-the-future', why: 'the date went back' },
    { now: NOON, isSet: false, says: 'no-date', why: 'the clock is not set' },
    { now: NOON, scope: 'forwarder', says: 'other-scope', why: 'others are asked now' },
  ])('$why', ({ now, isSet = true, scope, says }) => {
    const { restored, find } = restore(take(), manualClock({ now, isSet }), scope);
    const found = find('www.example.', TYPE.A) === undefined ? 'nothing' : 'www';
    expect(restored.ok ? found : restored.reason).toBe(says);
  });

  test('none is taken while the clock is not set', () => {
    const unset = manualClock({ isSet: false });
    expect(takeSnapshot(cache, { clock: unset, crypto, scope: SCOPE })).toBeUndefined();
  });

  test('any change, cut or addition', () => {
    const bytes = take();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = bytes.slice();
        changed[at] = (changed[at] ?? 0) ^ change;
        for (const spoiled of [changed, bytes.slice(0, at), new Uint8Array([...bytes, change])]) {
          expect(restore(spoiled).restored).toEqual({ ok: false, reason: 'damaged' });
        }
      }),
    );
  });
});

test('octets that are no messages do no harm, even when the checksum is right', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
      const bytes = take();
      const body = new Uint8Array([...bytes.subarray(0, -32), ...octets]);
      const forged = new Uint8Array([...body, ...crypto.hash('sha256', body)]);
      expect(restore(forged).restored.ok).toBe(true);
    }),
  );
});

test('no larger than its limit, the newest first', () => {
  cache = createCache(64 * 1024 * 1024);
  const signatures = [new Uint8Array(2000)];
  for (let i = 0; i < 1000; i++) {
    cache.putRecords({ ...setOf(`n${i}.example${i}.`, 300), signatures }, TRUST.authoritative, 0);
  }
  const bytes = take();
  expect(bytes.length).toBeLessThanOrEqual(MAX_SNAPSHOT_BYTES);
  const { find, next } = restore(bytes);
  expect(find('n999.example999.', TYPE.A)?.kind).toBe('records');
  expect(find('n0.example0.', TYPE.A)).toBeUndefined();
  expect(next.entries).toBeGreaterThan(400);
});
