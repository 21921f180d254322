/**
 * One-time codes: what a person carries from one screen to another to sign in or add a device.
 *
 *     issue ──► open ──redeem, or use──► used ──┐
 *                 └───────its time over─────────┴──► forgotten
 *
 * A code is 128 random bits, written as `7QJ2M-…` in six groups of Crockford's base32; the 22 bits
 * left over are a checksum, so that a slip of the finger is told from a code nobody issued. We keep
 * what HKDF makes of the code, never the code: a handle to find it by and a key to seal with.
 *
 * Finding a code in a map by its handle tells an attacker nothing by its timing: who does not know
 * the code cannot choose the handle's bits.
 *
 * @see RFC 5869; https://www.crockford.com/base32.html
 */

import type { Crypto, Random } from '#runtime';
import { CROCKFORD, decodeBase32, encodeBase32, encodeBase64Url } from './text.ts';

/** Why a code is not taken. */
export type CodeProblem = 'mistyped' | 'unknown' | 'used' | 'expired' | 'too-many-attempts';

export type CodeRefusal = { readonly ok: false; readonly reason: CodeProblem };

/** What a code stands for and what belongs to it. */
export type FoundCode<Data> = { readonly ok: true; readonly data: Data; readonly key: Uint8Array };

/**
 * The codes that are open. `now` is in seconds; `from` is whoever tries, for the limit. Who tries
 * without one is not limited here: one limit for all would let a stranger keep the owner out.
 */
export type Codes<Data> = {
  issue(
    wanted: { readonly purpose: string; readonly ttlSeconds: number; readonly data: Data },
    now: number,
  ): { readonly code: string; readonly expiresAt: number };
  /** Takes a code, once. */
  redeem(
    given: { readonly code: string; readonly purpose: string; readonly from?: string },
    now: number,
  ): { readonly ok: true; readonly data: Data } | CodeRefusal;
  /** Looks at a code by its handle; it stays open. */
  find(
    given: { readonly handle: Uint8Array; readonly purpose: string; readonly from?: string },
    now: number,
  ): FoundCode<Data> | CodeRefusal;
  /** Ends a code that `find` found. */
  use(handle: Uint8Array): void;
  /** Counts a failure of `from` that only the caller could see. */
  blame(from: string, now: number): void;
};

/** What HKDF makes of a code. */
export type CodeSecrets = { readonly handle: Uint8Array; readonly key: Uint8Array };

const SECRET_BYTES = 16;
const CHECKED_BYTES = 19; // 150 bits in 30 digits: 128 of secret, 22 of checksum, 2 unused.
const DIGITS = 30;
const GROUP = 5;
export const HANDLE_BYTES = 16;
const KEY_BYTES = 32;

/** More than anybody has people to invite; the oldest gives way. */
const MAX_CODES = 256;
const MAX_TTL_SECONDS = 7 * 86_400;
const MAX_CODE_CHARACTERS = 128;

/** How far NTP may set the clock back under an open code. */
const CLOCK_SLACK_SECONDS = 60;

/** Nobody guesses 128 bits; this keeps a loop from filling the log. */
const MAX_FAILURES = 10;
const FAILURE_WINDOW_SECONDS = 60;
const MAX_FAILERS = 1024;

type Entry<Data> = {
  readonly purpose: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly data: Data;
  readonly key: Uint8Array;
  isUsed: boolean;
};

/** Makes an empty set of codes. */
export function createCodes<Data>(
  crypto: Pick<Crypto, 'hash' | 'hkdf'>,
  random: Random,
): Codes<Data> {
  const entries = new Map<string, Entry<Data>>();
  const failures = createFailures();

  const codes: Codes<Data> = {
    issue({ purpose, ttlSeconds, data }, now) {
      forget(entries, now);
      const secret = random(SECRET_BYTES);
      const { handle, key } = deriveSecrets(crypto, secret);
      const expiresAt = now + Math.min(ttlSeconds, MAX_TTL_SECONDS);
      const entry = { purpose, issuedAt: now, expiresAt, data, key, isUsed: false };
      entries.set(encodeBase64Url(handle), entry);
      return { code: printCode(crypto, secret), expiresAt };
    },
    redeem({ code, purpose, from }, now) {
      if (failures.isTooMany(from, now)) return { ok: false, reason: 'too-many-attempts' };
      const secrets = codeSecrets(crypto, code);
      if (secrets === undefined) {
        failures.add(from, now);
        return { ok: false, reason: 'mistyped' };
      }
      const { handle } = secrets;
      const found = codes.find({ handle, purpose, ...(from === undefined ? {} : { from }) }, now);
      if (!found.ok) return found;
      codes.use(handle);
      return { ok: true, data: found.data };
    },
    find({ handle, purpose, from }, now) {
      if (failures.isTooMany(from, now)) return { ok: false, reason: 'too-many-attempts' };
      const entry = entries.get(encodeBase64Url(handle));
      const reason = problemOf(entry, purpose, now);
      if (entry !== undefined && reason === undefined) {
        return { ok: true, data: entry.data, key: entry.key };
      }
      failures.add(from, now);
      return { ok: false, reason: reason ?? 'unknown' };
    },
    use(handle) {
      const entry = entries.get(encodeBase64Url(handle));
      if (entry !== undefined) entry.isUsed = true;
    },
    blame: failures.add,
  };
  return codes;
}

