import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { StorageError, type StorageErrorCode } from '../error.ts';
import { concat, encodeText } from '../format/bytes.ts';
import { type CommitFields, parseCommit, signCommit } from '../format/commit.ts';
import { decodeFrame, encodeFrame, type Frame, scan } from '../format/frame.ts';
import { buildTree } from '../format/object.ts';
import { type Op, printOps, type State } from '../format/op.ts';
import { someone } from '../members.fixture.ts';
import { applyPlain } from '../plain.fixture.ts';
import {
  DIRECTORY,
  founderOf,
  openFounder,
  openReplica,
  setName,
  signerOf,
  take,
  upTo,
} from '../realm.fixture.ts';
import { openStore, type Store } from '../store.ts';
import { MAX_PAGE } from './receive.ts';

/** Any UTF-16, well-formed or not; fast-check's own takes a second to begin. */
const anyText = fc
  .array(fc.nat(0xffff), { maxLength: 30 })
  .map((units) => String.fromCharCode(...units));

const { crypto } = fakeRuntime();
const PHONE = someone(2);
const PHONE_RECORD = { role: 'device', signingKey: PHONE.signingKey };

/** A founder and a replica that holds the same three commits. */
async function pair(): Promise<{ founder: Store; replica: Store }> {
  const founder = await openFounder(fakeRuntime());
  await founder.commit(setName('a', 1));
  await founder.commit({
    ...setName('b', 1),
    ops: [{ op: 'set', path: PHONE.path, value: PHONE_RECORD }],
  });
  const replica = await openReplica(fakeRuntime(), { realm: founder.realm });
  await take(replica, await founder.exportMissing(upTo(0)));
  return { founder, replica };
}

type Forgery = {
  readonly fields?: Partial<CommitFields>;
  readonly seed?: number;
  /** The key the signature names, when it is not the one that made it. */
  readonly claims?: number;
  readonly ops?: readonly Op[];
  readonly text?: string;
};

/** A frame that follows the store's head, with something wrong in it. */
function forge(
  store: Store,
  { fields, seed = 1, claims = seed, ops = setName('x', 1).ops, text }: Forgery,
) {
  const opsText = text ?? printOps(ops);
  const state: State = text === undefined ? applyPlain(store.state(), ops) : store.state();
  const content = { state, conflicts: new Map() };
  const { publicKey } = signerOf(crypto, claims);
  const commit = signCommit(
    crypto,
    { ...signerOf(crypto, seed), publicKey },
    {
      tree: buildTree(crypto, content, opsText).root.id,
      parents: [store.head],
      device: 'router',
      name: 'Router',
      at: 1,
      seq: store.seq + 1,
      realm: store.realm,
      message: 'Forged',
      via: 'test',
      ...fields,
    },
  );
  return frameOf({ commit: commit.bytes, ops: opsText });
}

function frameOf(frame: Frame): Uint8Array {
  const bytes = encodeFrame(frame);
  if (bytes === undefined) throw new Error('too large');
  return bytes;
}

async function codeOf(promise: Promise<unknown>): Promise<StorageErrorCode | undefined> {
  return promise.then(
    () => undefined,
    (thrown) => {
      if (thrown instanceof StorageError) return thrown.code;
      throw thrown;
    },
  );
}

