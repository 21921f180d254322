import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { encodeBech32 } from './bech32.ts';
import { generateRecoveryPhrase, openRecoveryPhrase } from './recovery.ts';

const { crypto, random } = fakeRuntime();

const ZEROS = `${'abandon '.repeat(23)}art`;
const ONES = `${'zoo '.repeat(23)}vote`;

test.each([
  { byte: 0x00, phrase: ZEROS },
  {
    byte: 0x7f,
    phrase: `${'legal winner thank year wave sausage worth useful '.repeat(2)}legal winner thank year wave sausage worth title`,
  },
  { byte: 0xff, phrase: ONES },
])('BIP 39 has words for 32 bytes of $byte', async ({ byte, phrase }) => {
  expect(await generateRecoveryPhrase(crypto, (n) => new Uint8Array(n).fill(byte))).toBe(phrase);
  expect((await openRecoveryPhrase(crypto, phrase)).ok).toBe(true);
});

test('words and checksum are those of another implementation', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 32, maxLength: 32 }), async (entropy) => {
      const phrase = await generateRecoveryPhrase(crypto, () => entropy);
      expect(phrase).toBe(entropyToMnemonic(entropy, wordlist));
      expect(mnemonicToEntropy(phrase, wordlist)).toEqual(entropy);
      expect((await openRecoveryPhrase(crypto, phrase)).ok).toBe(true);
    }),
    { numRuns: 50 },
  );
});

const PHRASE = await generateRecoveryPhrase(crypto, random);
const WORDS = PHRASE.split(' ');

async function keysOf(text: string) {
  const opened = await openRecoveryPhrase(crypto, text);
  if (!opened.ok) throw new Error(opened.problem.reason);
  return opened.keys;
}

const OWN = await keysOf(PHRASE);

test('the keys are those that they always were', async () => {
  // Changing any of them would make every phrase on paper worthless.
  const { id, identity, recipient } = await keysOf(ZEROS);
  expect({ id, identity, recipient }).toMatchInlineSnapshot(`
    {
      "id": "uqfd5yqkaxo7zedvozt2qszc6u",
      "identity": "AGE-SECRET-KEY-1NXE7QD6EQVX0DDNUKX69HTRNAWK9YHD6YPAGM9NMXJ0XQNHGGKHQ6408YS",
      "recipient": "age10n20cxwu0qduxrh20fegj59ra8gcz05sxn4jpxm68s4z3cwp0slqd96m7e",
    }
  `);
});

test('keys of different phrases, and the two of one phrase, have nothing in common', async () => {
  const other = await keysOf(ZEROS);
  expect(other.id).not.toBe(OWN.id);
  expect(other.identity).not.toBe(OWN.identity);
  expect(OWN.id).toMatch(/^[a-z2-7]{26}$/);
  expect(OWN.identity).toMatch(/^AGE-SECRET-KEY-1[A-Z0-9]{58}$/);
  expect(OWN.recipient).toMatch(/^age1[a-z0-9]{58}$/);
});

test('the signer signs for its public key', () => {
  const message = Uint8Array.of(1, 2, 3);
  const signature = OWN.signer.sign(message);
  expect(crypto.verify('ed25519', OWN.signer.publicKey, message, signature)).toBe(true);
});

test.each([
  { text: PHRASE.toUpperCase(), why: 'capitals' },
  { text: `\n\t ${WORDS.join('   ')}\r\n`, why: 'space around and between' },
  { text: WORDS.join('\r\n'), why: 'a word on each line' },
  { text: WORDS.map((word, at) => `${at + 1}. ${word}`).join('\n'), why: 'numbered' },
  { text: WORDS.map((word, at) => `${at + 1})${word},`).join(' '), why: 'numbered, with commas' },
  {
    text: WORDS.map((word) => word.slice(0, 4)).join(' '),
    why: 'four letters of each, as on steel',
  },
  { text: WORDS.join('\u00a0'), why: 'spaces of a word processor' },
])('a phrase is taken with $why', async ({ text }) => {
  expect((await keysOf(text)).id).toBe(OWN.id);
});

const swap = (at: number, word: string) => WORDS.with(at, word).join(' ');
const swapped = WORDS.with(0, WORDS[1] as string).with(1, WORDS[0] as string);

test.each([
  { text: '', problem: { reason: 'wrong-length', words: 0 }, why: 'nothing' },
  { text: '1. 2. 3.', problem: { reason: 'wrong-length', words: 0 }, why: 'only numbers' },
  {
    text: WORDS.slice(1).join(' '),
    problem: { reason: 'wrong-length', words: 23 },
    why: 'one word is missing',
  },
  {
    text: `${PHRASE} zoo`,
    problem: { reason: 'wrong-length', words: 25 },
    why: 'one word too many',
  },
  {
    text: WORDS.slice(12).join(' '),
    problem: { reason: 'wrong-length', words: 12 },
    why: 'the short kind of phrase is none of ours',
  },
  {
    text: WORDS.with(2, 'secretword').with(23, 'xyz').join(' '),
    problem: { reason: 'unknown-word', positions: [3, 24] },
    why: 'two that are no words',
  },
  {
    text: swap(4, 'aba'),
    problem: { reason: 'unknown-word', positions: [5] },
    why: 'cut too short',
  },
  {
    text: swap(4, 'abandonx'),
    problem: { reason: 'unknown-word', positions: [5] },
    why: 'a letter more',
  },
  {
    text: swap(4, 'constructor'),
    problem: { reason: 'unknown-word', positions: [5] },
    why: 'a name that every object has',
  },
  { text: swapped.join(' '), problem: { reason: 'bad-checksum' }, why: 'two words changed places' },
  { text: 'zoo '.repeat(24), problem: { reason: 'bad-checksum' }, why: 'only words' },
  { text: ZEROS, problem: { reason: 'other-realm' }, why: "somebody else's phrase" },
  { text: `${PHRASE}${' '.repeat(5000)}`, problem: { reason: 'too-long' }, why: 'a file' },
])('a phrase is refused: $why', async ({ text, problem }) => {
  expect(await openRecoveryPhrase(crypto, text, OWN.id)).toEqual({ ok: false, problem });
});

test("the realm's own phrase is recognised", async () => {
  expect((await openRecoveryPhrase(crypto, PHRASE, OWN.id)).ok).toBe(true);
});

test('no text makes reading throw, and no answer repeats what was typed', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.constantFrom(...wordlist.slice(0, 20), 'secretword'), {
        minLength: 20,
        maxLength: 26,
      })
      .map((words) => words.join(' ')),
  );
  await fc.assert(
    fc.asyncProperty(text, async (typed) => {
      const opened = await openRecoveryPhrase(crypto, typed);
      if (!opened.ok) expect(JSON.stringify(opened)).not.toContain('secretword');
    }),
    { numRuns: 200 },
  );
});

test.each([
  { prefix: 'a', bytes: [], text: 'a12uel5l', why: 'BIP 173, in lower case' },
  {
    prefix: '?',
    bytes: [],
    text: '?1ezyfcl',
    why: 'BIP 173: a prefix that is no letter',
  },
])('bech32 of $prefix: $why', ({ prefix, bytes, text }) => {
  expect(encodeBech32(prefix, Uint8Array.from(bytes))).toBe(text);
});
