/** A device that came from a backup: others may hold what it wrote since. */

import { expect, test } from 'vitest';
import { A, configOf, type Home, homeOf, joinHome, twoHomes } from '../homes.fixture.ts';

const SET = 'name set later A 192.0.2.4';

/** Two that know each other and are off; the first one came from a backup. */
async function restoredHome(endpoint = '192.0.2.2'): Promise<ReturnType<typeof twoHomes>> {
  const { a, b: plain, clock } = twoHomes();
  const b = homeOf(plain.runtime, configOf({ name: 'desktop', endpoints: endpoint }));
  {
    await using _a = await a.start();
    await using _b = await joinHome(a, b);
    await clock.advance(5_000);
  }
  await a.runtime.files.replace('/data/restored', new Uint8Array(0), 0o600);
  // What is written at a start by itself.
  const moved = configOf({ name: 'laptop', endpoints: `${A},192.0.2.77`, dns: '127.0.0.1:53' });
  return { a: homeOf(a.runtime, moved), b, clock };
}

async function change(home: Home): Promise<readonly [number, string]> {
  const { exitCode, stderr } = await home.run(SET);
  return [exitCode, stderr];
}

test('it changes nothing, of itself neither, before it has met one of the others', async () => {
  const { a, b, clock } = await restoredHome();
  await using _a = await a.start();
  const { store } = await a.json('status');
  expect(await change(a)).toEqual([expect.any(Number), expect.stringContaining('came back from')]);
  expect((await a.run('status')).stdout).toContain('read-only: This device came back from');
  await clock.advance(60_000);
  expect(await a.json('status')).toMatchObject({ readOnly: true, store });
  await using _b = await b.start();
  await clock.advance(20 * 60_000);
  expect(await a.json('status')).toMatchObject({ readOnly: false });
  expect(await change(a)).toEqual([0, '']);
  expect((await b.run('log')).stdout).toContain('laptop can be reached elsewhere');
});

test('who cannot be reached from it tells it by asking', async () => {
  const { a, b, clock } = await restoredHome('192.0.2.99');
  await using _a = await a.start();
  await clock.advance(60_000);
  expect(await change(a)).not.toEqual([0, '']);
  await using _b = await b.start();
  await clock.advance(60_000);
  expect(await change(a)).toEqual([0, '']);
});

test('a person who knows of no other one removes the mark', async () => {
  const { a } = await restoredHome();
  {
    await using _ = await a.start();
    expect((await change(a))[1]).toContain('remove the file `restored`');
  }
  await a.runtime.files.remove('/data/restored');
  await using _ = await a.start();
  expect(await change(a)).toEqual([0, '']);
});
