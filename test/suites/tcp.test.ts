import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Connection } from '#runtime';
import { fakeNetwork, fakeRuntime, manualClock, seededRandom } from '#runtime/fake';
import { REAL, realRuntime } from './real.ts';
import { tcpSuite } from './tcp.ts';

let root = '';
let paths = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'nymote-tcp-'));
});
afterAll(() => rm(root, { recursive: true }));

const { tcp } = realRuntime();
const nextPath = () => {
  paths += 1;
  return join(root, `${paths}.sock`);
};

tcpSuite(REAL, () => ({ tcp, path: nextPath() }));
tcpSuite('fake', () => ({ tcp: fakeRuntime().tcp, path: '/run/nymote.sock' }));

test('a unix socket is for its owner only', async () => {
  const path = nextPath();
  await using _listener = await tcp.listen({ path }, () => undefined);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a socket file that a crash left behind is replaced', async () => {
  const path = nextPath();
  const program = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await realRuntime().exec(process.execPath, ['-e', program]);
  expect((await stat(path)).isSocket()).toBe(true);
  await using listener = await tcp.listen({ path }, () => undefined);
  expect(listener.local).toEqual({ path });
});

test('a socket file that somebody answers on is not touched, nor one that is no socket', async () => {
  const path = nextPath();
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const taken = { code: 'address-in-use' };
  await expect(tcp.listen({ path }, () => undefined)).rejects.toMatchObject(taken);
  await new Promise((resolve) => server.close(resolve));
  await writeFile(path, 'precious');
  await expect(tcp.listen({ path }, () => undefined)).rejects.toMatchObject(taken);
  expect((await stat(path)).size).toBe(8);
});

test('a taken port names its holder', async () => {
  await using listener = await tcp.listen({ address: '127.0.0.1', port: 0 }, () => undefined);
  const again = tcp.listen(listener.local, () => undefined);
  await expect(again).rejects.toThrow(new RegExp(`is held by .+, process ${process.pid}`));
});

test('a connection over a cut path times out, and a stalled stream goes on when it is mended', async () => {
  const clock = manualClock();
  const network = fakeNetwork(clock, seededRandom(1));
  const [one, other] = ['192.0.2.1', '192.0.2.2'];
  const heard: string[] = [];
  const here = network.join(one).tcp;
  await network.join(other).tcp.listen({ address: other, port: 53 }, (connection) => {
    void hear(connection, heard);
  });
  network.setPath(one, other, { delayMs: 10 });
  const connecting = here.connect({ address: other, port: 53 });
  await clock.advance(20);
  const connection = await connecting;
  network.setPath(one, other, { isCut: true });
  const late = here.connect({ address: other, port: 53 }, { timeoutMs: 500 });
  const failed = late.catch((thrown: unknown) => thrown);
  await connection.write(new TextEncoder().encode('a'));
  await connection.write(new TextEncoder().encode('b'));
  await connection[Symbol.asyncDispose]();
  await clock.advance(1_000);
  expect(await failed).toMatchObject({ code: 'timeout' });
  expect(heard).toEqual([]);
  network.setPath(one, other, { isCut: false });
  await clock.advance(1_000);
  expect(heard).toEqual(['a', 'b', 'end']);
});

async function hear(connection: Connection, heard: string[]): Promise<void> {
  for await (const chunk of connection.received()) heard.push(new TextDecoder().decode(chunk));
  heard.push('end');
}

test('an address that nobody has is unreachable', async () => {
  const connecting = fakeRuntime().tcp.connect({ address: '203.0.113.9', port: 1 });
  await expect(connecting).rejects.toMatchObject({ code: 'unreachable' });
});
