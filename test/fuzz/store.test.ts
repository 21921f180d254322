/**
 * Bytes that were spoiled on their way, by somebody who knows the formats: frames with right sums
 * around wrong commits, vectors, envelopes, files. Nothing is thrown but StorageError, nothing
 * moves, and the same store still takes what is right. More by hand: `NYMOTE_RUNS=100000`.
 */

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { deviceId } from '#identity';
import { type FakeFiles, fakeFiles, fakeRuntime } from '#runtime/fake';
import {
  openPage,
  openStore,
  readEnvelopes,
  realmKey,
  StorageError,
  type Store,
  sealPage,
  type Vector,
} from '#storage';

const RUNS = Number(process.env['NYMOTE_RUNS'] ?? 240);
const DIRECTORY = '/data/store';
const runtime = fakeRuntime();
const { crypto } = runtime;
const KEY = realmKey(crypto, new Uint8Array(32).fill(7));

/** A history of two owners, as bytes, and the disk that it lies on. */
let source: Store;
let files: FakeFiles;
let page: Uint8Array;

beforeAll(async () => {
  [source, files] = await makeHistory();
  page = await source.exportMissing({});
});

async function makeHistory(): Promise<[Store, FakeFiles]> {
  const disk = fakeFiles();
  const [founder, { publicKey, signer }] = [await keysOf(), await keysOf()];
  const id = deviceId(crypto, publicKey);
  const deviceIdOfFounder = deviceId(crypto, founder.publicKey);
  const first = await openStore(fakeRuntime({ files: disk }), {
    directory: DIRECTORY,
    writer: { deviceId: deviceIdOfFounder, name: 'Router', signer: founder.signer },
  });
  const signingKey = Buffer.from(publicKey).toString('base64');
  await change(first, `devices/${id}`, { role: 'owner', rank: 2, signingKey });
  const second = await openStore(fakeRuntime(), {
    directory: DIRECTORY,
    realm: first.realm,
    writer: { deviceId: id, name: 'Laptop', signer },
  });
  for (let turn = 0; turn < 5; turn++) {
    await send(first, second);
    await change(first, 'names/a', { turn, by: 'first' });
    await change(second, 'names/a', { turn, by: 'second' });
    await send(second, first);
    const ops = [{ op: 'add', path: 'groups/g/members', value: turn } as const];
    await first.commit({ ops, message: 'Add', via: 'test' });
  }
  await change(first, 'names/a', { turn: 9, by: 'first' });
  await change(second, 'names/a/by', 'second');
  await send(second, first);
  return [first, disk];
}

async function keysOf() {
  const { publicKey, privateKey } = await crypto.generateSigningKey('ed25519');
  return { publicKey, signer: crypto.signer('ed25519', privateKey) };
}

type Value = string | Readonly<Record<string, string | number>>;

function change(store: Store, path: string, value: Value) {
  return store.commit({
    ops: [{ op: 'set', path, value }],
    message: `Set ${path}`,
    via: 'test',
  });
}

async function send(from: Store, to: Store): Promise<void> {
  await to.importCommits(await from.exportMissing(to.vector()));
}

function openReplica(disk: FakeFiles = fakeFiles()): Promise<Store> {
  const options = { directory: DIRECTORY, realm: source.realm };
  return openStore(fakeRuntime({ files: disk }), options);
}

/** The commits and ops in a page of frames. */
function framesOf(bytes: Uint8Array): { commit: Uint8Array; ops: Uint8Array }[] {
  const frames: { commit: Uint8Array; ops: Uint8Array }[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let at = 0; at < bytes.length; ) {
    const end = at + 8 + view.getUint32(at);
    const middle = at + 12 + view.getUint32(at + 8);
    frames.push({ commit: bytes.slice(at + 12, middle), ops: bytes.slice(middle, end) });
    at = end;
  }
  return frames;
}

function frameOf({ commit, ops }: { commit: Uint8Array; ops: Uint8Array }): Uint8Array {
  const body = Buffer.concat([Buffer.alloc(4), commit, ops]);
  body.writeUInt32BE(commit.length);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length);
  head.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([head, body]);
}

