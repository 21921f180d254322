/** What a member of a simulated household signs that means ill: commits that nobody may take over. */

import { type CommitId, signCommit } from '../format/commit.ts';
import { encodeFrame } from '../format/frame.ts';
import { crypto, type Home } from './home.fixture.ts';

/** In whose name, under which number, on top of what, and with which outcome. */
type Claim = {
  readonly device: string;
  readonly seq: number;
  readonly realm: string;
  readonly parents: readonly CommitId[];
};

const NOBODYS = 'ab'.repeat(32);

const LIES: readonly ((claim: Claim, other: Claim) => Claim)[] = [
  // Somebody else's next number, under a key that is not its own.
  (_, other) => other,
  // Its own number, and a tree that is not what it leaves.
  (claim) => claim,
  (claim) => ({ ...claim, seq: claim.seq + 1 }),
  (claim) => ({ ...claim, realm: NOBODYS }),
  // It would wait for ever.
  (claim) => ({ ...claim, parents: [NOBODYS] }),
];

/** A page with one commit of this member's that is a lie; undefined of who signs nothing. */
export async function forge(
  { writer, store, realm }: Home,
  victim: string,
  [lie, value]: readonly [number, number],
): Promise<{ readonly id: CommitId; readonly page: Uint8Array } | undefined> {
  const head = store.heads[0];
  if (writer === undefined || head === undefined) return undefined;
  const claimOf = (device: string): Claim => {
    const numbers = (store.vector()[device] ?? []).map(([seq]) => seq);
    return { device, seq: Math.max(0, ...numbers) + 1, realm, parents: store.heads };
  };
  const claim = LIES[lie % LIES.length]?.(claimOf(writer.deviceId), claimOf(victim));
  if (claim === undefined) return undefined;
  const { tree } = await store.read(head);
  const said = { name: 'Thief', at: 0, message: 'Take it', via: 'test' };
  const commit = signCommit(crypto, writer.signer, { ...claim, ...said, tree });
  const ops = JSON.stringify([{ op: 'set', path: 'names/a/f', value }]);
  const page = encodeFrame({ commit: commit.bytes, ops });
  return page && { id: commit.id, page };
}
