import { describe, expect, test } from 'vitest';
import { generateDeviceKeys } from '#identity';
import { type FakeFiles, fakeFiles, fakeRuntime, PowerCut } from '#runtime/fake';
import { openStore, type Store } from '#storage';
import { encodeBase64 } from '../base64.ts';
import { BackupError } from './error.ts';
import type { Memory } from './ledger.ts';
import { type Made, makeBackup } from './make.ts';
import { memoryFiles } from './memory-files.ts';
import { openTarget } from './open-target.ts';
import { bringBack, findNewest } from './read.ts';
import { identityOf, recipientOf } from './seal.ts';
import type { Secrets } from './secrets.ts';
import type { Target } from './target.ts';

const runtime = fakeRuntime();
const { crypto } = runtime;
const keys = await generateDeviceKeys(crypto);
const stranger = await generateDeviceKeys(crypto);
const report = () => undefined;

async function openRealm(): Promise<Store> {
  const signer = crypto.signer('ed25519', keys.signing.privateKey);
  const store = await openStore(fakeRuntime(), {
    directory: '/data/store',
    writer: { deviceId: keys.id, name: 'Router', signer },
    genesis: { device: { wireguardKey: encodeBase64(keys.agreement.publicKey) } },
  });
  await change(store, 3);
  return store;
}

async function change(store: Store, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const value = { note: `${store.seq}` };
    await store.commit({
      ops: [{ op: 'set', path: `things/t${i}`, value }],
      message: 'Change',
      via: 'test',
    });
  }
}

const secretsOf = (realm: string): Secrets => ({
  format: 'nymote keys 1',
  realm,
  files: { 'device.json': '{}', 'zone.json': '{}' },
});

function make(store: Store, target: Target, memory?: Memory): Promise<Made> {
  const own = recipientOf(keys.agreement.publicKey);
  const recipients = { history: [own], keys: [own] };
  const secrets = secretsOf(store.realm);
  return makeBackup({ runtime, store, keys, target, recipients, secrets, memory, report });
}

/** Reads everything back into an empty store and returns its head. */
async function readBack(target: Target, identities = [identityOf(keys)]): Promise<string> {
  const found = await findNewest(crypto, target);
  if (found === undefined) return '';
  const { realm } = found.manifest;
  const scratch = { ...runtime, files: memoryFiles(), log: () => undefined };
  await using store = await openStore(scratch, { directory: '/scratch', realm });
  const { secrets } = await bringBack(crypto, target, found, {
    ...{ store, identities, report },
    withKeys: true,
  });
  expect(secrets).toEqual(secretsOf(realm));
  return store.head;
}

const folder = (files: FakeFiles): Promise<Target> =>
  openTarget({ ...runtime, files }, '/mnt/backup');

const codeOf = (thrown: unknown): string =>
  thrown instanceof BackupError ? thrown.code : String(thrown);

describe('a backup in a directory', () => {
  test('first everything, then what is new, then nothing', async () => {
    await using store = await openRealm();
    const target = await folder(fakeFiles());
    const first = await make(store, target);
    expect(first.written.map(({ kind }) => kind)).toEqual(['full', 'keys']);
    await change(store, 2);
    const second = await make(store, target, first.memory);
    expect(second.written.map(({ kind, commits }) => [kind, commits])).toEqual([
      ['increment', 2],
      ['keys', 0],
    ]);
    expect(await readBack(target)).toBe(store.head);
    const third = await make(store, target, second.memory);
    expect(third.written).toEqual([]);
    expect(await target.list()).toHaveLength(2 + 2 + 4);
    await change(store, 1);
    await make(store, target, second.memory);
    // The list before stays for one round, with all that it names; the one before that does not.
    expect(await target.list()).toHaveLength(3 + 2 + 4);
  });

  test.each([
    { failure: 'no-space', code: 'no-space' },
    { failure: 'io', code: 'io' },
  ] as const)(
    'a disk that fails ($failure) at any step leaves the old one or the new one',
    async ({ failure, code }) => {
      await using store = await openRealm();
      const initial = fakeFiles();
      const { memory } = await make(store, await folder(initial));
      const heads = [store.head];
      await change(store, 1);
      heads.push(store.head);
      for (let step = 1; ; step++) {
        const files = await copyOf(initial);
        const target = await folder(files);
        const at = files.steps + step;
        files.failAt(at, failure);
        const outcome = await make(store, target, memory).then(() => 'made', codeOf);
        expect(heads, `step ${step}`).toContain(await readBack(target));
        if (outcome === 'made' && (await readBack(target)) === store.head) {
          // What fails after the list is there costs nothing.
          if (files.steps < at) break;
          continue;
        }
        expect(outcome).toBe(code);
        // The next one goes on from whatever is there.
        await make(store, target, memory);
        expect(await readBack(target)).toBe(store.head);
      }
    },
  );

  test.each(['lost', 'kept', 'torn'] as const)('so does a power cut (%s)', async (unsynced) => {
    await using store = await openRealm();
    const initial = fakeFiles();
    const { memory } = await make(store, await folder(initial));
    const heads = [store.head];
    await change(store, 1);
    heads.push(store.head);
    for (let step = 1; ; step++) {
      const files = await copyOf(initial);
      files.crashAt(files.steps + step, unsynced);
      const target = await folder(files);
      const cut = await make(store, target, memory).then(
        () => false,
        (thrown: unknown) => thrown instanceof PowerCut,
      );
      if (!cut) break;
      const after = await folder(files.restart());
      expect(heads, `step ${step}`).toContain(await readBack(after));
      await make(store, after, memory);
      expect(await readBack(after)).toBe(store.head);
    }
  });
});

