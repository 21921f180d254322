import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CELL_BYTES, cellsFor } from './cells.ts';
import { createPackedMap, INDEX_BYTES, type PackedMap } from './packed-map.ts';

const costOf = (size: number) => cellsFor(size) * CELL_BYTES + INDEX_BYTES;
const SMALL = costOf(3);

const keyOf = (key: number) => Uint8Array.of(key >> 8, key, 0);

/** Few hashes, so that many keys share one. */
const hashOf = (key: number) => (key % 7) * 0x1000_0001;

function find(map: PackedMap, key: number): number {
  return map.find(key & 1, key & 3, hashOf(key), keyOf(key), 0);
}

type Put = { size?: number; until?: number; now?: number; share?: number; value?: number };

function put(map: PackedMap, key: number, options: Put = {}): void {
  const { size = 3, until = 1000, now = 0, share, value = 0 } = options;
  const bytes = new Uint8Array(size).fill(value);
  bytes.set(keyOf(key));
  const place = { space: key & 1, type: key & 3, hash: hashOf(key) };
  map.put({ ...place, share, until, tag: value }, keyOf(key), bytes, size, now);
}

const isThere = (map: PackedMap, key: number) => find(map, key) !== 0;

test('what was used since the hand passed stays, what was not goes', () => {
  const map = createPackedMap(3 * SMALL);
  for (const key of [1, 2, 3]) put(map, key);
  find(map, 1);
  put(map, 4);
  expect([1, 2, 3, 4].map((key) => isThere(map, key))).toEqual([true, false, true, true]);
});

test('a flood of names asked once does not push out what is used (CacheFlush)', () => {
  const map = createPackedMap(100 * SMALL);
  for (let key = 0; key < 50; key++) put(map, key);
  for (let key = 50; key < 5050; key++) {
    put(map, key);
    find(map, key % 50);
  }
  for (let key = 0; key < 50; key++) expect(isThere(map, key)).toBe(true);
});

test('case does not count', () => {
  const map = createPackedMap(10_000);
  const lower = Uint8Array.of(1, 0x61, 0);
  const entry = { space: 0, type: 1, hash: 5, share: undefined, until: 10, tag: 0 };
  map.put(entry, lower, lower, 3, 0);
  expect(map.find(0, 1, 5, Uint8Array.of(1, 0x41, 0), 0)).not.toBe(0);
  expect(map.find(0, 1, 5, Uint8Array.of(9, 9, 1, 0x41, 0), 2)).not.toBe(0);
});

test('an entry larger than everything is not kept, and replaces nothing but its key', () => {
  const map = createPackedMap(2 * SMALL);
  put(map, 1);
  put(map, 2, { size: 500 });
  expect(isThere(map, 1)).toBe(true);
  put(map, 1, { size: 500 });
  expect([isThere(map, 1), map.bytes, map.entries]).toEqual([false, 0, 0]);
});

test('a date that is set (from 1970, on a router) does not end what comes after it', () => {
  const map = createPackedMap(100 * SMALL);
  put(map, 1, { until: 160, now: 100 });
  const now = 1_700_000_000;
  put(map, 2, { until: now + 60, now });
  expect(map.untilOf(find(map, 2))).toBe(now + 60);
  expect([isThere(map, 1), map.entries]).toEqual([false, 1]);
});

type Action = Required<Omit<Put, 'share'>> & {
  kind: 'put' | 'find' | 'remove' | 'clear';
  key: number;
};

const action: fc.Arbitrary<Action> = fc.record({
  kind: fc.constantFrom('put', 'put', 'put', 'put', 'find', 'remove', 'clear'),
  key: fc.nat(40),
  size: fc.integer({ min: 3, max: 400 }),
  until: fc.nat(30),
  now: fc.oneof({ arbitrary: fc.nat(2), weight: 20 }, fc.constant(200_000_000)),
  value: fc.nat(200),
});

type Model = Map<number, { size: number; value: number; until: number }>;

function apply(map: PackedMap, model: Model, { kind, key, ...options }: Action, now: number): void {
  switch (kind) {
    case 'put':
      put(map, key, { ...options, until: now + options.until, now });
      model.set(key, { ...options, until: now + options.until });
      return;
    case 'find':
      find(map, key);
      return;
    case 'remove': {
      const item = find(map, key);
      if (item !== 0) map.remove(item);
      model.delete(key);
      return;
    }
    case 'clear':
      map.clear();
      model.clear();
  }
}

