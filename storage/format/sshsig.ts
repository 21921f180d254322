/**
 * SSH signatures over messages, as `ssh-keygen -Y sign -n git` makes them and git checks them.
 *
 * Ed25519 with SHA-512, nothing else; the namespace is "git" unless told, so that what was signed
 * for one purpose is worth nothing for another. A signature is accepted in exactly one spelling, so
 * nobody can give a signed commit a second name.
 *
 * @see PROTOCOL.sshsig of OpenSSH
 * @see RFC 8709 §4 and §6: Ed25519 keys and signatures on the SSH wire
 */

import type { Crypto, Signer } from '#runtime';
import { concat, decodeBase64, encodeBase64, encodeText, readU32, u32 } from './bytes.ts';

/** A signature and the key that claims to have made it. */
export type SshSignature = { readonly publicKey: Uint8Array; readonly signature: Uint8Array };

const MAGIC = encodeText('SSHSIG');
/** What a signature is for. */
type Namespace = 'git' | 'nymote-backup';

const RESERVED = field(new Uint8Array(0));
const HASH = field(encodeText('sha512'));
const KEY_TYPE = field(encodeText('ssh-ed25519'));
const HEAD = '-----BEGIN SSH SIGNATURE-----';
const TAIL = '-----END SSH SIGNATURE-----';
const ARMOR_WIDTH = 70;
const KEY_OFFSET = MAGIC.length + 4 + 4 + KEY_TYPE.length + 4;

/** Signs `message` and returns the armored signature, lines joined by "\n", without a last one. */
export function signMessage(
  crypto: Pick<Crypto, 'hash'>,
  signer: Signer,
  message: Uint8Array,
  namespace: Namespace = 'git',
): string {
  const signature = signer.sign(signedBytes(crypto, message, namespace));
  return armor({ publicKey: signer.publicKey, signature }, namespace);
}

/** Reads an armored signature; undefined unless it is spelled as `signMessage` spells it. */
export function parseSignature(
  text: string,
  namespace: Namespace = 'git',
): SshSignature | undefined {
  const lines = text.split('\n');
  if (lines.length > 8 || lines[0] !== HEAD || lines.at(-1) !== TAIL) return undefined;
  const blob = decodeBase64(lines.slice(1, -1).join(''));
  if (blob === undefined || readU32(blob, KEY_OFFSET - 4) !== 32) return undefined;
  const parsed = {
    publicKey: blob.slice(KEY_OFFSET, KEY_OFFSET + 32),
    signature: blob.slice(-64),
  };
  return armor(parsed, namespace) === text ? parsed : undefined;
}

/** The key in the first 88 base64 digits of a signature; undefined when there is none. */
export function peekKey(digits: string): Uint8Array | undefined {
  return decodeBase64(digits)?.slice(KEY_OFFSET, KEY_OFFSET + 32);
}

/** Tells whether `signature` was made over `message` by the key it names. */
export function verifyMessage(
  crypto: Pick<Crypto, 'hash' | 'verify'>,
  message: Uint8Array,
  signature: SshSignature,
  namespace: Namespace = 'git',
): boolean {
  const signed = signedBytes(crypto, message, namespace);
  return crypto.verify('ed25519', signature.publicKey, signed, signature.signature);
}

/**
 * The text of `gpg.ssh.allowedSignersFile` (ssh-keygen(1), ALLOWED SIGNERS). Each signer is a
 * principal, a space, and the first digits of a signature.
 */
export function printAllowedSigners(signers: Iterable<string>): string {
  const lines = [...signers].map((signer) => {
    const [principal = '', digits = ''] = signer.split(' ');
    return printAllowedSigner(principal, peekKey(digits) ?? new Uint8Array(0));
  });
  return lines.join('');
}

function printAllowedSigner(principal: string, publicKey: Uint8Array): string {
  return `${principal} namespaces="git,nymote-backup" ssh-ed25519 ${encodeBase64(keyBlob(publicKey))}\n`;
}

function signedBytes(
  crypto: Pick<Crypto, 'hash'>,
  message: Uint8Array,
  namespace: Namespace,
): Uint8Array {
  const digest = field(crypto.hash('sha512', message));
  return concat([MAGIC, field(encodeText(namespace)), RESERVED, HASH, digest]);
}

function armor({ publicKey, signature }: SshSignature, namespace: Namespace): string {
  const blob = concat([
    MAGIC,
    u32(1),
    field(keyBlob(publicKey)),
    field(encodeText(namespace)),
    RESERVED,
    HASH,
    field(concat([KEY_TYPE, field(signature)])),
  ]);
  const text = encodeBase64(blob);
  const lines = [HEAD];
  for (let at = 0; at < text.length; at += ARMOR_WIDTH)
    lines.push(text.slice(at, at + ARMOR_WIDTH));
  return [...lines, TAIL].join('\n');
}

function keyBlob(publicKey: Uint8Array): Uint8Array {
  return concat([KEY_TYPE, field(publicKey)]);
}

/** RFC 4251 §5: a string is its length and its bytes. */
function field(bytes: Uint8Array): Uint8Array {
  return concat([u32(bytes.length), bytes]);
}
