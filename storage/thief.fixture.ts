/** A member with bad intentions and a real key, for the tests of what it sends. */

import { fakeRuntime } from '#runtime/fake';
import { concat, encodeText, u32 } from './format/bytes.ts';
import { type CommitId, signCommit } from './format/commit.ts';
import { crc32 } from './format/frame.ts';
import { buildTree } from './format/object.ts';
import { type Op, printOps } from './format/op.ts';
import { someone } from './members.fixture.ts';
import { applyOps } from './merge/apply.ts';
import type { Merged } from './merge/merged.ts';
import { openFounder, signerOf } from './realm.fixture.ts';
import type { Store } from './store.ts';

const { crypto } = fakeRuntime();
export const THIEF = someone(2);

/** A founder, and an owner whose key somebody else has. */
export async function robbed(): Promise<{ founder: Store; past: Merged }> {
  const founder = await openFounder(fakeRuntime());
  const { signingKey, path } = THIEF;
  await founder.commit({
    ops: [{ op: 'set', path, value: { role: 'owner', rank: 2, signingKey } }],
    message: 'Let in',
    via: 'test',
  });
  return { founder, past: (await founder.contentAt(founder.head)) as Merged };
}

type Forged = { readonly frame: Uint8Array; readonly id: CommitId };

export type Plan = {
  readonly ops?: readonly Op[];
  /** Instead of ops; the tree is then of nothing. */
  readonly text?: string;
  readonly seq?: number;
  readonly parents?: readonly CommitId[];
  readonly realm?: string;
  readonly who?: { readonly id: string; readonly seed: number };
};

/** A commit that is right in every respect but the intention. */
export function write(store: Store, past: Merged, plan: Plan): Forged {
  const { ops = [], seq = 1, parents = [store.head], realm = store.realm } = plan;
  const { id: device, seed } = plan.who ?? { id: THIEF.id, seed: 2 };
  const text = plan.text ?? printOps(ops);
  const state = plan.text === undefined ? applyOps(past, { device, seq }, ops) : past;
  const { id, bytes } = signCommit(crypto, signerOf(crypto, seed), {
    ...{ parents, device, seq, realm, at: 1, name: 'Thief', message: 'Mischief', via: 'test' },
    tree: buildTree(crypto, state, text).root.id,
  });
  return { frame: frameOf(bytes, encodeText(text)), id };
}

/** Any bytes in a sound frame, however large. */
export function frameOf(commit: Uint8Array, ops: Uint8Array): Uint8Array {
  const body = concat([u32(commit.length), commit, ops]);
  return concat([u32(body.length), u32(crc32(body)), body]);
}