describe('a replica', () => {
  test('that takes everything over has the same head and state (I5)', async () => {
    const { founder, replica } = await pair();
    expect([replica.head, replica.seq]).toEqual([founder.head, 3]);
    expect(replica.state()).toEqual(founder.state());
    expect(await replica.log()).toEqual(await founder.log());
  });

  test('that is told twice changes nothing (I4)', async () => {
    const { founder, replica } = await pair();
    const moves: unknown[] = [];
    replica.watch((moved) => moves.push(moved));
    expect(await take(replica, await founder.exportMissing(upTo(0)))).toEqual({ added: 0 });
    expect(moves).toEqual([]);
  });

  test('that is told twice in one page takes it once', async () => {
    const { founder } = await pair();
    const replica = await openReplica(fakeRuntime());
    const bytes = await founder.exportMissing(upTo(0));
    expect(await take(replica, concat([bytes, bytes]))).toMatchObject({ added: 3 });
  });

  test('may be told in pieces of any size', async () => {
    const { founder } = await pair();
    for (let value = 0; value < 20; value++) await founder.commit(setName('c', value));
    const bytes = await founder.exportMissing(upTo(0));
    const { frames } = scan(bytes);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(22), { maxLength: 5 }), async (cuts) => {
        const replica = await openReplica(fakeRuntime());
        const ends = [...cuts].sort((a, b) => a - b).map((cut) => frames[cut]?.offset ?? 0);
        let from = 0;
        for (const end of [...ends, bytes.length]) {
          await take(replica, bytes.subarray(from, end));
          from = end;
        }
        expect(replica.head).toBe(founder.head);
      }),
      { numRuns: 10 },
    );
  });

  test('catches up page by page', async () => {
    const founder = await openFounder(fakeRuntime());
    for (let value = 0; value < 12; value++) {
      const ops: Op[] = [
        { op: 'set', path: `notes/n${value}`, value: { text: 'x'.repeat(200_000) } },
      ];
      await founder.commit({ ...setName('a', value), ops });
    }
    const replica = await openReplica(fakeRuntime());
    let pages = 0;
    for (;;) {
      const page = await founder.exportMissing(upTo(replica.seq));
      if (page.length === 0) break;
      expect(page.length).toBeLessThanOrEqual(256 * 1024);
      await take(replica, page);
      pages += 1;
    }
    expect([replica.head, pages]).toEqual([founder.head, 13]);
  });

  test('keeps what was good before the first bad commit', async () => {
    const { founder, replica } = await pair();
    await founder.commit(setName('c', 1));
    const good = await founder.exportMissing(upTo(3));
    const bad = forge(founder, { seed: 9 });
    expect(await codeOf(take(replica, concat([good, bad])))).toBe('bad-signature');
    expect(replica.head).toBe(founder.head);
  });

  test('refuses a realm it was not made for', async () => {
    const { founder } = await pair();
    const replica = await openReplica(fakeRuntime(), { realm: 'f'.repeat(64) });
    expect(await codeOf(take(replica, await founder.exportMissing(upTo(0))))).toBe('other-realm');
    expect(replica.head).toBe('');
  });

  test('of the founder itself takes over what it lost', async () => {
    const { founder, replica } = await pair();
    const restored = await openFounder(fakeRuntime(), { realm: founder.realm });
    await take(restored, await replica.exportMissing(upTo(0)));
    expect([restored.head, restored.isWritable]).toEqual([founder.head, true]);
    expect((await restored.commit(setName('c', 1))).seq).toBe(4);
  });
});

