import { expect, test } from 'vitest';
import { compareNames, type Name, parseName, ROOT } from '../message/name.ts';
import { createProofIndex, insert, MAX_ALL_PROOFS, MAX_PROOFS, MAX_ZONES } from './proof-index.ts';

const nameOf = (text: string): Name => parseName(text) ?? ROOT;

test('many zones with many proofs each are forgotten, those unused for longest first', () => {
  const index = createProofIndex();
  const used = nameOf('used.example');
  index.open(used);
  const zones = Array.from({ length: 40 }, (_, zone) => nameOf(`z${zone}.example`));
  for (const apex of zones) {
    index.get(used);
    for (let proof = 0; proof < MAX_PROOFS / 2; proof++) {
      insert(index.open(apex).owners, nameOf(`${proof}.${apex.key.slice(1, 4)}`), compareNames);
    }
  }
  const left = zones.filter((apex) => index.get(apex) !== undefined);
  expect(left).toEqual(zones.slice(-Math.floor(MAX_ALL_PROOFS / (MAX_PROOFS / 2))));
  expect(index.get(used)).toBeDefined();
});

test('no more zones than those', () => {
  const index = createProofIndex();
  for (let zone = 0; zone <= MAX_ZONES; zone++) index.open(nameOf(`z${zone}.example`));
  expect(index.get(nameOf('z0.example'))).toBeUndefined();
  expect(index.get(nameOf('z1.example'))).toBeDefined();
});
