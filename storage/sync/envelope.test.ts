import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import { openEnvelope, readEnvelopes, realmKey, sealFrame } from './envelope.ts';

const { crypto } = nodeRuntime({ log: () => undefined });
const KEY = realmKey(crypto, new Uint8Array(32).fill(7));
const OTHER = realmKey(crypto, new Uint8Array(32).fill(8));
const REALM = 'ab'.repeat(32);
const ORIGIN = { device: 'k7m2'.padEnd(26, 'a'), seq: 2 ** 33 + 5, id: '0f'.repeat(32) };
const FRAME = new TextEncoder().encode('a frame');

function only(bytes: Uint8Array) {
  const read = readEnvelopes(bytes);
  if (!read.ok || read.envelopes.length !== 1) throw new Error('not one envelope');
  return read.envelopes[0] as (typeof read.envelopes)[0];
}

describe('what comes out', () => {
  const sealed = sealFrame(crypto, KEY, REALM, ORIGIN, FRAME);

  test('is what went in, for who has the key', () => {
    const envelope = only(sealed);
    expect(envelope).toMatchObject(ORIGIN);
    expect(openEnvelope(crypto, [OTHER, KEY], REALM, envelope)).toEqual(FRAME);
  });

  test('is the same whoever seals it', () => {
    expect(sealFrame(crypto, KEY, REALM, ORIGIN, FRAME)).toEqual(sealed);
  });

  test('two frames of one name share no nonce', () => {
    const other = sealFrame(crypto, KEY, REALM, ORIGIN, new TextEncoder().encode('another'));
    const nonceIn = (bytes: Uint8Array) => bytes.slice(79, 91);
    expect(nonceIn(other)).not.toEqual(nonceIn(sealed));
  });

  test("nothing when it was sealed under a nonce of somebody's choice", () => {
    const nonce = new Uint8Array(12);
    const realm = Uint8Array.from(REALM.match(/../g) ?? [], (digits) =>
      Number.parseInt(digits, 16),
    );
    const head = sealed.slice(0, 75);
    const box = crypto.seal(KEY.secret, nonce, FRAME, Uint8Array.from([...realm, ...head]));
    const forged = Uint8Array.from([...sealed.subarray(0, 79), ...nonce, ...box]);
    expect(openEnvelope(crypto, [KEY], REALM, only(forged))).toBeUndefined();
  });

  test('several lie one behind the other', () => {
    const read = readEnvelopes(Uint8Array.from([...sealed, ...sealed]));
    expect(read.ok && read.envelopes.length).toBe(2);
  });

  test.each([
    ['another key', [OTHER], REALM, 'who was given another realm'],
    ['no key', [], REALM, 'who only holds it'],
    ['another realm', [KEY], 'cd'.repeat(32), 'replayed to another realm'],
  ])('nothing for %s', (_, keys, realm) => {
    expect(openEnvelope(crypto, keys, realm, only(sealed))).toBeUndefined();
  });

  test('nothing when any octet was changed', () => {
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = sealed.slice();
        changed[at] = (changed[at] as number) ^ change;
        const read = readEnvelopes(changed);
        const opened =
          read.ok && read.envelopes.map((each) => openEnvelope(crypto, [KEY], REALM, each));
        expect(opened === false || opened.every((each) => each === undefined)).toBe(true);
      }),
    );
  });
});

describe('what is refused', () => {
  const sealed = sealFrame(crypto, KEY, REALM, ORIGIN, FRAME);
  const withBytes = (at: number, ...bytes: number[]) => {
    const changed = sealed.slice();
    changed.set(bytes, at);
    return changed;
  };
  test.each([
    ['newer-version', withBytes(0, 2), 'a later nymote wrote it'],
    ['cut-short', sealed.subarray(0, -1), 'the connection broke off'],
    ['cut-short', sealed.subarray(0, 40), 'not even its head is there'],
    ['too-large', withBytes(75, 0xff, 0xff, 0xff, 0xff), 'no memory is taken by its word'],
    ['malformed', withBytes(1, 0x2f), 'a device of that name could be a path'],
    ['malformed', withBytes(1, 0xff), 'not UTF-8'],
    ['malformed', withBytes(27, 0xff, 0xff, 0xff, 0xff), 'a number that is none to us'],
    ['malformed', withBytes(27, 0, 0, 0, 0, 0, 0, 0, 0), 'chains begin with 1'],
  ])('%s', (reason, bytes) => {
    expect(readEnvelopes(bytes)).toEqual({ ok: false, reason });
  });

  test('any bytes are read without a throw', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void readEnvelopes(bytes)));
  });
});
