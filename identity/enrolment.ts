/**
 * Adding a device: a question and an answer, sealed under a one-time code; and, where two people (or
 * one at two screens) compare a short code, further ones until they have.
 *
 * The new device and the realm share nothing but the code that a person carried over, so the code
 * is the key. Both boxes are AES-256-GCM:
 *
 *     request  handle (16) · nonce (12) · ciphertext · tag (16)
 *     reply                  nonce (12) · ciphertext · tag (16)
 *     poll     handle (16) · nonce (12) · ciphertext · tag (16)
 *     answer                 nonce (12) · ciphertext · tag (16)
 *
 * Each direction has a key of its own; the reply is bound to the very request it answers, a poll to
 * that request, an answer to its poll. The code is used up when its request was opened: a replay
 * finds it used.
 *
 * Somebody in the middle who has the code as well would answer both with keys of his own. Therefore
 * each side gives a random number to what is compared, the new device first only as a hash
 * (`commitTo`): nobody can choose his own so that both short codes are the same, but by one chance in
 * a million.
 *
 * Whoever listens and learns the code later can read the boxes; no secret key is in them (I2). What
 * the JSON says is for the caller to check.
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
  /** A further question. */
  readonly ask: (poll: unknown) => Omit<PendingEnrolment, 'ask'>;
};

/** A further question, opened, and the way to answer it. */
export type Poll =
  | { readonly ok: true; readonly poll: unknown; readonly answer: (json: unknown) => Uint8Array }
  | EnrolmentRefusal;

type Sealer = Pick<Crypto, 'hash' | 'hkdf' | 'seal' | 'open'>;
type Direction = 'request' | 'reply' | 'poll' | 'answer';

const COMMITMENT = 'nymote enrolment commitment 1';
/** So many that the remainder favours no code. */
const SHORT_CODE_BYTES = 16;
const SHORT_CODES = 1_000_000n;

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
  const openWith =
    (direction: Direction, to: Uint8Array): PendingEnrolment['open'] =>
    (reply) => {
      if (reply.length > MAX_REPLY_BYTES) return { ok: false, reason: 'too-large' };
      const opened = openBox(crypto, { key, direction, bound: to }, reply);
      return opened.ok ? { ok: true, reply: opened.json } : opened;
    };
  const ask: PendingEnrolment['ask'] = (json) => {
    const poll = join(handle, sealBox(crypto, random, { key, direction: 'poll', bound }, json));
    return { request: poll, open: openWith('answer', crypto.hash('sha256', poll)) };
  };
  return { ok: true, pending: { request, open: openWith('reply', bound), ask } };
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
      /** What its polls begin with. */
      readonly handle: Uint8Array;
      readonly openPoll: (poll: Uint8Array) => Poll;
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
    handle,
    openPoll: (poll) => openPoll(crypto, random, { key, bound }, poll),
  };
}

/** What a poll says that it belongs to; undefined when it is none. */
export function pollHandle(poll: Uint8Array): Uint8Array | undefined {
  return poll.length < HANDLE_BYTES ? undefined : poll.slice(0, HANDLE_BYTES);
}

function openPoll(
  crypto: Sealer,
  random: Random,
  { key, bound }: Pick<Terms, 'key' | 'bound'>,
  poll: Uint8Array,
): Poll {
  const opened = openBox(crypto, { key, direction: 'poll', bound }, poll.subarray(HANDLE_BYTES));
  if (!opened.ok) return opened;
  const to = { key, direction: 'answer', bound: crypto.hash('sha256', poll) } as const;
  return {
    ...{ ok: true, poll: opened.json },
    answer: (json) => sealBox(crypto, random, to, json),
  };
}

/** The hash that a new device sends of the number which it reveals later. */
export function commitTo(crypto: Pick<Crypto, 'hash'>, secret: Uint8Array): Uint8Array {
  return crypto.hash('sha256', join(new TextEncoder().encode(COMMITMENT), secret));
}

/** Six digits that both sides have if they have seen the same `transcript`, in its order. */
export function shortCode(
  crypto: Pick<Crypto, 'hkdf'>,
  secret: Uint8Array,
  transcript: readonly string[],
): string {
  const salt = new TextEncoder().encode(JSON.stringify(transcript));
  const bytes = crypto.hkdf(secret, salt, 'nymote short code 1', SHORT_CODE_BYTES);
  const number = bytes.reduce((sum, byte) => (sum * 256n + BigInt(byte)) % SHORT_CODES, 0n);
  return String(number).padStart(6, '0');
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
