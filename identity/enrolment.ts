/**
 * Adding a device: one question and one answer, sealed under a one-time code.
 *
 * The new device and the realm share nothing but the code that a person carried over, so the code
 * is the key. Both boxes are AES-256-GCM:
 *
 *     request  handle (16) · nonce (12) · ciphertext · tag (16)
 *     reply                  nonce (12) · ciphertext · tag (16)
 *
 * Each direction has a key of its own, and the reply is bound to the very request it answers. The
 * code is used up when its request was opened: a replay finds it used. Whoever listens and learns
 * the code later can read the boxes; no secret key is in them (I2). What the JSON says is for the
 * caller to check.
 *
 * @see RFC 5869; NIST SP 800-38D
 */

import type { Crypto, Random } from '#runtime';
import { type CodeProblem, type Codes, codeSecrets, HANDLE_BYTES } from './codes.ts';

/** Codes for adding devices have this purpose. */
export const ENROLMENT = 'enrolment';

/** Why a box is not taken. */
export type EnrolmentProblem = CodeProblem | 'too-large' | 'malformed' | 'not-authentic';

export type EnrolmentRefusal = { readonly ok: false; readonly reason: EnrolmentProblem };

/** What a device keeps until the reply comes. */
export type PendingEnrolment = {
  readonly request: Uint8Array;
  readonly open: (
    reply: Uint8Array,
  ) => { readonly ok: true; readonly reply: unknown } | EnrolmentRefusal;
};

type Sealer = Pick<Crypto, 'hash' | 'hkdf' | 'seal' | 'open'>;
type Direction = 'request' | 'reply';

const NONCE_BYTES = 12;
const KEY_BYTES = 32;

/** Names, keys and endpoints of one device. */
const MAX_REQUEST_BYTES = 16 * 1024;

/** The realm with its whole history. */
const MAX_REPLY_BYTES = 64 * 1024 * 1024;

/** On the new device: seals `request` (any JSON) under the code that was typed in. */
export function sealEnrolment(
  crypto: Sealer,
  random: Random,
  given: { readonly code: string; readonly request: unknown },
): { readonly ok: true; readonly pending: PendingEnrolment } | EnrolmentRefusal {
  const secrets = codeSecrets(crypto, given.code);
  if (secrets === undefined) return { ok: false, reason: 'mistyped' };
  const { handle, key } = secrets;
  const box = sealBox(crypto, random, { key, direction: 'request', bound: handle }, given.request);
  const request = join(handle, box);
  if (request.length > MAX_REQUEST_BYTES) return { ok: false, reason: 'too-large' };
  const bound = crypto.hash('sha256', request);
  const open: PendingEnrolment['open'] = (reply) => {
    if (reply.length > MAX_REPLY_BYTES) return { ok: false, reason: 'too-large' };
    const opened = openBox(crypto, { key, direction: 'reply', bound }, reply);
    return opened.ok ? { ok: true, reply: opened.json } : opened;
  };
  return { ok: true, pending: { request, open } };
}

/** In the realm: opens a request, uses up its code, and gives the way to answer it. */
export function openEnrolment<Data>(
  crypto: Sealer,
  random: Random,
  codes: Pick<Codes<Data>, 'find' | 'use' | 'blame'>,
  given: { readonly request: Uint8Array; readonly from: string; readonly now: number },
):
  | {
      readonly ok: true;
      readonly request: unknown;
      /** What was given when the code was issued. */
      readonly data: Data;
      readonly reply: (json: unknown) => Uint8Array;
    }
  | EnrolmentRefusal {
  const { request, from, now } = given;
  if (request.length > MAX_REQUEST_BYTES) return { ok: false, reason: 'too-large' };
  if (request.length < HANDLE_BYTES) return { ok: false, reason: 'malformed' };
  const handle = request.slice(0, HANDLE_BYTES);
  const found = codes.find({ handle, purpose: ENROLMENT, from }, now);
  if (!found.ok) return found;
  const { key, data } = found;
  const box = request.subarray(HANDLE_BYTES);
  const opened = openBox(crypto, { key, direction: 'request', bound: handle }, box);
  if (!opened.ok) {
    codes.blame(from, now);
    return opened;
  }
  codes.use(handle);
  const bound = crypto.hash('sha256', request);
  return {
    ok: true,
    request: opened.json,
    data,
    reply: (json) => sealBox(crypto, random, { key, direction: 'reply', bound }, json),
  };
}

/** What a box is sealed under: the code's key, its direction, and what it belongs to. */
type Terms = {
  readonly key: Uint8Array;
  readonly direction: Direction;
  readonly bound: Uint8Array;
};

function sealBox(crypto: Sealer, random: Random, terms: Terms, json: unknown): Uint8Array {
  const nonce = random(NONCE_BYTES);
  const plain = new TextEncoder().encode(JSON.stringify(json));
  return join(nonce, crypto.seal(deriveKey(crypto, terms), nonce, plain, terms.bound));
}

function openBox(
  crypto: Sealer,
  terms: Terms,
  box: Uint8Array,
): { readonly ok: true; readonly json: unknown } | EnrolmentRefusal {
  if (box.length < NONCE_BYTES) return { ok: false, reason: 'malformed' };
  const nonce = box.subarray(0, NONCE_BYTES);
  const plain = crypto.open(
    deriveKey(crypto, terms),
    nonce,
    box.subarray(NONCE_BYTES),
    terms.bound,
  );
  if (plain === undefined) return { ok: false, reason: 'not-authentic' };
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(plain);
    return { ok: true, json: JSON.parse(text) as unknown };
  } catch {
    return { ok: false, reason: 'malformed' };
  }
}

function deriveKey(crypto: Sealer, { key, direction }: Terms): Uint8Array {
  return crypto.hkdf(key, new Uint8Array(0), `nymote enrolment ${direction} 1`, KEY_BYTES);
}

function join(one: Uint8Array, other: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(one.length + other.length);
  bytes.set(one);
  bytes.set(other, one.length);
  return bytes;
}
