import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { StorageError } from '../error.ts';
import { concat, encodeHex, encodeText } from '../format/bytes.ts';
import { type GitObject, nameObject } from '../format/object.ts';
import { someone } from '../members.fixture.ts';
import { DIRECTORY, openFounder, openReplica, setName, signerOf } from '../realm.fixture.ts';
import { openStore, type Store } from '../store.ts';
import { parseBundle } from './bundle.ts';
import { applyDelta, makeDelta } from './delta.ts';
import { BEGINNING, gather, padme, type Reach } from './gather.ts';
import { createPack, MIN_PADDING } from './pack.ts';
import { takeBundle } from './take.ts';
import { readPack } from './unpack.ts';

const machine = fakeRuntime();
const { crypto } = machine;

const codeOf = (cause: unknown): string =>
  cause instanceof StorageError ? cause.code : String(cause);

async function fill(store: Store, commits: number): Promise<void> {
  for (let i = 0; i < commits; i++) await store.commit(setName(`n${i % 40}`, i));
}

async function bundlesOf(store: Store, limit: number): Promise<Uint8Array[]> {
  const bundles: Uint8Array[] = [];
  let reach: Reach = BEGINNING;
  for (;;) {
    const stretch = await gather(crypto, store, reach, limit);
    if (stretch === undefined) return bundles;
    bundles.push(stretch.bundle);
    reach = stretch.reach;
  }
}

const restore = (replica: Store, bundle: Uint8Array): Promise<number> =>
  takeBundle(crypto, replica, bundle);

describe('a history as bundles', () => {
  test.each([
    { limit: 16 * 1024 * 1024, parts: 1, why: 'a short one is one bundle' },
    { limit: 40_000, parts: 5, why: 'a long one is several, each on top of the one before' },
  ])('$why', async ({ limit, parts }) => {
    await using store = await openFounder(fakeRuntime());
    await fill(store, 150);
    const bundles = await bundlesOf(store, limit);
    expect(bundles).toHaveLength(parts);
    await using replica = await openReplica(fakeRuntime());
    for (const bundle of bundles) await restore(replica, bundle);
    expect(replica.head).toBe(store.head);
    expect(replica.state()).toEqual(store.state());
  });

  test('what a disk lost comes back from a bundle', async () => {
    const runtime = fakeRuntime();
    const names = async () => runtime.files.list(`${DIRECTORY}/log`);
    let bundle = new Uint8Array(0);
    let head = '';
    {
      await using store = await openFounder(runtime);
      await fill(store, 30);
      bundle = (await gather(crypto, store, BEGINNING))?.bundle as typeof bundle;
      ({ head } = store);
    }
    const path = `${DIRECTORY}/log/${(await names())[0]}`;
    const log = (await runtime.files.read(path)) ?? new Uint8Array(0);
    await runtime.files.replace(path, log.fill(0, log.length / 3, log.length / 2));
    {
      await using damaged = await openFounder(runtime);
      expect(damaged.problems.map(({ code }) => code)).toContain('missing-commits');
      await restore(damaged, bundle);
      expect(damaged.head).toBe(head);
    }
    await using healed = await openFounder(runtime);
    expect(healed.problems.map(({ code }) => code)).not.toContain('missing-commits');
    expect(healed.head).toBe(head);
    expect(await healed.log({ limit: 100 })).toHaveLength(31);
  });

  test('nothing new is no bundle', async () => {
    await using store = await openFounder(fakeRuntime());
    const first = await gather(crypto, store, BEGINNING);
    expect(await gather(crypto, store, first?.reach ?? BEGINNING)).toBeUndefined();
  });

  test('what is built on is named', async () => {
    await using store = await openFounder(fakeRuntime());
    const first = await gather(crypto, store, BEGINNING);
    const { id } = await store.commit(setName('a', 1));
    const second = await gather(crypto, store, first?.reach ?? BEGINNING);
    const { prerequisites, refs } = parseBundle(second?.bundle ?? new Uint8Array(0));
    expect(prerequisites).toEqual([store.realm]);
    expect(refs).toEqual([
      { id, name: 'HEAD' },
      { id, name: 'refs/heads/main' },
    ]);
  });

  test('sizes are padded, and one commit more is mostly not seen', async () => {
    await using store = await openFounder(fakeRuntime());
    await fill(store, 60);
    const sizes = new Set<number>();
    for (let i = 0; i < 5; i++) {
      await store.commit(setName('x', i));
      sizes.add((await bundlesOf(store, 1e9))[0]?.length ?? 0);
    }
    for (const size of sizes) expect(padme(size)).toBe(size);
    expect(sizes.size).toBeLessThan(5);
  });

  test('a bundle cut short, or with a bit off, is refused and changes nothing', async () => {
    await using store = await openFounder(fakeRuntime());
    await fill(store, 3);
    const [bundle = new Uint8Array(0)] = await bundlesOf(store, 1e9);
    await using replica = await openReplica(fakeRuntime());
    for (let length = 0; length < bundle.length; length += 97) {
      const cut = restore(replica, bundle.subarray(0, length)).catch(codeOf);
      expect(await cut, `${length} bytes`).toBe('corrupt');
    }
    await fc.assert(
      fc.asyncProperty(fc.nat(bundle.length * 8 - 1), async (bit) => {
        const bytes = bundle.slice();
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        // A letter of a branch's name is nobody's loss.
        const code = await restore(replica, bytes).then(() => undefined, codeOf);
        expect(['corrupt', 'too-large', undefined]).toContain(code);
      }),
      { numRuns: 100 },
    );
    expect(['', store.head]).toContain(replica.head);
  });
});

