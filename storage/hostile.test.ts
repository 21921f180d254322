/**
 * What members with bad intentions and real keys send, and what nobody should ever send.
 * Bytes that were spoiled on the way are in test/fuzz/store.test.ts.
 */

import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { StorageError, type StorageErrorCode } from './error.ts';
import { concat, encodeText, u32 } from './format/bytes.ts';
import { parseCommit } from './format/commit.ts';
import { MAX_BODY } from './format/frame.ts';
import { MAX_OPS, type Op, printOps } from './format/op.ts';
import { someone } from './members.fixture.ts';
import { applyOps } from './merge/apply.ts';
import { openFounder, openReplica, setName } from './realm.fixture.ts';
import type { Store } from './store.ts';
import { frameOf, type Plan, robbed, THIEF, write } from './thief.fixture.ts';

const { crypto } = fakeRuntime();
const NOBODY = someone(7);

async function codesOf(store: Store, page: Uint8Array): Promise<StorageErrorCode[]> {
  const { refused } = await store.importCommits(page);
  return refused.map(({ reason }) => reason.code);
}

describe('a flood of heads', () => {
  test('from a device that uses one number again and again silences nobody', async () => {
    const { founder, past } = await robbed();
    const parents = [founder.head];
    const flood = Array.from(
      { length: 150 },
      (_, at) => write(founder, past, { ops: setName(`x${at}`, 1).ops, parents }).frame,
    );
    const ids = [await founder.commit(setName('own', 0))];
    expect((await founder.importCommits(concat(flood))).refused).toEqual([]);
    expect(founder.heads).toHaveLength(151);
    for (let value = 1; value < 5; value++) ids.push(await founder.commit(setName('own', value)));
    expect(ids.map(({ seq }) => seq)).toEqual([3, 4, 5, 6, 7]);
    expect(founder.heads).toHaveLength(1);
    expect(founder.state().get('names')?.get('own')).toEqual({ value: 4 });
    const replica = await openReplica(fakeRuntime(), { realm: founder.realm });
    for (let page = await founder.exportMissing({}); page.length > 0; ) {
      expect((await replica.importCommits(page)).refused).toEqual([]);
      page = await founder.exportMissing(replica.vector());
    }
    expect([replica.head, replica.state()]).toEqual([founder.head, founder.state()]);
  });
});

test.each([
  { at: 'z'.repeat(200), index: 1, why: 'behind the last place there is' },
  { at: `${'0'.repeat(199)}1`, index: 0, why: 'before the first one' },
])('a list can be added to $why', async ({ at, index }) => {
  const { founder, past } = await robbed();
  const path = 'lists/l/items';
  const { frame } = write(founder, past, { ops: [{ op: 'ins', path, at, value: 'bad' }] });
  await founder.importCommits(frame);
  for (const value of ['one', 'two']) {
    const op = { op: 'ins' as const, path, at: index, value };
    await founder.commit({ ops: [op], message: 'Add', via: 'test' });
  }
  const items = ['two', 'one'];
  const expected = index === 0 ? [...items, 'bad'] : ['bad', ...items];
  expect(founder.state().get('lists')?.get('l')).toEqual({ items: expected });
  const back = { op: 'mv' as const, path, item: index === 0 ? 2 : 0, at: 1 };
  await founder.commit({ ops: [back], message: 'Move', via: 'test' });
  expect(founder.state().get('lists')?.get('l')).toEqual({
    items: ['two', 'bad', 'one'],
  });
});

const deep = (open: string, close: string) => `${open.repeat(10_000)}1${close.repeat(10_000)}`;

