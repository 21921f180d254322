import { generateKeyPairSync } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { headBytes, packApkData, writeApk } from './apk.ts';
import type { Package } from './ipk.ts';
import type { Entry } from './tar.ts';

const HI: Package = {
  name: 'hi',
  version: '1-r1',
  arch: 'noarch',
  depends: [],
  license: 'MIT',
  maintainer: '',
  url: '',
  description: 'd',
  user: '',
  conffiles: [],
  afterInstall: '',
  beforeRemove: '',
  epoch: 0,
};
const FILES: Entry[] = [{ kind: 'file', path: 'etc/hi', mode: 0o644, data: Buffer.from('x\n') }];

/** What `apk mkpkg` of apk-tools 3.0.6 wrote for the same package. */
const REAL = `
4144422e 70636b67 10010000 00000000
000100e0 04726f6f 74000000 04000000
ed010010 08000080 08000080 03000000
00000000 100000e0 03657463 02686900
04000000 a4010010 08000080 08000080
2073cb38 58a687a8 494ca332 30530162
82f3dad3 9d42cf62 ca4e79dd a2aac7d9
ac000000 06000000 30000080 340000e0
02000010 00000010 44000080 02000000
680000e0 04000000 2c000080 100000e0
800000e0 04312d72 311440cf 38271a7c
cfacfd71 af715357 7c4d0107 e0b80164
066e6f61 72636803 4d495400 0d000000
30000080 98000080 9d000080 b2000080
b4000080 bb000080 00000000 00000000
00000000 00000000 00000000 02000010
03000000 200000e0 880000e0 03000000
c00000e0 f40000e0 0e000080 02000000
01000000 780a0000`;

describe('the smallest package', () => {
  test('is byte for byte what apk writes', () => {
    const bytes = writeApk(HI, packApkData(FILES));
    expect(bytes.subarray(0, 4).toString()).toBe('ADBd');
    const inner = inflateRawSync(bytes.subarray(4));
    expect(inner.toString('hex')).toBe(REAL.replaceAll(/\s/g, ''));
  });

  test('is the same bytes each time', () => {
    expect(writeApk(HI, packApkData(FILES))).toEqual(writeApk(HI, packApkData(FILES)));
  });
});

describe('a signing key', () => {
  test('adds a SIG block after the database and changes nothing else', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    const plain = headBytes(HI, FILES);
    const signed = headBytes(HI, FILES, pem.toString());
    expect(signed.subarray(0, plain.length)).toEqual(plain);
    expect(signed.readUInt32LE(plain.length) >>> 30).toBe(1);
    expect([...signed.subarray(plain.length + 4, plain.length + 6)]).toEqual([0, 4]);
  });

  test.each([
    { key: generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey, why: 'another curve' },
    { key: generateKeyPairSync('ed25519').privateKey, why: 'another algorithm' },
  ])('is refused when it is $why', ({ key }) => {
    const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(() => headBytes(HI, FILES, pem)).toThrow('no EC P-256 key');
  });
});