describe('a commit from elsewhere', () => {
  test.each([
    { forgery: { seed: 9 }, code: 'bad-signature', why: "signed with nobody's key" },
    { forgery: { seed: 2 }, code: 'bad-signature', why: "signed with another device's key" },
    {
      forgery: { seed: 9, claims: 1 },
      code: 'bad-signature',
      why: "claims the founder's key, signed with another",
    },
    {
      forgery: { seed: 2, fields: { device: PHONE.id, seq: 1 } },
      code: 'not-writer',
      why: 'by a device that is not the founder',
    },
    { forgery: { fields: { device: 'ghost' } }, code: 'not-writer', why: 'by an unknown device' },
    { forgery: { fields: { seq: 5 } }, code: 'corrupt', why: 'skips a number' },
    {
      forgery: { fields: { realm: 'f'.repeat(64) } },
      code: 'other-realm',
      why: 'of another realm',
    },
    {
      forgery: { fields: { realm: undefined, parents: [], seq: 1 } },
      code: 'other-realm',
      why: 'begins another realm',
    },
    {
      forgery: { fields: { parents: ['f'.repeat(64)] } },
      code: 'unknown-parent',
      why: 'of a past that is not held',
    },
    { forgery: { fields: { parents: [] } }, code: 'unknown-parent', why: 'without a past' },
    { forgery: { fields: { tree: 'f'.repeat(64) } }, code: 'wrong-tree', why: 'of another state' },
    {
      forgery: { text: '[{"op":"del","path":"a/../b"}]\n' },
      code: 'invalid',
      why: 'with a path out',
    },
    {
      forgery: { text: '[{"op":"del","op":"del","path":"a/b"}]\n' },
      code: 'invalid',
      why: 'a key twice',
    },
    { forgery: { text: '[]' }, code: 'invalid', why: 'ops without newline' },
    {
      forgery: { text: '[{"op":"set","path":"a/b/secret","value":"x"}]\n' },
      code: 'invalid',
      why: 'with a secret in the clear (I2)',
    },
    {
      forgery: { ops: [{ op: 'del', path: 'devices/router' }] },
      code: 'invalid',
      why: 'leaves nobody to write',
    },
  ] as { forgery: Forgery; code: StorageErrorCode; why: string }[])(
    'is refused as $code: $why (I3)',
    async ({ forgery, code }) => {
      const { founder, replica } = await pair();
      const { head } = replica;
      expect(await codeOf(take(replica, forge(founder, forgery)))).toBe(code);
      expect(replica.head).toBe(head);
      expect((await replica.log()).length).toBe(3);
    },
  );

  test('whose ops were exchanged on the way is refused', async () => {
    const { founder, replica } = await pair();
    await founder.commit(setName('c', 1));
    const bytes = await founder.exportMissing(upTo(3));
    const frame = decodeFrame(bytes, { offset: 0, end: bytes.length });
    const exchanged = frameOf({
      commit: frame?.commit ?? bytes,
      ops: printOps(setName('c', 2).ops),
    });
    expect(await codeOf(take(replica, exchanged))).toBe('wrong-tree');
  });
});

describe('what this device cannot agree with', () => {
  test('is an alarm until the commit is understood', async () => {
    const { founder, replica } = await pair();
    expect(replica.isDiverged).toBe(false);
    await founder.commit(setName('c', 1));
    const good = await founder.exportMissing(upTo(3));
    const frame = decodeFrame(good, { offset: 0, end: good.length });
    const ops = printOps(setName('c', 2).ops);
    const exchanged = frameOf({ commit: frame?.commit ?? good, ops });
    const { refused } = await replica.importCommits(exchanged);
    expect(refused).toMatchObject([{ id: founder.head, reason: { code: 'wrong-tree' } }]);
    expect(replica.isDiverged).toBe(true);
    await take(replica, good);
    expect(replica.isDiverged).toBe(false);
  });

  test('does not keep others from being taken over', async () => {
    const { founder, replica } = await pair();
    const bad = forge(founder, { seed: 9 });
    await founder.commit(setName('c', 1));
    const page = concat([bad, await founder.exportMissing(upTo(3))]);
    const { added, refused } = await replica.importCommits(page);
    expect([added, refused.map(({ reason }) => reason.code)]).toEqual([1, ['bad-signature']]);
    expect(replica.head).toBe(founder.head);
  });

  test('takes its followers along', async () => {
    const { founder, replica } = await pair();
    const bad = forge(founder, { seed: 9 });
    const commit = decodeFrame(bad, { offset: 0, end: bad.length })?.commit ?? bad;
    const { id } = parseCommit(crypto, commit);
    const next = forge(founder, { fields: { parents: [id], seq: 5 } });
    const told = await replica.importCommits(concat([next, bad]));
    expect([told.added, told.refused.length, told.waiting]).toEqual([0, 1, []]);
  });

  test('waits in bounded memory when its past is missing', async () => {
    const { founder, replica } = await pair();
    const text = 'x'.repeat(200_000);
    for (let value = 0; value < 12; value++) {
      const ops: Op[] = [{ op: 'set', path: 'notes/n', value: { text: `${value}${text}` } }];
      const parents = [String(value).padStart(64, 'f')];
      await replica.importCommits(forge(founder, { ops, fields: { parents } }));
    }
    const { waiting } = await replica.importCommits(new Uint8Array(0));
    expect(waiting).toHaveLength(5);
  });
});

