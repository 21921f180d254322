import { expect, test } from 'vitest';
import { decodeFrame, encodeFrame } from './frame.ts';
import { printOps } from './op.ts';
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
