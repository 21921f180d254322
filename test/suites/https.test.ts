import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SecureListener } from '#runtime';
import { makeCredentials } from './credentials.ts';
import { REAL, realRuntime } from './real.ts';

let server: SecureListener;
beforeAll(async () => {
  server = await realRuntime().http.listenSecurely(
    { address: '127.0.0.1', port: 0 },
    await makeCredentials('files.example'),
    () => new Response('secret'),
  );
});
afterAll(() => server?.[Symbol.asyncDispose]());

test(`${REAL} http asks nobody whose certificate no authority signed`, async () => {
  if (!('port' in server.local)) throw new Error('unreachable: not on TCP');
  const request = new Request(`https://127.0.0.1:${server.local.port}/`);
  await expect(realRuntime().http.fetch(request)).rejects.toMatchObject({ name: 'RuntimeError' });
});
