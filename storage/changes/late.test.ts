import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { someone } from '../members.fixture.ts';
import { DIRECTORY, openFounder, signerOf } from '../realm.fixture.ts';
import { openStore, type Store } from '../store.ts';
import type { DraftOp } from './narrow.ts';

const DESK = someone(2);
const TABLET = someone(3);
const { crypto } = fakeRuntime();

/** A founder, and where another owner lives. */
async function household() {
  const founder = await openFounder(fakeRuntime());
  const { path, signingKey } = DESK;
  const value = { name: 'desk', role: 'owner', rank: 2, signingKey };
  await change(founder, { op: 'set', path, value });
  return founder;
}

/** The same device twice: a copy has its key and knows as much as the founder does now. */
async function openDesk(founder: Store, seed = 2): Promise<Store> {
  const writer = { deviceId: someone(seed).id, name: 'desk', signer: signerOf(crypto, seed) };
  const { realm } = founder;
  const desk = await openStore(fakeRuntime(), { directory: DIRECTORY, writer, realm });
  await send(founder, desk);
  return desk;
}

function change(store: Store, ...ops: readonly DraftOp[]) {
  return store.commit({ ops, message: 'Change', via: 'test' });
}

const put = (store: Store, key: string) =>
  change(store, { op: 'set', path: `names/${key}`, value: {} });

async function send(from: Store, to: Store) {
  await to.importCommits(await from.exportMissing({}));
}

const namesIn = (store: Store) => [...(store.state().get('names')?.keys() ?? [])];

const adopt = { via: 'test', adopts: true };
const dismiss = { via: 'test', adopts: false };

describe('what a revoked device wrote', () => {
  async function revoked() {
    const founder = await household();
    const desk = await openDesk(founder);
    await put(desk, 'one');
    await change(desk, { op: 'set', path: TABLET.path, value: { signingKey: TABLET.signingKey } });
    await change(founder, { op: 'revoke', path: DESK.path, lastSeq: 0 });
    await send(desk, founder);
    return founder;
  }

  test('is offered, and adopted as an owner’s own but for what concerns members', async () => {
    const founder = await revoked();
    const [late, ...more] = await founder.late();
    expect(more).toEqual([]);
    expect(late).toMatchObject({ device: DESK.id, reason: 'revoked', count: 2 });
    expect(late?.commits.map(({ seq, name }) => `${name} ${seq}`)).toEqual(['desk 1', 'desk 2']);
    expect(late?.fork).toBeUndefined();
    const decided = await founder.decideLate(DESK.id, adopt);
    expect(decided.commits).toBe(2);
    expect(decided.omitted.map(({ path }) => path)).toEqual([TABLET.path]);
    expect([namesIn(founder), await founder.late()]).toEqual([['one'], []]);
    const [newest] = await founder.log({ limit: 1 });
    expect(newest?.message).toMatch(/^Adopt 2 late changes of desk\n/);
  });

  test('is let go by a commit of its own, once', async () => {
    const founder = await revoked();
    await founder.decideLate(DESK.id, dismiss);
    expect([namesIn(founder), await founder.late()]).toEqual([[], []]);
    await expect(founder.decideLate(DESK.id, dismiss)).rejects.toMatchObject({
      code: 'does-not-apply',
    });
  });

  test('may be about a list: what it put in, moved and took out', async () => {
    const founder = await household();
    const desk = await openDesk(founder);
    const path = 'names/l/items';
    await change(desk, { op: 'ins', path, at: 0, value: 'a' });
    await change(
      desk,
      { op: 'ins', path, at: 1, value: 'b' },
      { op: 'ins', path, at: 2, value: 'c' },
    );
    await change(desk, { op: 'mv', path, item: 2, at: 0 });
    await change(desk, { op: 'rem', path, item: 1 });
    await change(founder, { op: 'revoke', path: DESK.path, lastSeq: 1 });
    await send(desk, founder);
    await founder.decideLate(DESK.id, adopt);
    expect(founder.state().get('names')?.get('l')).toEqual({ items: ['c', 'b'] });
    expect(await founder.late()).toEqual([]);
  });

  test('is taken over but for what needs another owner as well', async () => {
    const founder = await household();
    const desk = await openDesk(founder);
    await change(desk, { op: 'set', path: 'rules/r', value: {} });
    await put(desk, 'one');
    await change(founder, { op: 'set', path: 'realm/settings/twoOwners', value: ['rules'] });
    await change(founder, { op: 'set', path: TABLET.path, value: { name: 'tablet' } });
    await change(founder, { op: 'revoke', path: DESK.path, lastSeq: 0 });
    await send(desk, founder);
    const { omitted } = await founder.decideLate(DESK.id, adopt);
    expect([namesIn(founder), omitted.map(({ path }) => path)]).toEqual([['one'], ['rules/r']]);
  });

  test('is not taken back once more by who looks at the history', async () => {
    const founder = await household();
    await change(founder, { op: 'set', path: 'names/c', value: { n: 10 } });
    const desk = await openDesk(founder);
    const after = founder.head;
    const { id } = await change(desk, { op: 'inc', path: 'names/c/n', value: 5 });
    await change(founder, { op: 'revoke', path: DESK.path, lastSeq: 0 });
    await send(desk, founder);
    await put(founder, 'later');
    const one = founder.revert(id, 'test');
    await expect(one).rejects.toMatchObject({ code: 'does-not-apply' });
    await founder.revert({ after, to: founder.head }, 'test', { path: 'names' });
    expect([...(founder.state().get('names') ?? [])]).toEqual([['c', { n: 10 }]]);
  });

  test('is nothing where nothing was revoked', async () => {
    expect(await (await household()).late()).toEqual([]);
  });
});

