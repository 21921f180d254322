import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { encodeText } from '../format/bytes.ts';
import { signMessage } from '../format/sshsig.ts';
import { signerOf } from '../realm.fixture.ts';
import {
  type BackupFile,
  chainOf,
  continueAfter,
  type Manifest,
  manifestNames,
  manifestNumbers,
  readManifest,
  retained,
  signManifest,
} from './manifest.ts';

const { crypto } = fakeRuntime();
const DAY = 86_400;
const HEAD = 'ab'.repeat(32);

function file(kind: BackupFile['kind'], at: number, name = kind.slice(0, 1)): BackupFile {
  return {
    name: `${name.repeat(26).slice(0, 26)}.age`,
    kind,
    sha256: HEAD,
    size: 1,
    at,
    commits: 1,
    reach: { vector: { router: [[1, HEAD]] }, heads: [HEAD] },
  };
}

const list = (...files: BackupFile[]): Omit<Manifest, 'format'> => ({
  realm: HEAD,
  number: 3,
  at: 0,
  device: 'router',
  files,
});

describe('a list', () => {
  const signer = signerOf(crypto, 1);
  const signed = signManifest(crypto, signer, list(file('full', 1), file('keys', 1)));

  test('is read again, with the key that signed it', () => {
    const read = readManifest(crypto, signed.list, signed.sig);
    expect(read?.manifest.files).toHaveLength(2);
    expect(read?.signedBy).toEqual(signer.publicKey);
  });

  test('is refused with any bit off, in it or in its signature', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.nat(), (inList, at) => {
        const bytes = (inList ? signed.list : signed.sig).slice();
        // The newline after the signature means nothing.
        const bit = at % ((bytes.length - 1) * 8);
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        const read = inList
          ? readManifest(crypto, bytes, signed.sig)
          : readManifest(crypto, signed.list, bytes);
        expect(read).toBeUndefined();
      }),
    );
  });

  test('is not what was signed as a commit', () => {
    const sig = encodeText(signMessage(crypto, signer, signed.list));
    expect(readManifest(crypto, signed.list, sig)).toBeUndefined();
  });

  test('is found by its number, the newest first', () => {
    const { list: name, sig } = manifestNames(12);
    expect([name, sig]).toEqual(['00000012.json', '00000012.json.sig']);
    const names = ['00000009.json', sig, name, 'x.age', '000000000000000012345.json', '1.json'];
    expect(manifestNumbers(names)).toEqual([12, 9]);
  });
});

describe('where the next one goes on', () => {
  const held = () => true;
  const many = Array.from({ length: 31 }, (_, i) => file('increment', i));
  test.each([
    { files: undefined, now: 0, isHeld: held, after: [], why: 'nothing there' },
    { files: [file('keys', 0)], now: 0, isHeld: held, after: [], why: 'no history there' },
    { files: [file('full', 0)], now: DAY, isHeld: held, after: [HEAD], why: 'the next day' },
    { files: [file('full', 0)], now: 7 * DAY, isHeld: held, after: [], why: 'the next week' },
    { files: [file('full', DAY)], now: 0, isHeld: held, after: [HEAD], why: 'a clock gone back' },
    { files: [file('full', 0), ...many], now: 1, isHeld: held, after: [], why: 'many files' },
    { files: [file('full', 0)], now: 1, isHeld: () => false, after: [], why: 'another history' },
  ])('$why', ({ files, now, isHeld, after }) => {
    const manifest = files && list(...files);
    expect(continueAfter(manifest, now, isHeld).heads).toEqual(after);
  });
});

test('of many full histories some are kept, with what came after each, and the last keys', () => {
  const files = Array.from({ length: 6 }, (_, week) => [
    file('full', week * 7),
    file('increment', week * 7 + 1),
    file('keys', week * 7),
  ]).flat();
  const kept = retained(files);
  expect(kept.map(({ kind, at }) => `${kind} ${at}`)).toEqual([
    ...[2, 3, 4, 5].flatMap((week) => [`full ${week * 7}`, `increment ${week * 7 + 1}`]),
    'keys 35',
  ]);
  expect(chainOf({ files: kept }).map(({ at }) => at)).toEqual([35, 36]);
  expect(retained([])).toEqual([]);
});