/** What happens to bytes; texts of commits and ops get what could mean something there. */
const spoil = fc.record({
  kind: fc.constantFrom('flip', 'cut', 'copy', 'remove', 'put', 'number', 'exchange'),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  to: fc.double({ min: 0, max: 1, noNaN: true }),
  text: fc.constantFrom(
    ...[
      '\n',
      '"',
      '{',
      '[[[[[[[[[[[[[[[[[[[',
      '\\u0000',
      '\u0000',
      '\ufeff',
      'é',
      '99999999999999999999',
    ],
    ...[
      'parent ',
      `parent ${'f'.repeat(64)}\n`,
      'tree ',
      ' <x> 1 +0000',
      'gpgsig-sha256 ',
      '-1',
      '1e9',
    ],
    ...[
      '"op":"revoke",',
      '"path":"realm/recovery"',
      '"__proto__":1,',
      ',{}',
      'null',
      'Nymote-Seq: 1\n',
    ],
  ),
  octet: fc.integer({ min: 1, max: 255 }),
});
type Spoil = typeof spoil extends fc.Arbitrary<infer T> ? T : never;

function apply(bytes: Uint8Array, { kind, at, to, text, octet }: Spoil): Uint8Array {
  const start = Math.floor(at * bytes.length);
  const end = Math.min(bytes.length, start + Math.ceil(to * 80));
  const before = bytes.subarray(0, start);
  const word = new TextEncoder().encode(text);
  switch (kind) {
    case 'flip':
      return bytes.map((byte, index) => (index === start ? byte ^ octet : byte));
    case 'cut':
      return before.slice();
    case 'copy':
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)]);
    case 'remove':
      return Buffer.concat([before, bytes.subarray(end)]);
    case 'put':
      return Buffer.concat([before, word, bytes.subarray(start)]);
    case 'number':
      return Buffer.concat([
        before,
        Uint8Array.of(255, 255, 255, octet),
        bytes.subarray(start + 4),
      ]);
    case 'exchange':
      return Buffer.concat([before, word, bytes.subarray(start + word.length)]);
    default:
      return kind satisfies never;
  }
}

const spoils = fc.array(spoil, { minLength: 1, maxLength: 3 });
const spoilAll = (bytes: Uint8Array, list: readonly Spoil[]) => list.reduce(apply, bytes);

describe('a store that is sent', () => {
  test.each(['nothing yet', 'most of it', 'all of it'])(
    'spoiled pages, and holds %s, throws nothing and takes what is right',
    async (what) => {
      const store = await openReplica();
      const frames = framesOf(page);
      if (what === 'most of it') {
        await store.importCommits(Buffer.concat(frames.slice(0, -4).map(frameOf)));
      }
      if (what === 'all of it') await store.importCommits(page);
      const known = new Set(source.expand(''));
      await fc.assert(
        fc.asyncProperty(
          fc.nat(frames.length - 1),
          fc.boolean(),
          spoils,
          async (at, inside, list) => {
            const frame = frames[at] ?? { commit: page, ops: page };
            const isOps = inside && (list[0]?.octet ?? 0) % 2 === 0;
            const bad = inside
              ? frameOf({
                  commit: isOps ? frame.commit : spoilAll(frame.commit, list),
                  ops: isOps ? spoilAll(frame.ops, list) : frame.ops,
                })
              : spoilAll(page, list);
            const told = await store.importCommits(bad);
            expect(told.refused.every(({ reason }) => reason instanceof StorageError)).toBe(true);
            expect(store.expand('').every((id) => known.has(id))).toBe(true);
          },
        ),
        { numRuns: RUNS },
      );
      const { waiting } = await store.importCommits(page);
      // A megabyte of them, as none is smaller than this.
      expect(waiting.length).toBeLessThan((1024 * 1024) / 400);
      expect([store.head, store.merged()]).toEqual([source.head, source.merged()]);
    },
  );

  test('any vector answers with a page', async () => {
    const devices = Object.keys(source.vector());
    const device = fc.constantFrom(...devices, '__proto__', 'constructor', 'nobody', '');
    const tip = fc.tuple(
      fc.constantFrom(0, 1, 5, -1, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY),
      fc.constantFrom('', 'x', 'f'.repeat(64), ...source.expand('')),
    );
    const entries = fc.array(fc.tuple(device, fc.array(tip, { maxLength: 70 })), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(entries, fc.constantFrom(0, 1, 900, undefined), async (list, limit) => {
        const vector: Vector = JSON.parse(JSON.stringify(Object.fromEntries(list)));
        const answer = await source.exportMissing(vector, limit);
        const replica = await openReplica();
        const { refused } = await replica.importCommits(answer);
        expect(refused).toEqual([]);
      }),
      { numRuns: RUNS / 4 },
    );
  });

  test('spoiled envelopes opens none of them', async () => {
    const sealed = sealPage(crypto, KEY, source.realm, page);
    const whole = openPage(crypto, [KEY], source.realm, sealed);
    expect(whole.ok && Buffer.compare(whole.frames, page)).toBe(0);
    const good = new Set(
      framesOf(page).map((frame) => Buffer.from(frameOf(frame)).toString('hex')),
    );
    fc.assert(
      fc.property(spoils, (list) => {
        const bytes = spoilAll(sealed, list);
        const read = readEnvelopes(bytes);
        if (!read.ok) return;
        const opened = openPage(crypto, [KEY], source.realm, bytes);
        if (!opened.ok) throw new Error('it was read before');
        expect(
          framesOf(opened.frames).every((frame) =>
            good.has(Buffer.from(frameOf(frame)).toString('hex')),
          ),
        ).toBe(true);
        expect(opened.count + opened.unreadable.length).toBe(read.envelopes.length);
      }),
      { numRuns: RUNS * 5 },
    );
  });
});

