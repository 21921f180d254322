import { expect, test } from 'vitest';
import { generateDeviceKeys } from '#identity';
import { fakeFiles, fakeRuntime } from '#runtime/fake';
import { openStore } from '#storage';
import { encodeBase64 } from '../base64.ts';
import { createBackups } from './backups.ts';
import { recipientOf } from './seal.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

async function home(more: Partial<Parameters<typeof createBackups>[1]> = {}) {
  const runtime = fakeRuntime({ files: fakeFiles(['/data', '/mnt']) });
  const keys = await generateDeviceKeys(runtime.crypto);
  const paper = runtime.crypto.generateAgreementKey();
  for (const name of ['device.json', 'zone.json']) {
    await runtime.files.replace(`/data/${name}`, new TextEncoder().encode('{}'));
  }
  const store = await openStore(runtime, {
    directory: '/data/store',
    writer: {
      deviceId: keys.id,
      name: 'Router',
      signer: runtime.crypto.signer('ed25519', keys.signing.privateKey),
    },
    genesis: { device: { wireguardKey: encodeBase64(keys.agreement.publicKey) } },
  });
  const settings = {
    ...{ data: '/data', backup: '/mnt/backup', backupCredentials: '' },
    backupRecipients: [recipientOf(paper.publicKey)],
    ...more,
  };
  const backups = createBackups(runtime, settings, { store, keys });
  /** Lets time pass, and what is begun then come to its end. */
  const pass = async (milliseconds: number): Promise<void> => {
    await runtime.clock.advance(milliseconds);
    await backups.run({ target: '/mnt/other' }, () => undefined);
  };
  return { runtime, store, backups, pass };
}

test('a backup is made every day and tried every month', async () => {
  const { runtime, store, backups, pass } = await home();
  await using _store = store;
  using _backups = backups;
  const names = () => runtime.files.list('/mnt/backup');
  await pass(4 * MINUTE);
  expect(await names()).toEqual([]);
  await pass(2 * MINUTE);
  expect(await names()).toHaveLength(4);
  const change = { op: 'set', path: 'things/a', value: {} } as const;
  await store.commit({ ops: [change], message: 'Change', via: 'test' });
  await pass(60 * MINUTE);
  expect(await names()).toHaveLength(4);
  for (let hour = 0; hour < 25; hour++) await pass(60 * MINUTE);
  // One file more, another of keys beside the one before, and one list more.
  expect(await names()).toHaveLength(8);
  const { drill: first } = await backups.status();
  expect(first).toMatchObject({ commits: 1, number: 1, target: '/mnt/backup' });
  await pass(28 * DAY);
  expect((await backups.status()).drill).toEqual(first);
  await pass(2 * DAY);
  expect((await backups.status()).drill).toMatchObject({ commits: 2, target: '/mnt/backup' });
});

test('one that is young and good is there or not; where none is planned, none is missing', async () => {
  const { runtime, store, backups, pass } = await home();
  await using _store = store;
  using _backups = backups;
  expect(await backups.isCurrent()).toBe(false);
  await pass(6 * MINUTE);
  expect(await backups.isCurrent()).toBe(true);
  runtime.clock.set(runtime.clock.now() + 3 * 86_400);
  expect(await backups.isCurrent()).toBe(false);
  runtime.files.failAt(runtime.files.steps + 1, 'no-space');
  await pass(61 * MINUTE);
  expect(await backups.isCurrent()).toBe(false);
  await pass(61 * MINUTE);
  expect(await backups.isCurrent()).toBe(true);
  const { store: other, backups: none } = await home({ backup: '' });
  await using _other = other;
  using _none = none;
  expect(await none.isCurrent()).toBe(true);
});

test('what was made while the clock was ten years ahead is made again when it is right', async () => {
  const { runtime, store, backups, pass } = await home();
  await using _store = store;
  using _backups = backups;
  const right = runtime.clock.now();
  runtime.clock.set(right + 3_650 * 86_400);
  for (const minutes of [6, 61]) await pass(minutes * MINUTE);
  const ahead = await backups.status();
  expect([ahead.backup?.at, ahead.drill?.at].map((at) => (at ?? 0) > right)).toEqual([true, true]);
  runtime.clock.set(right);
  await pass(61 * MINUTE);
  const { backup, drill } = await backups.status();
  expect([backup?.at, drill?.at].map((at) => (at ?? 0) < right + 86_400)).toEqual([true, true]);
});

test('what fails is remembered, and tried again', async () => {
  const { runtime, store, backups, pass } = await home();
  await using _store = store;
  using _backups = backups;
  runtime.files.failAt(runtime.files.steps + 1, 'no-space');
  await pass(6 * MINUTE);
  const failed = await runtime.files.list('/mnt/backup');
  expect(failed).toEqual([]);
  await pass(61 * MINUTE);
  expect(await runtime.files.list('/mnt/backup')).toHaveLength(4);
});

test('a backup for nobody but the own devices is none', async () => {
  const { store, backups } = await home({ backupRecipients: [] });
  await using _store = store;
  using _backups = backups;
  const refused = backups.run({}, () => undefined);
  await expect(refused).rejects.toMatchObject({ code: 'no-recipient' });
});

test('without a date nothing is due', async () => {
  const { runtime, store, backups, pass } = await home();
  await using _store = store;
  using _backups = backups;
  runtime.clock.isSet = () => false;
  await pass(61 * MINUTE);
  expect(await runtime.files.list('/mnt/backup')).toEqual([]);
});
