import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { decodeKeyFile, deviceId, encodeKeyFile, generateDeviceKeys } from './keys.ts';

const { crypto } = fakeRuntime();

test('a device is called by the hash of its signing key', async () => {
  const keys = await generateDeviceKeys(crypto);
  expect(keys.id).toMatch(/^[a-z2-7]{26}$/);
  expect(deviceId(crypto, keys.signing.publicKey)).toBe(keys.id);
  expect((await generateDeviceKeys(crypto)).id).not.toBe(keys.id);
});

test('a key file gives back the keys it was made of', async () => {
  const keys = await generateDeviceKeys(crypto);
  expect(decodeKeyFile(crypto, encodeKeyFile(keys))).toEqual({ ok: true, keys });
});

const own = await generateDeviceKeys(crypto);
const other = await generateDeviceKeys(crypto);
type Json = Record<string, unknown>;
const fileOf = (change: (file: Json) => unknown) => {
  const file = JSON.parse(new TextDecoder().decode(encodeKeyFile(own))) as Json;
  return new TextEncoder().encode(JSON.stringify(change(file)));
};
const otherFile = JSON.parse(new TextDecoder().decode(encodeKeyFile(other))) as Json;

test.each([
  { reason: 'too-large', file: new Uint8Array(5000).fill(32), why: 'longer than any key file' },
  { reason: 'not-json', file: new Uint8Array(0), why: 'empty, as a crash leaves it' },
  { reason: 'not-json', file: Uint8Array.of(0x22, 0xff, 0x22), why: 'no UTF-8' },
  { reason: 'not-json', file: encodeKeyFile(own).slice(0, -9), why: 'cut off' },
  { reason: 'wrong-shape', file: fileOf(() => null), why: 'null' },
  {
    reason: 'wrong-shape',
    file: fileOf((file) => ({ ...file, version: 2 })),
    why: 'from the future',
  },
  { reason: 'wrong-shape', file: fileOf((file) => ({ ...file, more: 1 })), why: 'a key too many' },
  { reason: 'bad-key', file: withSigning({ privateKey: 'AAAA' }), why: 'no PKCS#8' },
  { reason: 'bad-key', file: withSigning({ privateKey: '*' }), why: 'no base64' },
  { reason: 'bad-key', file: withAgreement({ privateKey: 'AAAA' }), why: 'not 32 bytes' },
  { reason: 'mismatch', file: fileOf((file) => ({ ...file, id: other.id })), why: "another's id" },
  {
    reason: 'mismatch',
    file: fileOf((file) => ({ ...file, signing: otherFile['signing'] })),
    why: "another's signing key",
  },
  { reason: 'mismatch', file: withAgreement({ publicKey: '' }), why: 'a public key of its own' },
])('a key file is $reason: $why', ({ file, reason }) => {
  expect(decodeKeyFile(crypto, file)).toEqual({ ok: false, reason });
});

function withSigning(change: Json): Uint8Array {
  return fileOf((file) => ({ ...file, signing: { ...(file['signing'] as Json), ...change } }));
}

function withAgreement(change: Json): Uint8Array {
  return fileOf((file) => ({ ...file, agreement: { ...(file['agreement'] as Json), ...change } }));
}

test('no bytes make reading a key file throw', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((json) => new TextEncoder().encode(json)),
      ),
      (file) => {
        expect(decodeKeyFile(crypto, file).ok).toBe(false);
      },
    ),
  );
});
