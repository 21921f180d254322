import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeMessage, encodeMessage, printRecord } from '#resolver';
import { message, OURS, record, recordOf } from './messages.ts';

const RUNS = 3000;

/** Work allowed for each octet of a message, in octets read; the smallest messages get a base. */
const READS_PER_OCTET = 64;
const BASE_READS = 8192;

/** Octets whose every reading is counted: work in steps, not in time (I6). */
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

/** What must hold for any octets at all. */
function checkAnything(octets: Uint8Array): void {
  const { bytes, reads } = counted(octets);
  const result = decodeMessage(bytes);
  expect(reads()).toBeLessThanOrEqual(READS_PER_OCTET * octets.length + BASE_READS);
  if (!result.ok) return;
  const { message } = result;
  const again = encodeMessage(message);
  // Compression that we do not use (in SRV, say) may have held more than a message can.
  const back = decodeMessage(again);
  expect(back.ok).toBe(true);
  if (back.ok && !(back.message.truncated && !message.truncated)) {
    expect(back.message).toEqual(message);
  }
}

/** Something that happens to a message on its way. */
const change = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  kind: fc.constantFrom('set', 'insert', 'remove', 'pointer', 'cut', 'copy'),
  octet: fc.constantFrom(0, 1, 0x3f, 0x40, 0xc0, 0xff, 12, 41),
});

function apply(
  { at, kind, octet }: { at: number; kind: string; octet: number },
  octets: number[],
): void {
  const place = Math.floor(at * octets.length);
  if (kind === 'set') octets[place] = octet;
  else if (kind === 'insert') octets.splice(place, 0, octet);
  else if (kind === 'remove') octets.splice(place, 1);
  else if (kind === 'pointer') octets.splice(place, 2, 0xc0, octet);
  else if (kind === 'cut') octets.length = place;
  else octets.splice(place, 0, ...octets.slice(place, place + 40));
}

/** A message of many owners, each at the end of a chain of pointers. */
function chained(depth: number, chains: number, owners: number): Uint8Array {
  const octets = [1, 2, 0x80, 0, 0, 0, (owners + 1) >> 8, (owners + 1) & 255, 0, 0, 0, 0];
  octets.push(0, 0xff, 0, 0, 1, 0, 0, 0, 0);
  const rdata: number[] = [];
  const ends: number[] = [];
  const start = octets.length + 2;
  for (let chain = 0; chain < chains; chain++) {
    let last = start + rdata.length;
    rdata.push(0);
    for (let i = 0; i < depth; i++) {
      const here = start + rdata.length;
      rdata.push(1, 0x61, 0xc0 | (last >> 8), last & 255);
      last = here;
    }
    ends.push(last);
  }
  octets.push(rdata.length >> 8, rdata.length & 255, ...rdata);
  for (let i = 0; i < owners; i++) {
    const end = ends[i % chains] as number;
    octets.push(0xc0 | (end >> 8), end & 255, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0);
  }
  return Uint8Array.from(octets);
}

describe('any octets', () => {
  test('without form', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), checkAnything), { numRuns: RUNS });
  });

  test('with a header that announces what may come', () => {
    const count = fc.constantFrom(0, 0, 1, 1, 2, 3);
    const octet = fc.constantFrom(
      0,
      0,
      0,
      1,
      1,
      2,
      3,
      5,
      6,
      12,
      15,
      28,
      41,
      46,
      47,
      64,
      0x61,
      0x40,
      0xc0,
      0xc0,
      0xff,
    );
    const body = fc.array(octet, { maxLength: 200 });
    fc.assert(
      fc.property(
        fc.tuple(fc.nat(0xff), count, count, count, count),
        body,
        ([flags, ...counts], rest) => {
          const header = [1, 2, flags, 0, ...counts.flatMap((number) => [0, number])];
          checkAnything(Uint8Array.from([...header, ...rest]));
        },
      ),
      { numRuns: RUNS },
    );
  });

  test('that were a message before something happened to them', () => {
    fc.assert(
      fc.property(message, fc.array(change, { minLength: 1, maxLength: 4 }), (valid, changes) => {
        const octets = [...encodeMessage(valid)];
        for (const one of changes) apply(one, octets);
        checkAnything(Uint8Array.from(octets));
      }),
      { numRuns: RUNS },
    );
  });

  test('that are mostly chains of pointers', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 126 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 2000 }),
        (depth, chains, owners) => checkAnything(chained(depth, chains, owners)),
      ),
      { numRuns: 60 },
    );
  });
});

describe('our own messages', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(message, (sent) => {
        const result = decodeMessage(encodeMessage(sent));
        expect(result.ok && result.message).toEqual(sent);
      }),
      { numRuns: RUNS },
    );
  });

  test('fit their limit, lose only what they say they lose, and stay readable', () => {
    fc.assert(
      fc.property(message, fc.integer({ min: 300, max: 1300 }), (sent, limit) => {
        const bytes = encodeMessage(sent, { limit });
        expect(bytes.length).toBeLessThanOrEqual(limit);
        const result = decodeMessage(bytes);
        if (!result.ok) throw new Error(result.reason);
        const { answers, authorities, additionals, truncated } = result.message;
        expect(answers).toEqual(sent.answers.slice(0, answers.length));
        expect(authorities).toEqual(sent.authorities.slice(0, authorities.length));
        expect(additionals).toEqual(sent.additionals.slice(0, additionals.length));
        const isWhole =
          answers.length === sent.answers.length && authorities.length === sent.authorities.length;
        if (!isWhole) expect(truncated).toBe(true);
      }),
      { numRuns: RUNS / 3 },
    );
  });

  test('survive as text, record by record', () => {
    fc.assert(
      fc.property(recordOf(OURS), (sent) => {
        expect(record(printRecord(sent))).toEqual(sent);
      }),
      { numRuns: RUNS / 3 },
    );
  });
});
