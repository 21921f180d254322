/**
 * Starting again: after a cut at any moment, without a file, on a full disk. What was once told to
 * others (the realm, the zone's keys) is never silently made anew.
 */

import { expect, test } from 'vitest';
import { RuntimeError } from '#runtime';
import { PowerCut } from '#runtime/fake';
import { type Home, homeOf, rebooted, twoHomes, wishOf } from './homes.fixture.ts';
import { join } from './peers/join.ts';

/** What `start` ends in: the anchor, or what is said. */
async function anchorOf(home: Home): Promise<unknown> {
  await using _ = await home.start();
  return (await home.json('zone anchor'))['ds'];
}

async function stepsOf(act: (home: Home) => Promise<unknown>): Promise<number> {
  const { a } = twoHomes();
  await act(a);
  return a.runtime.files.steps;
}

test('a cut at any moment from the first start to its end: the next start makes or finds one whole realm', async () => {
  const steps = await stepsOf(anchorOf);
  expect(steps).toBeGreaterThan(10);
  for (let step = 1; step <= steps; step++) {
    const { a } = twoHomes();
    a.runtime.files.crashAt(step, step % 2 === 0 ? 'lost' : 'kept');
    await expect(anchorOf(a), `step ${step}`).rejects.toSatisfy(isPowerCut);
    const again = rebooted(a);
    const first = await anchorOf(again);
    expect(await anchorOf(rebooted(again)), `step ${step}`).toBe(first);
  }
});

test.each([
  { lost: ['zone.json'], says: /zone\.json is missing; .*another full device/, why: 'the keys' },
  { lost: ['zone.json', 'realm'], says: undefined, why: 'on purpose: both' },
])('the writer without $lost: $why', async ({ lost, says }) => {
  const { a } = twoHomes();
  const before = await anchorOf(a);
  for (const file of lost) await a.runtime.files.remove(`/data/${file}`);
  const started = anchorOf(rebooted(a));
  if (says === undefined) expect(await started).not.toBe(before);
  else await expect(started).rejects.toThrow(says);
});

test('a cut at any moment of joining: the realm that was joined, or a word and another code; never another one', async () => {
  for (let step = 1, isWhole = false; !isWhole; step++) {
    const { a, b } = twoHomes();
    await using _ = await a.start();
    const { code } = await a.json('device add desktop --node --auto-confirm');
    const again = async () => {
      await a.run('device remove desktop');
      const next = await a.json('device add desktop --node --auto-confirm');
      const runtime = { ...b.runtime, files: b.runtime.files.restart() };
      return join(runtime, b.config, wishOf(String(next['code'])));
    };
    b.runtime.files.crashAt(step, step % 2 === 0 ? 'lost' : 'kept');
    isWhole = await join(b.runtime, b.config, wishOf(String(code))).then(
      ({ ok }) => ok,
      () => false,
    );
    const isAdded = (await a.run('device list')).stdout.includes('desktop');
    const ended = anchorOf(rebooted(b)).catch((error: RuntimeError) => error.message);
    const { ds } = await a.json('zone anchor');
    const isCut = /^joining was cut/.test(String(await ended));
    if (isWhole || (isAdded && !isCut)) expect(await ended).toBe(ds);
    if (isCut) expect(await again(), `step ${step}`).toMatchObject({ ok: true });
  }
});

test('who was refused may begin a realm of its own', async () => {
  const { a, b } = twoHomes();
  await using _ = await a.start();
  const { code } = await a.json('device add desktop --node --auto-confirm');
  const nobody = { address: '192.0.2.99', port: 51_821 };
  const joining = join(b.runtime, b.config, { ...wishOf(String(code)), endpoint: nobody });
  await b.runtime.clock.advance(60_000);
  expect(await joining).toMatchObject({ ok: false });
  expect(await anchorOf(b)).toContain('alice.nymote');
});

test('a full disk does not keep a device from starting', async () => {
  const { a } = twoHomes();
  const before = await anchorOf(a);
  const { runtime } = rebooted(a);
  const full = () => Promise.reject(new RuntimeError('no-space', 'the disk is full'));
  const files = {
    ...runtime.files,
    replace: full,
    openAppend: async (path: string) => ({
      ...(await runtime.files.openAppend(path)),
      append: full,
    }),
  };
  const elsewhere = { ...a.config, endpoints: ['192.0.2.77'] };
  expect(await anchorOf(homeOf({ ...runtime, files }, elsewhere))).toBe(before);
});

/** Without power what is closed on the way out fails as well, and hides why. */
function isPowerCut(thrown: unknown): boolean {
  return thrown instanceof SuppressedError ? isPowerCut(thrown.error) : thrown instanceof PowerCut;
}
