/**
 * The recovery phrase: 24 words on paper from which the realm's first keys are made again.
 *
 *     256 random bits ─ BIP 39 ─ 24 words ─ 256 bits ─ HKDF ─┬ Ed25519: signs the genesis, rank 0
 *                                                            └ X25519: opens backups, as age's key
 *
 * The words carry the bits themselves, so BIP 39's slow hash, which is there for passwords that
 * people choose, is not used. The word list is loaded when a phrase is read or made, which most
 * processes never do. No answer repeats a word that was typed (I2).
 *
 * @see BIP 39: the word list and the checksum
 * @see RFC 5869; RFC 8410 §7 (PKCS#8 of an Ed25519 seed)
 */

import type { Crypto, Random, Signer } from '#runtime';
import { encodeBech32 } from './bech32.ts';
import { deviceId } from './keys.ts';

/** What a phrase stands for. `identity` is secret. */
export type RecoveryKeys = {
  /** Named like a device, though it never is one. */
  readonly id: string;
  readonly signer: Signer;
  /** What `age -i` takes: AGE-SECRET-KEY-1… */
  readonly identity: string;
  /** What `age -r` takes: age1… */
  readonly recipient: string;
};

/** Why a text is no phrase. Positions count from 1, as on paper. */
export type PhraseProblem =
  | { readonly reason: 'too-long' }
  | { readonly reason: 'wrong-length'; readonly words: number }
  | { readonly reason: 'unknown-word'; readonly positions: readonly number[] }
  /** Every word is one, but not all of them are right or in their place. */
  | { readonly reason: 'bad-checksum' }
  /** A sound phrase, of another realm. */
  | { readonly reason: 'other-realm' };

const ENTROPY_BYTES = 32;
const WORDS = 24;
const BITS_PER_WORD = 11;

/** BIP 39: no two words of the list begin with the same four letters. */
const DISTINCT_LETTERS = 4;

/** 24 words with their numbers are some 300 characters. */
const MAX_TEXT = 4096;

const SIGNING = 'nymote recovery signing 1';
const BACKUP = 'nymote recovery backup 1';
const ED25519_PKCS8 = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/** Makes a new phrase: 24 words with a space between them. It is shown once and kept nowhere. */
export async function generateRecoveryPhrase(
  crypto: Pick<Crypto, 'hash'>,
  random: Random,
): Promise<string> {
  const list = await loadWords();
  const entropy = random(ENTROPY_BYTES);
  const bytes = Uint8Array.of(...entropy, checksumOf(crypto, entropy));
  return Array.from({ length: WORDS }, (_, place) => list[indexAt(bytes, place)]).join(' ');
}

/**
 * Reads a phrase as people type it: any case, spaces, lines, numbers before the words, words cut
 * after their fourth letter. `expected` is the id of the realm's own recovery key.
 */
export async function openRecoveryPhrase(
  crypto: Pick<Crypto, 'hash' | 'hkdf' | 'signer' | 'agreementPublicKey'>,
  text: string,
  expected?: string,
): Promise<
  | { readonly ok: true; readonly keys: RecoveryKeys }
  | { readonly ok: false; readonly problem: PhraseProblem }
> {
  if (text.length > MAX_TEXT) return { ok: false, problem: { reason: 'too-long' } };
  const words =
    text
      .normalize('NFKC')
      .toLowerCase()
      .match(/[a-z]+/g) ?? [];
  if (words.length !== WORDS) {
    return { ok: false, problem: { reason: 'wrong-length', words: words.length } };
  }
  const list = await loadWords();
  const indexes = words.map((word) => findWord(list, word));
  const positions = indexes.flatMap((index, place) => (index < 0 ? [place + 1] : []));
  if (positions.length > 0) return { ok: false, problem: { reason: 'unknown-word', positions } };
  const bytes = joinIndexes(indexes);
  const entropy = bytes.subarray(0, ENTROPY_BYTES);
  if (bytes[ENTROPY_BYTES] !== checksumOf(crypto, entropy)) {
    return { ok: false, problem: { reason: 'bad-checksum' } };
  }
  const keys = deriveKeys(crypto, entropy);
  if (expected !== undefined && keys.id !== expected) {
    return { ok: false, problem: { reason: 'other-realm' } };
  }
  return { ok: true, keys };
}

function deriveKeys(
  crypto: Pick<Crypto, 'hash' | 'hkdf' | 'signer' | 'agreementPublicKey'>,
  entropy: Uint8Array,
): RecoveryKeys {
  const derive = (info: string) => crypto.hkdf(entropy, new Uint8Array(0), info, ENTROPY_BYTES);
  const signer = crypto.signer('ed25519', Uint8Array.of(...ED25519_PKCS8, ...derive(SIGNING)));
  const secret = derive(BACKUP);
  return {
    id: deviceId(crypto, signer.publicKey),
    signer,
    identity: encodeBech32('age-secret-key-', secret).toUpperCase(),
    recipient: encodeBech32('age', crypto.agreementPublicKey(secret)),
  };
}

/** 13 KB; the rest of the library, which hashes passwords, takes 12 ms and 5 MB to load. */
async function loadWords(): Promise<readonly string[]> {
  return (await import('@scure/bip39/wordlists/english.js')).wordlist;
}

function findWord(list: readonly string[], word: string): number {
  const index = list.indexOf(word);
  if (index >= 0 || word.length < DISTINCT_LETTERS) return index;
  return list.findIndex((full) => full.startsWith(word));
}

/** BIP 39: as many bits of the SHA-256 as there are words of 32 bits, here eight. */
function checksumOf(crypto: Pick<Crypto, 'hash'>, entropy: Uint8Array): number {
  return crypto.hash('sha256', entropy)[0] ?? 0;
}

/** The eleven bits at a word's place, most significant first. */
function indexAt(bytes: Uint8Array, place: number): number {
  let index = 0;
  for (let bit = place * BITS_PER_WORD; bit < (place + 1) * BITS_PER_WORD; bit++) {
    index = (index << 1) | (((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1);
  }
  return index;
}

function joinIndexes(indexes: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(ENTROPY_BYTES + 1);
  for (const [at, digit] of indexes.entries()) {
    for (let i = 0; i < BITS_PER_WORD; i++) {
      const bit = at * BITS_PER_WORD + i;
      const value = (digit >> (BITS_PER_WORD - 1 - i)) & 1;
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (value << (7 - (bit & 7)));
    }
  }
  return bytes;
}
