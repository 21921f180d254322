import { beforeEach, describe, expect, test } from 'vitest';
import { generateDeviceKeys } from '#identity';
import { type FakeFiles, fakeFiles, fakeRuntime } from '#runtime/fake';
import { openStore, type Store } from '#storage';
import { WebAdminError } from '#web-admin';
import { encodeBase64 } from '../base64.ts';
import { createDraftFiles, MAX_DRAFT_BYTES, MAX_DRAFT_OPS, MAX_DRAFTS } from '../drafts.ts';
import { createDraftsBackend } from './drafts.ts';

const FILE = '/data/drafts/d.json';
const AUTHOR = { via: 'cli', name: 'cli' } as const;

let files: FakeFiles;
let store: Store;
let drafts: ReturnType<typeof createDraftsBackend>;

beforeEach(async () => {
  files = fakeFiles(['/data']);
  const runtime = fakeRuntime();
  const { privateKey } = await runtime.crypto.generateSigningKey('ed25519');
  const signer = runtime.crypto.signer('ed25519', privateKey);
  store = await openStore(runtime, {
    directory: '/data/store',
    writer: { deviceId: 'router', name: 'Router', signer },
    schema: (state) =>
      [...(state.get('rules')?.entries() ?? [])].flatMap(([key, { effect }]) =>
        effect === undefined ? [{ path: `rules/${key}`, message: 'no effect' }] : [],
      ),
  });
  drafts = open();
  await drafts.begin('d');
});

/** As after a restart. */
function open() {
  return createDraftsBackend({
    store,
    draftFiles: createDraftFiles(files, '/data'),
    clock: { now: () => 7 },
    projection: () => ({ devices: [{ id: 'k7', name: 'desk' }] }),
    household: () => ({ self: 'router' }),
  } as unknown as Parameters<typeof createDraftsBackend>[0]);
}

const set = (path: string, value: unknown) => ({ op: 'set', path, value }) as const;
const add = (...ops: Parameters<typeof drafts.add>[1]['ops']) => drafts.add('d', { ops }, AUTHOR);
const write = (path: string, value: never) =>
  store.commit({ ops: [set(path, value) as never], message: 'Elsewhere', via: 'test' });

async function codeOf(action: Promise<unknown>): Promise<unknown> {
  return action.then(
    () => undefined,
    (error) => (error instanceof WebAdminError ? error.code : error),
  );
}

