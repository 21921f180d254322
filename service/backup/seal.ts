/**
 * Sealing for several readers, as age does it: stock `age -d` opens what is made here.
 *
 * A device reads with its WireGuard key, which is an X25519 key like age's own and has an age
 * spelling (ADR 11). The library is loaded with the first backup; most processes never need it.
 *
 * @see https://c2sp.org/age
 */

import type { DeviceKeys } from '#identity';
import { encodeBech32 } from '#identity';
import { BackupError } from './error.ts';

/** What `age -r` takes of a raw X25519 key. */
export const recipientOf = (publicKey: Uint8Array): string => encodeBech32('age', publicKey);

/** What `age -i` takes of this device; secret. */
export const identityOf = ({ agreement }: Pick<DeviceKeys, 'agreement'>): string =>
  encodeBech32('age-secret-key-', agreement.privateKey).toUpperCase();

/** Seals for every recipient. */
export async function seal(recipients: readonly string[], plain: Uint8Array): Promise<Uint8Array> {
  const { Encrypter } = await import('age-encryption');
  const encrypter = new Encrypter();
  for (const recipient of new Set(recipients)) {
    try {
      encrypter.addRecipient(recipient);
    } catch (thrown) {
      throw new BackupError('bad-setting', `'${recipient}' is no recipient of age`, thrown);
    }
  }
  return encrypter.encrypt(plain);
}

/** Opens with one of the identities. */
export async function unseal(
  identities: readonly string[],
  sealed: Uint8Array,
  name: string,
): Promise<Uint8Array> {
  const { Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  for (const identity of identities) {
    try {
      decrypter.addIdentity(identity);
    } catch {
      // What the library says may quote the key.
      throw new BackupError('bad-setting', 'that is no identity of age (AGE-SECRET-KEY-1…)');
    }
  }
  try {
    return await decrypter.decrypt(sealed);
  } catch (thrown) {
    const isKey = thrown instanceof Error && thrown.message.includes('no identity matched');
    throw isKey
      ? new BackupError('wrong-key', `this key does not open ${name}: it is of another realm`)
      : new BackupError('damaged', `${name} is damaged: it does not open`, thrown);
  }
}