describe('bytes from elsewhere', () => {
  test('that are no frames are refused', async () => {
    const { replica } = await pair();
    for (const bytes of [encodeText('x'), new Uint8Array(8), new Uint8Array(100).fill(0xff)]) {
      expect(await codeOf(take(replica, bytes))).toBe('corrupt');
    }
    expect(await codeOf(take(replica, new Uint8Array(MAX_PAGE + 1)))).toBe('too-large');
    expect(await take(replica, new Uint8Array(0))).toMatchObject({ added: 0 });
  });

  test('with any byte wrong move nothing', async () => {
    const { founder, replica } = await pair();
    const { head } = replica;
    await founder.commit(setName('c', 1));
    const bytes = await founder.exportMissing(upTo(3));
    for (let at = 0; at < bytes.length; at++) {
      const wrong = bytes.slice();
      wrong[at] = (wrong[at] ?? 0) ^ 4;
      expect(await codeOf(take(replica, wrong)), `byte ${at}`).toBeDefined();
    }
    expect(replica.head).toBe(head);
  });

  test('with any byte of commit or ops exchanged, in a sound frame, move nothing (I3)', async () => {
    const { founder, replica } = await pair();
    const { head } = replica;
    await founder.commit(setName('c', 1));
    const bytes = await founder.exportMissing(upTo(3));
    const frame = decodeFrame(bytes, { offset: 0, end: bytes.length });
    if (frame === undefined) throw new Error('no frame');
    const ops = encodeText(frame.ops);
    for (let at = 0; at < frame.commit.length + ops.length; at++) {
      const whole = concat([frame.commit, ops]);
      whole[at] = (whole[at] ?? 0) ^ 1;
      const commit = whole.subarray(0, frame.commit.length);
      const text = new TextDecoder().decode(whole.subarray(frame.commit.length));
      const code = await codeOf(take(replica, frameOf({ commit, ops: text })));
      expect(code, `byte ${at}`).toBeDefined();
    }
    expect(replica.head).toBe(head);
  });

  test('that begin a realm with a signature of nobody are refused', async () => {
    const founder = await openFounder(fakeRuntime());
    const bytes = await founder.exportMissing(upTo(0));
    const frame = decodeFrame(bytes, { offset: 0, end: bytes.length });
    if (frame === undefined) throw new Error('no frame');
    const { publicKey } = signerOf(crypto, 1);
    const genesis = parseCommit(crypto, frame.commit);
    const forged = signCommit(crypto, { ...signerOf(crypto, 9), publicKey }, genesis);
    const replica = await openReplica(fakeRuntime());
    const importing = take(replica, frameOf({ commit: forged.bytes, ops: frame.ops }));
    expect(await codeOf(importing)).toBe('bad-signature');
    expect(replica.head).toBe('');
  });

  test('never throw anything but StorageError', async () => {
    const { founder, replica } = await pair();
    await founder.commit(setName('c', 1));
    const bytes = await founder.exportMissing(upTo(3));
    const span = { offset: 0, end: bytes.length };
    const commit = decodeFrame(bytes, span)?.commit ?? bytes;
    await fc.assert(
      fc.asyncProperty(fc.oneof(anyText, fc.json({ maxDepth: 2 })), async (ops) => {
        const code = await codeOf(take(replica, frameOf({ commit, ops })));
        return code !== undefined;
      }),
      { numRuns: 50 },
    );
  });
});

test('a replica that is given a writer later is the founder again', async () => {
  const runtime = fakeRuntime();
  const { founder } = await pair();
  const replica = await openReplica(runtime);
  await take(replica, await founder.exportMissing(upTo(0)));
  const again = await openStore(runtime, { directory: DIRECTORY, writer: founderOf(crypto) });
  expect(again.isWritable).toBe(true);
});