const laptop = someone(2);

async function withLaptop(): Promise<Store> {
  const founder = await openFounder(fakeRuntime());
  const value = { role: 'owner', rank: 2, signingKey: laptop.signingKey };
  const ops = [{ op: 'set', path: laptop.path, value }] as const;
  await founder.commit({ ops, message: 'Add', via: 'test' });
  return founder;
}

/** Opens the laptop's store with what the founder has. */
async function openLaptop(founder: Store): Promise<Store> {
  const writer = { deviceId: laptop.id, name: 'Laptop', signer: signerOf(crypto, 2) };
  const store = await openStore(fakeRuntime(), {
    ...{ directory: DIRECTORY, realm: founder.realm, writer },
  });
  await send(founder, store);
  return store;
}

const send = async (from: Store, to: Store) =>
  to.importCommits(await from.exportMissing(to.vector()));

async function meet(a: Store, b: Store): Promise<void> {
  await send(a, b);
  await send(b, a);
}

describe('a history that several devices wrote', () => {
  test('has every head in the bundle, and goes on from all of them', async () => {
    await using founder = await withLaptop();
    await using second = await openLaptop(founder);
    await founder.commit(setName('a', 1));
    await second.commit(setName('a', 2));
    await second.commit(setName('b', 3));
    await meet(founder, second);
    const first = await gather(crypto, founder, BEGINNING);
    const { refs } = parseBundle(first?.bundle ?? new Uint8Array(0));
    expect(refs.map(({ name }) => name)).toEqual(['HEAD', 'refs/heads/main', 'refs/heads/head-2']);
    expect(refs.slice(1).map(({ id }) => id)).toEqual(founder.heads);
    await using replica = await openReplica(fakeRuntime());
    await restore(replica, first?.bundle ?? new Uint8Array(0));
    expect([replica.head, replica.conflicts()]).toEqual([founder.head, founder.conflicts()]);
    // Both go on before they meet again, and one joins.
    await second.commit(setName('c', 4));
    await founder.commit(setName('d', 5));
    await meet(founder, second);
    await founder.commit(setName('e', 6));
    const next = await gather(crypto, founder, first?.reach ?? BEGINNING);
    expect(next?.commits).toBe(3);
    await restore(replica, next?.bundle ?? new Uint8Array(0));
    expect(replica.heads).toEqual(founder.heads);
    expect(replica.state()).toEqual(founder.state());
  });
});

describe('a history with what does not count', () => {
  async function expectRestored(store: Store): Promise<void> {
    const stretch = await gather(crypto, store, BEGINNING);
    await using replica = await openReplica(fakeRuntime());
    await restore(replica, stretch?.bundle ?? new Uint8Array(0));
    expect(replica.heads).toEqual(store.heads);
    expect(replica.state()).toEqual(store.state());
  }

  test('the late changes of a revoked device come back as void as they were', async () => {
    await using founder = await withLaptop();
    await using second = await openLaptop(founder);
    await second.commit(setName('a', 1));
    const ops = [{ op: 'revoke', path: laptop.path, lastSeq: 0 }] as const;
    await founder.commit({ ops, message: 'Revoke', via: 'test' });
    await send(second, founder);
    await expectRestored(founder);
  });

  test('two commits of one number come back both', async () => {
    await using founder = await withLaptop();
    await using one = await openLaptop(founder);
    await using other = await openLaptop(founder);
    for (const [index, store] of [one, other].entries()) {
      await store.commit(setName('a', index));
      await store.commit(setName('b', index));
    }
    await send(one, founder);
    await send(other, founder);
    expect(founder.heads).toHaveLength(2);
    await expectRestored(founder);
  });
});

const blob = (text: string): GitObject => ({ type: 'blob', body: encodeText(text) });

