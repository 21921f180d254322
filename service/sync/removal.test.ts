/** A device that was removed: for the others it is gone within seconds, and it learns so itself. */

import { expect, test } from 'vitest';
import { RuntimeError } from '#runtime';
import { EXIT } from '../cli/verbs.ts';
import { A, ask, type Home, homeOf, joinHome, threeHomes } from '../homes.fixture.ts';

type Clock = { readonly advance: (milliseconds: number) => Promise<void> };

const SECONDS = 5_000;
const RCODE = { noError: 0, nxDomain: 3, refused: 5 };

const warningsOf = async (home: Home): Promise<string> =>
  JSON.stringify((await home.json('status'))['warnings']);

test('all others have nothing of it any more within five seconds', async () => {
  const { a, b, c, clock } = threeHomes();
  await using _a = await a.start();
  await using _b = await joinHome(a, b);
  await using _c = await joinHome(a, c, 'shelf');
  await clock.advance(2_000);
  expect((await ask(c, 'desktop.alice.nymote')).rcode).toBe(RCODE.noError);
  expect(await a.run('device remove desktop')).toMatchObject({ exitCode: EXIT.ok });
  await pass(clock, SECONDS);
  for (const home of [a, c]) {
    expect((await ask(home, 'desktop.alice.nymote')).rcode).toBe(RCODE.nxDomain);
    const { devices } = (await home.json('device list')) as { devices: { name: string }[] };
    expect(devices.map(({ name }) => name)).not.toContain('desktop');
  }
});

test('it learns so from a commit that it verified, serves nothing, and keeps what it had', async () => {
  const { a, b, clock } = threeHomes();
  {
    await using _b = await join(a, b, clock);
    await using _a = await a.start();
    await a.run('device add phone');
    await clock.advance(2_000);
  }
  await using _a = await a.start();
  await a.run('device remove desktop');
  await a.run('device add secretname');
  {
    await using _b = await b.start();
    await clock.advance(SECONDS);
    await checkRemoved(b);
    const { exitCode, stderr } = await b.run('device add tablet');
    expect([exitCode, stderr]).toEqual([EXIT.denied, expect.stringContaining('was removed')]);
  }
  // And it still knows after it was off.
  await using again = await b.start();
  expect(again.warnings.join()).toMatch(/was removed/);
  expect(again.fqdn).toBe('desktop.alice.nymote');
  await checkRemoved(b);
});

test('what it wrote before it learnt so is offered to those who stay', async () => {
  const { a, b, clock } = threeHomes();
  {
    await using _b = await join(a, b, clock);
    await b.run('name set late A 192.0.2.77');
  }
  await using _a = await a.start();
  await a.run('device add phone');
  await a.run('device remove desktop');
  expect((await a.run('late')).stdout).toContain('no late changes');
  {
    await using _b = await b.start();
    await pass(clock, SECONDS);
    await checkRemoved(b);
    const { stdout } = await b.run('late');
    expect(stdout).toContain('It counts only if one of the others takes it over');
    expect(stdout).toContain('so nothing can be changed here');
    expect(stdout).not.toContain('late adopt');
    expect((await b.run('status')).stdout).not.toContain('nymote late');
  }
  expect((await a.run('name list')).stdout).not.toContain('late');
  expect((await a.run('late')).stdout).toContain('desktop wrote this after it was removed');
  expect((await a.run('late adopt desktop')).stdout).toContain('1 change of desktop taken over');
  expect((await a.run('name list')).stdout).toContain('late.alice.nymote');
});

/** A home whose requests the test sees, and may lose. */
function watched(home: Home, isLost: (action: string) => boolean) {
  const asked: string[] = [];
  const { http } = home.runtime;
  const fetch: typeof http.fetch = async (request, options) => {
    const { host, pathname } = new URL(request.url);
    const action = `${host.replace(/:.*/, '')} ${pathname.replace(/.*\//, '')}`;
    asked.push(action);
    if (isLost(action)) throw new RuntimeError('unreachable', 'the connection broke off');
    return http.fetch(request, options);
  };
  return { asked, home: homeOf({ ...home.runtime, http: { ...http, fetch } }, home.config) };
}

const MINUTE = 60_000;

