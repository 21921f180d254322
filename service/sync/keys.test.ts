import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { readEnvelopes, type State } from '#storage';
import { encodeHex } from '../hex.ts';
import { configOf } from '../homes.fixture.ts';
import { createSealing } from '../peers/sealed.ts';
import { openRealm } from '../realm.ts';
import {
  copiesFor,
  createFrameSealing,
  createKeyRing,
  giveNewKey,
  type KeyOp,
  missingCopies,
  readRealmKeys,
  replaceKnownKey,
  shareKeys,
} from './keys.ts';

const { crypto, random } = fakeRuntime();

function deviceOf(id: string) {
  const pair = crypto.generateAgreementKey();
  const sealing = createSealing(crypto, random, pair);
  return { id, publicKey: pair.publicKey, needs: { crypto, sealing } };
}
const [a, b, c] = [deviceOf('a'), deviceOf('b'), deviceOf('c')];

/** The state after ops on whole records and on fields of them. */
function stateOf(...ops: { readonly path: string; readonly value: unknown }[]): State {
  const keys = new Map<string, Record<string, unknown>>();
  for (const { path, value } of ops) {
    const [, id = '', field] = path.split('/');
    const record = keys.get(id) ?? {};
    keys.set(id, field === undefined ? { ...(value as object) } : { ...record, [field]: value });
  }
  return new Map([['keys', keys]]) as unknown as State;
}

const secretsOf = (device: typeof a, state: State) =>
  readRealmKeys(device.needs, state, device.id).map(({ secret }) => secret);

const first = giveNewKey(a.needs, random, new Map(), [a, b]);
const following = (state: State, ...holders: (typeof a)[]): KeyOp =>
  giveNewKey(a.needs, random, state, holders);

test('who is given a key has it, who is not has none', () => {
  const state = stateOf(first);
  expect(secretsOf(a, state)).toHaveLength(1);
  expect(secretsOf(b, state)).toEqual(secretsOf(a, state));
  expect(secretsOf(c, state)).toEqual([]);
});

test('a device that comes later is given all of them', () => {
  const one = stateOf(first);
  const two = [first, following(one, a, b)];
  const shared = shareKeys(b.needs.sealing, readRealmKeys(b.needs, stateOf(...two), 'b'), c);
  expect(shared).toHaveLength(2);
  expect(secretsOf(c, stateOf(...two, ...shared))).toEqual(secretsOf(a, stateOf(...two)));
});

test('copies are opened once, and again when keys were written', () => {
  let state = stateOf(first);
  const { keys } = createKeyRing(a.needs, () => state, 'a');
  const before = keys();
  expect(keys()).toBe(before);
  state = stateOf(first, following(state, a));
  expect(keys()).toHaveLength(2);
});

test('who was let in while somebody was removed is handed the key that it cannot open otherwise', () => {
  const one = stateOf(first);
  const two = stateOf(first, following(one, a, c));
  const { keys, learn } = createKeyRing(c.needs, () => one, 'c');
  expect(keys()).toHaveLength(0);
  learn(copiesFor(two, 'c'));
  expect(keys().map(({ secret }) => secret)).toEqual(secretsOf(c, two).slice(0, 1));
  learn(copiesFor(two, 'c'));
  expect(keys()).toHaveLength(1);
});

test.each([
  ['for somebody else', copiesFor(stateOf(first), 'b')],
  [
    'under another name',
    { '0011223344556677': Object.values(copiesFor(stateOf(first), 'a'))[0] ?? '' },
  ],
  ['that are noise', { '0011223344556677': 'AAAA' }],
])('copies %s are passed over', (_, copies) => {
  const { keys, learn } = createKeyRing(a.needs, () => new Map(), 'a');
  learn(copies);
  expect(keys()).toEqual([]);
});

test('what is written is sealed with the newest', () => {
  const one = stateOf(first);
  const second = following(one, a);
  const state = stateOf(first, second);
  expect(secretsOf(a, state)).toHaveLength(2);
  expect(secretsOf(a, state)[1]).toEqual(secretsOf(a, one)[0]);
  expect(secretsOf(b, state)).toEqual(secretsOf(b, one));
});

test.each([
  ['no copy at all', () => ({ ...first, value: {} })],
  ['a copy that is no text', () => ({ ...first, value: { a: { sealed: 7 } } })],
  ['a copy that is no base64', () => ({ ...first, value: { a: { sealed: '*' } } })],
  ['a copy for somebody else', () => ({ ...first, value: { a: first.value['b'] } })],
  ['a key under another name', () => ({ ...first, path: 'keys/0011223344556677' })],
])('%s is no key', (_, spoil) => {
  expect(secretsOf(a, stateOf(spoil()))).toEqual([]);
});

