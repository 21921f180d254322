import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import {
  LIFETIME_SECONDS,
  makeCertificate,
  pinOf,
  printPem,
  readCertificate,
  readPem,
} from './certificate.ts';

const NOW = 1_800_000_000;
const SUBJECT = { names: ['laptop.alice.nymote'], addresses: ['192.0.2.1', 'fd00::1'] };

const { crypto, random } = fakeRuntime();

async function make(subject = SUBJECT) {
  const { privateKey } = await crypto.generateSigningKey('ecdsa-p256');
  const signer = crypto.signer('ecdsa-p256', privateKey);
  return { signer, pem: makeCertificate(random, signer, subject, NOW) };
}

describe('a certificate of our own, as node:crypto reads it', () => {
  test('is what it should be', async () => {
    const { pem } = await make();
    const read = new X509Certificate(pem);
    expect(read.subject).toBe('CN=laptop.alice.nymote');
    expect(read.issuer).toBe(read.subject);
    expect(read.subjectAltName).toBe(
      'DNS:laptop.alice.nymote, IP Address:192.0.2.1, IP Address:FD00:0:0:0:0:0:0:1',
    );
    expect(read.ca).toBe(false);
    expect(read.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(read.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect(Date.parse(read.validTo) - Date.parse(read.validFrom)).toBe(LIFETIME_SECONDS * 1_000);
    expect(Date.parse(read.validFrom) / 1_000).toBe(NOW - 3_600);
  });

  test('carries its own signature, whatever octets that has', async () => {
    for (let round = 0; round < 40; round++) {
      const read = new X509Certificate((await make()).pem);
      expect(read.verify(read.publicKey)).toBe(true);
      expect(read.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
    }
  });

  test('a name that is too long for a common name is cut there only', async () => {
    const long = `${'a'.repeat(60)}.${'b'.repeat(60)}.nymote`;
    const read = new X509Certificate((await make({ names: [long], addresses: [] })).pem);
    expect(read.subject).toHaveLength('CN='.length + 64);
    expect(read.checkHost(long)).toBe(long);
  });
});

test('what was made is read back', async () => {
  const { pem, signer } = await make();
  const facts = readCertificate(crypto, pem);
  expect(facts).toMatchObject({
    notBefore: NOW - 3_600,
    notAfter: NOW - 3_600 + LIFETIME_SECONDS,
    pin: pinOf(crypto, signer.publicKey),
  });
  expect(facts?.isFor(SUBJECT)).toBe(true);
  expect(facts?.isFor({ ...SUBJECT, addresses: ['192.0.2.1'] })).toBe(false);
  expect(facts?.isFor({ names: [], addresses: [] })).toBe(false);
});

test('of a chain the first counts', async () => {
  const [own, issuer] = [await make(), await make()];
  expect(readCertificate(crypto, own.pem + issuer.pem)?.pin).toBe(
    pinOf(crypto, own.signer.publicKey),
  );
});

test.each([
  { pem: '', why: 'nothing' },
  { pem: 'hello', why: 'no PEM' },
  { pem: printPem('CERTIFICATE', new Uint8Array(0)), why: 'empty' },
  { pem: printPem('CERTIFICATE', Uint8Array.of(0x30, 0x80, 1, 2)), why: 'no certificate' },
  { pem: printPem('PRIVATE KEY', Uint8Array.of(1)), why: 'another thing' },
  { pem: '-----BEGIN CERTIFICATE-----\nAAAA', why: 'no end' },
  { pem: '-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----', why: 'no Base64' },
])('$why is no certificate', ({ pem }) => {
  expect(readCertificate(crypto, pem)).toBeUndefined();
});

test('octets go through PEM, in lines of 64', () => {
  const octets = Uint8Array.from({ length: 100 }, (_, index) => index);
  const pem = printPem('X', octets);
  expect(readPem('X', `before\n${pem}after`)).toEqual(octets);
  expect(Math.max(...pem.split('\n').map(({ length }) => length))).toBe(64);
});