test('and again, less and less often, until somebody takes it', async () => {
  const { a, b, clock } = threeHomes();
  {
    await using _b = await join(a, b, clock);
    await b.run('name set late A 192.0.2.77');
  }
  await using _a = await a.start();
  await a.run('device remove desktop');
  let isLost = true;
  const { asked, home } = watched(b, (action) => isLost && action.endsWith('push'));
  {
    await using _b = await home.start();
    await pass(clock, SECONDS);
    await checkRemoved(home, ['laptop']);
    await pass(clock, 20 * MINUTE, 1_000);
    // After 5, 10, 20, … seconds.
    const pushes = asked.filter((action) => action.endsWith('push')).length;
    expect(pushes).toBeGreaterThan(5);
    expect(pushes).toBeLessThan(12);
    expect((await home.run('status')).stdout).toContain('the connection broke off');
    expect((await a.run('late')).stdout).toContain('no late changes');
  }
  isLost = false;
  // Also in another life.
  await using _b = await home.start();
  await pass(clock, SECONDS);
  expect((await a.run('late')).stdout).toContain('desktop wrote this after it was removed');
  expect((await home.run('status')).stdout).not.toContain('can be reached');
  const count = asked.length;
  await pass(clock, 60 * MINUTE, 10_000);
  expect(asked).toHaveLength(count);
});

test('any of the others takes it, and gives it to those who were not there', async () => {
  const { a, b, c, clock } = threeHomes();
  {
    await using _a = await a.start();
    await using _b = await joinHome(a, b);
    await using _c = await joinHome(a, c, 'shelf');
    await clock.advance(2_000);
  }
  {
    await using _b = await b.start();
    await b.run('name set late A 192.0.2.77');
  }
  const { asked, home } = watched(b, (action) => action === `${A} push`);
  {
    await using _a = await a.start();
    await a.run('device remove desktop');
    await using _b = await home.start();
    await pass(clock, SECONDS);
    await checkRemoved(home, ['laptop', 'shelf']);
  }
  // It has not heard of the removal, and hears of it now.
  await using _c = await c.start();
  await using _b = await home.start();
  await pass(clock, MINUTE);
  expect((await c.run('late')).stdout).toContain('desktop wrote this after it was removed');
  expect(asked.filter((action) => action === '192.0.2.3 push')).toHaveLength(1);
  const count = asked.length;
  await pass(clock, 10 * MINUTE, 1_000);
  expect(asked).toHaveLength(count);
  await using _a = await a.start();
  await pass(clock, MINUTE);
  expect((await a.run('late')).stdout).toContain('desktop wrote this after it was removed');
});

test('it learns so where all that was before is forgotten', async () => {
  const { a, b, clock } = threeHomes();
  {
    await using _b = await join(a, b, clock);
  }
  await using _a = await a.start();
  await a.run('device add phone');
  await a.run('device remove desktop');
  expect((await a.run('history forget --yes')).stdout).toContain('changes were dropped');
  {
    await using _b = await b.start();
    await clock.advance(SECONDS);
    await checkRemoved(b);
  }
  await using again = await b.start();
  expect(again.warnings.join()).toMatch(/was removed/);
});

/** Time in small steps, so that requests have their turn. */
async function pass(clock: Clock, milliseconds: number, step = 100): Promise<void> {
  for (let at = 0; at < milliseconds; at += step) await clock.advance(step);
}

async function checkRemoved(home: Home, others = ['laptop', 'phone']): Promise<void> {
  expect(await warningsOf(home)).toMatch(
    /This device was removed by laptop on \d{4}-.* UTC: .*`nymote device add desktop --node` on laptop/,
  );
  expect((await home.run('status')).stdout).toMatch(/^This is desktop\.alice\.nymote /);
  const asked = await ask(home, 'laptop.alice.nymote');
  expect(asked).toMatchObject({ rcode: RCODE.refused, answers: [] });
  const { devices } = (await home.json('device list')) as { devices: { name: string }[] };
  expect(devices.map(({ name }) => name)).toEqual(others);
  // What was written after its end it cannot read.
  expect(JSON.stringify(await home.json('log'))).not.toContain('secretname');
}

async function join(a: Home, b: Home, clock: Clock) {
  await using _a = await a.start();
  const started = await joinHome(a, b);
  await clock.advance(2_000);
  return started;
}

test.each([
  { status: 410, body: 'nothing', why: 'an empty page' },
  { status: 410, body: 'noise', why: 'a page of noise' },
  { status: 404, body: 'nothing', why: 'nobody who knows it' },
])('nobody can tell it so falsely: $why', async ({ status, body }) => {
  const { a, b, clock } = threeHomes();
  await using _b = await join(a, b, clock);
  const bytes = new TextEncoder().encode(body === 'nothing' ? '' : body);
  const liar = homeOf(a.runtime, a.config).runtime;
  await using _liar = await liar.http.listen({ address: A, port: 51_821 }, () => {
    return new Response(bytes, { status });
  });
  await clock.advance(120_000);
  expect(await warningsOf(b)).not.toMatch(/This device was removed/);
  expect((await ask(b, 'laptop.alice.nymote')).rcode).toBe(RCODE.noError);
});
