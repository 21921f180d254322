import { expect, test } from 'vitest';
import { decodeMessage, encodeMessage, type Message } from '../message.ts';
import { joinNames, type Name, nameFromLabels, parseName } from '../name.ts';
import { CLASS, TYPE } from '../type.ts';

/** The hash that compression uses (FNV-1a, right to left by label), to make names collide. */
function hashOf({ wire }: Name): number {
  const starts: number[] = [];
  for (let at = 0; wire[at] !== 0; at += (wire[at] as number) + 1) starts.unshift(at);
  let hash = 0x811c9dc5;
  for (const start of starts) {
    for (let at = start; at <= start + (wire[start] as number); at++) {
      hash = Math.imul(hash ^ (wire[at] as number), 0x01000193);
    }
  }
  return hash;
}

/** Two names with the same hash, by trying until it happens: some 80 000 names. */
function collision(): [Name, Name] {
  const seen = new Map<number, Name>();
  for (let i = 0; ; i++) {
    const name = nameFromLabels([
      new TextEncoder().encode(i.toString(36).padStart(6, 'x')),
    ]) as Name;
    const other = seen.get(hashOf(name));
    if (other !== undefined) return [other, name];
    seen.set(hashOf(name), name);
  }
}

const messageOf = (owners: readonly Name[]): Message => ({
  id: 1,
  response: true,
  opcode: 0,
  authoritative: false,
  truncated: false,
  recursionDesired: false,
  recursionAvailable: false,
  authenticData: false,
  checkingDisabled: false,
  rcode: 0,
  questions: [],
  answers: owners.map((owner) => ({
    owner,
    type: TYPE.NULL,
    class: CLASS.IN,
    ttl: 0,
    rdata: new Uint8Array(0),
  })),
  authorities: [],
  additionals: [],
  edns: undefined,
});

const ownersOf = (bytes: Uint8Array) => {
  const result = decodeMessage(bytes);
  return result.ok && result.message.answers.map(({ owner }) => owner);
};

test('names with the same hash are told apart, and so are all names below them', () => {
  const [one, other] = collision();
  expect(hashOf(one)).toBe(hashOf(other));
  const below = parseName('a.b.c') as Name;
  const owners = [one, other].flatMap((name) => [joinNames(below, name) as Name, name]);
  expect(ownersOf(encodeMessage(messageOf(owners)))).toEqual(owners);
});

test('long names made to collide cost compression, and nothing else', () => {
  const pair = collision();
  const prefix = parseName('x.'.repeat(120)) as Name;
  const owners = Array.from(
    { length: 200 },
    (_, i) => joinNames(prefix, pair[i % 2] as Name) as Name,
  );
  const distinct = owners.map(
    (owner, i) => joinNames(parseName(`${i % 10}`) as Name, owner) as Name,
  );
  expect(ownersOf(encodeMessage(messageOf(distinct)))).toEqual(distinct);
});

test('more suffixes than are remembered, and offsets beyond a pointer', () => {
  const owners = Array.from(
    { length: 3000 },
    (_, i) => parseName(`n${i % 1700}.d${i % 40}`) as Name,
  );
  const bytes = encodeMessage(messageOf(owners));
  expect(bytes.length).toBeGreaterThan(0x4000);
  expect(ownersOf(bytes)).toEqual(owners);
});

test('the same name again is one pointer', () => {
  const owner = parseName('a.long.name.example') as Name;
  const size = (count: number) => encodeMessage(messageOf(Array(count).fill(owner))).length;
  expect(size(3) - size(2)).toBe(2 + 10);
});

test('the root is one octet, never a pointer', () => {
  const root = parseName('.') as Name;
  expect(encodeMessage(messageOf([root, root]))).toHaveLength(12 + 2 * 11);
});
