import { expect, test } from 'vitest';
import { EXIT } from '../cli/verbs.ts';
import { type Home, joinHome, twoHomes } from '../homes.fixture.ts';

test('the log goes on when older changes were dropped, and says so of them', async () => {
  const { a } = twoHomes();
  await using _ = await a.start();
  const [first = ''] = await idsOf(a);
  for (const name of ['phone', 'tablet']) await a.run(`device add ${name}`);
  expect((await a.run('history forget --yes')).stdout).toMatch(/^\d+ changes were dropped/);
  const ids = await idsOf(a);
  expect(ids.length).toBeGreaterThan(1);
  expect((await a.run('log --what')).exitCode).toBe(EXIT.ok);
  const { commits } = (await a.json('log')) as { commits: { what: string[] }[] };
  expect(commits.at(-1)?.what).toEqual([]);
  expect((await a.run(`diff ${ids.at(-1)}`)).stdout).toContain('+   "name": "phone"');
  for (const line of [`revert ${first}`, `history restore ${first}`, `diff ${first}`]) {
    expect(await a.run(line)).toMatchObject({
      exitCode: EXIT.failed,
      stderr: expect.stringContaining('older ones were dropped'),
    });
  }
});

test('history is dropped as soon as the others told that they hold it, without a word of theirs', async () => {
  const { a, b, clock } = twoHomes();
  await using _a = await a.start();
  await using _b = await joinHome(a, b);
  await clock.advance(2_000);
  await a.run('device add phone');
  await clock.advance(90_000);
  await a.run('history forget --yes');
  await clock.advance(90_000);
  expect((await a.run('history forget --yes')).stdout).toMatch(/^\d+ changes were dropped/);
});

test('a change that joins what others wrote is said to have changed nothing of theirs', async () => {
  const { a, b, clock } = twoHomes();
  await using _a = await a.start();
  {
    await using _b = await joinHome(a, b);
    await clock.advance(2_000);
  }
  await a.run('device add phone');
  {
    await using _b = await b.start();
    await b.run('device add tablet');
    await clock.advance(2_000);
  }
  await a.run('device add watch');
  const { commits } = (await a.json('log')) as { commits: { what: string[] }[] };
  expect(commits[0]?.what).toEqual(['Added the device watch']);
  expect((await a.run('diff')).stdout).not.toMatch(/tablet|phone/);
});

const idsOf = async (home: Home): Promise<readonly string[]> => {
  const { commits } = (await home.json('log')) as { commits: { id: string }[] };
  return commits.map(({ id }) => id);
};
