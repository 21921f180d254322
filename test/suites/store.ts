/** What a store does on any disk, real or fake. */

import { describe, expect, test } from 'vitest';
import type { Runtime } from '#runtime';
import { type Json, openStore, StorageError, type Store } from '#storage';

/** A machine with an empty directory for one test. */
export type Place = { readonly runtime: Runtime; readonly directory: string };

/** The suite; `place` makes a fresh place each time. */
export function storeSuite(name: string, place: () => Promise<Place>): void {
  describe(`a store on ${name} files`, () => {
    test('keeps what was committed, across openings', async () => {
      const { open, reopen } = await founded(await place());
      const store = await open();
      const commit = await store.commit(set('names/printer', { ttl: 60 }));
      const state = store.state();
      await store[Symbol.asyncDispose]();
      await using again = await reopen();
      expect([again.head, again.problems]).toEqual([commit.id, []]);
      expect(again.state()).toEqual(state);
      expect((await again.commit(set('names/printer', { ttl: 61 }))).seq).toBe(3);
    });

    test('rolls its segments and reads old ones', async () => {
      const { open, reopen } = await founded(await place());
      const store = await open();
      const text = 'x'.repeat(90_000);
      for (let value = 0; value < 7; value++) await store.commit(set('notes/n', { text, value }));
      await store[Symbol.asyncDispose]();
      await using again = await reopen();
      expect(again.seq).toBe(8);
      const [oldest] = (await again.log()).slice(-2);
      expect(oldest?.ops).toEqual([{ op: 'set', path: 'notes/n', value: { text, value: 0 } }]);
    });

    test('is copied by another device, which then says the same', async () => {
      const here = await founded(await place());
      const there = await place();
      await using store = await here.open();
      for (let value = 0; value < 5; value++) await store.commit(set('names/n', { value }));
      await using replica = await openStore(there.runtime, {
        directory: there.directory,
        realm: store.realm,
      });
      await replica.importCommits(await store.exportMissing({}));
      expect(replica.head).toBe(store.head);
      expect(replica.state()).toEqual(store.state());
      await expect(replica.commit(set('names/n', {}))).rejects.toBeInstanceOf(StorageError);
    });

    test('cuts what a crash left at the end, and goes on', async () => {
      const here = await place();
      const { open, reopen } = await founded(here);
      const store = await open();
      const { id } = await store.commit(set('names/n', { value: 1 }));
      await store[Symbol.asyncDispose]();
      const path = `${here.directory}/log/00000001.log`;
      await using file = await here.runtime.files.openAppend(path);
      await file.append(Uint8Array.of(0, 0, 2, 0, 1, 2, 3, 4, 5));
      await using again = await reopen();
      expect([again.head, again.problems.map(({ code }) => code)]).toEqual([id, ['torn-tail']]);
      expect((await again.commit(set('names/n', { value: 2 }))).seq).toBe(3);
    });
  });
}

/** One change to one record. */
export function set(path: string, value: Json) {
  return { ops: [{ op: 'set', path, value } as const], message: `Set ${path}`, via: 'test' };
}

async function founded({ runtime, directory }: Place) {
  const { privateKey } = await runtime.crypto.generateSigningKey('ed25519');
  const signer = runtime.crypto.signer('ed25519', privateKey);
  const writer = { deviceId: 'router', name: 'Router', signer };
  const open = (): Promise<Store> => openStore(runtime, { directory, writer });
  return { open, reopen: open };
}
