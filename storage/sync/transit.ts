/**
 * Pages of commits on their way: frames sealed one by one, and opened again.
 */

import type { Crypto } from '#runtime';
import { concat } from '../bytes.ts';
import { peekCommit } from '../commit.ts';
import { commitIn, scan } from '../frame.ts';
import {
  type Envelope,
  type EnvelopeProblem,
  openEnvelope,
  type RealmKey,
  readEnvelopes,
  sealFrame,
} from './envelope.ts';

/** Envelopes of the frames in a page of the store's export. */
export function sealPage(
  crypto: Pick<Crypto, 'hash' | 'hmac' | 'seal'>,
  key: RealmKey,
  realm: string,
  page: Uint8Array,
): Uint8Array {
  return concat(
    scan(page).frames.map((span) => {
      const commit = commitIn(page, span);
      const origin = commit && peekCommit(crypto, commit);
      if (origin === undefined)
        throw new Error('unreachable: our own page has a frame of no commit');
      return sealFrame(crypto, key, realm, origin, page.slice(span.offset, span.end));
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

/** Opens what can be opened with these keys. */
export function openPage(
  crypto: Pick<Crypto, 'hmac' | 'open'>,
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
    if (frame === undefined) unreadable.push(envelope);
    else frames.push(frame);
  }
  return { ok: true, frames: concat(frames), count: frames.length, unreadable };
}
