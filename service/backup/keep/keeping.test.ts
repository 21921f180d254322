import { describe, expect, test } from 'vitest';
import { generateDeviceKeys } from '#identity';
import { type FakeFiles, type FakeRuntime, fakeFiles, fakeRuntime, PowerCut } from '#runtime/fake';
import { openStore } from '#storage';
import { encodeBase64 } from '../../base64.ts';
import { readConfig } from '../../config.ts';
import type { RealmDevice } from '../../project.ts';
import { type Backups, createBackups } from '../backups.ts';
import { openLine } from '../open-target.ts';
import { recipientOf } from '../seal.ts';
import { type Keeping, openKeeping } from './keeping.ts';
import { requireLine } from './line.ts';

const KEEPER = '192.0.2.1';
const DAY_MS = 86_400_000;
const FILE = `${'a'.repeat(26)}.age`;

function configOf(values: Record<string, string> = {}) {
  const read = readConfig([
    { name: 'test', values: { data: '/data', endpoints: KEEPER, ...values } },
  ]);
  if ('problems' in read) throw new Error(read.problems[0]?.message);
  return read.config;
}

const current = {
  own: () => ({ fqdn: 'shed.bob.nymote' }) as RealmDevice,
  endpoints: () => [],
};

const keeperOn = (files: FakeFiles = fakeFiles()): FakeRuntime => fakeRuntime({ files });

const openOn = (runtime: FakeRuntime): Promise<Keeping> =>
  openKeeping(runtime, configOf(), current);

/** Somebody else on the keeper's network. */
const guestOf = ({ clock, network }: FakeRuntime): FakeRuntime =>
  fakeRuntime({ seed: 'guest', clock, network, addresses: ['198.51.100.7'] });

/** What a guest is told who comes with a line. */
async function come(keeper: FakeRuntime, line: string | undefined): Promise<string> {
  const target = await openLine(guestOf(keeper), requireLine(line ?? ''));
  return target.list().then(
    () => 'welcome',
    ({ code }: { code: string }) => code,
  );
}

async function lineFor(keeping: Keeping, name = 'alice'): Promise<string> {
  const { line = '' } = await keeping.keep({ name });
  return line;
}

test('nobody is listened to before there is somebody', async () => {
  const runtime = keeperOn();
  await using keeping = await openOn(runtime);
  expect(await runtime.files.list('/data')).toEqual([]);
  expect(await keeping.list()).toEqual([]);
  const line = await lineFor(keeping);
  expect(line).toMatch(
    /^nymote-backup:https:\/\/alice:[\w-]{43}@192\.0\.2\.1:51822\/kept\/alice\/#/,
  );
  expect(await come(runtime, line)).toBe('welcome');
  // Only its digest is on the disk (I2).
  const token = /:([\w-]{43})@/.exec(line)?.[1] ?? 'unreachable';
  const ledger = new TextDecoder().decode(await runtime.files.read('/data/kept.json'));
  expect(ledger).not.toContain(token);
});

test.each([
  { at: 'home.example', host: 'home.example:51822' },
  { at: 'home.example:443', host: 'home.example:443' },
  { at: '203.0.113.5', host: '203.0.113.5:51822' },
  { at: '[2001:db8::1]:99', host: '[2001:db8::1]:99' },
])('the line names $at', async ({ at, host }) => {
  await using keeping = await openOn(keeperOn());
  const { line } = await keeping.keep({ name: 'alice', at });
  expect(line).toContain(`@${host}/kept/`);
});

test.each([
  { wish: { name: 'Alice' }, code: 'bad-setting', why: 'a name with a capital' },
  { wish: { name: '../etc' }, code: 'bad-setting', why: 'a way out' },
  { wish: { name: '' }, code: 'bad-setting', why: 'no name' },
  { wish: { name: 'alice', quota: 'lots' }, code: 'bad-setting', why: 'no quota' },
  { wish: { name: 'alice', at: 'a b' }, code: 'bad-setting', why: 'no host' },
  { wish: { name: 'alice', at: 'host:99999' }, code: 'bad-setting', why: 'no port' },
  { wish: { name: 'alice', at: 'eve@host' }, code: 'bad-setting', why: 'a user of their own' },
])('nothing is begun with $why', async ({ wish, code }) => {
  const runtime = keeperOn();
  await using keeping = await openOn(runtime);
  await expect(keeping.keep(wish)).rejects.toMatchObject({ code });
  expect(await runtime.files.read('/data/kept.json')).toBeUndefined();
});

