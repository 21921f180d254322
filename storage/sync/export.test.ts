import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import type { Writer } from '../changes/draft.ts';
import { someone } from '../members.fixture.ts';
import {
  DIRECTORY,
  founderOf,
  openFounder,
  openReplica,
  setName,
  signerOf,
} from '../realm.fixture.ts';
import { openStore, type Store } from '../store.ts';

const { crypto } = fakeRuntime();
const OTHER = someone(2);

/** A founder with a history, and a machine with its keys and a copy of that history. */
async function twins(before: number): Promise<[Store, Store]> {
  const founder = await openFounder(fakeRuntime());
  const { path, signingKey } = OTHER;
  const value = { role: 'owner', rank: 2, signingKey };
  await founder.commit({ ...setName('a', 0), ops: [{ op: 'set', path, value }] });
  for (let value = 0; value < before; value++) await founder.commit(setName('a', value));
  const twin = await openStore(fakeRuntime(), {
    directory: DIRECTORY,
    writer: founderOf(crypto),
    realm: founder.realm,
  });
  await pull(founder, twin);
  return [founder, twin];
}

/** Takes over all there is; how many pages that took. */
async function pull(from: Store, to: Store, limit?: number): Promise<number> {
  for (let pages = 0; pages < 100; pages++) {
    const page = await from.exportMissing(to.vector(), limit);
    const { added, refused } = await to.importCommits(page);
    expect(refused).toEqual([]);
    if (added === 0) return pages;
  }
  throw new Error('it does not end');
}

async function write(store: Store, key: string, count: number): Promise<void> {
  for (let value = 0; value < count; value++) await store.commit(setName(key, value));
}

describe('of a device that used a number twice', () => {
  test.each([
    { before: 3, one: 1, other: 1, why: 'at once' },
    { before: 250, one: 1, other: 1, why: 'after more commits than one page holds' },
    { before: 250, one: 60, other: 1, why: 'one of which went on' },
    { before: 10, one: 60, other: 60, why: 'both of which went on' },
    { before: 10, one: 5, other: 250, why: 'one of which went far' },
  ])('both branches reach everybody: $why', async ({ before, one, other }) => {
    const [founder, twin] = await twins(before);
    await write(founder, 'one', one);
    await write(twin, 'other', other);
    for (let round = 0; round < 3; round++) {
      await pull(founder, twin);
      await pull(twin, founder);
    }
    expect(twin.vector()).toEqual(founder.vector());
    expect(twin.heads).toEqual(founder.heads);
    expect(await founder.exportMissing(twin.vector())).toHaveLength(0);
    const third = await openReplica(fakeRuntime(), { realm: founder.realm });
    await pull(twin, third, 5000);
    expect([third.heads, third.vector()]).toEqual([founder.heads, founder.vector()]);
  });

  test('what somebody lacks besides comes first, and what it has does not keep it back', async () => {
    const [founder, twin] = await twins(30);
    await write(founder, 'one', 20);
    await write(twin, 'other', 20);
    const writer: Writer = { deviceId: OTHER.id, name: 'Other', signer: signerOf(crypto, 2) };
    const options = { directory: DIRECTORY, writer, realm: founder.realm };
    const other = await openStore(fakeRuntime(), options);
    await pull(founder, other);
    await other.commit(setName('mine', 1));
    const beside = await openReplica(fakeRuntime(), { realm: founder.realm });
    await pull(other, beside);
    // The other's commit builds on the founder's branch, and nobody here knows where that begins.
    await pull(beside, twin, 40_000);
    expect(twin.holds(other.head)).toBe(true);
  });

  test('a vector names the last commit of each branch', async () => {
    const [founder, twin] = await twins(2);
    await write(founder, 'one', 3);
    await write(twin, 'other', 1);
    const ends = [
      [5, twin.head],
      [7, founder.head],
    ];
    await pull(founder, twin);
    expect(twin.vector()).toEqual({ router: ends });
  });
});
