import { beforeAll, expect, test } from 'vitest';
import { manualClock } from '#runtime/fake';
import { nodeRuntime } from '#runtime/node';
import type { TrackedKey } from '../dnssec/rollover.ts';
import { NOW, name, type SampleZone, samples } from '../dnssec/signed.fixture.ts';
import type { RRset } from '../message/rrset.ts';
import type { Resolved } from '../recursion/recursion.ts';
import { createVerifier } from '../recursion/verifier.ts';
import { createAnchorWatch, LOOK_MS } from './anchor-watch.ts';

const { crypto } = nodeRuntime();
const { zone } = samples(crypto);
const root = name('.');
let old: SampleZone;
let set: RRset;

beforeAll(async () => {
  old = await zone('.');
  const next = await zone('.');
  set = old.sign({ ...old.keys, rdatas: [old.dnskey, next.dnskey], signatures: [] });
});

function open(clock: ReturnType<typeof manualClock>, say: () => Resolved['outcome']) {
  const saved: (readonly TrackedKey[])[] = [];
  const seen = { asked: 0, saved };
  const watch = createAnchorWatch({
    clock,
    crypto,
    verifier: createVerifier({ clock, crypto }),
    log: () => undefined,
    recursion: {
      async resolve(_name, _type, budget, avoid) {
        // The cache would tell the same story for as long as its TTL.
        expect(avoid).toEqual(new Set());
        seen.asked++;
        return { outcome: say(), budget, from: 'recursion' };
      },
    },
    anchor: { name: root, digests: old.ds.rdatas, keys: [] },
    saved: [],
    apply: () => undefined,
    save: (keys) => saved.push(keys),
  });
  watch.start(0);
  return { watch, seen };
}

const found = (): Resolved['outcome'] => ({ kind: 'answer', rrset: set, proof: [] });
const HOUR = 3_600_000;

test('without a date nothing is asked and no key waits; with one it begins at once', async () => {
  const clock = manualClock({ isSet: false, now: 60 });
  const { watch, seen } = open(clock, found);
  await clock.advance(HOUR);
  expect([seen.asked, watch.keys]).toEqual([0, []]);
  clock.set(NOW);
  await clock.advance(LOOK_MS);
  expect(watch.keys.map(({ state }) => state)).toEqual(['valid', 'add-pend']);
  expect(seen.saved.map((keys) => keys.map(({ state }) => state))).toEqual([['add-pend']]);
});

test('a date that goes back is looked into at once, not after all the time it went back', async () => {
  const clock = manualClock({ now: NOW });
  const { seen } = open(clock, found);
  await clock.advance(1);
  clock.set(NOW - 86_400);
  await clock.advance(LOOK_MS);
  expect(seen.asked).toBe(2);
});

test.each<{ say: () => Resolved['outcome']; why: string }>([
  { say: () => ({ kind: 'failure', reason: 'no-reachable-authority' }), why: 'nobody answers' },
  { say: () => ({ kind: 'no-data', denial: undefined }), why: 'no keys' },
  {
    say: () => ({ kind: 'answer', rrset: { ...set, signatures: [] }, proof: [] }),
    why: 'unsigned',
  },
])('$why: nothing changes, and it is tried again after an hour', async ({ say }) => {
  const clock = manualClock({ now: NOW });
  const { watch, seen } = open(clock, say);
  await clock.advance(HOUR - LOOK_MS);
  expect([seen.asked, watch.keys]).toEqual([1, []]);
  await clock.advance(2 * LOOK_MS);
  expect(seen).toEqual({ asked: 2, saved: [] });
});

test('stopped, it asks nobody', async () => {
  const clock = manualClock({ now: NOW });
  const { watch, seen } = open(clock, found);
  watch[Symbol.dispose]();
  await clock.advance(HOUR);
  expect(seen.asked).toBe(0);
});
