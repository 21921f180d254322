/**
 * What members with bad intentions and real keys send, and what nobody should ever send.
 */

import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { concat } from './bytes.ts';
import { type CommitId, signCommit } from './commit.ts';
import { encodeFrame } from './frame.ts';
import { someone } from './members.fixture.ts';
import { applyOps } from './merge/apply.ts';
import type { Merged } from './merge/merged.ts';
import { buildTree } from './object.ts';
import { type Op, printOps } from './op.ts';
import { openFounder, openReplica, setName, signerOf } from './realm.fixture.ts';
import type { Store } from './store.ts';

const { crypto } = fakeRuntime();
const THIEF = someone(2);

/** A founder, and an owner whose key somebody else has. */
async function robbed(): Promise<{ founder: Store; past: Merged }> {
  const founder = await openFounder(fakeRuntime());
  const { signingKey, path } = THIEF;
  await founder.commit({
    ops: [{ op: 'set', path, value: { role: 'owner', rank: 2, signingKey } }],
    message: 'Let in',
    via: 'test',
  });
  return { founder, past: (await founder.contentAt(founder.head)) as Merged };
}

type Forged = { readonly frame: Uint8Array; readonly id: CommitId; readonly state: Merged };

/** A commit that is right in every respect but the intention. */
function write(
  store: Store,
  past: Merged,
  ops: readonly Op[],
  more: { readonly seq?: number; readonly parents: readonly CommitId[]; readonly tree?: string },
): Forged {
  const { seq = 1, parents } = more;
  const state = applyOps(past, { device: THIEF.id, seq }, ops);
  const text = printOps(ops);
  const { id, bytes } = signCommit(crypto, signerOf(crypto, 2), {
    tree: more.tree ?? buildTree(crypto, state, text).root.id,
    parents,
    device: THIEF.id,
    name: 'Thief',
    at: 1,
    seq,
    realm: store.realm,
    message: 'Mischief',
    via: 'test',
  });
  return { frame: encodeFrame({ commit: bytes, ops: text }) ?? new Uint8Array(0), id, state };
}

describe('a flood of heads', () => {
  test('from a device that uses one number again and again silences nobody', async () => {
    const { founder, past } = await robbed();
    const parents = [founder.head];
    const flood = Array.from(
      { length: 150 },
      (_, at) => write(founder, past, setName(`x${at}`, 1).ops, { parents }).frame,
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
