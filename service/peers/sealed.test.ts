import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { createSealing } from './sealed.ts';

const { crypto, random } = fakeRuntime();
const alice = crypto.generateAgreementKey();
const bob = crypto.generateAgreementKey();
const eve = crypto.generateAgreementKey();
const from = (own: typeof alice) => createSealing(crypto, random, own);
const plain = Uint8Array.of(1, 2, 3);
const sealed =
  from(alice).seal(bob.publicKey, 'test', plain, Uint8Array.of(9)) ?? new Uint8Array(0);

test('the other one opens it', () => {
  expect(from(bob).open(alice.publicKey, 'test', sealed, Uint8Array.of(9))).toEqual(plain);
});

test.each([
  {
    opened: () => from(eve).open(alice.publicKey, 'test', sealed, Uint8Array.of(9)),
    why: 'somebody else',
  },
  {
    opened: () => from(bob).open(eve.publicKey, 'test', sealed, Uint8Array.of(9)),
    why: 'said to come from another',
  },
  {
    opened: () => from(bob).open(alice.publicKey, 'other', sealed, Uint8Array.of(9)),
    why: 'another purpose',
  },
  {
    opened: () => from(bob).open(alice.publicKey, 'test', sealed, Uint8Array.of(8)),
    why: 'bound to something else',
  },
  {
    opened: () => from(alice).open(bob.publicKey, 'test', sealed, Uint8Array.of(9)),
    why: 'sent back to its sender',
  },
  {
    opened: () => from(bob).open(alice.publicKey, 'test', sealed.subarray(0, 20), Uint8Array.of(9)),
    why: 'cut short',
  },
  { opened: () => from(bob).open(alice.publicKey, 'test', new Uint8Array(0)), why: 'nothing' },
  { opened: () => from(bob).open(new Uint8Array(32), 'test', sealed), why: 'a key of low order' },
])('nobody opens it: $why', ({ opened }) => {
  expect(opened()).toBeUndefined();
});

test('nothing is sealed for a key that is none', () => {
  expect(from(alice).seal(new Uint8Array(32), 'test', plain)).toBeUndefined();
});
