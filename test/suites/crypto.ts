/**
 * What every Crypto must do, by the vectors of the RFCs.
 */

import { describe, expect, test } from 'vitest';
import type { Crypto, SignatureAlgorithm } from '#runtime';

/** One signature that is right. */
export type SignatureVector = {
  readonly algorithm: SignatureAlgorithm;
  readonly publicKey: Uint8Array;
  readonly data: Uint8Array;
  readonly signature: Uint8Array;
  readonly from: string;
};

/** `RRSIG RDATA without the signature | www.example.net. 3600 IN A 192.0.2.1` (RFC 4034 §3.1.8.1). */
const signedAddress = (rrsig: string) =>
  hex(
    `${rrsig} 076578616d706c65036e657400 03777777076578616d706c65036e657400 0001 0001 00000e10 0004 c0000201`,
  );

/** The same of RFC 5702's `www.example.net. 3600 IN A 192.0.2.91`, and RFC 8080's MX of `example.com.` */
const signedWeb = (rrsig: string) =>
  hex(
    `${rrsig} 076578616d706c65036e657400 03777777076578616d706c65036e657400 0001 0001 00000e10 0004 c000025b`,
  );
const signedMail = (rrsig: string) =>
  hex(
    `${rrsig} 076578616d706c6503636f6d00 076578616d706c6503636f6d00 000f 0001 00000e10 0014 000a 046d61696c 076578616d706c6503636f6d00`,
  );

/** The algorithms that DNSSEC numbers 8, 10 and 13 to 16; 5 and 7 are RSA with SHA-1, as new keys. */
export const SIGNATURES: readonly SignatureVector[] = [
  {
    algorithm: 'ed25519',
    publicKey: hex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'),
    data: hex(''),
    signature: hex(
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155 5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ),
    from: 'RFC 8032 §7.1 test 1',
  },
  {
    algorithm: 'ed25519',
    publicKey: hex('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c'),
    data: hex('72'),
    signature: hex(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da 085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ),
    from: 'RFC 8032 §7.1 test 2',
  },
  {
    algorithm: 'ed448',
    publicKey: hex(
      '5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778 edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180',
    ),
    data: hex(''),
    signature: hex(
      '533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f 2b233f034f628281f2fd7a22ddd47d7828c59bd0a21bfd3980ff0d2028d4b18a 9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4db b61149f05a7363268c71d95808ff2e652600',
    ),
    from: 'RFC 8032 §7.4 blank',
  },
  {
    algorithm: 'ecdsa-p256',
    publicKey: base64(
      'GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==',
    ),
    data: signedAddress('0001 0d 03 00000e10 4c88b137 4c63c737 d960'),
    signature: base64(
      'qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==',
    ),
    from: 'RFC 6605 §6.1',
  },
  {
    algorithm: 'ecdsa-p384',
    publicKey: base64(
      'xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1w/egsXvSADtNJhyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8/uX45NBwY8rp65F6Glur8I/mlVNgF6W/qTI37m40',
    ),
    data: signedAddress('0001 0e 03 00000e10 4c88b4e9 4c63cae9 2a13'),
    signature: base64(
      '/L5hDKIvGDyI1fcARX3z65qrmPsVz73QD1Mr5CEqOiLP95hxQouuroGCeZOvzFaxsT8Glr74hbavRKayJNuydCuzWTSSPdz7wnqXL5bdcJzusdnI0RSMROxxwGipWcJm',
    ),
    from: 'RFC 6605 §6.2',
  },
  {
    algorithm: 'rsa-sha256',
    publicKey: base64(
      'AwEAAcFcGsaxxdgiuuGmCkVImy4h99CqT7jwY3pexPGcnUFtR2Fh36BponcwtkZ4cAgtvd4Qs8PkxUdp6p/DlUmObdk=',
    ),
    data: signedWeb('0001 08 03 00000e10 70dbd880 386d4380 2349'),
    signature: base64(
      'kRCOH6u7l0QGy9qpC9l1sLncJcOKFLJ7GhiUOibu4teYp5VE9RncriShZNz85mwlMgNEacFYK/lPtPiVYP4bwg==',
    ),
    from: 'RFC 5702 §6.1',
  },
  {
    algorithm: 'rsa-sha512',
    publicKey: base64(
      'AwEAAdHoNTOW+et86KuJOWRDp1pndvwb6Y83nSVXXyLA3DLroROUkN6X0O6pnWnjJQujX/AyhqFDxj13tOnD9u/1kTg7cV6rklMrZDtJCQ5PCl/D7QNPsgVsMu1J2Q8gpMpztNFLpPBz1bWXjDtaR7ZQBlZ3PFY12ZTSncorffcGmhOL',
    ),
    data: signedWeb('0001 0a 03 00000e10 70dbd880 386d4380 0e9c'),
    signature: base64(
      'tsb4wnjRUDnB1BUi+t6TMTXThjVnG+eCkWqjvvjhzQL1d0YRoOe0CbxrVDYd0xDtsuJRaeUw1ep94PzEWzr0iGYgZBWm/zpq+9fOuagYJRfDqfReKBzMweOLDiNa8iP5g9vMhpuv6OPlvpXwm9Sa9ZXIbNl1MBGk0fthPgxdDLw=',
    ),
    from: 'RFC 5702 §6.2',
  },
  {
    algorithm: 'ed25519',
    publicKey: base64('l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4='),
    data: signedMail('000f 0f 02 00000e10 55d4fc60 55b94ce0 0e1d'),
    signature: base64(
      'oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg==',
    ),
    from: 'RFC 8080 §6.1',
  },
  {
    algorithm: 'ed448',
    publicKey: base64(
      '3kgROaDjrh0H2iuixWBrc8g2EpBBLCdGzHmn+G2MpTPhpj/OiBVHHSfPodx1FYYUcJKm1MDpJtIA',
    ),
    data: signedMail('000f 10 02 00000e10 55d4fc60 55b94ce0 25f1'),
    signature: base64(
      '3cPAHkmlnxcDHMyg7vFC34l0blBhuG1qpwLmjInI8w1CMB29FkEAIJUA0amxWndkmnBZ6SKiwZSAxGILn/NBtOXft0+Gj7FSvOKxE/07+4RQvE581N3Aj/JtIyaiYVdnYtyMWbSNyGEY2213WKsJlwEA',
    ),
    from: 'RFC 8080 §6.2',
  },
];

