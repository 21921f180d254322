import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { LIFETIME_SECONDS, makeCertificate, printPem } from './certificate.ts';
import { describeTrouble, holdCredentials } from './credentials.ts';

const SUBJECT = { names: ['laptop.alice.nymote'], addresses: ['192.0.2.1'] };
const OWN = { data: '/data', tlsCertificate: '', tlsKey: '' };
const THEIRS = {
  data: '/data',
  tlsCertificate: '/data/their-tls.pem',
  tlsKey: '/data/their-tls.key',
};
const DAY = 86_400;

const text = (octets: Uint8Array | undefined) => new TextDecoder().decode(octets);
const octets = (words: string) => new TextEncoder().encode(words);

describe('our own', () => {
  test.each([
    { after: 0, change: {}, isKept: true, why: 'as good as new' },
    { after: 59 * DAY, change: {}, isKept: true, why: 'before two thirds of its life' },
    { after: 60 * DAY, change: {}, isKept: false, why: 'two thirds are over' },
    { after: 400 * DAY, change: {}, isKept: false, why: 'long expired, the device was off' },
    { after: 1, change: { addresses: ['192.0.2.2'] }, isKept: false, why: 'another address' },
    { after: 1, change: { names: ['desk.alice.nymote'] }, isKept: false, why: 'another name' },
  ])('$why', async ({ after, change, isKept }) => {
    const runtime = fakeRuntime();
    const first = await holdCredentials(runtime, OWN, SUBJECT);
    await runtime.clock.advance(after * 1_000);
    const second = await holdCredentials(runtime, OWN, { ...SUBJECT, ...change });
    expect(second.credentials.certificate === first.credentials.certificate).toBe(isKept);
    expect(second.credentials.key).toBe(first.credentials.key);
    expect(second.facts.pin).toBe(first.facts.pin);
    expect(second.facts.notAfter).toBeGreaterThan(runtime.clock.now());
    expect(text(await runtime.files.read('/data/tls-certificate.pem'))).toBe(
      second.credentials.certificate,
    );
  });

  test('made before the clock was set, it is made again after, and kept without a date', async () => {
    const runtime = fakeRuntime();
    const past = { ...runtime.clock, now: () => 100_000, isSet: () => false };
    const first = await holdCredentials({ ...runtime, clock: past }, OWN, SUBJECT);
    const second = await holdCredentials(runtime, OWN, SUBJECT);
    expect(second.facts.notBefore).toBeGreaterThan(first.facts.notAfter);
    // A router without a battery starts with this one: it is good for who knows the date.
    const third = await holdCredentials({ ...runtime, clock: past }, OWN, SUBJECT);
    expect(third.credentials).toEqual(second.credentials);
    const moved = { ...SUBJECT, addresses: ['192.0.2.2'] };
    const fourth = await holdCredentials({ ...runtime, clock: past }, OWN, moved);
    expect(fourth.facts.notBefore).toBe(first.facts.notBefore);
  });

  test.each(['', 'junk', printPem('CERTIFICATE', Uint8Array.of(1, 2, 3))])(
    'a certificate that is damaged (%j) is made again',
    async (damaged) => {
      const runtime = fakeRuntime();
      const first = await holdCredentials(runtime, OWN, SUBJECT);
      await runtime.files.replace('/data/tls-certificate.pem', octets(damaged));
      const second = await holdCredentials(runtime, OWN, SUBJECT);
      expect(second.facts.pin).toBe(first.facts.pin);
    },
  );

  test('a certificate of another key is made again', async () => {
    const [runtime, other] = [fakeRuntime(), fakeRuntime({ seed: 2 })];
    const { credentials } = await holdCredentials(other, OWN, SUBJECT);
    await runtime.files.replace('/data/tls-certificate.pem', octets(credentials.certificate));
    const held = await holdCredentials(runtime, OWN, SUBJECT);
    expect(held.credentials.certificate).not.toBe(credentials.certificate);
  });

  test.each(['', 'junk', printPem('PRIVATE KEY', Uint8Array.of(1, 2, 3))])(
    'a key that is damaged (%j) is not replaced behind anybody’s back',
    async (damaged) => {
      const runtime = fakeRuntime();
      await runtime.files.replace('/data/tls-key.pem', octets(damaged));
      await expect(holdCredentials(runtime, OWN, SUBJECT)).rejects.toMatchObject({
        code: 'bad-key',
        message: expect.stringContaining('/data/tls-key.pem is damaged'),
      });
    },
  );
});

async function holdTheirs(age: number) {
  const runtime = fakeRuntime();
  const { privateKey } = await runtime.crypto.generateSigningKey('ecdsa-p256');
  const signer = runtime.crypto.signer('ecdsa-p256', privateKey);
  const now = runtime.clock.now() - age;
  const certificate = makeCertificate(runtime.random, signer, SUBJECT, now);
  await runtime.files.replace(THEIRS.tlsCertificate, octets(certificate));
  await runtime.files.replace(THEIRS.tlsKey, octets(printPem('PRIVATE KEY', privateKey)));
  return { runtime, held: await holdCredentials(runtime, THEIRS, SUBJECT) };
}

describe('files that were named', () => {
  test.each([
    { age: 0, says: undefined, why: 'good for long' },
    { age: LIFETIME_SECONDS - 6 * DAY, says: /expires on \d{4}-\d\d-\d\d\.$/, why: 'soon over' },
    { age: LIFETIME_SECONDS, says: /tls\.pem expired on .*refuse DoT and DoH/, why: 'over' },
    { age: -2 * DAY, says: /good only from/, why: 'not yet' },
  ])('$why', async ({ age, says }) => {
    const { runtime, held } = await holdTheirs(age);
    expect(held.isOwn).toBe(false);
    const trouble = describeTrouble(held, runtime.clock);
    if (says === undefined) expect(trouble).toBeUndefined();
    else expect(trouble).toMatch(says);
    expect(describeTrouble(held, { now: () => 0, isSet: () => false })).toBeUndefined();
  });

  test.each([
    { config: { ...THEIRS, tlsKey: '' }, says: /add --tls-key/, why: 'no key' },
    { config: { ...THEIRS, tlsCertificate: '' }, says: /add --tls-certificate/, why: 'only a key' },
    { config: { ...THEIRS, tlsKey: '/nowhere' }, says: /there is no \/nowhere/, why: 'missing' },
    {
      config: { ...THEIRS, tlsCertificate: THEIRS.tlsKey },
      says: /holds no certificate/,
      why: 'the wrong file',
    },
  ])('$why', async ({ config, says }) => {
    const { runtime } = await holdTheirs(0);
    await expect(holdCredentials(runtime, config, SUBJECT)).rejects.toThrow(says);
  });
});