test('a line is renewed, and the old one is worthless', async () => {
  const runtime = keeperOn();
  await using keeping = await openOn(runtime);
  const first = await lineFor(keeping);
  await expect(keeping.keep({ name: 'alice' })).rejects.toMatchObject({ code: 'not-blank' });
  const { line: second } = await keeping.keep({ name: 'alice', isRenewed: true });
  expect(await come(runtime, first)).toBe('denied');
  expect(await come(runtime, second)).toBe('welcome');
  const changed = await keeping.keep({ name: 'alice', quota: '2G' });
  expect(changed).toMatchObject({ quota: 2 ** 31 });
  expect(changed.line).toBeUndefined();
  expect(await come(runtime, second)).toBe('welcome');
});

test('another start goes on with the same guests and the same key', async () => {
  const runtime = keeperOn();
  const before = await openOn(runtime);
  const line = await lineFor(before);
  const target = await openLine(guestOf(runtime), requireLine(line));
  await target.put(FILE, new Uint8Array(5_000));
  await before[Symbol.asyncDispose]();
  expect(await come(runtime, line)).toBe('unreachable');
  await using again = await openOn(runtime);
  expect(await come(runtime, line)).toBe('welcome');
  expect(await again.list()).toMatchObject([{ name: 'alice', files: 1, used: 8_192 }]);
  const { line: renewed = '' } = await again.keep({ name: 'alice', isRenewed: true });
  expect(renewed.slice(renewed.indexOf('#'))).toBe(line.slice(line.indexOf('#')));
});

test('a quota holds over the wire', async () => {
  const runtime = keeperOn();
  await using keeping = await openOn(runtime);
  const { line = '' } = await keeping.keep({ name: 'alice', quota: '1M' });
  const target = await openLine(guestOf(runtime), requireLine(line));
  await target.put(FILE, new Uint8Array(900_000));
  const more = target.put(`${'b'.repeat(26)}.age`, new Uint8Array(200_000));
  await expect(more).rejects.toMatchObject({
    code: 'no-space',
    message: expect.stringMatching('full'),
  });
});

describe('the end of it', () => {
  test('deletes what is kept and lets nobody in', async () => {
    const runtime = keeperOn();
    await using keeping = await openOn(runtime);
    const [alice, bob] = [await lineFor(keeping), await lineFor(keeping, 'bob')];
    await (await openLine(guestOf(runtime), requireLine(alice))).put(FILE, new Uint8Array(9));
    expect(await keeping.forget('alice')).toEqual({ name: 'alice', files: 1 });
    expect(await come(runtime, alice)).toBe('denied');
    expect(await come(runtime, bob)).toBe('welcome');
    expect(await runtime.files.list('/data/kept/alice')).toEqual([]);
    await keeping.forget('bob');
    expect(await come(runtime, bob)).toBe('unreachable');
    await expect(keeping.forget('bob')).rejects.toMatchObject({ code: 'bad-setting' });
    await expect(keeping.forget('__proto__')).rejects.toMatchObject({ code: 'bad-setting' });
  });

  test.each(['lost', 'kept', 'torn'] as const)(
    'a power cut (%s) on the way leaves all of it, or the next start ends it (I7)',
    async (unsynced) => {
      for (let step = 1; ; step++) {
        const runtime = keeperOn();
        const keeping = await openOn(runtime);
        const line = await lineFor(keeping);
        await (await openLine(guestOf(runtime), requireLine(line))).put(FILE, new Uint8Array(9));
        const { files } = runtime;
        files.crashAt(files.steps + step, unsynced);
        const ended = await keeping.forget('alice').catch((thrown: unknown) => thrown);
        if (!(ended instanceof PowerCut)) break;
        const after = keeperOn(files.restart());
        await using again = await openOn(after);
        const names = await after.files.list('/data/kept/alice');
        const isWhole = (await again.list()).length === 1;
        expect(names, `step ${step}`).toEqual(isWhole ? [FILE] : []);
        expect(await come(after, line)).toBe(isWhole ? 'welcome' : 'unreachable');
      }
    },
  );
});

test('a list of guests that is damaged is said, and nothing of theirs is touched', async () => {
  const runtime = keeperOn();
  const before = await openOn(runtime);
  const line = await lineFor(before);
  await (await openLine(guestOf(runtime), requireLine(line))).put(FILE, new Uint8Array(9));
  await before[Symbol.asyncDispose]();
  await runtime.files.replace('/data/kept.json', new TextEncoder().encode('{"format":'));
  const damaged = await openOn(runtime);
  expect(damaged.warnings()).toEqual([expect.stringContaining('kept.json is damaged')]);
  await expect(damaged.keep({ name: 'bob' })).rejects.toMatchObject({ code: 'damaged' });
  await damaged[Symbol.asyncDispose]();
  await runtime.files.remove('/data/kept.json');
  await using again = await openOn(runtime);
  const target = await openLine(guestOf(runtime), requireLine(await lineFor(again)));
  expect(await target.list()).toContain(FILE);
});

