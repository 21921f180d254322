import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { StorageError } from '#storage';
import type { House } from '../house.ts';
import { createRouterBackend } from './router.ts';

/** As much of a house as changes of devices need. */
function houseThat({ isWritable, remove }: { isWritable: boolean; remove: () => Promise<void> }) {
  return {
    store: { isWritable, problems: [] },
    projection: () => ({ devices: [{ id: 'w', name: 'laptop', writer: true }] }),
    household: () => ({ self: 'r' }),
    devices: {
      add: async () => ({ kind: 'node', code: 'code', command: '', expiresAt: 1 }),
      remove,
    },
    doors: { issueLink: () => ({ url: 'http://link', expiresAt: 1 }) },
  } as unknown as House;
}

const backendOf = (house: House) => createRouterBackend(fakeRuntime(), house);

test('a router that holds a copy gives no code that nobody would take', async () => {
  const backend = backendOf(houseThat({ isWritable: false, remove: async () => undefined }));
  const denied = { ok: false, reason: 'denied' };
  for (const kind of ['node', 'plain'] as const)
    expect(await backend.addDevice({ name: 'tv', kind, via: 'ubus:root' })).toEqual(denied);
  expect(await backend.removeDevice({ id: 'w', via: 'ubus:root' })).toEqual(denied);
});

test('what the store refuses reaches LuCI as a reason, not as an unknown error', async () => {
  const remove = () => Promise.reject(new StorageError('no-space', 'full'));
  const backend = backendOf(houseThat({ isWritable: true, remove }));
  expect(await backend.removeDevice({ id: 'w', via: 'ubus:root' })).toEqual({
    ok: false,
    reason: 'storage-failed',
  });
  expect(await backend.addDevice({ name: 'tv', kind: 'node', via: 'x' })).toMatchObject({
    ok: true,
    value: { code: 'code' },
  });
});
