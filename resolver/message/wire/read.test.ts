import { describe, expect, test } from 'vitest';
import { decodeMessage } from '../message.ts';
import { printName } from '../name.ts';
import { MAX_POINTERS, nameReader, readName } from './read.ts';

const octets = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

/** Octets whose every reading is counted: work in steps, not in time. */
function counted(bytes: Uint8Array): { bytes: Uint8Array; reads: () => number } {
  let reads = 0;
  const proxy = new Proxy(bytes, {
    get(target, property) {
      reads++;
      const value: unknown = Reflect.get(target, property);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { bytes: proxy, reads: () => reads };
}

/** A response header with `answers` records announced. */
const header = (answers: number) => [
  0x12,
  0x34,
  0x80,
  0,
  0,
  0,
  answers >> 8,
  answers & 255,
  0,
  0,
  0,
  0,
];

const pointer = (target: number) => [0xc0 | (target >> 8), target & 255];

describe('names in a message', () => {
  test.each([
    { wire: '00', at: 0, name: '.', after: 1, why: 'the root' },
    { wire: '0161 00 0162 c000', at: 3, name: 'b.a.', after: 7, why: 'labels, then a pointer' },
    { wire: '0161 00 c000', at: 3, name: 'a.', after: 5, why: 'nothing but a pointer' },
    { wire: '0161 00 c000 c003', at: 5, name: 'a.', after: 7, why: 'a pointer to a pointer' },
    { wire: '00 c000', at: 1, name: '.', after: 3, why: 'a pointer to the root' },
    { wire: '0261c0 00 c001', at: 4, name: undefined, after: 0, why: 'into the middle of a label' },
  ])('$wire at $at: $why', ({ wire, at, name, after }) => {
    const reader = nameReader(octets(wire));
    reader.at = at;
    const read = readName(reader, reader.bytes.length);
    expect(read && printName(read)).toBe(name);
    if (name !== undefined) expect(reader.at).toBe(after);
  });

  test('a name is remembered by where it starts, not by what it says', () => {
    const reader = nameReader(octets('0161 00 0141 00 c000 c003'));
    const names = Array.from({ length: 4 }, () => readName(reader, reader.bytes.length));
    expect(names.map((name) => name && printName(name))).toEqual(['a.', 'A.', 'a.', 'A.']);
  });

  test('as many pointers as a name can need, and no more', () => {
    const chain = (length: number) => {
      const bytes = [0];
      for (let i = 0; i < length; i++)
        bytes.push(1, 0x61, ...pointer(Math.max(0, bytes.length - 4)));
      return nameReader(Uint8Array.from(bytes));
    };
    const longest = chain(MAX_POINTERS);
    longest.at = longest.bytes.length - 4;
    expect(readName(longest, longest.bytes.length)?.wire).toHaveLength(2 * MAX_POINTERS + 1);
    const longer = chain(MAX_POINTERS + 1);
    longer.at = longer.bytes.length - 4;
    expect(readName(longer, longer.bytes.length)).toBeUndefined();
    expect(longer.problem).toBe('too-many-pointers');
  });
});

describe('packets of death', () => {
  test('29 octets that announce 262 140 records', () => {
    const { bytes, reads } = counted(
      octets('1234 8000 ffff ffff ffff ffff 00 002c 0001 00000000 0006 0103 00000000'),
    );
    expect(bytes.length).toBe(29);
    expect(decodeMessage(bytes)).toMatchObject({ ok: false, reason: 'counts-beyond-end' });
    expect(reads()).toBeLessThan(100);
  });

  test('the same record announced once: an SSHFP type that another decoder restarts at', () => {
    const bytes = octets('1234 8000 0000 0001 0000 0000 00 002c 0001 00000000 0006 0103 00000000');
    expect(decodeMessage(bytes)).toMatchObject({ ok: true });
  });

  test('8 000 chained pointers and thousands of owners at their end', () => {
    const owners = 4000;
    const body = [...header(owners + 1), 0, 0xff, 0, 0, 1, 0, 0, 0, 0];
    body.push(16_000 >> 8, 16_000 & 255);
    const start = body.length;
    body.push(0, 0);
    for (let i = 1; i < 8000; i++) body.push(...pointer(i === 1 ? start : start + 2 * (i - 1)));
    for (let i = 0; i < owners; i++) {
      body.push(...pointer(start + 2 * 7999), 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0);
    }
    const { bytes, reads } = counted(Uint8Array.from(body));
    expect(decodeMessage(bytes)).toMatchObject({ ok: false, reason: 'too-many-pointers' });
    expect(reads()).toBeLessThan(4 * bytes.length);
  });

  test('chains that are just short enough, each owner with one of its own', () => {
    const chains = 60;
    const owners = 2500;
    const rdata: number[] = [];
    const ends: number[] = [];
    const start = 12 + 11;
    for (let chain = 0; chain < chains; chain++) {
      const first = start + rdata.length;
      rdata.push(0, 0);
      for (let i = 0; i < 120; i++) {
        rdata.push(1, 0x61, ...pointer(i === 0 ? first : first + 2 + 4 * (i - 1)));
      }
      ends.push(first + 2 + 4 * 119);
    }
    const body = [...header(owners + 1), 0, 0xff, 0, 0, 1, 0, 0, 0, 0];
    body.push(rdata.length >> 8, rdata.length & 255, ...rdata);
    for (let i = 0; i < owners; i++) {
      const end = ends[i % chains] as number;
      body.push(...pointer(end), 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0);
    }
    const { bytes, reads } = counted(Uint8Array.from(body));
    expect(decodeMessage(bytes)).toMatchObject({ ok: false, reason: 'work-limit' });
    expect(reads()).toBeLessThan(40 * bytes.length);
  });
});