test('a port that is taken costs the guests, not the service', async () => {
  const runtime = keeperOn();
  const first = await openOn(runtime);
  await lineFor(first);
  await first[Symbol.asyncDispose]();
  const sockets = ['0.0.0.0', '::'].map((address) =>
    runtime.http.listen({ address, port: 51_822 }, () => new Response()),
  );
  for (const socket of sockets) await socket;
  await using keeping = await openOn(runtime);
  expect(keeping.warnings()).toEqual([expect.stringContaining('cannot be kept now')]);
  await expect(keeping.keep({ name: 'bob' })).rejects.toMatchObject({ code: 'address-in-use' });
  expect(await keeping.list()).toHaveLength(1);
});

describe('a household whose backup a friend keeps', () => {
  async function household(keeper: FakeRuntime, backup = '') {
    const runtime = guestOf(keeper);
    const { crypto, files } = runtime;
    const keys = await generateDeviceKeys(crypto);
    for (const name of ['device.json', 'zone.json']) {
      await files.replace(`/data/${name}`, new TextEncoder().encode('{}'));
    }
    const store = await openStore(runtime, {
      directory: '/data/store',
      writer: {
        deviceId: keys.id,
        name: 'Router',
        signer: crypto.signer('ed25519', keys.signing.privateKey),
      },
      genesis: { device: { wireguardKey: encodeBase64(keys.agreement.publicKey) } },
    });
    const settings = {
      ...{ data: '/data', backup, backupCredentials: '' },
      backupRecipients: [recipientOf(crypto.generateAgreementKey().publicKey)],
    };
    const backups = createBackups(runtime, settings, { store, keys });
    const close = async () => {
      backups[Symbol.dispose]();
      await store[Symbol.asyncDispose]();
    };
    return { runtime, store, backups, [Symbol.asyncDispose]: close };
  }
  const report = () => undefined;
  const targetOf = async (backups: Backups) => (await backups.status()).target;

  test('makes one at once and every day, tries it, and stops', async () => {
    const keeper = keeperOn();
    await using keeping = await openOn(keeper);
    await using home = await household(keeper);
    const { backups, store } = home;
    const line = await lineFor(keeping);
    await backups.goTo(line, report);
    expect(await targetOf(backups)).toBe(`https://${KEEPER}:51822/kept/alice/`);
    expect(await keeping.list()).toMatchObject([{ files: 4, newest: { number: 1 } }]);
    expect(await backups.drill({}, report)).toMatchObject({ commits: 1, number: 1 });
    const ops = [{ op: 'set', path: 'things/a', value: {} }] as const;
    await store.commit({ ops, message: 'Change', via: 'test' });
    for (let hour = 0; hour < 25; hour++) {
      await keeper.clock.advance(DAY_MS / 24);
      // One thing is done at a time: this waits for what the hour began.
      await backups.drill({}, report);
    }
    expect(await keeping.list()).toMatchObject([{ newest: { number: 2 } }]);
    expect(await backups.stay()).toBe(true);
    expect(await targetOf(backups)).toBe('');
    expect(await backups.stay()).toBe(false);
    await expect(backups.run({}, report)).rejects.toMatchObject({ code: 'bad-setting' });
  });

  test('changes nothing with a line that is not good', async () => {
    const keeper = keeperOn();
    await using keeping = await openOn(keeper);
    await using home = await household(keeper);
    const line = await lineFor(keeping);
    await keeping.keep({ name: 'alice', isRenewed: true });
    await expect(home.backups.goTo(line, report)).rejects.toMatchObject({ code: 'denied' });
    await expect(home.backups.goTo('hunter2', report)).rejects.toMatchObject({
      code: 'bad-setting',
      message: expect.not.stringContaining('hunter2'),
    });
    expect(await targetOf(home.backups)).toBe('');
    expect(await home.runtime.files.read('/data/backup-line')).toBeUndefined();
    expect(await home.runtime.files.read('/data/backup.json')).toBeUndefined();
  });

  test('is told when its settings name another place', async () => {
    const keeper = keeperOn();
    await using keeping = await openOn(keeper);
    await using home = await household(keeper, '/mnt/usb');
    const line = await lineFor(keeping);
    await expect(home.backups.goTo(line, report)).rejects.toMatchObject({
      message: expect.stringContaining('/mnt/usb'),
    });
  });
});
