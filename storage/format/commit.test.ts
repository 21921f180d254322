import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { StorageError } from '../error.ts';
import { signerOf } from '../realm.fixture.ts';
import { decodeText, encodeText } from './bytes.ts';
import {
  type CommitFields,
  cleanDate,
  cleanMessage,
  cleanName,
  hasValidSignature,
  parseCommit,
  peekCommit,
  signCommit,
} from './commit.ts';
import { peekKey } from './sshsig.ts';

/** Any UTF-16, well-formed or not; fast-check's own takes a second to begin. */
const anyText = fc
  .array(fc.nat(0xffff), { maxLength: 30 })
  .map((units) => String.fromCharCode(...units));

const { crypto } = fakeRuntime();
const signer = signerOf(crypto, 1);

const FIELDS: CommitFields = {
  tree: 'a'.repeat(64),
  parents: ['b'.repeat(64)],
  device: 'router',
  name: 'Router',
  at: 1_795_176_000,
  seq: 7,
  realm: 'c'.repeat(64),
  message: 'Let the printer resolve\n\nIt was asked for.',
  via: 'web',
};

const SIGNED = signCommit(crypto, signer, FIELDS);
const TEXT = decodeText(SIGNED.bytes) ?? '';

describe('a signed commit', () => {
  test.each([
    { change: {}, why: 'an ordinary one' },
    { change: { parents: [], realm: undefined, seq: 1 }, why: 'a genesis' },
    { change: { parents: ['d'.repeat(64), 'e'.repeat(64)] }, why: 'two parents' },
    { change: { at: 0 }, why: 'a clock that was never set' },
    { change: { message: 'Nymote-Seq: 9\nNymote-Via: luci' }, why: 'trailers as message' },
    { change: { message: 'a\n\nNymote-Seq: 9\nNymote-Via: luci' }, why: 'trailers in the message' },
    { change: { name: 'Küche 🍳', message: '日本', via: 'luci: root' }, why: 'any script' },
  ])('reads back as it was written: $why', ({ change }) => {
    const { bytes, id } = signCommit(crypto, signer, { ...FIELDS, ...change });
    const read = parseCommit(crypto, bytes);
    expect(read).toMatchObject({ ...FIELDS, ...change, id });
    expect(hasValidSignature(crypto, read)).toBe(true);
  });

  test('names its place and its key at a glance', () => {
    const glimpse = peekCommit(crypto, SIGNED.bytes);
    const { id, parents, device, seq } = SIGNED;
    expect(glimpse).toMatchObject({ id, parents, device, seq });
    expect(peekKey(glimpse?.signer.split(' ')[1] ?? '')).toEqual(signer.publicKey);
  });

  test('is not believed when any byte is another', () => {
    for (let at = 0; at < SIGNED.bytes.length; at++) {
      const bytes = SIGNED.bytes.slice();
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      expect(isBelieved(bytes), `byte ${at}`).toBe(false);
    }
  });
});

describe('reading', () => {
  test.each([
    { from: 'tree a', to: 'tree A', why: 'upper case' },
    { from: '+0000', to: '+0100', why: 'a time zone' },
    { from: 'committer Router', to: 'committer Rooter', why: 'another committer' },
    { from: '> 179', to: '> 0179', why: 'a date with leading zeros' },
    { from: 'Nymote-Seq: 7', to: 'Nymote-Seq: 07', why: 'a number with leading zeros' },
    { from: 'Nymote-Seq: 7', to: 'Nymote-Seq: 0', why: 'number zero' },
    { from: 'Nymote-Via: web\n', to: 'Nymote-Via: web', why: 'no last newline' },
    { from: 'Nymote-Via: web\n', to: 'Nymote-Via: web\n\n', why: 'one newline too many' },
    { from: '\n\nLet', to: '\n\n\nLet', why: 'a blank line too many' },
    { from: 'resolve\n', to: 'resolve \u0007\n', why: 'a bell in the message' },
    { from: 'resolve\n', to: 'resolve\r\n', why: 'a carriage return' },
    { from: 'committer', to: 'encoding latin1\ncommitter', why: 'a header git knows' },
    { from: '\ngpgsig-sha256', to: '\ngpgsig', why: "SHA-1's signature header" },
    { from: 'parent b', to: `parent ${'b'.repeat(64)}\nparent b`, why: 'one parent twice' },
    { from: 'BEGIN SSH', to: 'BEGIN PGP', why: 'another kind of signature' },
    { from: TEXT, to: '', why: 'nothing' },
    { from: TEXT, to: TEXT.slice(0, 300), why: 'half of it' },
  ])('refuses $why', ({ from, to }) => {
    expect(TEXT).toContain(from);
    expect(() => parseCommit(crypto, encodeText(TEXT.replace(from, to)))).toThrow(StorageError);
  });

  test('throws nothing but StorageError', () => {
    const text = fc.oneof(
      anyText,
      fc
        .tuple(fc.nat(TEXT.length), fc.nat(TEXT.length), fc.string())
        .map(([start, end, middle]) => TEXT.slice(0, start) + middle + TEXT.slice(end)),
    );
    fc.assert(
      fc.property(text, (input) => {
        const bytes = encodeText(input);
        peekCommit(crypto, bytes);
        expect(isBelieved(bytes)).toBe(input === TEXT);
      }),
    );
  });
});

describe('writing', () => {
  test.each([
    { change: { message: 'x'.repeat(9000) }, why: 'a message too long' },
    { change: { message: 'a\0b' }, why: 'a zero byte' },
    { change: { message: ' a ' }, why: 'a message that is not clean' },
    { change: { via: 'web\nNymote-Seq: 9' }, why: 'a second line in via' },
    { change: { via: '' }, why: 'no via' },
    { change: { name: 'a <b>' }, why: 'brackets in the name' },
    { change: { device: 'Router' }, why: 'a device id that is no key' },
    { change: { at: 1e15 }, why: 'a date git cannot read' },
    { change: { seq: 0 }, why: 'number zero' },
    { change: { parents: Array(65).fill('b'.repeat(64)) }, why: 'too many parents' },
  ])('refuses $why', ({ change }) => {
    expect(() => signCommit(crypto, signer, { ...FIELDS, ...change })).toThrow(StorageError);
  });

  test.each([
    { clean: cleanName(' <Küche>\n"x" ', 'id'), gives: 'Küche "x', why: 'what git strips' },
    { clean: cleanName('\u0007<>', 'id'), gives: 'id', why: 'nothing left' },
    { clean: cleanName('\ud800a', 'id'), gives: '\ufffda', why: 'half a character' },
    { clean: cleanMessage(' a\r\nb '), gives: 'a\nb', why: 'lines of Windows' },
    { clean: cleanMessage('\n'), gives: 'Change', why: 'nothing said' },
    { clean: cleanDate(-5), gives: 0, why: 'before 1970' },
    { clean: cleanDate(Number.NaN), gives: 0, why: 'no number' },
    { clean: cleanDate(1.9), gives: 1, why: 'whole seconds' },
  ])('cleans up: $why', ({ clean, gives }) => {
    expect(clean).toBe(gives);
  });

  test('any name can be cleaned so that it can be written', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const name = cleanName(text, 'router');
        expect(signCommit(crypto, signer, { ...FIELDS, name }).name).toBe(name);
      }),
    );
  });
});

function isBelieved(bytes: Uint8Array): boolean {
  try {
    return hasValidSignature(crypto, parseCommit(crypto, bytes));
  } catch (thrown) {
    if (thrown instanceof StorageError) return false;
    throw thrown;
  }
}