/** What is found is what was put; what is not found was evicted, and is so for good. */
function compare(map: PackedMap, model: Model): void {
  const into = new Uint8Array(500);
  let bytes = 0;
  for (const [key, { size, value, until }] of [...model]) {
    const item = find(map, key);
    if (item === 0) {
      model.delete(key);
      continue;
    }
    bytes += costOf(size);
    map.read(item, into);
    const whole = new Uint8Array(size).fill(value);
    whole.set(keyOf(key));
    expect(into.subarray(0, size)).toEqual(whole);
    const seen = [map.sizeOf(item), map.tagOf(item), map.untilOf(item), map.spaceOf(item)];
    expect(seen).toEqual([size, value, until, key & 1]);
  }
  expect([map.entries, map.bytes]).toEqual([model.size, bytes]);
}

test('never above its limit, never wrong, counts right (against a Map)', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const limit = 4_000;
      const map = createPackedMap(limit);
      const model: Model = new Map();
      let now = 100;
      for (const each of actions) {
        now += each.now;
        const before = new Map(model);
        apply(map, model, each, now);
        expect(map.bytes).toBeLessThanOrEqual(limit);
        compare(map, model);
        // Nothing that lasts goes while there is something that ended.
        const others = [...before].filter(([key]) => each.kind === 'put' && key !== each.key);
        const isLastingGone = others.some(([key, { until }]) => !model.has(key) && until > now);
        const isEndedLeft = others.some(([key, { until }]) => model.has(key) && until <= now);
        expect(isLastingGone && isEndedLeft).toBe(false);
      }
      const listed: number[] = [];
      for (let item = map.newest(); item !== 0; item = map.olderThan(item)) listed.push(item);
      expect(new Set(listed).size).toBe(map.entries);
      expect(listed).toHaveLength(map.entries);
    }),
    { numRuns: 60 },
  );
});

test('many entries, put and evicted over and over, are found and take no more room', () => {
  const limit = 1_000 * SMALL;
  const map = createPackedMap(limit);
  for (let key = 0; key < 20_000; key++) put(map, key, { size: 3 + (key % 100), until: 1e6 });
  expect(map.bytes).toBeLessThanOrEqual(limit);
  expect(map.bytes).toBeGreaterThan(limit - 2 * costOf(103));
  const found = Array.from({ length: 20_000 }, (_, key) => isThere(map, key)).filter(Boolean);
  expect(found).toHaveLength(map.entries);
  expect(isThere(map, 19_999)).toBe(true);
});

describe('shares', () => {
  const held = (map: PackedMap, from: number, count: number) =>
    Array.from({ length: count }, (_, each) => isThere(map, from + each)).filter(Boolean).length;

  test('who is alone may fill everything', () => {
    const map = createPackedMap(100 * SMALL, 25 * SMALL);
    for (let key = 0; key < 200; key++) put(map, key, { share: 1 });
    expect(map.bytes).toBe(100 * SMALL);
  });

  test('when others want in, it goes back to its quota, used or not', () => {
    const map = createPackedMap(100 * SMALL, 25 * SMALL);
    for (let key = 0; key < 100; key++) put(map, key, { share: 1 });
    expect(held(map, 0, 100)).toBe(100);
    for (let key = 100; key < 175; key++) put(map, key, { share: 2 + (key % 4) });
    expect([held(map, 0, 100), held(map, 100, 75)]).toEqual([25, 75]);
  });

  test('who is above the quota makes room for itself, and others stay', () => {
    const map = createPackedMap(100 * SMALL, 25 * SMALL);
    for (let key = 0; key < 75; key++) put(map, key, { share: 2 + (key % 4) });
    for (let key = 100; key < 5100; key++) put(map, key, { share: 1 });
    expect(held(map, 0, 75)).toBe(75);
  });

  test('a full map never takes from who is within the quota while another is above (against a model)', () => {
    const step = fc.record({ share: fc.nat(4), size: fc.integer({ min: 3, max: 300 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const [limit, quota] = [40 * SMALL, 10 * SMALL];
        const map = createPackedMap(limit, quota);
        const model = new Map<number, { share: number; size: number }>();
        const sumOf = (share: number) =>
          [...model.values()].reduce(
            (sum, each) => sum + (each.share === share ? costOf(each.size) : 0),
            0,
          );
        for (const [key, { share, size }] of steps.entries()) {
          model.set(key, { share, size });
          put(map, key, { share, size });
          const gone = [...model].filter(([each]) => !isThere(map, each));
          const isInnocentGone = gone.some(([, each]) => sumOf(each.share) <= quota);
          for (const [each] of gone) model.delete(each);
          const isAnyOver = [0, 1, 2, 3, 4].some((each) => sumOf(each) > quota);
          expect(isInnocentGone && isAnyOver).toBe(false);
          expect(map.bytes).toBeLessThanOrEqual(limit);
        }
      }),
      { numRuns: 60 },
    );
  });
});
