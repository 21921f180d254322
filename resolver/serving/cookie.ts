/**
 * DNS cookies, the server's side: a proof that the asker receives what is sent to its address.
 *
 * The server's half is made as every implementation makes it, so that several servers behind one
 * address could share a secret. Ours lives as long as the process and changes every day.
 *
 * @see RFC 7873 §5.2, RFC 9018 §4
 */

import type { Clock, Random } from '#runtime';
import { addressOctets } from '../message/address.ts';
import { siphash } from './siphash.ts';

const SECRET_SIZE = 16;
/** Milliseconds a secret is used for; the one before it is understood as long again (RFC 9018 §5). */
export const SECRET_MILLISECONDS = 24 * 3_600_000;

const VERSION = 1;
const SERVER_COOKIE = 16;
/** Octets before the hash: version, three reserved, time. */
const HEAD = 8;

/** Seconds a cookie is good for, may be ahead of our clock, and is handed back unchanged (RFC 9018 §4.3). */
const MAX_AGE = 3_600;
const MAX_AHEAD = 300;
const RENEWAL_AGE = 1_800;

/** What an asker's cookie tells, and the whole option to answer with. */
export type Examined = { readonly isProven: boolean; readonly reply: Uint8Array };

export type Cookies = {
  /** `client` is 8 octets, `server` what came with it: none, or 8 to 32 octets of anything. */
  examine(client: Uint8Array, server: Uint8Array, address: string): Examined;
};

/** Makes cookies under secrets of its own. */
export function createCookies(clock: Clock, random: Random): Cookies {
  let secrets: readonly Uint8Array[] = [];
  let changed = Number.NEGATIVE_INFINITY;

  function currentSecrets(): readonly Uint8Array[] {
    const age = clock.monotonic() - changed;
    if (age < SECRET_MILLISECONDS) return secrets;
    const last = age < 2 * SECRET_MILLISECONDS ? secrets.slice(0, 1) : [];
    secrets = [random(SECRET_SIZE), ...last];
    changed = clock.monotonic();
    return secrets;
  }

  return {
    examine: (client, server, address) =>
      examineCookie(currentSecrets(), client, server, address, clock.now()),
  };
}

/** The same under given secrets, the current one first. */
export function examineCookie(
  secrets: readonly Uint8Array[],
  client: Uint8Array,
  server: Uint8Array,
  address: string,
  now: number,
): Examined {
  const from = addressOctets(address) ?? new Uint8Array(0);
  const time = Math.floor(now);
  const secret = secrets.findIndex((each) => isMadeWith(each, client, server, from));
  // Time goes around: RFC 1982 arithmetic, as RFC 9018 §4.3 wants.
  const age = secret === -1 ? 0 : (time - timeIn(server)) | 0;
  const isProven = secret !== -1 && age <= MAX_AGE && age >= -MAX_AHEAD;
  const isFresh = isProven && secret === 0 && age <= RENEWAL_AGE;
  const own = isFresh ? server : serverCookie(secrets[0] as Uint8Array, client, from, time);
  return { isProven, reply: Uint8Array.of(...client, ...own) };
}

function isMadeWith(
  secret: Uint8Array,
  client: Uint8Array,
  server: Uint8Array,
  from: Uint8Array,
): boolean {
  if (server.length !== SERVER_COOKIE || server[0] !== VERSION) return false;
  const hash = hashOf(secret, client, server.subarray(0, HEAD), from);
  return hash.reduce((sum, octet, index) => sum | (octet ^ (server[HEAD + index] ?? 0)), 0) === 0;
}

function timeIn(server: Uint8Array): number {
  return new DataView(server.buffer, server.byteOffset).getUint32(4);
}

function serverCookie(
  secret: Uint8Array,
  client: Uint8Array,
  from: Uint8Array,
  time: number,
): Uint8Array {
  const cookie = new Uint8Array(SERVER_COOKIE);
  cookie[0] = VERSION;
  new DataView(cookie.buffer).setUint32(4, time);
  cookie.set(hashOf(secret, client, cookie.subarray(0, HEAD), from), HEAD);
  return cookie;
}

function hashOf(
  secret: Uint8Array,
  client: Uint8Array,
  head: Uint8Array,
  from: Uint8Array,
): Uint8Array {
  return siphash(secret, Uint8Array.of(...client, ...head, ...from));
}
