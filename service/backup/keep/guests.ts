/**
 * Whose backups are kept here, on disk.
 *
 *     <data>/kept.json     0600: names, digests of tokens, quotas
 *
 * A token is kept as its digest only. It has 256 bits, so a plain digest is enough.
 */

import * as v from 'valibot';
import type { Crypto, Files } from '#runtime';
import { encodeHex } from '../../hex.ts';
import { BackupError } from '../error.ts';
import { isGuest } from './line.ts';

const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const GuestSchema = v.object({
  /** SHA-256 in hex. */
  token: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  /** Bytes. */
  quota: Count,
  /** Seconds since 1970. */
  since: v.number(),
  /** It was ended; files of it may still have to go. */
  isEnding: v.optional(v.boolean()),
});

const LedgerSchema = v.object({
  format: v.literal('nymote kept 1'),
  guests: v.record(v.pipe(v.string(), v.check(isGuest)), GuestSchema),
});

export type Guest = v.InferOutput<typeof GuestSchema>;
export type Guests = Readonly<Record<string, Guest>>;

const SECRET_MODE = 0o600;

/** Reads them; undefined when the file is there and damaged. */
export async function readGuests(files: Files, data: string): Promise<Guests | undefined> {
  const bytes = await files.read(`${data}/kept.json`);
  if (bytes === undefined) return {};
  const Text = v.pipe(v.string(), v.parseJson(), LedgerSchema);
  const parsed = v.safeParse(Text, new TextDecoder().decode(bytes));
  return parsed.success ? parsed.output.guests : undefined;
}

/** Writes them. */
export async function writeGuests(files: Files, data: string, guests: Guests): Promise<void> {
  const text = `${JSON.stringify({ format: 'nymote kept 1', guests })}\n`;
  await files.replace(`${data}/kept.json`, new TextEncoder().encode(text), SECRET_MODE);
}

/** What is kept of a token. */
export const digestOfToken = (crypto: Pick<Crypto, 'hash'>, token: string): string =>
  encodeHex(crypto.hash('sha256', new TextEncoder().encode(token)));

/** Compares digests of one length in the same time, wherever they differ. */
export function isSameDigest(one: string, other: string): boolean {
  let difference = one.length ^ other.length;
  for (let index = 0; index < one.length; index++) {
    difference |= one.charCodeAt(index) ^ other.charCodeAt(index);
  }
  return difference === 0;
}

const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
const MIN_QUOTA = 2 ** 20;

/** Reads `500M`, `1G`, or bytes. */
export function readQuota(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,12})([KMGT]?)i?B?$/i.exec(text.trim()) ?? [];
  const bytes = Number(digits) * (UNITS[unit.toUpperCase()] ?? 1);
  if (digits !== '' && bytes >= MIN_QUOTA && Number.isSafeInteger(bytes)) return bytes;
  throw new BackupError('bad-setting', `'${text}' is no quota: 500M, 1G, at least 1M`);
}
