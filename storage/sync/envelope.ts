/**
 * Sealed commits: how frames travel over devices and hubs that are to hold them and not to read them.
 *
 *     1  version
 *    26  device       who wrote the commit
 *     8  seq          its place in that device's chain, big-endian
 *    32  id           the commit's name
 *     8  key          which key of the realm sealed it
 *     4  length       of what follows
 *    12  nonce        an HMAC of all of the above, the realm and the frame
 *     …  box          AES-256-GCM of the frame, all of the above and the realm associated
 *
 * What is outside the box is what a holder needs: whose chain, how far, and whether two differ. The
 * nonce follows from everything that is sealed, not from the commit's name alone: one frame has one
 * envelope whoever seals it, and two never share a nonce, even if a name could be given to two.
 * Reading allocates nothing by a length it has not checked.
 *
 * @see NIST SP 800-38D §8.2; RFC 5297 §1.3 on nonces that follow from what is sealed
 */

import type { Crypto } from '#runtime';
import {
  concat,
  decodeText,
  encodeHex,
  encodeText,
  equalBytes,
  readU32,
  u32,
} from '../format/bytes.ts';
import { MAX_BODY } from '../format/frame.ts';
import { isKey } from '../format/path.ts';

/** A key of the realm, and the name envelopes have for it. */
export type RealmKey = { readonly id: Uint8Array; readonly secret: Uint8Array };

/** What a holder sees of a sealed commit. */
export type Envelope = {
  readonly device: string;
  readonly seq: number;
  /** The commit's name, in hex. */
  readonly id: string;
  readonly keyId: Uint8Array;
  /** The whole of it. */
  readonly bytes: Uint8Array;
};

/** Where a frame comes from. */
export type Origin = { readonly device: string; readonly seq: number; readonly id: string };

export type EnvelopeProblem = 'cut-short' | 'newer-version' | 'malformed' | 'too-large';

const VERSION = 1;
const DEVICE_BYTES = 26;
const KEY_ID_BYTES = 8;
const HEAD_BYTES = 1 + DEVICE_BYTES + 8 + 32 + KEY_ID_BYTES;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** A frame is its body and eight bytes. */
const MAX_BOX = NONCE_BYTES + MAX_BODY + 8 + TAG_BYTES;
const KEY_BYTES = 32;

/** Gives a secret of 32 bytes its name. */
export function realmKey(crypto: Pick<Crypto, 'hash'>, secret: Uint8Array): RealmKey {
  if (secret.length !== KEY_BYTES) throw new Error('a realm key has 32 bytes');
  return { id: crypto.hash('sha256', secret).slice(0, KEY_ID_BYTES), secret };
}

/** Seals one frame. */
export function sealFrame(
  crypto: Pick<Crypto, 'hmac' | 'seal'>,
  key: RealmKey,
  realm: string,
  { device, seq, id }: Origin,
  frame: Uint8Array,
): Uint8Array {
  const head = concat([
    Uint8Array.of(VERSION),
    encodeText(device),
    u32(Math.floor(seq / 2 ** 32)),
    u32(seq % 2 ** 32),
    fromHex(id),
    key.id,
  ]);
  if (head.length !== HEAD_BYTES) throw new Error('a device or commit that has no such name');
  const associated = concat([fromHex(realm), head]);
  const nonce = nonceOf(crypto, key, associated, frame);
  const box = crypto.seal(key.secret, nonce, frame, associated);
  return concat([head, u32(NONCE_BYTES + box.length), nonce, box]);
}

/** Reads envelopes that lie one behind the other. */
export function readEnvelopes(
  bytes: Uint8Array,
):
  | { readonly ok: true; readonly envelopes: readonly Envelope[] }
  | { readonly ok: false; readonly reason: EnvelopeProblem } {
  const envelopes: Envelope[] = [];
  for (let at = 0; at < bytes.length; ) {
    const next = readEnvelope(bytes, at);
    if (typeof next === 'string') return { ok: false, reason: next };
    envelopes.push(next);
    at += next.bytes.length;
  }
  return { ok: true, envelopes };
}

function readEnvelope(bytes: Uint8Array, at: number): Envelope | EnvelopeProblem {
  if (bytes[at] !== VERSION) return 'newer-version';
  const length = readU32(bytes, at + HEAD_BYTES);
  if (length === undefined) return 'cut-short';
  if (length > MAX_BOX) return 'too-large';
  const end = at + HEAD_BYTES + 4 + length;
  if (end > bytes.length) return 'cut-short';
  const device = decodeText(bytes.subarray(at + 1, at + 1 + DEVICE_BYTES));
  const rest = at + 1 + DEVICE_BYTES;
  const seq = (readU32(bytes, rest) ?? 0) * 2 ** 32 + (readU32(bytes, rest + 4) ?? 0);
  if (device === undefined || !isKey(device) || !Number.isSafeInteger(seq) || seq < 1) {
    return 'malformed';
  }
  const id = encodeHex(bytes.subarray(rest + 8, rest + 40));
  const keyId = bytes.slice(rest + 40, rest + 40 + KEY_ID_BYTES);
  return { device, seq, id, keyId, bytes: bytes.slice(at, end) };
}

/** The frame in an envelope; undefined when none of the keys is its own, or anything was changed. */
export function openEnvelope(
  crypto: Pick<Crypto, 'hmac' | 'open'>,
  keys: readonly RealmKey[],
  realm: string,
  { keyId, bytes }: Envelope,
): Uint8Array | undefined {
  const key = keys.find((each) => equalBytes(each.id, keyId));
  if (key === undefined) return undefined;
  const associated = concat([fromHex(realm), bytes.subarray(0, HEAD_BYTES)]);
  const nonce = bytes.subarray(HEAD_BYTES + 4, HEAD_BYTES + 4 + NONCE_BYTES);
  const box = bytes.subarray(HEAD_BYTES + 4 + NONCE_BYTES);
  if (box.length < TAG_BYTES) return undefined;
  const frame = crypto.open(key.secret, nonce, box, associated);
  // Somebody with the key could seal it otherwise; then it would be another envelope.
  const isOwn = frame && equalBytes(nonce, nonceOf(crypto, key, associated, frame));
  return isOwn ? frame : undefined;
}

/** `associated` has a fixed length, so what is hashed can be read in one way only. */
function nonceOf(
  crypto: Pick<Crypto, 'hmac'>,
  { secret }: RealmKey,
  associated: Uint8Array,
  frame: Uint8Array,
): Uint8Array {
  const all = concat([encodeText('nymote envelope 1'), associated, frame]);
  return crypto.hmac('sha256', secret, all).slice(0, NONCE_BYTES);
}

function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = Number.parseInt(text.slice(i * 2, i * 2 + 2), 16);
  return bytes;
}
