/**
 * Control datagrams: how two devices that know each other's WireGuard keys agree on a tunnel.
 *
 *     magic "NYMT" · version 1 · sender (16) · nonce (12) · AES-256-GCM(length (2) · JSON · zeros) · tag
 *
 * The key comes from X25519 of both static keys through HKDF (RFC 5869), salted with sender's and
 * receiver's public keys in this order, so each direction has its own; the header is authenticated.
 * All datagrams have one size: nothing is told by a length, and no answer is larger than its
 * question. The first bytes can never be a WireGuard message (types 1 to 4), so both can share a port.
 *
 * Each message carries a stamp that must grow per sender, as WireGuard's timestamps must: a replayed
 * datagram is dropped. Whom we do not know gets silence. This module only reads and writes.
 */

import type { Crypto, Endpoint } from '#runtime';
import { isEndpoint } from './wg.ts';

/** Who begins the handshake. Both at once would cost five seconds. */
export type Initiator = 'asker' | 'answerer';

export type RefuseReason = 'not-allowed' | 'tunnels-off' | 'old-stamp';

export type ControlMessage =
  | {
      /** May we have a tunnel? */
      readonly kind: 'knock';
      readonly stamp: number;
      readonly listenPort: number;
      readonly controlPort: number;
      /** Rather knock on us: your router lets this in, but not a handshake that we begin. */
      readonly callBack: boolean;
    }
  | {
      /** Yes; I have you as a peer. `echo` is the knock's stamp. */
      readonly kind: 'welcome';
      readonly stamp: number;
      readonly echo: number;
      readonly listenPort: number;
      readonly controlPort: number;
      /** Where the knock came from as we see it. */
      readonly seen: Endpoint;
      readonly initiator: Initiator;
    }
  | {
      readonly kind: 'refuse';
      readonly stamp: number;
      readonly echo: number;
      readonly reason: RefuseReason;
      /** With 'old-stamp': the last stamp we saw of you, for clocks that went back. */
      readonly last: number;
    }
  | { readonly kind: 'bye'; readonly stamp: number }
  | { readonly kind: 'moved'; readonly stamp: number; readonly head: string };

const MAGIC = Uint8Array.of(0x4e, 0x59, 0x4d, 0x54, 1);
const SENDER_BYTES = 16;
const NONCE_BYTES = 12;
const HEADER_BYTES = MAGIC.length + SENDER_BYTES + NONCE_BYTES;
const TAG_BYTES = 16;
const LENGTH_BYTES = 2;
/** Fits one packet of IPv6's least MTU (RFC 8200 §5), tunnel headers included. */
const PLAIN_BYTES = 512;
/** The size of every datagram. */
export const DATAGRAM_BYTES = HEADER_BYTES + PLAIN_BYTES + TAG_BYTES;

const REASONS: readonly RefuseReason[] = ['not-allowed', 'tunnels-off', 'old-stamp'];
const HEAD = /^[0-9a-zA-Z]{1,128}$/;

type Sealing = Pick<Crypto, 'hash' | 'seal' | 'open' | 'agree' | 'hkdf'>;

/** The keys of one pair of devices, one per direction. */
export type PairKeys = { readonly send: Uint8Array; readonly receive: Uint8Array };

/** Derives a pair's keys; undefined when the other's public key is none. */
export function derivePairKeys(
  crypto: Pick<Crypto, 'agree' | 'hkdf'>,
  own: { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array },
  other: Uint8Array,
): PairKeys | undefined {
  const secret = crypto.agree(own.privateKey, other);
  if (secret === undefined) {
    return undefined;
  }
  const key = (from: Uint8Array, to: Uint8Array) =>
    crypto.hkdf(secret, concatenate(from, to), 'nymote control 1', 32);
  return { send: key(own.publicKey, other), receive: key(other, own.publicKey) };
}

/** What stands for a device in a header: half a hash of its id, as lower-case hex. */
export function senderTag(crypto: Pick<Crypto, 'hash'>, deviceId: string): string {
  return hex(crypto.hash('sha256', new TextEncoder().encode(deviceId)).subarray(0, SENDER_BYTES));
}