/** The same content on a disk of its own. */
async function copyOf(files: FakeFiles): Promise<FakeFiles> {
  const copy = fakeFiles(['/data', '/mnt/backup']);
  for (const name of await files.list('/mnt/backup')) {
    const bytes = await files.read(`/mnt/backup/${name}`);
    await copy.replace(`/mnt/backup/${name}`, bytes ?? new Uint8Array(0));
  }
  return copy;
}

describe('a target that lies', () => {
  const cases: readonly {
    readonly why: string;
    readonly of: (honest: Target) => Partial<Target>;
  }[] = [
    { why: 'takes a file and loses it', of: () => ({ put: async () => undefined }) },
    {
      why: 'keeps half of it',
      of: (honest) => ({ put: (name, bytes) => honest.put(name, bytes.subarray(0, 100)) }),
    },
    {
      why: 'keeps something else',
      of: (honest) => ({ put: (name, bytes) => honest.put(name, bytes.with(7, 0x58)) }),
    },
    {
      why: 'keeps more than it was given',
      of: (honest) => ({
        put: (name, bytes) => honest.put(name, Uint8Array.of(...bytes, 0)),
      }),
    },
  ];
  test.each(cases)('$why: noticed at once', async ({ of }) => {
    await using store = await openRealm();
    const honest = await folder(fakeFiles());
    const target = { ...honest, ...of(honest) };
    expect(await make(store, target).then(() => 'made', codeOf)).toBe('target-lies');
  });

  test('an old copy is noticed, and everything is written again', async () => {
    await using store = await openRealm();
    const files = fakeFiles();
    const { memory } = await make(store, await folder(files));
    const old = await copyOf(files);
    await change(store, 1);
    const second = await make(store, await folder(files), memory);
    await change(store, 1);
    const target = await folder(old);
    const third = await make(store, target, second.memory);
    expect(third.problem).toContain('shows the old list 1, though 2 was written');
    expect(third.isFull).toBe(true);
    expect(third.memory.number).toBe(3);
    expect(await readBack(target)).toBe(store.head);
  });

  test('a lost file is noticed, and everything is written again', async () => {
    await using store = await openRealm();
    const target = await folder(fakeFiles());
    const { memory, written } = await make(store, target);
    await target.remove(written[0]?.name ?? '');
    expect(await readBack(target).catch(codeOf)).toBe('missing');
    const again = await make(store, target, memory);
    expect(again.problem).toContain('has lost');
    expect(await readBack(target)).toBe(store.head);
  });

  test.each([
    { of: (bytes: Uint8Array) => bytes.subarray(0, -1), why: 'cut short' },
    {
      // It is sealed with real randomness: any value could be there already.
      of: (bytes: Uint8Array) => bytes.with(300, (bytes[300] ?? 0) ^ 1),
      why: 'another bit',
    },
    { of: () => new Uint8Array(0), why: 'empty' },
  ])('a file that is $why is named', async ({ of }) => {
    await using store = await openRealm();
    const target = await folder(fakeFiles());
    const { written } = await make(store, target);
    const { name = '' } = written[0] ?? {};
    await target.put(name, of((await target.get(name, 1e9)) ?? new Uint8Array(0)));
    const refused = await readBack(target).catch((thrown: unknown) => thrown);
    expect(codeOf(refused)).toBe('damaged');
    expect(String(refused)).toContain(name);
  });
});

describe('somebody else', () => {
  test('cannot open it', async () => {
    await using store = await openRealm();
    const target = await folder(fakeFiles());
    await make(store, target);
    expect(await readBack(target, [identityOf(stranger)]).catch(codeOf)).toBe('wrong-key');
  });

  test('gets a place of their own', async () => {
    await using store = await openRealm();
    await using other = await openStore(fakeRuntime({ seed: 2 }), {
      directory: '/data/store',
      writer: {
        deviceId: 'other',
        name: 'Other',
        signer: crypto.signer('ed25519', stranger.signing.privateKey),
      },
    });
    const target = await folder(fakeFiles());
    await make(store, target);
    expect(await make(other, target).catch(codeOf)).toBe('not-ours');
  });

  test('cannot sign a list', async () => {
    await using store = await openRealm();
    const target = await folder(fakeFiles());
    const own = recipientOf(keys.agreement.publicKey);
    const making = {
      ...{ runtime, store, target, report, memory: undefined },
      recipients: { history: [own], keys: [own] },
      secrets: secretsOf(store.realm),
    };
    await makeBackup({ ...making, keys: { ...stranger, id: keys.id } });
    expect(await readBack(target).catch(codeOf)).toBe('untrusted');
    // The device itself trusts nothing of it.
    expect((await make(store, target)).problem).toContain('somebody else signed');
  });
});

describe('what is said of a place', () => {
  test.each([
    { text: '', why: 'nothing' },
    { text: 'ftp://host/', why: 'a protocol that we do not speak' },
    { text: 's3+https://host/', why: 'no bucket, and no credentials' },
    { text: 'https://user:word@host/', why: 'a password that everybody sees' },
  ])('$why is refused', async ({ text }) => {
    expect(await openTarget(runtime, text).catch(codeOf)).toBe('bad-setting');
  });

  test('a file of credentials that is none is refused without a word of what is in it', async () => {
    const files = fakeFiles();
    await files.replace('/data/c', new TextEncoder().encode('{"user": hunter2'));
    const refused = openTarget({ ...runtime, files }, 'https://host/', '/data/c');
    const thrown = await refused.catch((error: unknown) => error);
    expect(codeOf(thrown)).toBe('bad-setting');
    expect(String(thrown)).not.toContain('hunter2');
  });
});
