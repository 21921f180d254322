/** DoT and DoH in a house of the test's own; TLS is plain there. */

import { describe, expect, test } from 'vitest';
import { decodeMessage, decodeRdata, encodeMessage, parseName, printRecord } from '#resolver';
import { fakeRuntime, type ManualClock, manualClock } from '#runtime/fake';
import { A, ask, configOf, homeOf } from '../homes.fixture.ts';
import { LIFETIME_SECONDS, makeCertificate, printPem, readCertificate } from './certificate.ts';
import { DATELESS_LOOK_MS, LOOK_MS } from './encrypted-dns.ts';

const SVCB = 64;
const NOON = Date.UTC(2026, 10, 20, 12) / 1_000;

function home(values: Record<string, string> = {}, options: { readonly clock?: ManualClock } = {}) {
  const runtime = fakeRuntime({ addresses: [A, '2001:db8::1'], ...options });
  const settings = { endpoints: `${A},2001:db8::1`, dns: `127.0.0.1:53,${A}:53`, ...values };
  return homeOf(runtime, configOf(settings));
}

const both = { dot: '0.0.0.0:853,[::]:853', doh: '0.0.0.0:443' };

type View = {
  encryptedDns?: {
    name: string;
    dot: string[];
    doh: string[];
    templates: string[];
    certificate: { isOwn: boolean; expiresAt: number; pin: string };
    designation: string[];
    dnr: { dhcpv4: string; dhcpv6: string[]; routerAdvertisement: string[] };
  };
  warnings: string[];
};
/** Days later the service looks at its certificate again. */
async function letPass({ runtime }: ReturnType<typeof home>, days: number): Promise<void> {
  runtime.clock.set(runtime.clock.now() + days * 86_400);
  await runtime.clock.advance(LOOK_MS);
}

/** Those of status, but for the page that no unit test builds. */
const warningsOf = async (of: ReturnType<typeof home>) =>
  (await status(of)).warnings.filter((warning) => !warning.includes('web page'));

const status = async (of: ReturnType<typeof home>) => (await of.json('status')) as View;

test('nobody asked for it: no listener, no certificate, and the special name says so', async () => {
  const a = home();
  await using _ = await a.start();
  expect((await status(a)).encryptedDns).toBeUndefined();
  expect(await a.runtime.files.read('/data/tls-key.pem')).toBeUndefined();
  const { rcode, answers } = await ask(a, '_dns.resolver.arpa', a.runtime, '127.0.0.1', SVCB);
  expect([rcode, answers]).toEqual([0, []]);
});

test('asked for, it is served, found by the special name, and told by status', async () => {
  const a = home(both);
  await using _ = await a.start();
  const { encryptedDns } = await status(a);
  expect(encryptedDns).toMatchObject({
    name: 'laptop.alice.nymote',
    dot: ['0.0.0.0:853', '[::]:853'],
    doh: ['0.0.0.0:443'],
    templates: ['https://laptop.alice.nymote/dns-query{?dns}'],
    certificate: { isOwn: true },
  });
  const { answers } = await ask(a, '_dns.resolver.arpa', a.runtime, '127.0.0.1', SVCB);
  expect(answers.map((record) => printRecord(record))).toEqual(encryptedDns?.designation);
  expect(encryptedDns?.designation[0]).toMatch(
    /SVCB 1 laptop\.alice\.nymote\. alpn="dot" port=853 ipv4hint=.*192\.0\.2\.1.* ipv6hint=.*2001:db8::1/,
  );
  expect(encryptedDns?.designation.join()).not.toContain('127.0.0.1');
  expect(encryptedDns?.dnr.dhcpv6).toHaveLength(2);
  expect((await a.run('status')).stdout).toMatch(
    /over TLS on 0\.0\.0\.0:853, \[::\]:853; over HTTPS on 0\.0\.0\.0:443; its own certificate until/,
  );
});

test('policy holds for both: a device’s name is for the household only', async () => {
  const a = home(both);
  await using _ = await a.start();
  const name = parseName('laptop.alice.nymote');
  if (name === undefined) throw new Error('unreachable: a name');
  const query = encodeMessage({
    ...{ id: 0, response: false, opcode: 0, authoritative: false, truncated: false, rcode: 0 },
    ...{ recursionDesired: true, recursionAvailable: false },
    ...{ authenticData: false, checkingDisabled: false },
    questions: [{ name, type: 28, class: 1 }],
    ...{ answers: [], authorities: [], additionals: [], edns: undefined },
  });
  const stranger = a.runtime.network.join('198.51.100.7');
  const asked = async (http: typeof stranger.http, host: string) => {
    const response = await http.fetch(
      new Request(`http://${host}:443/dns-query`, {
        method: 'POST',
        headers: { 'content-type': 'application/dns-message' },
        body: query.slice(),
      }),
    );
    const decoded = decodeMessage(new Uint8Array(await response.arrayBuffer()));
    if (!decoded.ok) throw new Error(decoded.reason);
    const { rcode, answers } = decoded.message;
    return { rcode, answers: answers.map(({ type, rdata }) => decodeRdata(type, rdata)?.type) };
  };
  expect(await asked(a.runtime.http, '127.0.0.1')).toEqual({ rcode: 0, answers: ['AAAA'] });
  expect(await asked(stranger.http, A)).toEqual({ rcode: 5, answers: [] });
});