describe('a device that exists twice', () => {
  async function forked() {
    const founder = await household();
    const [desk, twin] = [await openDesk(founder), await openDesk(founder)];
    await put(desk, 'one');
    await put(desk, 'more');
    await put(twin, 'two');
    await send(desk, founder);
    await send(twin, founder);
    return founder;
  }

  test('is shown with both commits of one number', async () => {
    const [late] = await (await forked()).late();
    expect(late).toMatchObject({ device: DESK.id, reason: 'forked', count: 3 });
    expect(late?.fork?.seq).toBe(1);
    expect(late?.fork?.commits).toHaveLength(2);
  });

  test.each([
    { decision: adopt, names: ['more', 'one', 'two'], why: 'what both wrote can be taken over' },
    { decision: dismiss, names: [], why: 'or let go' },
  ])('is removed by the decision: $why', async ({ decision, names }) => {
    const founder = await forked();
    expect(namesIn(founder)).toEqual([]);
    await founder.decideLate(DESK.id, decision);
    expect(new Set(namesIn(founder))).toEqual(new Set(names));
    expect(founder.state().get('devices')?.has(DESK.id)).toBe(false);
    expect(await founder.late()).toEqual([]);
  });
});

test('a device that exists twice is removed by one owner, as any other', async () => {
  const founder = await household();
  await change(founder, { op: 'set', path: 'realm/settings/twoOwners', value: ['devices'] });
  const [desk, twin] = [await openDesk(founder), await openDesk(founder)];
  await put(desk, 'one');
  await put(twin, 'two');
  await send(desk, founder);
  await send(twin, founder);
  await founder.decideLate(DESK.id, dismiss);
  expect(founder.state().get('devices')?.has(DESK.id)).toBe(false);
  expect(await founder.late()).toEqual([]);
});

test('what the phrase wrote here after it forked has the name that it has elsewhere', async () => {
  const PHRASE = someone(9);
  const founder = { deviceId: DESK.id, name: 'desk', publicKey: DESK.publicKey };
  const open = (realm?: string) => {
    const runtime = fakeRuntime();
    const writer = { deviceId: PHRASE.id, name: 'phrase', signer: signerOf(crypto, 9) };
    const options = { directory: DIRECTORY, writer, genesis: { founder } };
    return openStore(runtime, realm === undefined ? options : { ...options, realm }).then(
      (store) => ({ store, runtime }),
    );
  };
  const one = await open();
  const two = await open(one.store.realm);
  await send(one.store, two.store);
  await put(one.store, 'one');
  await put(two.store, 'two');
  await send(two.store, one.store);
  const last = await put(one.store, 'three');
  await one.store[Symbol.asyncDispose]();
  const bytes = await one.runtime.files.read(`${DIRECTORY}/checkpoint.json`);
  const text = new TextDecoder().decode(bytes);
  expect(text).not.toContain('"branch":""');
  expect(text).toContain(`"branch":"${last.id}"`);
});
