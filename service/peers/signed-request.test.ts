import { describe, expect, test } from 'vitest';
import { generateDeviceKeys } from '#identity';
import { nodeRuntime } from '#runtime/node';
import { isBodyOf, signRequest, verifyHead, verifyRequest } from './signed-request.ts';

const { crypto } = nodeRuntime({ log: () => undefined });
const keys = await generateDeviceKeys(crypto);
const signer = crypto.signer('ed25519', keys.signing.privateKey);
const BODY = new TextEncoder().encode('what is asked');
const URL = 'http://hub.example/sync/v1/realm/pull?page=2';
const signed = await signRequest(crypto, signer, { method: 'POST', url: URL, body: BODY });

type Asked = { method: string; url: string; headers: Headers; body: Uint8Array };
const asked = (change: (asked: Asked) => void): Asked => {
  const copy = { method: 'POST', url: URL, headers: new Headers(signed.headers), body: BODY };
  change(copy);
  return copy;
};

test('whoever signed it is told by the key', async () => {
  const requester = await verifyRequest(crypto, signed, BODY);
  expect(requester).toEqual({ device: keys.id, publicKey: keys.signing.publicKey });
});

test('by another name of the host it is the same request', async () => {
  const moved = { ...asked(() => undefined), url: URL.replace('hub.example', '[fd00::1]:5300') };
  expect((await verifyRequest(crypto, moved, BODY))?.device).toBe(keys.id);
});

test('without a body as well', async () => {
  const request = { method: 'GET', url: URL, body: new Uint8Array(0) };
  const got = await signRequest(crypto, signer, request);
  expect((await verifyRequest(crypto, got, request.body))?.device).toBe(keys.id);
});

test('is known before its body is, which is then held against it', async () => {
  expect((await verifyHead(crypto, signed))?.device).toBe(keys.id);
  expect(isBodyOf(crypto, signed, BODY)).toBe(true);
  expect(isBodyOf(crypto, signed, BODY.subarray(1))).toBe(false);
});

describe('nobody signed', () => {
  test.each<[string, (asked: Asked) => void]>([
    ['another method', (it) => (it.method = 'DELETE')],
    ['another path', (it) => (it.url = it.url.replace('pull', 'push'))],
    ['another query', (it) => (it.url = it.url.replace('2', '3'))],
    ['another body', (it) => (it.body = new TextEncoder().encode('something else'))],
    [
      'another body with its own digest',
      (it) => {
        it.body = new Uint8Array(0);
        it.headers.set('content-digest', 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:');
      },
    ],
    ['a request without signature', (it) => it.headers.delete('signature')],
    ['a request without the input', (it) => it.headers.delete('signature-input')],
    ['headers that are none', (it) => it.headers.set('signature-input', 'nymote=(((')],
    [
      'fewer fields than all',
      (it) =>
        it.headers.set(
          'signature-input',
          String(it.headers.get('signature-input')).replace('"@path" ', ''),
        ),
    ],
    [
      'for another purpose',
      (it) =>
        it.headers.set(
          'signature-input',
          String(it.headers.get('signature-input')).replace('nymote-sync', 'nymote-else'),
        ),
    ],
    [
      'a key that is none',
      (it) =>
        it.headers.set(
          'signature-input',
          String(it.headers.get('signature-input')).replace(/keyid="[^"]+"/, 'keyid="AAAA"'),
        ),
    ],
  ])('%s', async (_, change) => {
    const { body, ...request } = asked(change);
    expect(await verifyRequest(crypto, request, body)).toBeUndefined();
  });
});
