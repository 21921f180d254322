import { beforeAll, expect, test } from 'vitest';
import { encodeKeyFile, generateDeviceKeys } from '#identity';
import { generateZoneKey } from '#resolver';
import { type FakeFiles, fakeFiles, fakeRuntime, PowerCut } from '#runtime/fake';
import { openStore, StorageError } from '#storage';
import { encodeBase64 } from '../base64.ts';
import { encodeZoneKeys } from '../realm.ts';
import { BackupError } from './error.ts';
import { makeBackup } from './make.ts';
import { openTarget } from './open-target.ts';
import { type Restored, restore } from './restore.ts';
import { identityOf, recipientOf } from './seal.ts';
import type { Target } from './target.ts';

const runtime = fakeRuntime();
const { crypto } = runtime;
const keys = await generateDeviceKeys(crypto);
const report = () => undefined;

let target: Target;
let head = '';
/** What the data directory has to hold in the end. */
let secrets: Record<'device.json' | 'zone.json', string>;

beforeAll(async () => {
  const signer = crypto.signer('ed25519', keys.signing.privateKey);
  await using store = await openStore(fakeRuntime(), {
    directory: '/data/store',
    writer: { deviceId: keys.id, name: 'Router', signer },
    genesis: {
      settings: { apex: 'alice.nymote', recoveryRecipient: 'age1own' },
      device: { wireguardKey: encodeBase64(keys.agreement.publicKey) },
    },
  });
  for (let i = 0; i < 3; i++) {
    const ops = [{ op: 'set', path: `things/t${i}`, value: {} }] as const;
    await store.commit({ ops, message: 'Change', via: 'test' });
  }
  ({ head } = store);
  secrets = {
    'device.json': new TextDecoder().decode(encodeKeyFile(keys)),
    'zone.json': encodeZoneKeys([await generateZoneKey(crypto, 'ed25519')]),
  };
  target = await openTarget({ ...runtime, files: fakeFiles() }, '/mnt/backup');
  const own = recipientOf(keys.agreement.publicKey);
  await makeBackup({
    ...{ runtime, store, keys, target, report, memory: undefined },
    recipients: { history: [own], keys: [own] },
    secrets: { format: 'nymote keys 1', realm: store.realm, files: secrets },
  });
});

function bringInto(files: FakeFiles, recipient = 'age1own', from = target): Promise<Restored> {
  const phrase = { id: undefined, recipient };
  const reading = { identities: [identityOf(keys)], phrase, report };
  return restore({ ...runtime, files, log: () => undefined }, '/data', from, reading);
}

/** Before the mark nothing is there; after it, it says so until everything is. */
async function goOn(files: FakeFiles): Promise<void> {
  const isMarked = (await files.read('/data/restoring')) !== undefined;
  const isWhole = (await files.read('/data/realm')) !== undefined;
  if (isMarked || !isWhole) await bringInto(files);
}

async function expectWhole(files: FakeFiles): Promise<void> {
  const text = async (name: string) => new TextDecoder().decode(await files.read(`/data/${name}`));
  for (const [name, content] of Object.entries(secrets)) expect(await text(name)).toBe(content);
  expect(await files.read('/data/restoring')).toBeUndefined();
  const realm = (await text('realm')).trim();
  await using store = await openStore({ ...runtime, files }, { directory: '/data/store', realm });
  expect(store.head).toBe(head);
}

/** The backup, with these lists put beside its own. */
function withLists(lists: Readonly<Record<string, Uint8Array>>): Target {
  return {
    ...target,
    list: async () => [...(await target.list()), ...Object.keys(lists)],
    get: async (name, limit) => lists[name] ?? target.get(name, limit),
  };
}

test.each([
  { lists: { '00000002.json': new Uint8Array(7) }, why: 'without its signature' },
  {
    lists: { '00000002.json': new Uint8Array(7), '00000002.json.sig': new Uint8Array(9) },
    why: 'garbage',
  },
])('a list that was cut off while it was written hides nothing: $why', async ({ lists }) => {
  const files = fakeFiles();
  const restored = await bringInto(files, 'age1own', withLists(lists));
  expect(restored).toMatchObject({ number: 1, damaged: ['00000002.json'] });
  await expectWhole(files);
});

test.each([
  {
    identity: async () => identityOf(keys),
    lost: /\.age$/,
    code: 'missing',
    says: /the list 00000002\.json or its signature is damaged, and the one before it does not help/,
    why: 'what the older one names is gone',
  },
  {
    identity: async () => identityOf(await generateDeviceKeys(crypto)),
    lost: /^$/,
    code: 'wrong-key',
    says: /^this key does not open/,
    why: 'a wrong key opens no list',
  },
])('where the list before a damaged one does not help: $why', async (wanted) => {
  const { lost, code, says } = wanted;
  const torn = withLists({ '00000002.json': new Uint8Array(7) });
  const get: Target['get'] = async (name, limit) =>
    lost.test(name) ? undefined : torn.get(name, limit);
  const reading = { identities: [await wanted.identity()], phrase: undefined, report };
  const into = { ...runtime, files: fakeFiles(), log: () => undefined };
  await expect(restore(into, '/data', { ...torn, get }, reading)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(says),
  });
});

