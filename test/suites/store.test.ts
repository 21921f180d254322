import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { REAL, realRuntime } from './real.ts';
import { storeSuite } from './store.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'nymote-store-'));
});
afterAll(() => rm(root, { recursive: true }));

storeSuite(REAL, async () => ({
  runtime: realRuntime(),
  directory: join(await mkdtemp(join(root, 'case-')), 'store'),
}));
storeSuite('fake', async () => ({ runtime: fakeRuntime(), directory: '/data/store' }));