/** The sender's tag of a datagram that has our form; nothing is proven yet. */
export function readSender(datagram: Uint8Array): string | undefined {
  const isOurs =
    datagram.length === DATAGRAM_BYTES && MAGIC.every((byte, index) => datagram[index] === byte);
  return isOurs ? hex(datagram.subarray(MAGIC.length, MAGIC.length + SENDER_BYTES)) : undefined;
}

/** Seals a message from the device with tag `sender`. */
export function sealMessage(
  crypto: Pick<Crypto, 'seal'>,
  keys: PairKeys,
  sender: string,
  nonce: Uint8Array,
  message: ControlMessage,
): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(message));
  if (json.length > PLAIN_BYTES - LENGTH_BYTES || nonce.length !== NONCE_BYTES) {
    throw new Error(`unreachable: a control message of ${json.length} bytes`);
  }
  const plain = new Uint8Array(PLAIN_BYTES);
  plain.set([json.length >> 8, json.length & 255]);
  plain.set(json, LENGTH_BYTES);
  const header = concatenate(MAGIC, unhex(sender), nonce);
  return concatenate(header, crypto.seal(keys.send, nonce, plain, header));
}

/** Opens a datagram; undefined for whatever is not a sound message sealed for us by that peer. */
export function openMessage(
  crypto: Pick<Sealing, 'open'>,
  keys: PairKeys,
  datagram: Uint8Array,
): ControlMessage | undefined {
  if (readSender(datagram) === undefined) {
    return undefined;
  }
  const header = datagram.subarray(0, HEADER_BYTES);
  const nonce = header.subarray(MAGIC.length + SENDER_BYTES);
  const plain = crypto.open(keys.receive, nonce, datagram.subarray(HEADER_BYTES), header);
  if (plain === undefined) {
    return undefined;
  }
  const length = ((plain[0] ?? 0) << 8) | (plain[1] ?? 0);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(
      plain.subarray(LENGTH_BYTES, LENGTH_BYTES + length),
    );
    return readMessage(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Stamps that grow, from a clock that may not: microseconds since 1970, or the last and one. */
export function nextStamp(last: number, now: number): number {
  return Math.max(last + 1, Math.floor(now * 1e6));
}

type Fields = Readonly<Record<string, unknown>>;

/** Known keys only are taken over, whatever else a newer version may say. */
function readMessage(json: unknown): ControlMessage | undefined {
  if (typeof json !== 'object' || json === null) {
    return undefined;
  }
  const fields: Fields = json as Fields;
  const { kind, stamp, echo, listenPort, controlPort, head, reason, last } = fields;
  if (!isStamp(stamp)) {
    return undefined;
  }
  switch (kind) {
    case 'knock':
      return isPort(listenPort) && isPort(controlPort)
        ? { kind, stamp, listenPort, controlPort, callBack: fields['callBack'] === true }
        : undefined;
    case 'welcome':
      return readWelcome(fields, stamp);
    case 'refuse': {
      const known = REASONS.find((word) => word === reason);
      return known !== undefined && isStamp(echo) && isStamp(last)
        ? { kind, stamp, echo, reason: known, last }
        : undefined;
    }
    case 'bye':
      return { kind, stamp };
    case 'moved':
      return typeof head === 'string' && HEAD.test(head) ? { kind, stamp, head } : undefined;
    default:
      return undefined;
  }
}

function readWelcome(fields: Fields, stamp: number): ControlMessage | undefined {
  const { echo, listenPort, controlPort, seen, initiator } = fields;
  const { address, port } = (typeof seen === 'object' && seen !== null ? seen : {}) as Fields;
  const endpoint = { address: String(address), port: Number(port) };
  const isSound =
    isStamp(echo) &&
    isPort(listenPort) &&
    isPort(controlPort) &&
    isEndpoint(endpoint) &&
    (initiator === 'asker' || initiator === 'answerer');
  return isSound
    ? { kind: 'welcome', stamp, echo, listenPort, controlPort, seen: endpoint, initiator }
    : undefined;
}

function isStamp(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isPort(value: unknown): value is number {
  return isStamp(value) && value > 0 && value < 65_536;
}

function concatenate(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function unhex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
