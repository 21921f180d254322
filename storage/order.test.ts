/**
 * What counts does not depend on the order in which it arrived: random households, with devices
 * that are revoked late and devices that are two, told to newcomers commit by commit.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import type { DraftOp } from './changes/narrow.ts';
import { concat } from './format/bytes.ts';
import { scan } from './format/frame.ts';
import { someone } from './members.fixture.ts';
import { DIRECTORY, openFounder, openReplica, signerOf } from './realm.fixture.ts';
import { openStore, type Store } from './store.ts';

/** More by hand: `NYMOTE_RUNS=100000`. */
const RUNS = Math.ceil(Number(process.env['NYMOTE_RUNS'] ?? 300) / 10);

/** The founder, two owners, and a copy of the last one's disk and key. */
const STORES = ['founder', 'second', 'third', 'twin'] as const;
type Name = (typeof STORES)[number];

type Event =
  | { readonly kind: 'write'; readonly by: Name; readonly field: string; readonly value: number }
  | { readonly kind: 'revoke'; readonly by: Name; readonly seed: number; readonly lastSeq: number }
  | { readonly kind: 'send'; readonly from: Name; readonly to: Name };

const name = fc.constantFrom(...STORES);
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('write'),
      by: name,
      field: fc.constantFrom('a', 'b'),
      value: fc.nat(9),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('revoke'),
      by: name,
      seed: fc.constantFrom(2, 3),
      lastSeq: fc.nat(2),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('send'), from: name, to: name }) },
) as fc.Arbitrary<Event>;

async function open(seed: number, realm: string): Promise<Store> {
  const runtime = fakeRuntime();
  const writer = {
    deviceId: someone(seed).id,
    name: `Device ${seed}`,
    signer: signerOf(runtime.crypto, seed),
  };
  return openStore(runtime, { directory: DIRECTORY, writer, realm });
}

async function send(from: Store, to: Store): Promise<void> {
  const { refused } = await to.importCommits(await from.exportMissing(to.vector()));
  expect(refused).toEqual([]);
}

/** Lets it all happen; what a device may not do (any more), it does not. */
async function play(events: readonly Event[]): Promise<Readonly<Record<Name, Store>>> {
  const founder = await openFounder(fakeRuntime());
  const admit = (seed: number): DraftOp => {
    const { path, signingKey } = someone(seed);
    return { op: 'set', path, value: { role: 'owner', rank: seed, signingKey } };
  };
  await founder.commit({ ops: [admit(2), admit(3)], message: 'Admit', via: 'test' });
  const { realm } = founder;
  const stores = {
    founder,
    second: await open(2, realm),
    third: await open(3, realm),
    twin: await open(3, realm),
  };
  for (const to of STORES) if (to !== 'founder') await send(founder, stores[to]);
  for (const next of events) {
    if (next.kind === 'send') {
      if (next.from !== next.to) await send(stores[next.from], stores[next.to]);
      continue;
    }
    const op: DraftOp =
      next.kind === 'write'
        ? { op: 'set', path: `names/n/${next.field}`, value: next.value }
        : { op: 'revoke', path: someone(next.seed).path, lastSeq: next.lastSeq };
    await stores[next.by].commit({ ops: [op], message: 'Do', via: 'test' }).catch(() => undefined);
  }
  return stores;
}

/** All commits of all stores, each in a frame of its own. */
async function framesOf(stores: readonly Store[]): Promise<Uint8Array[]> {
  const hub = await openReplica(fakeRuntime());
  for (const store of stores) await send(store, hub);
  const bytes = await hub.exportMissing({}, 1024 * 1024);
  return scan(bytes).frames.map(({ offset, end }) => bytes.subarray(offset, end));
}

test('whoever gets all commits, in whatever order, has the same state (I5)', async () => {
  const histories = fc.record({
    events: fc.array(event, { minLength: 4, maxLength: 14 }),
    seed: fc.infiniteStream(fc.nat(1000)),
  });
  await fc.assert(
    fc.asyncProperty(histories, async ({ events, seed }) => {
      const stores = await play(events);
      const frames = await framesOf(Object.values(stores));
      const shuffled = frames
        .map((frame) => ({ frame, at: seed.next().value ?? 0 }))
        .sort((a, b) => a.at - b.at)
        .map(({ frame }) => frame);
      const half = Math.ceil(shuffled.length / 2);
      const pages = [shuffled.slice(0, half), ...shuffled.slice(half).map((frame) => [frame])];
      const newcomer = await openReplica(fakeRuntime());
      for (const page of pages) {
        const { refused } = await newcomer.importCommits(concat(page));
        expect(refused).toEqual([]);
      }
      const { founder } = stores;
      for (const from of Object.values(stores)) if (from !== founder) await send(from, founder);
      expect(newcomer.head).toBe(founder.head);
      expect(newcomer.state()).toEqual(founder.state());
      expect(newcomer.conflicts()).toEqual(founder.conflicts());
    }),
    { numRuns: RUNS },
  );
});
