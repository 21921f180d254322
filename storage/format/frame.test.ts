import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, encodeText, u32 } from './bytes.ts';
import { crc32, decodeFrame, encodeFrame, MAX_BODY, scan } from './frame.ts';

function frame(name: string): Uint8Array {
  const bytes = encodeFrame({ commit: encodeText(`tree ${name}`), ops: `${name}\n` });
  if (bytes === undefined) throw new Error('too large');
  return bytes;
}

function namesIn(bytes: Uint8Array): (string | undefined)[] {
  return scan(bytes).frames.map((span) => decodeFrame(bytes, span)?.ops.trim());
}

const LOG = concat(['one', 'two', 'three'].map(frame));
const SECOND = frame('one').length;
const THIRD = SECOND + frame('two').length;

test('the CRC is the one of gzip', () => {
  expect(crc32(encodeText('123456789'))).toBe(0xcbf43926);
});

test('a frame that would be too large is none', () => {
  const commit = encodeText('tree ');
  expect(encodeFrame({ commit, ops: 'x'.repeat(MAX_BODY - 9) })).toBeDefined();
  expect(encodeFrame({ commit, ops: 'x'.repeat(MAX_BODY - 8) })).toBeUndefined();
});

test('a frame that says it is larger is not read, however right its checksum', () => {
  const body = new Uint8Array(MAX_BODY + 1).fill(0x61);
  body.set(encodeText('tree '), 4);
  const bytes = concat([u32(body.length), u32(crc32(body)), body]);
  expect(scan(bytes).frames).toEqual([]);
});

describe('scanning', () => {
  test('finds all frames and no damage in a sound log', () => {
    expect(namesIn(LOG)).toEqual(['one', 'two', 'three']);
    expect(scan(LOG).bad).toEqual([]);
  });

  test('of a log cut anywhere keeps what was whole', () => {
    for (let size = 0; size < LOG.length; size++) {
      const whole = ['one', 'two'].slice(0, size >= THIRD ? 2 : size >= SECOND ? 1 : 0);
      expect(namesIn(LOG.slice(0, size))).toEqual(whole);
    }
  });

  test('loses only the frame in which a byte is wrong', () => {
    for (let at = 0; at < LOG.length; at++) {
      const damaged = LOG.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x40;
      const lost = at < SECOND ? 0 : at < THIRD ? 1 : 2;
      expect(namesIn(damaged)).toEqual(['one', 'two', 'three'].toSpliced(lost, 1));
      expect(scan(damaged).bad).toHaveLength(1);
    }
  });

  test('finds frames behind garbage of any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (garbage) => {
        expect(namesIn(concat([frame('one'), garbage, frame('two')]))).toEqual(['one', 'two']);
      }),
    );
  });

  test('accounts for every byte of anything', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const { frames, bad } = scan(bytes);
        const spans = [...frames, ...bad].sort((a, b) => a.offset - b.offset);
        let end = 0;
        for (const span of spans) {
          expect(span.offset).toBe(end);
          end = span.end;
        }
        expect(end).toBe(bytes.length);
      }),
    );
  });
});
