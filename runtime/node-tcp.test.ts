import { once } from 'node:events';
import { createConnection, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { startListening } from './node-tcp.ts';

test('a connection that cannot be accepted, for want of memory or files, ends nothing else', async () => {
  const server = createServer((socket) => socket.end('yes'));
  const local = await startListening(server, { address: '127.0.0.1', port: 0 });
  if ('path' in local) throw new Error('unreachable: TCP');
  server.emit('error', Object.assign(new Error('accept ENOBUFS'), { code: 'ENOBUFS' }));
  const client = createConnection({ port: local.port, host: local.address });
  expect(String((await once(client, 'data'))[0])).toBe('yes');
  await new Promise((resolve) => server.close(resolve));
});
