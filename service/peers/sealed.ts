/**
 * Bytes that only two devices can read and write: AES-256-GCM under the X25519 agreement of their
 * WireGuard keys, each purpose and direction with a key of its own.
 *
 *     nonce (12) · ciphertext · tag (16)
 *
 * What both must agree on besides (which request a reply answers) is `associated`.
 */

import type { Crypto, KeyPair, Random } from '#runtime';

export type Sealing = {
  /** Whom others open it from. */
  readonly publicKey: Uint8Array;
  /** Seals for another device; undefined when its key is none. */
  seal(
    to: Uint8Array,
    purpose: string,
    plain: Uint8Array,
    associated?: Uint8Array,
  ): Uint8Array | undefined;
  /** Opens what the other sealed for us; undefined when anything does not fit. */
  open(
    from: Uint8Array,
    purpose: string,
    sealed: Uint8Array,
    associated?: Uint8Array,
  ): Uint8Array | undefined;
};

const NONCE_BYTES = 12;
const KEY_BYTES = 32;
const NOTHING = new Uint8Array(0);

/** Sealing with this device's key pair. */
export function createSealing(
  crypto: Pick<Crypto, 'agree' | 'hkdf' | 'seal' | 'open'>,
  random: Random,
  own: KeyPair,
): Sealing {
  const derive = (other: Uint8Array, purpose: string, from: Uint8Array, to: Uint8Array) => {
    const secret = crypto.agree(own.privateKey, other);
    return secret && crypto.hkdf(secret, join(from, to), `nymote ${purpose} 1`, KEY_BYTES);
  };
  return {
    publicKey: own.publicKey,
    seal(to, purpose, plain, associated = NOTHING) {
      const key = derive(to, purpose, own.publicKey, to);
      const nonce = random(NONCE_BYTES);
      return key && join(nonce, crypto.seal(key, nonce, plain, associated));
    },
    open(from, purpose, sealed, associated = NOTHING) {
      const key = derive(from, purpose, from, own.publicKey);
      if (key === undefined || sealed.length < NONCE_BYTES) return undefined;
      const nonce = sealed.subarray(0, NONCE_BYTES);
      return crypto.open(key, nonce, sealed.subarray(NONCE_BYTES), associated);
    },
  };
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(a.length + b.length);
  bytes.set(a);
  bytes.set(b, a.length);
  return bytes;
}
