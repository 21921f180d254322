/**
 * Requests that a device signs, so that they count on any path: over a tunnel, a relay or a hub.
 *
 *     Signature-Input: nymote=("@method" "@path" "@query" "content-digest");keyid="…";alg="ed25519";tag="nymote-sync"
 *
 * The key is named by itself, in base64; whether it belongs to somebody is the caller's question. No
 * date is signed, because routers boot without one: what is asked this way can be asked again without
 * harm, and who answers gives nothing away that is not sealed.
 *
 * @see RFC 9421; RFC 9530: the digest of the content
 */

import { httpbis } from 'http-message-signatures';
import { deviceId } from '#identity';
import type { Crypto, Signer } from '#runtime';
import { decodeBase64, encodeBase64 } from '../base64.ts';

/** Who signed a request. */
export type Requester = { readonly device: string; readonly publicKey: Uint8Array };

const FIELDS = ['@method', '@path', '@query', 'content-digest'];
const TAG = 'nymote-sync';
const KEY_BYTES = 32;

/** A request with its signature. */
export async function signRequest(
  crypto: Pick<Crypto, 'hash'>,
  signer: Signer,
  {
    method,
    url,
    body,
  }: { readonly method: string; readonly url: string; readonly body: Uint8Array },
): Promise<Request> {
  const digest = digestOf(crypto, body);
  const signed = await httpbis.signMessage(
    {
      key: {
        id: encodeBase64(signer.publicKey),
        alg: 'ed25519',
        sign: async (data) => Buffer.from(signer.sign(data)),
      },
      name: 'nymote',
      fields: FIELDS,
      params: ['keyid', 'alg', 'tag'],
      paramValues: { tag: TAG },
    },
    { method, url, headers: { 'content-digest': digest } },
  );
  return new Request(url, {
    method,
    headers: signed.headers as Record<string, string>,
    ...(body.length > 0 ? { body: new Uint8Array(body) } : {}),
  });
}

/** Whose request it is; undefined unless all of it is signed. */
export async function verifyRequest(
  crypto: Pick<Crypto, 'hash' | 'verify'>,
  request: Pick<Request, 'method' | 'url' | 'headers'>,
  body: Uint8Array,
): Promise<Requester | undefined> {
  return isBodyOf(crypto, request, body) ? verifyHead(crypto, request) : undefined;
}

/** Tells whether this is the body that was signed for. */
export function isBodyOf(
  crypto: Pick<Crypto, 'hash'>,
  { headers }: Pick<Request, 'headers'>,
  body: Uint8Array,
): boolean {
  return headers.get('content-digest') === digestOf(crypto, body);
}

/** Whose request it is, before its body is read: names of devices are no secret, signatures are work. */
export async function verifyHead(
  crypto: Pick<Crypto, 'hash' | 'verify'>,
  { method, url, headers }: Pick<Request, 'method' | 'url' | 'headers'>,
): Promise<Requester | undefined> {
  let publicKey: Uint8Array | undefined;
  const isSigned = await httpbis
    .verifyMessage(
      {
        all: true,
        requiredFields: FIELDS,
        requiredParams: ['keyid', 'alg', 'tag'],
        keyLookup: async ({ keyid, alg, tag }) => {
          const key = decodeBase64(keyid ?? '');
          if (alg !== 'ed25519' || tag !== TAG || key?.length !== KEY_BYTES) return null;
          publicKey = key;
          return {
            id: keyid ?? '',
            algs: ['ed25519'],
            verify: async (data, signature) => crypto.verify('ed25519', key, data, signature),
          };
        },
      },
      { method, url, headers: Object.fromEntries(headers) },
    )
    // Headers that are no structured fields.
    .catch(() => false);
  if (isSigned !== true || publicKey === undefined) return undefined;
  return { device: deviceId(crypto, publicKey), publicKey };
}

/** Who a request says it is of, before anything is proven. */
export function claimedDevice(
  crypto: Pick<Crypto, 'hash'>,
  { headers }: Pick<Request, 'headers'>,
): string | undefined {
  const input = headers.get('signature-input') ?? '';
  const [, named] = /;keyid="([A-Za-z0-9+/]{43}=)"/.exec(input) ?? [];
  return named === undefined ? undefined : deviceId(crypto, decodeBase64(named));
}

function digestOf(crypto: Pick<Crypto, 'hash'>, body: Uint8Array): string {
  return `sha-256=:${encodeBase64(crypto.hash('sha256', body))}:`;
}
