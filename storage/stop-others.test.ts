import { expect, test } from 'vitest';
import { decodeFrame, encodeFrame } from './format/frame.ts';
import { printOps } from './format/op.ts';
import { LAPTOP, pair } from './pair.fixture.ts';
import { setName } from './realm.fixture.ts';

test('a device that was removed stops nobody by what it claims', async () => {
  const { first, second } = await pair();
  await second.commit(setName('a', 1));
  const good = await second.exportMissing(first.vector());
  const { commit } = decodeFrame(good, { offset: 0, end: good.length }) ?? { commit: good };
  const bad = encodeFrame({ commit, ops: printOps(setName('a', 2).ops) }) ?? good;
  const { refused } = await first.importCommits(bad);
  expect(refused).toMatchObject([{ device: LAPTOP, reason: { code: 'wrong-tree' } }]);
  expect(first.isDiverged).toBe(true);
  const revoke = { op: 'revoke', path: `devices/${LAPTOP}`, lastSeq: 0 } as const;
  await first.commit({ ops: [revoke], message: 'Remove it', via: 'test' });
  expect(first.isDiverged).toBe(false);
});

test.each([
  { vector: { router: 1_000_000 }, code: 'invalid', why: 'numbers that nobody reached yet' },
  { vector: { router: '1' }, code: 'invalid', why: 'numbers that are none' },
  { vector: undefined, code: 'invalid', why: 'no numbers' },
  { vector: { router: 1 }, code: undefined, why: 'what its author has seen' },
])('history is not declared to begin where all that comes is too old: $why', async (row) => {
  const { first } = await pair();
  const { vector, code } = row;
  const value = { commit: first.head, device: 'router', state: '', without: [], ...{ vector } };
  const op = { op: 'set', path: 'realm/base-1', value: JSON.parse(JSON.stringify(value)) } as const;
  const done = first.commit({ ops: [op], message: 'Keep less', via: 'test' });
  expect(
    await done.then(
      () => undefined,
      (thrown: { code: string }) => thrown.code,
    ),
  ).toBe(code);
});
