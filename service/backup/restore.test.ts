import { beforeAll, describe, expect, test } from 'vitest';
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
/** A place with the same backup, and a second one that goes on from it; and what its files are. */
let twice: FakeFiles;
let named: Readonly<Record<string, string>>;
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
  const making = {
    ...{ runtime, store, keys, report },
    recipients: { history: [own], keys: [own] },
    secrets: { format: 'nymote keys 1', realm: store.realm, files: secrets } as const,
  };
  const { written, memory } = await makeBackup({ ...making, target, memory: undefined });
  twice = fakeFiles(['/data', '/mnt/twice']);
  for (const name of await target.list()) {
    await twice.replace(`/mnt/twice/${name}`, (await target.get(name, 1e6)) ?? new Uint8Array(0));
  }
  const op = { op: 'set', path: 'things/later', value: {} } as const;
  await store.commit({ ops: [op], message: 'Change', via: 'test' });
  const place = await openTarget({ ...runtime, files: twice }, '/mnt/twice');
  const { written: more } = await makeBackup({ ...making, target: place, memory });
  const nameOf = (files: typeof more, kind: string) =>
    files.find((file) => file.kind === kind)?.name ?? kind;
  named = {
    'the first full history': nameOf(written, 'full'),
    'the first keys': nameOf(written, 'keys'),
    'the first list': '00000001.json',
    'its signature': '00000001.json.sig',
    'the increment': nameOf(more, 'increment'),
    'the second keys': nameOf(more, 'keys'),
    'the second list': '00000002.json',
    "the second list's signature": '00000002.json.sig',
  };
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
  expect(restored).toMatchObject({ number: 1, damaged: [{ number: 2 }] });
  await expectWhole(files);
});

describe.each([
  { file: 'the first full history', number: undefined, why: 'both need it' },
  { file: 'the first keys', number: 2, why: 'the second has its own' },
  { file: 'the first list', number: 2, why: 'nobody asks for it' },
  { file: 'its signature', number: 2, why: 'nobody asks for it' },
  { file: 'the increment', number: 1, why: 'the first goes without' },
  { file: 'the second keys', number: 1, why: 'the first kept its own' },
  { file: 'the second list', number: 1, why: 'the first is good' },
  { file: "the second list's signature", number: 1, why: 'the first is good' },
])('of two backups, $file is not as it was: $why', ({ file, number }) => {
  test.each([
    { of: () => undefined, why: 'gone' },
    { of: () => new Uint8Array(0), why: 'empty' },
    { of: (bytes: Uint8Array) => bytes.subarray(0, bytes.length >> 1), why: 'cut short' },
    { of: (bytes: Uint8Array) => bytes.with(40, (bytes[40] ?? 0) ^ 1), why: 'another bit' },
  ])('$why', async ({ of }) => {
    const honest = await openTarget({ ...runtime, files: twice }, '/mnt/twice');
    const get: Target['get'] = async (name, limit) => {
      const bytes = await honest.get(name, limit);
      return name === named[file] && bytes !== undefined ? of(bytes) : bytes;
    };
    const files = fakeFiles();
    const restored = await bringInto(files, 'age1own', { ...honest, get }).catch(
      (thrown: unknown) => thrown,
    );
    const name = expect.stringContaining(named[file]?.replace('.sig', '') ?? '');
    expect(restored).toMatchObject(
      number === undefined
        ? { code: expect.stringMatching(/^(?:missing|damaged)$/), message: name }
        : { number, damaged: number === 2 ? [] : [{ number: 2, why: name }] },
    );
    expect(await files.read('/data/zone.json')).toEqual(
      number && new TextEncoder().encode(secrets['zone.json']),
    );
  });
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

test('an attempt that goes on from another one says how much is there, not what it added', async () => {
  const whole = await bringInto(fakeFiles());
  const get: Target['get'] = async (name, limit) =>
    name === named['the first keys'] ? undefined : target.get(name, limit);
  const files = fakeFiles();
  await expect(bringInto(files, 'age1own', { ...target, get })).rejects.toThrow('does not have');
  expect(await bringInto(files)).toMatchObject({ commits: whole.commits });
  expect(whole.commits).toBeGreaterThan(3);
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
