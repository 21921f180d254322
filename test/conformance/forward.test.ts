/**
 * Forwarding under TLS to real resolvers: Unbound, dnsdist and ourselves. Who is not who was meant
 * is told nothing.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PATIENCE } from '../suites/waiting.ts';
import { type Bare, startBare } from './bare-stand.ts';
import { type ForwardStand, openForwardStand } from './forward-stand.ts';
import { openSecureStand, type SecureStand } from './secure-stand.ts';

let stand: ForwardStand;
let ours: SecureStand;
const OTHER_PIN = Buffer.alloc(32, 7).toString('base64');

beforeAll(async () => {
  stand = await openForwardStand();
  ours = await openSecureStand();
});
afterAll(async () => {
  await ours?.[Symbol.asyncDispose]();
  await stand?.[Symbol.asyncDispose]();
});

/** `nymote resolver` with these forwarders, which trusts the stand's authority. */
const startForwarder = (forward: unknown, more: object = {}): Promise<Bare> =>
  startBare(
    stand.folder,
    { forward, trustAnchors: [], localZones: false, ...more },
    { NODE_EXTRA_CA_CERTS: stand.authority },
  );

const at = (port: number) => ({ address: '127.0.0.1', port });
const NAMED = { tls: { name: 'dns.example' } };
const URL_HERE = 'https://dns.example/dns-query';

describe('is answered', () => {
  test.each<{ forward: () => unknown; why: string }>([
    { forward: () => ({ ...at(stand.unbound.dot), ...NAMED }), why: 'Unbound over TLS, by name' },
    {
      forward: () => ({ ...at(stand.unbound.dot), tls: { pins: [stand.pin] } }),
      why: 'Unbound over TLS, by its key',
    },
    {
      forward: () => ({
        ...at(stand.unbound.dot),
        tls: { name: 'dns.example', pins: [stand.pin] },
      }),
      why: 'Unbound over TLS, by both',
    },
    {
      forward: () => ({ ...at(stand.unbound.dot), tls: {} }),
      why: 'Unbound over TLS, by its address',
    },
    { forward: () => ({ ...at(stand.unbound.doh), https: URL_HERE }), why: 'Unbound over HTTPS' },
    { forward: () => ({ ...at(stand.dnsdist.dot), ...NAMED }), why: 'dnsdist over TLS' },
    { forward: () => ({ ...at(stand.dnsdist.doh), https: URL_HERE }), why: 'dnsdist over HTTPS' },
    {
      forward: () => ({ example: { ...at(stand.unbound.dot), ...NAMED } }),
      why: 'for one zone only',
    },
  ])('$why', async ({ forward }) => {
    await using bare = await startForwarder(forward());
    expect(await bare.dig('www.example', 'A')).toContain('192.0.2.80');
  });

  test.each(['dot', 'doh'] as const)('our own listener: %s', async (kind) => {
    const { createHash, X509Certificate } = await import('node:crypto');
    const key = new X509Certificate(ours.credentials.certificate).publicKey;
    const spki = key.export({ type: 'spki', format: 'der' });
    const tls = { pins: [createHash('sha256').update(spki).digest('base64')] };
    const https = kind === 'doh' ? { https: URL_HERE } : {};
    await using bare = await startForwarder({ ...at(ours[kind]), tls, ...https });
    expect(await bare.dig('www.example', 'A')).toContain('192.0.2.80');
  });
});

describe('is refused, with the reason', () => {
  test.each<{ forward: () => unknown; says: RegExp; why: string }>([
    {
      forward: () => ({ ...at(stand.unbound.dot), tls: { name: 'other.example' } }),
      says: /forwarder-untrusted .*its certificate is for another name/,
      why: 'another name',
    },
    {
      forward: () => ({ ...at(stand.expired.dot), ...NAMED }),
      says: /forwarder-untrusted .*its certificate has expired/,
      why: 'a certificate of last year',
    },
    {
      forward: () => ({
        ...at(stand.unbound.dot),
        tls: { name: 'dns.example', pins: [OTHER_PIN] },
      }),
      says: /forwarder-untrusted .*none of those pinned/,
      why: 'the right name and another key',
    },
    {
      forward: () => ({ ...at(ours.dot), ...NAMED }),
      says: /forwarder-untrusted .*signed by itself/,
      why: 'an authority nobody knows',
    },
    {
      forward: () => ({ ...at(stand.expired.doh), https: URL_HERE }),
      says: /forwarder-untrusted .*has expired/,
      why: 'over HTTPS too',
    },
  ])('$why', async ({ forward, says }) => {
    await using bare = await startForwarder(forward());
    const answer = await bare.dig('www.example', 'A');
    expect(answer).toContain('status: SERVFAIL');
    expect(answer).toContain('EDE: 23 (');
    expect(answer).toContain('not who it should be');
    await bare.says(says);
  });
});

test('a forwarder that was restarted is found again, by itself', async () => {
  await using bare = await startForwarder({ ...at(stand.unbound.dot), ...NAMED });
  expect(await bare.dig('n1.example', 'A')).toContain('192.0.2.1');
  await stand.unbound.stop();
  expect(await bare.dig('n2.example', 'A')).toContain('status: SERVFAIL');
  await stand.restartUnbound();
  // The pause between two attempts, and what is remembered of the failure, last some seconds.
  await expect.poll(() => bare.dig('n3.example', 'A'), PATIENCE).toContain('192.0.2.3');
});

test('many questions at once go over one connection', async () => {
  await using bare = await startForwarder({ ...at(stand.unbound.dot), ...NAMED });
  const names = Array.from({ length: 40 }, (_, index) => `n${index + 5}.example`);
  const answers = await Promise.all(names.map((name) => bare.dig(name, 'A', '+short')));
  expect(answers.map((answer) => answer.trim())).toEqual(
    names.map((_, index) => `192.0.2.${index + 5}`),
  );
});
