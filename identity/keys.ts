/**
 * The keys that make a device: Ed25519 to sign commits with, X25519 for WireGuard and sealed mail.
 *
 * A device is called by the hash of its signing key, so nobody assigns ids and nobody can take one.
 * The file that holds the keys is JSON; reading it checks that every part belongs to the others.
 *
 * @see RFC 8032, RFC 7748
 */

import * as v from 'valibot';
import type { Crypto, KeyPair } from '#runtime';
import { BASE32, decodeBase64, encodeBase32, encodeBase64 } from './text.ts';

/** All that a device is. The private keys never leave it (I2). */
export type DeviceKeys = {
  readonly id: string;
  /** Ed25519; the private key in PKCS#8. */
  readonly signing: KeyPair;
  /** X25519, raw: WireGuard's key pair. */
  readonly agreement: KeyPair;
};

/** Why a key file is no good. */
export type KeyFileProblem = 'too-large' | 'not-json' | 'wrong-shape' | 'bad-key' | 'mismatch';

/** Half of a SHA-256: 26 digits of base32. */
const ID_BYTES = 16;
const KEY_BYTES = 32;
const MAX_FILE_BYTES = 4096;
const KIND = 'nymote device keys';

/** Makes the keys of a new device. */
export async function generateDeviceKeys(
  crypto: Pick<Crypto, 'generateSigningKey' | 'generateAgreementKey' | 'hash'>,
): Promise<DeviceKeys> {
  const signing = await crypto.generateSigningKey('ed25519');
  const agreement = crypto.generateAgreementKey();
  return { id: deviceId(crypto, signing.publicKey), signing, agreement };
}

/** The name that a signing key gives its device. */
export function deviceId(crypto: Pick<Crypto, 'hash'>, signingKey: Uint8Array): string {
  return encodeBase32(crypto.hash('sha256', signingKey).subarray(0, ID_BYTES), BASE32);
}

const PairSchema = v.strictObject({ publicKey: v.string(), privateKey: v.string() });

const FileSchema = v.strictObject({
  kind: v.literal(KIND),
  version: v.literal(1),
  id: v.string(),
  signing: PairSchema,
  agreement: PairSchema,
});

/** The content of the key file; whoever writes it makes it 0600. */
export function encodeKeyFile(keys: DeviceKeys): Uint8Array {
  const file: v.InferOutput<typeof FileSchema> = {
    kind: KIND,
    version: 1,
    id: keys.id,
    signing: encodePair(keys.signing),
    agreement: encodePair(keys.agreement),
  };
  return new TextEncoder().encode(`${JSON.stringify(file, null, 2)}\n`);
}

/** Reads a key file; every public part is worked out again from its private one. */
export function decodeKeyFile(
  crypto: Pick<Crypto, 'hash' | 'signer' | 'agreementPublicKey'>,
  bytes: Uint8Array,
): { ok: true; keys: DeviceKeys } | { ok: false; reason: KeyFileProblem } {
  if (bytes.length > MAX_FILE_BYTES) return { ok: false, reason: 'too-large' };
  const json = parseJson(bytes);
  if (json === undefined) return { ok: false, reason: 'not-json' };
  const file = v.safeParse(FileSchema, json);
  if (!file.success) return { ok: false, reason: 'wrong-shape' };
  const signing = decodePair(file.output.signing);
  const agreement = decodePair(file.output.agreement);
  if (signing === undefined || agreement === undefined) return { ok: false, reason: 'bad-key' };
  if (agreement.privateKey.length !== KEY_BYTES) return { ok: false, reason: 'bad-key' };
  const signingKey = publicKeyOf(crypto, signing.privateKey);
  if (signingKey === undefined) return { ok: false, reason: 'bad-key' };
  const keys: DeviceKeys = { id: file.output.id, signing, agreement };
  const belong =
    isEqual(signingKey, signing.publicKey) &&
    isEqual(crypto.agreementPublicKey(agreement.privateKey), agreement.publicKey) &&
    deviceId(crypto, signingKey) === keys.id;
  return belong ? { ok: true, keys } : { ok: false, reason: 'mismatch' };
}

function publicKeyOf(
  crypto: Pick<Crypto, 'signer'>,
  privateKey: Uint8Array,
): Uint8Array | undefined {
  try {
    return crypto.signer('ed25519', privateKey).publicKey;
  } catch {
    return undefined;
  }
}

function encodePair(pair: KeyPair): v.InferOutput<typeof PairSchema> {
  return { publicKey: encodeBase64(pair.publicKey), privateKey: encodeBase64(pair.privateKey) };
}

function decodePair(pair: v.InferOutput<typeof PairSchema>): KeyPair | undefined {
  const publicKey = decodeBase64(pair.publicKey);
  const privateKey = decodeBase64(pair.privateKey);
  return publicKey && privateKey && { publicKey, privateKey };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((octet, index) => octet === other[index]);
}