/**
 * Whether anything else has its turn between verifications that are made elsewhere one after the
 * other. Made here they would all be over before the loop turns once, however slow the machine is.
 */
export function elsewhereSuite(name: string, crypto: Crypto): void {
  const vectors = SIGNATURES.filter(({ algorithm }) => COSTLY.includes(algorithm));
  test.each(vectors)(
    `${name}: others have their turn while $algorithm is verified`,
    async (vector) => {
      const { algorithm, publicKey, data, signature } = vector;
      let turns = 0;
      const count = () => {
        turns++;
        next = setImmediate(count);
      };
      let next = setImmediate(count);
      for (let round = 0; round < ROUNDS; round++) {
        expect(await crypto.verifyElsewhere(algorithm, publicKey, data, signature)).toBe(true);
      }
      clearImmediate(next);
      // Bun may hear of several before the loop turns.
      expect(turns).toBeGreaterThan(0);
    },
  );
}

const COSTLY: readonly SignatureAlgorithm[] = ['ecdsa-p384', 'ed448'];
const ROUNDS = 40;

/** Runs the suite. */
export function cryptoSuite(name: string, crypto: Crypto): void {
  describe(`${name} crypto`, () => {
    test.each(SIGNATURES)('$algorithm verifies $from, and nothing near it', async (vector) => {
      const { algorithm, publicKey, data, signature } = vector;
      const verify = async (key: Uint8Array, signed: Uint8Array, by: Uint8Array) => {
        const isGood = crypto.verify(algorithm, key, signed, by);
        expect(await crypto.verifyElsewhere(algorithm, key, signed, by)).toBe(isGood);
        return isGood;
      };
      expect(await verify(publicKey, data, signature)).toBe(true);
      expect(await verify(publicKey, data, flip(signature))).toBe(false);
      expect(await verify(publicKey, append(data), signature)).toBe(false);
      expect(await verify(flip(publicKey), data, signature)).toBe(false);
      expect(await verify(publicKey, data, append(signature))).toBe(false);
      expect(await verify(append(publicKey), data, signature)).toBe(false);
      expect(await verify(publicKey, data, new Uint8Array(0))).toBe(false);
    });

    test.each(['ecdsa-p256', 'ed25519'] as const)(
      'a new %s key signs what it verifies',
      async (algorithm) => {
        const pair = await crypto.generateSigningKey(algorithm);
        const signer = crypto.signer(algorithm, pair.privateKey);
        expect(signer.publicKey).toEqual(pair.publicKey);
        expect(pair.publicKey).toHaveLength(algorithm === 'ed25519' ? 32 : 64);
        const data = new TextEncoder().encode('signed');
        const signature = signer.sign(data);
        expect(signature).toHaveLength(64);
        expect(crypto.verify(algorithm, pair.publicKey, data, signature)).toBe(true);
        expect(crypto.verify(algorithm, pair.publicKey, append(data), signature)).toBe(false);
        const other = algorithm === 'ed25519' ? 'ecdsa-p256' : 'ed25519';
        const bad = { name: 'RuntimeError', code: 'bad-key' };
        expect(thrownBy(() => crypto.signer(other, pair.privateKey))).toMatchObject(bad);
        expect(thrownBy(() => crypto.signer(algorithm, data))).toMatchObject(bad);
      },
    );

    test('ECDSA numbers that begin with zeros, or with a set bit', async () => {
      const pair = await crypto.generateSigningKey('ecdsa-p256');
      const signer = crypto.signer('ecdsa-p256', pair.privateKey);
      const firsts = new Set<string>();
      // One number of 256 begins with a zero: after 2,000 signatures none is missing.
      for (let round = 0; round < 5_000 && firsts.size < 6; round++) {
        const data = Uint8Array.of(round >> 8, round & 255);
        const signature = signer.sign(data);
        const kinds = [0, 32].map((at) => `${at} ${kindOf(signature[at] ?? 0)}`);
        if (kinds.every((kind) => firsts.has(kind))) continue;
        for (const kind of kinds) firsts.add(kind);
        expect(crypto.verify('ecdsa-p256', pair.publicKey, data, signature)).toBe(true);
      }
      expect(firsts.size).toBe(6);
      const data = new Uint8Array(1);
      for (const octet of [0, 1, 255]) {
        const signature = new Uint8Array(64).fill(octet);
        expect(crypto.verify('ecdsa-p256', pair.publicKey, data, signature)).toBe(false);
      }
    });

    test('X25519 agrees as RFC 7748 §6.1 says', () => {
      const alice = hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a');
      const bob = hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb');
      const shared = hex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742');
      const ofAlice = hex('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
      expect(crypto.agreementPublicKey(alice)).toEqual(ofAlice);
      expect(crypto.agree(bob, ofAlice)).toEqual(shared);
      expect(crypto.agree(alice, crypto.agreementPublicKey(bob))).toEqual(shared);
    });

    test.each([
      { key: new Uint8Array(32), why: 'zero' },
      { key: Uint8Array.of(1, ...new Uint8Array(31)), why: 'one' },
      { key: new Uint8Array(31), why: 'too short' },
      { key: new Uint8Array(0), why: 'empty' },
    ])('X25519 has no secret with a bad public key: $why', ({ key }) => {
      const { privateKey } = crypto.generateAgreementKey();
      expect(crypto.agree(privateKey, key)).toBeUndefined();
    });

    test('new agreement keys are clamped as `wg genkey` does, and differ', () => {
      const [one, other] = [crypto.generateAgreementKey(), crypto.generateAgreementKey()];
      expect(one.privateKey).not.toEqual(other.privateKey);
      expect((one.privateKey[0] ?? 0) & 7).toBe(0);
      expect((one.privateKey[31] ?? 0) & 0xc0).toBe(0x40);
      expect(crypto.agree(one.privateKey, other.publicKey)).toEqual(
        crypto.agree(other.privateKey, one.publicKey),
      );
    });

    test('HKDF is the one of RFC 5869 A.3', () => {
      const nothing = new Uint8Array(0);
      expect(crypto.hkdf(new Uint8Array(22).fill(0x0b), nothing, '', 42)).toEqual(
        hex('8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8'),
      );
    });

    test('HMAC is the one of RFC 4231 §4.3, and hashes those of FIPS 180-4', () => {
      const data = new TextEncoder().encode('what do ya want for nothing?');
      expect(crypto.hmac('sha256', new TextEncoder().encode('Jefe'), data)).toEqual(
        hex('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'),
      );
      const abc = new TextEncoder().encode('abc');
      expect(crypto.hash('sha1', abc)).toEqual(hex('a9993e364706816aba3e25717850c26c9cd0d89d'));
      expect(crypto.hash('sha256', abc)).toEqual(
        hex('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'),
      );
      expect(crypto.hash('sha384', abc)).toHaveLength(48);
      expect(crypto.hash('sha512', abc)).toHaveLength(64);
    });

    test('what was sealed opens, and anything else does not', () => {
      const key = new Uint8Array(32).fill(1);
      const nonce = new Uint8Array(12).fill(2);
      const plain = new TextEncoder().encode('plain');
      const about = new TextEncoder().encode('about');
      const sealed = crypto.seal(key, nonce, plain, about);
      expect(sealed).toHaveLength(plain.length + 16);
      expect(crypto.open(key, nonce, sealed, about)).toEqual(plain);
      expect(crypto.open(flip(key), nonce, sealed, about)).toBeUndefined();
      expect(crypto.open(key, flip(nonce), sealed, about)).toBeUndefined();
      expect(crypto.open(key, nonce, flip(sealed), about)).toBeUndefined();
      expect(crypto.open(key, nonce, sealed, append(about))).toBeUndefined();
      expect(crypto.open(key, nonce, sealed.subarray(0, 15), about)).toBeUndefined();
      expect(crypto.open(key.subarray(1), nonce, sealed, about)).toBeUndefined();
    });

    test('what comes back is bytes of one’s own: slicing them copies', () => {
      const digest = crypto.hash('sha256', new Uint8Array(0));
      digest.slice()[0] = (digest[0] ?? 0) ^ 1;
      expect(digest).toEqual(crypto.hash('sha256', new Uint8Array(0)));
    });
  });
}

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (thrown) {
    return thrown;
  }
  return undefined;
}

/** The same bytes but for one bit in the middle. */
export function flip(bytes: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  const middle = bytes.length >> 1;
  changed[middle] = (changed[middle] ?? 0) ^ 0x10;
  return changed;
}

function append(bytes: Uint8Array): Uint8Array {
  return Uint8Array.of(...bytes, 0);
}

/** Bytes written in hexadecimal, spaces anywhere. */
export function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

function base64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

function kindOf(first: number): 'zero' | 'plain' | 'high' {
  if (first === 0) return 'zero';
  return first >= 0x80 ? 'high' : 'plain';
}