test('where no list can be read that is said, and of which', async () => {
  const from: Target = { ...target, get: async () => new Uint8Array(3) };
  await expect(bringInto(fakeFiles(), 'age1own', from)).rejects.toMatchObject({
    code: 'damaged',
    message: expect.stringContaining('the list 00000001.json or its signature is damaged'),
  });
});

test('a full disk at any step leaves no half realm, and the next attempt goes on', async () => {
  for (let step = 1; ; step++) {
    const files = fakeFiles();
    files.failAt(step, 'no-space');
    const refused = await bringInto(files).then(
      () => undefined,
      (thrown: unknown) => thrown as { readonly code?: string },
    );
    if (refused === undefined && files.steps < step) break;
    if (refused !== undefined) {
      expect(refused.code, `step ${step}`).toBe('no-space');
      await goOn(files);
    }
    await expectWhole(files);
  }
});

test.each(['lost', 'kept', 'torn'] as const)('so does a power cut (%s)', async (unsynced) => {
  for (let step = 1; ; step++) {
    const files = fakeFiles();
    files.crashAt(step, unsynced);
    const cut = await bringInto(files).catch((thrown: unknown) => thrown);
    if (!(cut instanceof PowerCut)) break;
    const after = files.restart();
    await goOn(after);
    await expectWhole(after);
  }
});

test('somebody else could have sealed a realm for us: ours names our phrase', async () => {
  const refused = await bringInto(fakeFiles(), 'age1other').catch((thrown: unknown) => thrown);
  expect(refused).toMatchObject({ code: 'untrusted' });
});

test('a realm that names no phrase at all is not known to be ours', async () => {
  await using store = await openStore(fakeRuntime({ seed: 'thief' }), {
    directory: '/data/store',
    writer: {
      deviceId: keys.id,
      name: 'Router',
      signer: crypto.signer('ed25519', keys.signing.privateKey),
    },
    genesis: { settings: { apex: 'alice.nymote' } },
  });
  const foreign = await openTarget({ ...runtime, files: fakeFiles() }, '/mnt/backup');
  const own = recipientOf(keys.agreement.publicKey);
  await makeBackup({
    ...{ runtime, store, keys, report, target: foreign, memory: undefined },
    recipients: { history: [own], keys: [own] },
    secrets: { format: 'nymote keys 1', realm: store.realm, files: secrets },
  });
  const refused = await bringInto(fakeFiles(), 'age1own', foreign).catch(
    (thrown: unknown) => thrown,
  );
  expect(refused).toMatchObject({ code: 'untrusted' });
});

test('a mark that a power cut left beside a realm is no leave to replace its keys', async () => {
  const files = fakeFiles();
  await bringInto(files);
  const other = new TextEncoder().encode('made since');
  await files.replace('/data/zone.json', other);
  await files.replace('/data/restoring', new Uint8Array(0));
  await bringInto(files);
  expect(await files.read('/data/zone.json')).toEqual(other);
  expect(await files.read('/data/restoring')).toBeUndefined();
});

test('what is there is not overwritten', async () => {
  const files = fakeFiles();
  await files.replace('/data/zone.json', new TextEncoder().encode('{}'));
  const refused = await bringInto(files).catch((thrown: unknown) => thrown);
  expect(refused instanceof BackupError || refused instanceof StorageError).toBe(true);
  expect(refused).toMatchObject({ code: 'not-blank' });
});

test.each([
  { isOurs: false, isStuck: false, why: 'nothing of it could be opened' },
  { isOurs: true, isStuck: true, why: 'some of it was read: that is said, and what helps' },
])('who first took the wrong place, and then the right one: $why', async ({ isOurs, isStuck }) => {
  const others = await generateDeviceKeys(crypto);
  const signer = crypto.signer('ed25519', others.signing.privateKey);
  await using store = await openStore(fakeRuntime({ seed: 'other' }), {
    directory: '/data/store',
    writer: { deviceId: others.id, name: 'Router', signer },
    genesis: { settings: { apex: 'bob.nymote', recoveryRecipient: 'age1bob' } },
  });
  const recipient = recipientOf((isOurs ? keys : others).agreement.publicKey);
  const wrong = await openTarget({ ...runtime, files: fakeFiles() }, '/mnt/backup');
  await makeBackup({
    ...{ runtime, store, keys: others, target: wrong, report, memory: undefined },
    recipients: { history: [recipient], keys: [recipient] },
    secrets: { format: 'nymote keys 1', realm: store.realm, files: secrets },
  });
  const files = fakeFiles();
  await expect(bringInto(files, 'age1own', wrong)).rejects.toThrow(BackupError);
  if (isStuck) {
    const words = '/data holds an unfinished restore of another realm: empty it, or restore into';
    await expect(bringInto(files)).rejects.toThrow(words);
  } else {
    await bringInto(files);
    await expectWhole(files);
  }
});
