import { describe, expect, test } from 'vitest';
import { decoded, EMPTY, QUESTION, record } from './message.fixture.ts';
import { encodeMessage } from './message.ts';

describe('limits', () => {
  const addresses = Array.from({ length: 10 }, (_, i) => record(`www.example.com A 192.0.2.${i}`));
  const signature = record(
    `www.example.com RRSIG A 13 3 60 20260101000000 20251201000000 1 example.com. ${'AAAA'.repeat(16)}`,
  );
  const other = record('www.example.com AAAA 2001:db8::1');
  const edns = { udpSize: 512, version: 0, dnssecOk: true, options: [] };

  test('what fits is whole', () => {
    const message = { ...EMPTY, questions: [QUESTION], answers: addresses, edns };
    const size = encodeMessage(message).length;
    expect(decoded(encodeMessage(message, { limit: size }))).toEqual(message);
    expect(decoded(encodeMessage(message, { limit: size - 1 }))).toEqual({
      ...message,
      truncated: true,
      answers: [],
    });
  });

  test('an RRset goes as a whole and takes its signature along', () => {
    const answers = [other, ...addresses, signature];
    const message = { ...EMPTY, questions: [QUESTION], answers, authorities: [other], edns };
    const size = encodeMessage({
      ...message,
      answers: [other, ...addresses],
      authorities: [],
    }).length;
    const cut = decoded(encodeMessage(message, { limit: size + 20 }));
    expect(cut).toEqual({ ...message, truncated: true, answers: [other], authorities: [] });
  });

  test('additional records may be lost without a word, unless they are the glue of a referral', () => {
    const extra = { ...EMPTY, questions: [QUESTION], answers: [other], additionals: addresses };
    const limit = encodeMessage({ ...extra, additionals: [] }).length + 5;
    expect(decoded(encodeMessage(extra, { limit })).truncated).toBe(false);
    const authorities = [record('example.com NS www.example.com.')];
    const referral = { ...extra, answers: [], authorities };
    const room = encodeMessage({ ...referral, additionals: [] }).length + 5;
    expect(decoded(encodeMessage(referral, { limit: room }))).toEqual({
      ...referral,
      truncated: true,
      additionals: [],
    });
  });

  test.each([
    { room: 11, sizes: [], why: 'OPT stays, if need be without its options' },
    { room: 22, sizes: [7], why: 'the first does not fit, the second does' },
    { room: 23, sizes: [8], why: 'first come first served' },
    { room: 28, sizes: [8, 1], why: 'no room for the code of an extended error' },
    { room: 29, sizes: [8, 2], why: 'an extended error without its text' },
    { room: 31, sizes: [8, 3], why: 'its text cut, but not within a character' },
    { room: 33, sizes: [8, 6], why: 'more of its text' },
    { room: 38, sizes: [8, 7], why: 'other options are whole or missing' },
    { room: 39, sizes: [8, 7, 1], why: 'all of them' },
  ])('in $room octets of room: $why', ({ room, sizes }) => {
    const text = new TextEncoder().encode('né');
    const options = [
      { code: 10, data: new Uint8Array(8) },
      { code: 15, data: Uint8Array.of(0, 1, ...text, 0x61, 0x62) },
      { code: 12, data: new Uint8Array(1) },
    ];
    const message = { ...EMPTY, questions: [QUESTION], edns: { ...edns, options } };
    const limit = encodeMessage({ ...message, edns: undefined }).length + room;
    const bytes = encodeMessage(message, { limit });
    expect(bytes.length).toBeLessThanOrEqual(limit);
    expect(decoded(bytes).edns?.options.map((option) => option.data.length)).toEqual(sizes);
  });

  test('nothing gets longer than TCP can carry', () => {
    const answers = Array.from({ length: 300 }, (_, i) =>
      record(`n${i}.example.com TXT ${`"${'x'.repeat(255)}" `.repeat(2)}`),
    );
    const bytes = encodeMessage({ ...EMPTY, answers });
    expect(bytes.length).toBeLessThanOrEqual(0xffff);
    const back = decoded(bytes);
    expect(back.truncated).toBe(true);
    expect(back.answers).toEqual(answers.slice(0, back.answers.length));
  });

  test('a message cut back does not point into what was cut', () => {
    const answers = [
      record('a.example.com A 192.0.2.1'),
      record('long.name.below.b.example.com A 192.0.2.1'),
      record('long.name.below.b.example.com A 192.0.2.2'),
    ];
    const additionals = [record('below.b.example.com A 192.0.2.3')];
    for (let limit = 12; limit < 130; limit++) {
      const bytes = encodeMessage({ ...EMPTY, answers, additionals }, { limit });
      expect(bytes.length).toBeLessThanOrEqual(limit);
      const back = decoded(bytes);
      expect(back.answers).toEqual(answers.slice(0, back.answers.length));
    }
  });
});
