/**
 * Pages of commits on their way: frames sealed one by one, and opened again.
 */

import type { Crypto } from '#runtime';
import { concat } from '../format/bytes.ts';
import { peekCommit } from '../format/commit.ts';
import { commitIn, scan } from '../format/frame.ts';
import {
  type Envelope,
  type EnvelopeProblem,
  openEnvelope,
  type RealmKey,
  readEnvelopes,
  sealFrame,
} from './envelope.ts';

/** Envelopes of the frames in a page of the store's export; which key is a question of the commit. */
export function sealPage(
  crypto: Pick<Crypto, 'hash' | 'hmac' | 'seal'>,
  key: RealmKey | ((commit: string) => RealmKey),
  realm: string,
  page: Uint8Array,
): Uint8Array {
  const keyFor = typeof key === 'function' ? key : () => key;
  return concat(
    scan(page).frames.map((span) => {
      const commit = commitIn(page, span);
      const origin = commit && peekCommit(crypto, commit);
      if (origin === undefined)
        throw new Error('unreachable: our own page has a frame of no commit');
      return sealFrame(crypto, keyFor(origin.id), realm, origin, page.slice(span.offset, span.end));
    }),
  );
}

/** What was in a page of envelopes. */
export type OpenedPage =
  | {
      readonly ok: true;
      /** Frames, for `Store.importCommits`. */
      readonly frames: Uint8Array;
      readonly count: number;
      /** Sealed with a key that we do not have, or damaged. */
      readonly unreadable: readonly Envelope[];
    }
  | { readonly ok: false; readonly reason: EnvelopeProblem };

/** Opens what can be opened with these keys and is what its envelope says. */
export function openPage(
  crypto: Pick<Crypto, 'hash' | 'hmac' | 'open'>,
  keys: readonly RealmKey[],
  realm: string,
  bytes: Uint8Array,
): OpenedPage {
  const read = readEnvelopes(bytes);
  if (!read.ok) return read;
  const frames: Uint8Array[] = [];
  const unreadable: Envelope[] = [];
  for (const envelope of read.envelopes) {
    const frame = openEnvelope(crypto, keys, realm, envelope);
    if (frame === undefined || !isOf(crypto, envelope, frame)) unreadable.push(envelope);
    else frames.push(frame);
  }
  return { ok: true, frames: concat(frames), count: frames.length, unreadable };
}

/** Whoever has a key could put one device's commit under another one's name, and use up its share. */
function isOf(
  crypto: Pick<Crypto, 'hash'>,
  { device, seq, id }: Envelope,
  frame: Uint8Array,
): boolean {
  const [span, ...others] = scan(frame).frames;
  const commit = span && others.length === 0 && commitIn(frame, span);
  const origin = commit ? peekCommit(crypto, commit) : undefined;
  return origin?.device === device && origin.seq === seq && origin.id === id;
}