test('is collected, outlives a restart, and becomes one commit, once', async () => {
  const { head } = store;
  await drafts.add('d', { ops: [set('rules/a', { effect: 'allow' })], message: 'One' }, AUTHOR);
  await drafts.add('d', { ops: [set('rules/a/effect', 'deny')], message: 'Two' }, AUTHOR);
  expect(store.head).toBe(head);
  drafts = open();
  expect(await drafts.list()).toEqual({
    drafts: [{ name: 'd', isDamaged: false, begun: 7, steps: 2 }],
  });
  expect(await drafts.show('d')).toMatchObject({
    ...{ base: head, begun: 7, problems: [], moved: [], what: ['Added the rule a'] },
    changes: [{ path: 'rules/a', kind: 'added', after: { effect: 'deny' } }],
    steps: [{ message: 'One', via: 'cli', at: 7 }, { what: [expect.stringContaining('to deny')] }],
  });
  const applied = await Promise.allSettled([1, 2].map(() => drafts.apply('d', {}, AUTHOR)));
  expect(applied.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect((await store.log({})).map(({ message }) => message)[0]).toBe(
    'Apply the draft d\n\n- One\n- Two',
  );
  expect(store.state().get('rules')?.get('a')).toEqual({ effect: 'deny' });
  expect(await files.read(FILE)).toBeUndefined();
});

test.each(['desk', 'k7'])('a device is known by its name and by its id: %s', async (device) => {
  await add(set(`devices/${device}/note`, 'by the window'));
  expect((await drafts.show('d')).changes).toMatchObject([{ path: 'devices/k7' }]);
});

describe('is refused', () => {
  test.each([
    { ops: [set('devices/x/signingKey', 'k')], why: 'who belongs here is decided at once' },
    { ops: [{ op: 'del', path: 'devices/x' } as const], why: 'a device is removed, not deleted' },
    { ops: [set('devices/gone/note', 'x')], why: 'no such device' },
    { ops: [set('keys/k', {})], why: "the realm's own" },
    { ops: [set('rules/A', {})], why: 'no path' },
    { ops: [set('rules/a/__proto__', {})], why: 'no path either' },
    { ops: [set('rules/a', 'text')], why: 'no record' },
    {
      ops: [set('options/x', { option: 'wireless.radio0.key', value: 'hunter2' })],
      why: 'an option that holds a secret (I2)',
    },
  ])('$why: nothing of it is kept', async ({ ops }) => {
    const before = await files.read(FILE);
    expect(await codeOf(add(...ops))).toBe('invalid');
    expect(await files.read(FILE)).toEqual(before);
  });

  test.each([
    { name: 'd', code: 'conflict', why: 'there is one' },
    { name: '../x', code: 'invalid', why: 'a name is a file' },
    { name: '', code: 'invalid', why: 'no name' },
    { name: 'D', code: 'invalid', why: 'small letters' },
  ])('begin $name: $why', async ({ name, code }) => {
    expect(await codeOf(drafts.begin(name))).toBe(code);
    if (code === 'invalid') expect(await codeOf(drafts.show(name))).toBe('not-found');
  });

  test('more of them, or larger ones, than are kept', async () => {
    for (let count = 1; count < MAX_DRAFTS; count++) await drafts.begin(`d${count}`);
    expect(await codeOf(drafts.begin('one-more'))).toBe('conflict');
    expect(await codeOf(add(set('rules/a/note', 'x'.repeat(MAX_DRAFT_BYTES))))).toBe('invalid');
    const ops = Array.from({ length: MAX_DRAFT_OPS + 1 }, () => set('rules/a/note', 'x'));
    expect(await codeOf(add(...ops))).toBe('invalid');
    expect((await drafts.show('d')).steps).toEqual([]);
  });

  test('while the disk is full: what was there stays', async () => {
    await add(set('rules/a/effect', 'deny'));
    const before = await files.read(FILE);
    files.failAt(files.steps + 2, 'no-space');
    expect(await codeOf(add(set('rules/b/effect', 'deny')))).toBe('no-space');
    expect(await files.read(FILE)).toEqual(before);
  });
});

describe('is not applied', () => {
  test('while something stands against it, which may be mended later', async () => {
    await add(set('rules/a/note', 'unfinished'));
    expect((await drafts.show('d')).problems).toEqual(['rules/a: no effect']);
    expect(await codeOf(drafts.apply('d', { force: true }, AUTHOR))).toBe('invalid');
    await add(set('rules/a/effect', 'deny'));
    expect(await drafts.apply('d', { message: 'Mended' }, AUTHOR)).toMatchObject({
      message: 'Mended',
    });
  });

  test.each([
    { path: 'rules/a/effect', value: 'allow', moved: 1, why: 'the same field' },
    { path: 'rules/a/note', value: 'x', moved: 0, why: 'another field' },
    { path: 'rules/a', value: { effect: 'allow' }, moved: 1, why: 'the record it is in' },
    { path: 'rules/a', value: { effect: 'deny', note: '' }, moved: 0, why: 'and it is the same' },
  ])('over what was changed since, without a word: $why', async ({ path, value, moved }) => {
    await write('rules/a', { effect: 'deny' } as never);
    await add(set('rules/a/effect', 'ask'));
    await write(path, value as never);
    expect((await drafts.show('d')).moved).toHaveLength(moved);
    expect(await codeOf(drafts.apply('d', {}, AUTHOR))).toBe(moved ? 'conflict' : undefined);
    if (moved > 0) await drafts.apply('d', { force: true }, AUTHOR);
    expect(store.state().get('rules')?.get('a')).toMatchObject({ effect: 'ask' });
  });

  test('by who has seen another head, and when it changes nothing', async () => {
    expect(await codeOf(drafts.apply('d', {}, AUTHOR))).toBe('conflict');
    await add(set('rules/a/effect', 'deny'));
    const late = { ...AUTHOR, ifHead: 'f'.repeat(64) };
    expect(await codeOf(drafts.apply('d', {}, late))).toBe('conflict');
    expect(await files.read(FILE)).toBeDefined();
  });
});

test('what needs a second owner is proposed, once', async () => {
  const { id, signing } = await generateDeviceKeys(fakeRuntime().crypto);
  const signingKey = encodeBase64(signing.publicKey);
  await write(`devices/${id}`, { name: 'x', role: 'owner', rank: 2, signingKey } as never);
  await write('realm/settings/twoOwners', ['rules'] as never);
  await add(set('rules/a/effect', 'deny'));
  expect((await drafts.show('d')).problems).toEqual([expect.stringContaining('second owner')]);
  expect(await codeOf(drafts.apply('d', {}, AUTHOR))).toBe('denied');
  expect([...(store.state().get('proposals') ?? [])]).toHaveLength(1);
  expect(await codeOf(drafts.apply('d', {}, AUTHOR))).toBe('not-found');
});

test.each([
  { text: '', why: 'empty' },
  { text: '{"name":"d","base":"","begun":7,"ste', why: 'cut short' },
  { text: '{"name":"e","base":"","begun":7,"steps":[],"seen":{}}', why: "another's" },
  { text: '{"name":"d","base":"","begun":7,"steps":[{}],"seen":{}}', why: 'a step that is none' },
  { text: `"${'x'.repeat(MAX_DRAFT_BYTES)}"`, why: 'too large' },
])('a file that is damaged is told and left alone: $why', async ({ text }) => {
  const bytes = new TextEncoder().encode(text);
  await files.replace(FILE, bytes);
  expect(await drafts.list()).toEqual({ drafts: [{ name: 'd', isDamaged: true }] });
  const tries = [drafts.show('d'), add(set('rules/a/note', '')), drafts.apply('d', {}, AUTHOR)];
  for (const each of tries) expect(await codeOf(each)).toBe('unavailable');
  expect(await codeOf(drafts.begin('d'))).toBe('conflict');
  expect(await files.read(FILE)).toEqual(bytes);
  await drafts.discard('d');
  expect(await codeOf(drafts.discard('d'))).toBe('not-found');
});
