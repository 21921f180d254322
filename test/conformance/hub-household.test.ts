/** Two devices of one household that never meet: what one changes reaches the other through a hub. */

import { join } from 'node:path';
import connect from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import { inviteToHub, startHub } from '#service';
import { takePort } from '../suites/ports.ts';
import { PATIENCE } from '../suites/waiting.ts';
import { type Postgres, startPostgres } from './hub-stand.ts';
import {
  findPorts,
  makeRoom,
  nymote,
  type Place,
  type Service,
  startService,
} from './service-stand.ts';

const stack = new AsyncDisposableStack();
let laptop: Place;
let desktop: Place;
let database: Postgres;
let url: string;
let invite: string;

beforeAll(async () => {
  const runtime = nodeRuntime({ log: () => undefined });
  database = stack.use(await startPostgres());
  const listen = { address: '127.0.0.1', port: await takePort() };
  const settings = {
    database: database.url,
    listen,
    quota: 1 << 24,
    daily: 1 << 24,
    uses: 1,
    isProxied: false,
  };
  stack.use(await startHub(runtime, settings));
  url = `http://127.0.0.1:${listen.port}`;
  invite = await inviteToHub(runtime, settings);
  const room = stack.use(await makeRoom());
  const place = async (name: string): Promise<Place> => ({
    data: join(room.path, name),
    ports: await findPorts(),
  });
  laptop = await place('laptop');
  desktop = await place('desktop');
});
afterAll(() => stack.disposeAsync());

test('what one changes reaches the other, though they are never on together', async () => {
  {
    await using first = await startService(laptop);
    const wrong = await first.run('hub', 'join', url, '--invite', 'made-up');
    expect(wrong).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('invitation') });
    expect(await first.run('hub', 'join', url, '--invite', invite)).toMatchObject({ exitCode: 0 });
    const { code } = await first.json('device', 'add', 'desktop', '--node', '--auto-confirm');
    const words = ['join', `127.0.0.1:${laptop.ports.control}`, String(code), '--auto-confirm'];
    const settings = ['--data', desktop.data, '--endpoints', '192.0.2.1'];
    expect(await nymote([...words, ...settings])).toMatchObject({ exitCode: 0 });
    expect(await first.run('device', 'add', 'phone')).toMatchObject({ exitCode: 0 });
    await expect.poll(() => reached(first), PATIENCE).toContain('the hub');
    await expect.poll(() => lacking(first), PATIENCE).toBe(0);
  }
  {
    await using second = await startService(desktop);
    await expect.poll(() => devices(second), PATIENCE).toContain('phone.alice.nymote');
    expect(await second.run('device', 'add', 'tablet')).toMatchObject({ exitCode: 0 });
    await expect.poll(() => lacking(second), PATIENCE).toBe(0);
  }
  await using first = await startService(laptop);
  await expect.poll(() => devices(first), PATIENCE).toContain('tablet.alice.nymote');
});

async function devices(service: Service): Promise<string> {
  return (await service.run('device', 'list')).stdout;
}

/** Whom it has exchanged with. */
async function reached(service: Service): Promise<readonly string[]> {
  const { parties } = await service.json('exchange');
  const all = parties as { name: string; ago?: number }[];
  return all.filter(({ ago }) => ago !== undefined).map(({ name }) => name);
}

async function commits(service: Service): Promise<number> {
  return ((await service.json('status'))['store'] as { commits: number }).commits;
}

/** Commits of this device's that the hub does not hold. */
async function lacking(service: Service): Promise<number> {
  const sql = connect(database.adminUrl.replace('/postgres', '/nymote'), { max: 1 });
  const [row] = await sql`SELECT count(*)::int AS n FROM nymote_commit`;
  await sql.end();
  return (await commits(service)) - row?.['n'];
}