describe('a signed commit that', () => {
  test.each<{ plan: Plan; code: StorageErrorCode; why: string }>([
    { plan: { text: `${deep('[', ']')}\n` }, code: 'invalid', why: 'is 10,000 lists deep' },
    { plan: { text: `${deep('{"a":', '}')}\n` }, code: 'invalid', why: 'is 10,000 objects deep' },
    {
      plan: { text: '[{"op":"del","op":"del","path":"a/b"}]\n' },
      code: 'invalid',
      why: 'has a key twice',
    },
    {
      plan: { text: '[{"__proto__":1,"op":"del","path":"a/b"}]\n' },
      code: 'invalid',
      why: 'names a prototype',
    },
    {
      plan: { text: '[{"op":"set","path":"a/b/constructor","value":1e309}]\n' },
      code: 'invalid',
      why: 'has a number that is none',
    },
    {
      plan: { text: '[{"op":"set","path":"a/b/c","value":"\\ud800"}]\n' },
      code: 'invalid',
      why: 'has half a character',
    },
    {
      plan: {
        text: printOps(Array.from({ length: MAX_OPS + 1 }, () => setName('a', 1).ops[0]) as Op[]),
      },
      code: 'too-large',
      why: 'has too many ops',
    },
    { plan: { text: 'no JSON' }, code: 'invalid', why: 'has no ops' },
    { plan: { realm: 'f'.repeat(64) }, code: 'other-realm', why: 'is of another realm' },
    {
      plan: { text: deep('[', ']'), who: { id: NOBODY.id, seed: 7 } },
      code: 'not-writer',
      why: 'is by nobody, and whose ops nobody should read',
    },
    {
      plan: { text: deep('[', ']'), who: { id: THIEF.id, seed: 7 } },
      code: 'bad-signature',
      why: 'claims to be by a member',
    },
    { plan: { seq: 2, ops: setName('a', 1).ops }, code: 'corrupt', why: 'leaves a number out' },
  ])('$why is refused as $code', async ({ plan, code }) => {
    const { founder, past } = await robbed();
    const { head } = founder;
    expect(await codesOf(founder, write(founder, past, plan).frame)).toEqual([code]);
    expect([founder.head, founder.heads.length]).toEqual([head, 1]);
  });

  test('was replayed from another realm of the same people is refused', async () => {
    const { founder } = await robbed();
    const other = await openFounder(fakeRuntime(), { genesis: { settings: { user: 'bob' } } });
    await other.commit(setName('a', 1));
    const codes = await codesOf(founder, await other.exportMissing({}));
    expect([codes[0], codes.length, founder.heads.length]).toEqual(['other-realm', 2, 1]);
  });

  test('names more parents than there may be, or one twice, is none', async () => {
    const { founder, past } = await robbed();
    const { frame } = write(founder, past, { ops: setName('a', 1).ops });
    const text = new TextDecoder().decode(frame.subarray(12));
    const [commit = '', ops = ''] = text.split(/(?=\[\{"op")/);
    for (const [count, name] of [
      [64, 'f'],
      [1, undefined],
    ] as const) {
      const line = `parent ${name?.repeat(64) ?? founder.head}\n`;
      const more = commit.replace('author', `${line.repeat(count)}author`);
      const spoiled = frameOf(encodeText(more), encodeText(ops));
      expect(() => parseCommit(crypto, encodeText(more))).toThrow(StorageError);
      expect(await codesOf(founder, spoiled)).toEqual(['invalid']);
    }
  });

  test('is by a device that was revoked is stored and counts for nothing, or is refused', async () => {
    const { founder, past } = await robbed();
    const before = founder.head;
    const revoked: Op = { op: 'revoke', path: THIEF.path, lastSeq: 0 };
    await founder.commit({ ops: [revoked], message: 'Out', via: 'test' });
    const knowing = write(founder, past, { ops: setName('b', 1).ops });
    expect(await codesOf(founder, knowing.frame)).toEqual(['not-writer']);
    const late = write(founder, past, { ops: setName('a', 1).ops, parents: [before] });
    expect(await codesOf(founder, late.frame)).toEqual([]);
    expect([founder.holds(late.id), founder.state().get('names')]).toEqual([true, undefined]);
  });
});

describe('bytes that', () => {
  test.each([
    { why: 'claim a gigabyte', page: concat([u32(2 ** 30), u32(0), encodeText('tree ')]) },
    { why: 'claim four gigabytes', page: new Uint8Array(64).fill(0xff) },
    {
      why: 'are longer than a commit may be',
      page: frameOf(encodeText('tree '), new Uint8Array(MAX_BODY)),
    },
    {
      why: 'name a commit longer than its frame',
      page: frameOf(encodeText('tree x'), new Uint8Array(0)).fill(0xff, 8, 12),
    },
    { why: 'are no text', page: frameOf(encodeText('tree '), Uint8Array.of(0xff, 0xfe, 0xc0)) },
    { why: 'are a megabyte of zeros', page: new Uint8Array(1024 * 1024) },
  ])('$why are refused at once', async ({ page }) => {
    const { founder } = await robbed();
    expect(await codesOf(founder, page)).toEqual(['corrupt']);
  });

  test('wait for a past that never comes are forgotten when there are too many', async () => {
    const { founder, past } = await robbed();
    const value = { text: 'x'.repeat(60_000) };
    let waiting = 0;
    for (let page = 0; page < 6; page++) {
      const frames = Array.from({ length: 16 }, (_, at) => {
        const parents = [`${page.toString(16)}${at.toString(16)}`.padEnd(64, 'a')];
        const ops: Op[] = [{ op: 'set', path: `notes/n${at}`, value }];
        return write(founder, past, { ops, parents, seq: 1 + at }).frame;
      });
      const told = await founder.importCommits(concat(frames));
      expect([told.added, told.refused]).toEqual([0, []]);
      waiting = told.waiting.length;
      expect(waiting * 60_000).toBeLessThan(1024 * 1024);
    }
    expect(waiting).toBeGreaterThan(0);
    const good = write(founder, past, { ops: setName('a', 1).ops });
    expect(await founder.importCommits(good.frame)).toMatchObject({ added: 1, refused: [] });
  });

  test('wait in a long line that came the wrong way round are taken over together', async () => {
    const { founder, past } = await robbed();
    const { frame, id } = write(founder, past, { ops: setName('a', 0).ops });
    const frames = [frame];
    let [last, state] = [id, applyOps(past, { device: THIEF.id, seq: 1 }, setName('a', 0).ops)];
    for (let seq = 2; seq < 200; seq++) {
      const { ops } = setName('a', seq);
      const next = write(founder, state, { ops, seq, parents: [last] });
      state = applyOps(state, { device: THIEF.id, seq }, ops);
      frames.push(next.frame);
      last = next.id;
    }
    const told = await founder.importCommits(concat(frames.reverse()));
    expect([told.added, told.refused, founder.head]).toEqual([199, [], last]);
  });
});