describe('a pack', () => {
  test('keeps objects, in any padding', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ maxLength: 300 }), { minLength: 1, maxLength: 20 }),
        fc.option(fc.integer({ min: MIN_PADDING, max: 500 }), { nil: 0 }),
        async (texts, padding) => {
          const objects = texts.map((text) => nameObject(crypto, blob(text)));
          const pack = createPack(crypto);
          for (const object of objects) pack.add(object);
          const size = pack.size + padding;
          const { bytes } = pack.finish(padding);
          expect(bytes.length).toBe(size);
          const { find } = await readPack(crypto, bytes);
          for (const { id, type, body } of objects) expect(find(id)).toEqual({ type, body });
        },
      ),
    );
  });

  test('keeps versions of a directory as little more than what changed', async () => {
    const pack = createPack(crypto);
    const ids: string[] = [];
    const lines = Array.from({ length: 500 }, (_, i) => `entry ${i}\n`);
    for (let version = 0; version < 200; version++) {
      lines[version * 2] = `changed ${version}\n`;
      const tree = nameObject(crypto, { type: 'tree', body: encodeText(lines.join('')) });
      pack.addVersion(tree, ids.at(-1));
      ids.push(tree.id);
    }
    const { bytes, entries } = pack.finish();
    expect(bytes.length).toBeLessThan(50_000);
    expect(entries.at(-1)?.end).toBe(bytes.length - 32);
    const { find } = await readPack(crypto, bytes);
    for (const id of ids) {
      const object = find(id);
      expect(object && nameObject(crypto, object).id).toBe(id);
    }
  });

  test('a delta makes any text of any other', () => {
    const text = fc.uint8Array({ maxLength: 2000 });
    fc.assert(
      fc.property(text, text, fc.nat(3), (base, other, repeats) => {
        const target = concat([base, ...Array.from({ length: repeats }, () => other), base]);
        expect(applyDelta(base, makeDelta(base, target), 1e6)).toEqual(target);
        expect(applyDelta(target, makeDelta(target, base), 1e6)).toEqual(base);
      }),
    );
  });

  test.each([
    { delta: [4, 3, 0x00], why: 'the instruction that is reserved' },
    { delta: [4, 3, 0x90, 9], why: 'more than the base has' },
    { delta: [4, 3, 2, 65], why: 'cut in what is new' },
    { delta: [4, 3, 0x91], why: 'cut in an instruction' },
    { delta: [4, 2, 0x90, 4], why: 'more than it says' },
    { delta: [4, 9, 0x90, 4], why: 'less than it says' },
    { delta: [5, 4, 0x90, 4], why: 'another base' },
    { delta: [4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], why: 'no size' },
    { delta: [4], why: 'nothing' },
  ])('a delta with $why is refused', ({ delta }) => {
    expect(applyDelta(encodeText('abcd'), Uint8Array.from(delta), 1e6)).toBeUndefined();
  });

  test('any bytes behind a good checksum are read or refused, and reading ends', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.nat(4), async (noise, count) => {
        const body = concat([encodeText('PACK'), Uint8Array.of(0, 0, 0, 2, 0, 0, 0, count), noise]);
        const bytes = concat([body, crypto.hash('sha256', body)]);
        const code = await readPack(crypto, bytes).then(() => 'read', codeOf);
        expect(['read', 'corrupt', 'too-large']).toContain(code);
      }),
      { numRuns: 500 },
    );
  });

  test('bases that are elsewhere are looked up, and missed', async () => {
    const base = nameObject(crypto, blob('the base'));
    const delta = makeDelta(base.body, encodeText('the base, longer'));
    const plain = createPack(crypto);
    plain.add(nameObject(crypto, { type: 'blob', body: delta }));
    const { bytes } = plain.finish();
    // The same entry, said to be a delta to a named object.
    const stream = bytes.subarray(13, -32);
    const head = Uint8Array.of(0x70 | ((bytes[12] as number) & 0x8f));
    const body = concat([bytes.subarray(0, 12), head, base.hash, stream]);
    const thin = concat([body, crypto.hash('sha256', body)]);
    expect(await readPack(crypto, thin).catch(codeOf)).toBe('corrupt');
    const asked: string[] = [];
    const objects = await readPack(crypto, thin, async (ids) => {
      asked.push(...ids);
      return new Map([[base.id, base]]);
    });
    expect(asked).toEqual([base.id]);
    const [id = ''] = objects.ids();
    expect(objects.find(id)?.body).toEqual(encodeText('the base, longer'));
    expect(id).toBe(nameObject(crypto, blob('the base, longer')).id);
    expect(encodeHex(base.hash)).toBe(base.id);
  });
});