test('keys that follow each other in a circle are still keys', () => {
  const one = stateOf(first);
  const second = following(one, a);
  const circle = { ...first, value: { ...first.value, after: second.path.slice('keys/'.length) } };
  expect(secretsOf(a, stateOf(circle, second))).toHaveLength(2);
});

describe('a key that a removed device was given too', () => {
  const replace = (state: State, ...holders: (typeof a)[]) =>
    replaceKnownKey(a.needs, random, state, holders);

  test('is replaced, whoever removed the device and how', () => {
    const state = stateOf(first);
    const next = replace(state, a);
    expect(next?.value['after']).toBe(first.path.slice('keys/'.length));
    expect(secretsOf(b, stateOf(first, next as KeyOp))).toEqual(secretsOf(b, state));
  });

  test('is one after two removals at once: each left the other one a copy', () => {
    const one = stateOf(first);
    const both = [first, following(one, a, b), following(one, a, c)];
    const next = replace(stateOf(...both), a);
    expect(next).toBeDefined();
    expect(replace(stateOf(...both, next as KeyOp), a)).toBeUndefined();
  });

  test('is no matter while all who have it belong to us, or once there is a newer one', () => {
    expect(replace(stateOf(first), a, b, c)).toBeUndefined();
    expect(replace(stateOf(first, following(stateOf(first), a)), a)).toBeUndefined();
    expect(replace(new Map(), a)).toBeUndefined();
  });
});

describe('commits are sealed with the newest key that their author knew', () => {
  const begin = async () => {
    const runtime = fakeRuntime();
    const realm = await openRealm(runtime, configOf({ endpoints: '192.0.2.1' }));
    const { store, keys } = realm;
    const sealing = createSealing(runtime.crypto, runtime.random, keys.agreement);
    const needs = { crypto: runtime.crypto, sealing };
    const self = { id: keys.id, publicKey: keys.agreement.publicKey };
    const ring = () => readRealmKeys(needs, store.merged(), keys.id);
    const seal = createFrameSealing(runtime.crypto, () => store, ring);
    let count = 0;
    return {
      store,
      [Symbol.asyncDispose]: () => realm[Symbol.asyncDispose](),
      async write() {
        count += 1;
        const ops = [{ op: 'set', path: `names/n${count}`, value: { records: [] } }] as const;
        await store.commit({ ops, message: 'Write', via: 'test' });
      },
      async change() {
        const ops = [giveNewKey(needs, runtime.random, store.merged(), [self])];
        await store.commit({ ops, message: 'Change the key', via: 'test' });
      },
      /** How old the key of each commit is that is kept; the newest is 0. */
      async ages() {
        const ids = ring().map(({ id }) => encodeHex(id));
        const read = readEnvelopes((await seal(await store.exportMissing({}))) ?? NOTHING);
        return read.ok ? read.envelopes.map(({ keyId }) => ids.indexOf(encodeHex(keyId))) : [];
      },
      forget: () => store.prune('test', { days: 0, commits: 1 }),
    };
  };
  const NOTHING = new Uint8Array(0);

  test.each([
    { looksFirst: true, why: 'and it was known where' },
    { looksFirst: false, why: 'and nobody ever looked' },
  ])('also where that was given before what is kept, $why', async ({ looksFirst }) => {
    await using home = await begin();
    await home.write();
    await home.change();
    await home.write();
    if (looksFirst) expect(await home.ages()).toEqual([1, 1, 1, 0]);
    await home.write();
    await home.write();
    expect((await home.forget()).dropped).toBeGreaterThan(0);
    await home.write();
    const ages = await home.ages();
    expect(ages.length).toBeGreaterThan(2);
    expect(new Set(ages)).toEqual(new Set([0]));
  });

  test('and where one came since, what is between has the one before', async () => {
    await using home = await begin();
    await home.change();
    await home.write();
    await home.forget();
    await home.write();
    await home.change();
    await home.write();
    const ages = await home.ages();
    expect(new Set(ages)).toEqual(new Set([0, 1]));
    expect(ages.at(-1)).toBe(0);
  });
});

test('a device that was let in while another one was removed is given the key it lacks', () => {
  const later = following(stateOf(first), a, b);
  const state = stateOf(first, later);
  const copies = missingCopies(a.needs, state, 'a', [a, b, c]);
  const paths = new Set(copies.map(({ path }) => path));
  expect(paths).toEqual(new Set([`${first.path}/c`, `${later.path}/c`]));
  const healed = stateOf(first, later, ...copies);
  expect(secretsOf(c, healed)).toEqual(secretsOf(a, healed));
  expect(missingCopies(a.needs, healed, 'a', [a, b, c])).toEqual([]);
});
