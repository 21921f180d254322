/** Two homes whose devices both write, now together, now apart. */

import { expect, test } from 'vitest';
import { EXIT } from '../cli/verbs.ts';
import { type Home, joinHome, twoHomes } from '../homes.fixture.ts';

const headOf = async (home: Home): Promise<unknown> =>
  ((await home.json('status'))['store'] as { head: string }).head;

/** Both homes, of which B has joined; nothing runs. */
async function joined() {
  const { a, b, clock } = twoHomes();
  {
    await using _a = await a.start();
    await using _b = await joinHome(a, b);
    await clock.advance(2_000);
  }
  return { a, b, clock };
}

test('what two devices change while they are apart is there on both when they meet', async () => {
  const { a, b, clock } = await joined();
  {
    await using _a = await a.start();
    await a.run('device add phone');
  }
  await using _b = await b.start();
  expect(await b.run('device add tablet')).toMatchObject({ exitCode: EXIT.ok });
  await using _a = await a.start();
  await clock.advance(90_000);
  for (const home of [a, b]) {
    const { stdout } = await home.run('device list');
    expect(stdout).toContain('phone.alice.nymote');
    expect(stdout).toContain('tablet.alice.nymote');
  }
  expect(await headOf(a)).toBe(await headOf(b));
});

test('what a removed device changes afterwards counts nowhere', async () => {
  const { a, b, clock } = await joined();
  {
    await using _a = await a.start();
    expect(await a.run('device remove desktop')).toMatchObject({ exitCode: EXIT.ok });
  }
  await using _b = await b.start();
  await b.run('device add tablet');
  await using _a = await a.start();
  await clock.advance(90_000);
  expect((await a.run('device list')).stdout).not.toContain('tablet');
});

test('nothing that travels is readable on the way', async () => {
  const { a, b, clock } = await joined();
  const bodies: string[] = [];
  const { http } = b.runtime;
  const spied = {
    ...http,
    fetch: async (request: Request, options?: object) => {
      const response = await http.fetch(request, options);
      if (!request.url.includes('/sync/')) return response;
      const bytes = await response.arrayBuffer();
      bodies.push(Buffer.from(bytes).toString('latin1'));
      return new Response(bytes, response);
    },
  };
  Object.assign(b.runtime, { http: spied });
  await using _a = await a.start();
  await a.run('device add secretname');
  await using _b = await b.start();
  await clock.advance(2_000);
  expect((await b.run('device list')).stdout).toContain('secretname');
  expect(bodies.join('').length).toBeGreaterThan(500);
  expect(bodies.join('')).not.toContain('secretname');
});

test('a device signs by the name that the realm gave it', async () => {
  const { a, b } = await joined();
  // As whoever starts it without --name.
  Object.assign(b.config, { name: 'laptop' });
  await using _a = await a.start();
  await using _b = await b.start();
  await b.run('device add tablet');
  const log = await b.runtime.files.read('/data/store/log/00000001.log');
  const names = new TextDecoder('latin1').decode(log).match(/(?<=\nauthor )\S+/g);
  expect(names?.at(-1)).toBe('desktop');
});
