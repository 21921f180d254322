import type { Crypto } from '#runtime';

/** SHA-256 in hex, as `sha256sum` prints it. */
export function sha256(crypto: Pick<Crypto, 'hash'>, bytes: Uint8Array): string {
  const digest = crypto.hash('sha256', bytes);
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