test('the certificate names the device and its addresses, and is renewed while running', async () => {
  const a = home(both);
  await using _ = await a.start();
  const before = (await status(a)).encryptedDns?.certificate;
  const pem = new TextDecoder().decode(await a.runtime.files.read('/data/tls-certificate.pem'));
  expect(readCertificate(a.runtime.crypto, pem)?.notAfter).toBe(before?.expiresAt);
  await letPass(a, 61);
  const after = (await status(a)).encryptedDns?.certificate;
  expect(after?.expiresAt).toBeGreaterThan((before?.expiresAt ?? 0) + 50 * 86_400);
  expect(after?.pin).toBe(before?.pin);
  expect(await warningsOf(a)).toEqual([]);
});

test('an address that this machine does not have is waited for, and said to be', async () => {
  const a = home({ dot: '192.0.2.77:853', doh: '0.0.0.0:443' });
  await using _ = await a.start();
  const { encryptedDns } = await status(a);
  expect([encryptedDns?.dot, encryptedDns?.doh]).toEqual([[], ['0.0.0.0:443']]);
  expect(encryptedDns?.designation.join()).not.toContain('alpn="dot"');
  expect(await warningsOf(a)).toEqual([
    'DoT and DoH wait for 192.0.2.77, an address that this machine does not have.',
  ]);
});

test('made without a date, the certificate is made again as soon as there is one', async () => {
  const clock = manualClock({ now: 100_000, isSet: false });
  const a = home(both, { clock });
  await using _ = await a.start();
  clock.set(NOON);
  await clock.advance(DATELESS_LOOK_MS);
  const after = (await status(a)).encryptedDns?.certificate;
  expect(after?.expiresAt).toBeGreaterThan(NOON);
});

describe('with files', () => {
  const files = { tlsCertificate: '/data/their.pem', tlsKey: '/data/their.key' };

  async function place(a: ReturnType<typeof home>, age: number): Promise<void> {
    const { crypto, random, clock, files: disk } = a.runtime;
    const { privateKey } = await crypto.generateSigningKey('ecdsa-p256');
    const subject = { names: ['dns.example'], addresses: [] };
    const made = makeCertificate(
      random,
      crypto.signer('ecdsa-p256', privateKey),
      subject,
      clock.now() - age,
    );
    const write = (path: string, words: string) =>
      disk.replace(path, new TextEncoder().encode(words));
    await disk.makeDirectory('/data');
    await write(files.tlsCertificate, made);
    await write(files.tlsKey, printPem('PRIVATE KEY', privateKey));
  }

  test('an expired one is served, and said to be', async () => {
    const a = home({ ...both, ...files });
    await place(a, LIFETIME_SECONDS + 1);
    await using nymote = await a.start();
    expect((await warningsOf(a)).join()).toMatch(/their\.pem expired on .*refuse DoT and DoH/);
    expect(nymote.warnings.join()).toMatch(/expired on/);
  });

  test('one that expires while running is said, until somebody renews it', async () => {
    const a = home({ ...both, ...files });
    await place(a, LIFETIME_SECONDS - 30 * 86_400);
    await using _ = await a.start();
    expect(await warningsOf(a)).toEqual([]);
    await letPass(a, 31);
    expect((await warningsOf(a)).join()).toMatch(/expired on/);
    const before = (await status(a)).encryptedDns?.certificate;
    await place(a, 0);
    await a.runtime.clock.advance(LOOK_MS);
    const after = await status(a);
    expect(await warningsOf(a)).toEqual([]);
    expect(after.encryptedDns?.certificate.pin).not.toBe(before?.pin);
  });

  test('files that vanish while running change nothing and are missed', async () => {
    const a = home({ ...both, ...files });
    await place(a, 0);
    await using _ = await a.start();
    const before = (await status(a)).encryptedDns?.certificate;
    await a.runtime.files.remove(files.tlsCertificate);
    await a.runtime.clock.advance(LOOK_MS);
    const after = await status(a);
    expect(after.encryptedDns?.certificate).toEqual(before);
    expect(after.warnings.join()).toMatch(/cannot be renewed: there is no \/data\/their\.pem/);
  });

  test.each([
    { values: { tlsCertificate: '/data/their.pem' }, says: /add --tls-key/ },
    { values: { ...files, tlsKey: '/data/nothing' }, says: /there is no \/data\/nothing/ },
  ])('$values do not start', async ({ values, says }) => {
    const a = home({ ...both, ...values });
    await place(a, 0);
    await expect(a.start()).rejects.toThrow(says);
  });
});