/** A code for another purpose is as unknown as none. */
function problemOf(
  entry: Entry<unknown> | undefined,
  purpose: string,
  now: number,
): CodeProblem | undefined {
  if (entry === undefined || entry.purpose !== purpose) return 'unknown';
  if (entry.isUsed) return 'used';
  // A clock that was set back must not make codes last longer.
  const isOver = now >= entry.expiresAt || now < entry.issuedAt - CLOCK_SLACK_SECONDS;
  return isOver ? 'expired' : undefined;
}

/** Used and expired codes stay known for a while after their time, to say why they do not work. */
function forget(entries: Map<string, Entry<unknown>>, now: number): void {
  for (const [handle, entry] of entries) {
    const isOld = now >= entry.expiresAt + MAX_TTL_SECONDS;
    if (isOld || entries.size >= MAX_CODES) entries.delete(handle);
  }
}

function createFailures() {
  const failures = new Map<string, { readonly since: number; count: number }>();
  const current = (from: string, now: number) => {
    const failure = failures.get(from);
    const isRecent = failure && Math.abs(now - failure.since) < FAILURE_WINDOW_SECONDS;
    return isRecent ? failure : undefined;
  };
  return {
    isTooMany: (from: string | undefined, now: number) =>
      from !== undefined && (current(from, now)?.count ?? 0) >= MAX_FAILURES,
    add(from: string | undefined, now: number) {
      if (from === undefined) return;
      const failure = current(from, now) ?? { since: now, count: 0 };
      failure.count += 1;
      failures.delete(from);
      failures.set(from, failure);
      for (const oldest of failures.keys()) {
        if (failures.size <= MAX_FAILERS) break;
        failures.delete(oldest);
      }
    },
  };
}

/** What a typed code stands for; undefined when it is mistyped. Case, spaces and dashes are free. */
export function codeSecrets(
  crypto: Pick<Crypto, 'hash' | 'hkdf'>,
  text: string,
): CodeSecrets | undefined {
  if (text.length > MAX_CODE_CHARACTERS) return undefined;
  const digits = text
    .replace(/[\s-]/g, '')
    .toUpperCase()
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1');
  if (digits.length !== DIGITS) return undefined;
  const secret = decodeBase32(digits, CROCKFORD)?.slice(0, SECRET_BYTES);
  if (secret === undefined) return undefined;
  const isRight = printCode(crypto, secret).replaceAll('-', '') === digits;
  return isRight ? deriveSecrets(crypto, secret) : undefined;
}

function printCode(crypto: Pick<Crypto, 'hash'>, secret: Uint8Array): string {
  const checked = new Uint8Array(CHECKED_BYTES);
  checked.set(secret);
  checked.set(
    crypto.hash('sha256', secret).subarray(0, CHECKED_BYTES - SECRET_BYTES),
    SECRET_BYTES,
  );
  const digits = encodeBase32(checked, CROCKFORD).slice(0, DIGITS);
  return (digits.match(new RegExp(`.{${GROUP}}`, 'g')) ?? []).join('-');
}

function deriveSecrets(crypto: Pick<Crypto, 'hkdf'>, secret: Uint8Array): CodeSecrets {
  const derive = (info: string, length: number) =>
    crypto.hkdf(secret, new Uint8Array(0), info, length);
  return {
    handle: derive('nymote code handle 1', HANDLE_BYTES),
    key: derive('nymote code key 1', KEY_BYTES),
  };
}
