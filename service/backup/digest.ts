import type { Crypto } from '#runtime';
import { encodeHex } from '../hex.ts';

/** SHA-256 in hex, as `sha256sum` prints it. */
export function sha256(crypto: Pick<Crypto, 'hash'>, bytes: Uint8Array): string {
  return encodeHex(crypto.hash('sha256', bytes));
}
