/** A home that forgot its history, and a device that joins it afterwards. */

import { expect, test } from 'vitest';
import { joinHome, twoHomes } from '../homes.fixture.ts';

test('who joins after history was forgotten begins where the home begins, and both go on', async () => {
  const { a, b, clock } = twoHomes();
  await using _a = await a.start();
  await a.run('device add phone');
  await a.run('device remove phone');
  await a.run('device add radio');
  expect((await a.run('history forget')).exitCode).toBe(2);
  expect((await a.run('history forget --yes')).stdout).toMatch(/^\d+ changes were dropped\./);
  expect((await a.run('history')).stdout).toContain('older ones were dropped');
  await using _b = await joinHome(a, b);
  await clock.advance(2_000);
  expect((await b.run('device list')).stdout).toContain('radio.alice.nymote');
  await b.run('device add tablet');
  await clock.advance(90_000);
  for (const home of [a, b]) {
    expect((await home.run('device list')).stdout).toContain('tablet.alice.nymote');
    expect((await home.run('log')).stdout).not.toContain('Remove phone');
  }
});