describe('a disk on which', () => {
  test('frames have right sums and wrong content opens with what is right, and is healed', async () => {
    const log = (await files.read(`${DIRECTORY}/log/00000001.log`)) ?? new Uint8Array(0);
    const frames = framesOf(log);
    await fc.assert(
      fc.asyncProperty(fc.nat(frames.length - 1), fc.boolean(), spoils, async (at, isOps, list) => {
        const bad = frames.map((frame, index) => {
          if (index !== at) return frameOf(frame);
          const part = isOps ? 'ops' : 'commit';
          return frameOf({ ...frame, [part]: spoilAll(frame[part], list) });
        });
        const disk = fakeFiles([DIRECTORY, `${DIRECTORY}/log`]);
        await disk.replace(`${DIRECTORY}/log/00000001.log`, Buffer.concat(bad));
        const store = await openReplica(disk);
        const known = new Set(source.expand(''));
        // Commits that are named but not proven are not shown.
        expect((await store.log({ limit: 1000 })).every(({ id }) => known.has(id))).toBe(true);
        const { refused } = await store.importCommits(page);
        expect(refused.every(({ reason }) => reason instanceof StorageError)).toBe(true);
      }),
      { numRuns: RUNS / 4 },
    );
  });

  test('the checkpoint has a right sum and wrong content shows nothing wrong', async () => {
    await source[Symbol.asyncDispose]();
    const path = `${DIRECTORY}/checkpoint.json`;
    const text = (await files.read(path)) ?? new Uint8Array(0);
    const end = text.indexOf(10) + 1;
    const [magic = ''] = Buffer.from(text.subarray(0, end))
      .toString()
      .split(/ [0-9a-f]{64}\n/);
    const body = text.subarray(end);
    const log = (await files.read(`${DIRECTORY}/log/00000001.log`)) ?? new Uint8Array(0);
    const whole = await openReplica(await diskOf({ 'log/00000001.log': log }));
    await fc.assert(
      fc.asyncProperty(spoils, async (list) => {
        const bad = spoilAll(body, list);
        const sum = createHash('sha256').update(bad).digest('hex');
        const disk = await diskOf({
          'log/00000001.log': log,
          'checkpoint.json': Buffer.concat([Buffer.from(`${magic} ${sum}\n`), bad]),
        });
        const store = await openReplica(disk).catch((cause: unknown) => {
          // It may name another realm than the one that is expected here.
          expect((cause as StorageError).code).toBe('other-realm');
        });
        if (store !== undefined) expect(store.merged()).toEqual(whole.merged());
      }),
      { numRuns: RUNS / 4 },
    );
  });
});

async function diskOf(contents: Readonly<Record<string, Uint8Array>>): Promise<FakeFiles> {
  const disk = fakeFiles([DIRECTORY, `${DIRECTORY}/log`]);
  for (const [name, bytes] of Object.entries(contents)) {
    await disk.replace(`${DIRECTORY}/${name}`, bytes);
  }
  return disk;
}
