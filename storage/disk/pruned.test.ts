import { expect, test } from 'vitest';
import { seededRandom } from '#runtime/fake';
import type { DraftOp } from '../changes/narrow.ts';
import { canonicalize, type Json } from '../format/json.ts';
import { LAPTOP, pair, send } from '../pair.fixture.ts';
import { wishOf } from '../simulation/wish.fixture.ts';
import type { Store } from '../store.ts';

/** More by hand: `NYMOTE_RUNS=1000`. */
const RUNS = Number(process.env['NYMOTE_RUNS'] ?? 60);
const ALL = { days: 0, commits: 1 };
const TEXT = 'notes/t/body';
const LINES = 'a\nb\nc\nd\ne\nf\ng';

/** A number from 0 up to 65535. */
type Random = () => number;

function seeded(seed: string): Random {
  const random = seededRandom(seed);
  return () => random(2).reduce((sum, octet) => sum * 256 + octet, 0);
}

async function commit(store: Store, ops: readonly DraftOp[]): Promise<void> {
  if (ops.length > 0) await store.commit({ ops, message: 'Change', via: 'test' });
}

/** A text with a line more, less or in the place of another one; or anything else. */
function wish(store: Store, device: string, random: Random): readonly DraftOp[] {
  const fresh = random();
  const state = store.merged();
  if (fresh % 2 > 0) return wishOf(device, state, [random(), random(), random()], fresh);
  const lines = String(state.get('notes')?.get('t')?.['body']).split('\n');
  const [isGone, isNew] = [random() % 2, random() % 3];
  const value = lines.toSpliced(
    random() % (lines.length + 1),
    isGone,
    ...(isNew > 0 ? [`line ${fresh}`] : []),
  );
  return [{ op: 'text', path: TEXT, value: value.join('\n') }];
}

async function mingle(one: Store, other: Store, random: Random, count: number): Promise<void> {
  const both = [
    { store: one, device: 'router', to: other },
    { store: other, device: LAPTOP, to: one },
  ] as const;
  for (let at = 0; at < count; at++) {
    const { store, device, to } = random() % 2 > 0 ? both[0] : both[1];
    // Somebody may ask for what cannot be done.
    await commit(store, wish(store, device, random)).catch((thrown) => {
      expect(thrown).toMatchObject({ code: 'invalid' });
    });
    if (random() % 3 === 0) await send(store, to);
  }
}

function print(store: Store): string {
  const records = [...store.merged()].flatMap(([name, all]) =>
    [...all].map(([key, record]) => [`${name}/${key}`, record] as const),
  );
  const told = { ...Object.fromEntries(records), conflicts: store.conflicts() };
  return canonicalize(JSON.parse(JSON.stringify(told)) as Json);
}

async function meet(one: Store, other: Store): Promise<void> {
  await send(one, other);
  await send(other, one);
  expect(one.isDiverged || other.isDiverged).toBe(false);
  expect([one.head, print(one)]).toEqual([other.head, print(other)]);
}

/** All have to hear of a cut before one drops what is behind it. */
async function cut(store: Store, other: Store, key: string) {
  await store.prune('test', ALL);
  await send(store, other);
  await commit(other, [{ op: 'set', path: `names/${key}`, value: { heard: 1 } }]);
  await send(other, store);
  return store.prune('test', ALL);
}

test('who dropped the past and who has it go on as one', {
  timeout: 60_000 + RUNS * 500,
}, async () => {
  let cuts = 0;
  for (let seed = 0; seed < RUNS; seed++) {
    const random = seeded(`pruned ${seed}`);
    const { first, second } = await pair();
    await commit(first, [{ op: 'text', path: TEXT, value: LINES }]);
    await meet(first, second);
    await mingle(first, second, random, 14);
    await meet(first, second);
    const { dropped } = await cut(first, second, 'one');
    await mingle(first, second, random, 24);
    await meet(first, second);
    await cut(first, second, 'two');
    const isSame = (await second.prune('test', ALL)).dropped > 0 && dropped > 0;
    if (!isSame || first.conflicts().length > 0) continue;
    expect(first.base()).toEqual(second.base());
    cuts += 1;
  }
  expect(cuts).toBeGreaterThan(RUNS / 4);
});
