import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Crypto } from '#runtime';
import { nodeRuntime } from '#runtime/node';
import { generateZoneKey } from '../dnssec/keys.ts';
import type { Edns } from '../message/edns.ts';
import { decodeMessage, encodeMessage, type Message } from '../message/message.ts';
import { labels, nameFromLabels } from '../message/name.ts';
import { decodeRdataAs } from '../message/rdata.ts';
import { CLASS, OPCODE, rcodeName, TYPE } from '../message/type.ts';
import { type AnswerContext, createAuthority } from './authority.ts';
import { APEX, listed, sampleName, sampleQuery, zoneOf } from './zone.fixture.ts';

const { crypto } = nodeRuntime();
const key = await generateZoneKey(crypto);
const CONTEXT: AnswerContext = { now: 1_795_000_000, clockIsSet: true };
const DO: Edns = { udpSize: 1232, version: 0, dnssecOk: true, options: [] };

const zone = zoneOf(
  'desktop A 100.64.0.2',
  'desktop AAAA 2',
  'a.b.ent A 100.64.0.3',
  '*.wild A 100.64.0.4',
  'alias CNAME desktop',
  'two CNAME alias',
  'sub NS ns.sub',
  'ns.sub A 192.0.2.1',
  'old DNAME wild',
);
const authority = createAuthority({ zone, keys: [key], crypto });

const question = { name: sampleName('desktop'), type: TYPE.A, class: CLASS.IN };

test.each<{ more: Partial<Message>; rcode: string; ede?: number; why: string }>([
  { more: { opcode: OPCODE.NOTIFY }, rcode: 'NOTIMP', why: 'NOTIFY' },
  { more: { opcode: OPCODE.UPDATE }, rcode: 'NOTIMP', why: 'UPDATE (RFC 2136 §1.3)' },
  { more: { questions: [] }, rcode: 'FORMERR', why: 'no question' },
  { more: { questions: [question, question] }, rcode: 'FORMERR', why: 'two (RFC 9619)' },
  { more: { response: true }, rcode: 'FORMERR', why: 'a response is no query' },
  { more: { edns: { ...DO, version: 1 } }, rcode: 'BADVERS', why: 'RFC 6891 §6.1.3' },
  {
    more: { questions: [{ ...question, class: CLASS.CH }] },
    rcode: 'REFUSED',
    ede: 21,
    why: 'CHAOS',
  },
  {
    more: { questions: [{ ...question, class: CLASS.ANY }] },
    rcode: 'REFUSED',
    ede: 21,
    why: 'ANY class',
  },
  {
    more: { questions: [{ ...question, name: APEX, type: TYPE.AXFR }] },
    rcode: 'REFUSED',
    ede: 18,
    why: 'a transfer would list the devices (I10)',
  },
  {
    more: { questions: [{ ...question, name: APEX, type: TYPE.IXFR }] },
    rcode: 'REFUSED',
    ede: 18,
    why: 'so would an incremental one',
  },
  {
    more: { questions: [{ ...question, type: TYPE.NXNAME }] },
    rcode: 'FORMERR',
    ede: 30,
    why: 'RFC 9824 §3.5',
  },
  { more: { questions: [{ ...question, type: 0 }] }, rcode: 'FORMERR', ede: 30, why: 'no type' },
  {
    more: { questions: [{ ...question, name: sampleName('bob.nymote.') }] },
    rcode: 'REFUSED',
    ede: 20,
    why: 'not our zone',
  },
])('answers $rcode, extended error $ede: $why', ({ more, rcode, ede }) => {
  const response = authority.answer(sampleQuery('desktop', 'A', { edns: DO, ...more }), CONTEXT);
  expect(rcodeName(response.rcode)).toBe(rcode);
  expect(response).toMatchObject({ authoritative: false, answers: [], authorities: [], id: 4711 });
  expect(response.edns?.options.map(({ code, data }) => [code, data[1]])).toEqual(
    ede === undefined ? [] : [[15, ede]],
  );
});

test('header bits: QR and AA, RD copied, never RA, AD or CD (I1)', () => {
  const response = authority.answer(sampleQuery('desktop', 'A', { edns: DO }), CONTEXT);
  expect(response).toMatchObject({
    response: true,
    authoritative: true,
    recursionDesired: true,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    truncated: false,
    edns: { udpSize: 1232, version: 0, dnssecOk: true, options: [] },
  });
  expect(authority.answer(sampleQuery('desktop', 'A'), CONTEXT).edns).toBeUndefined();
});

test('a TTL cap shortens device records and their signatures, not what is signed', () => {
  const capped = { ...CONTEXT, ttlCap: 5 };
  const { answers } = authority.answer(sampleQuery('alias', 'A', { edns: DO }), capped);
  expect(answers.map(({ ttl }) => ttl)).toEqual([5, 5, 5, 5]);
  const rrsig = answers.find(({ type }) => type === TYPE.RRSIG);
  const { originalTtl } = decodeRdataAs('RRSIG', rrsig?.rdata ?? new Uint8Array(0)) ?? {};
  expect(originalTtl).toBe(30);
  const [soa] = authority.answer(sampleQuery('', 'SOA'), capped).answers;
  expect(soa?.ttl).toBe(60);
  const longer = authority.answer(sampleQuery('desktop', 'A'), { ...CONTEXT, ttlCap: 900 });
  expect(longer.answers[0]?.ttl).toBe(30);
  const zero = authority.answer(sampleQuery('desktop', 'A'), { ...CONTEXT, ttlCap: 0 });
  expect(zero.answers[0]?.ttl).toBe(0);
});

test('a question asked again costs no signature, nor does the next version of the zone', () => {
  let made = 0;
  const counted: Crypto = {
    ...crypto,
    signer(algorithm, privateKey) {
      const signer = crypto.signer(algorithm, privateKey);
      const sign = (data: Uint8Array) => {
        made++;
        return signer.sign(data);
      };
      return { ...signer, sign };
    },
  };
  const counting = createAuthority({ zone, keys: [key], crypto: counted });
  const ask = (name: string, type: string) =>
    counting.answer(sampleQuery(name, type, { edns: DO }), CONTEXT);
  const first = ask('desktop', 'A');
  expect(made).toBe(1);
  expect(ask('desktop', 'A')).toEqual(first);
  expect(ask('DESKTOP', 'A').answers).toHaveLength(2);
  expect(made).toBe(1);
  ask('x.nope', 'A');
  expect(made).toBe(4);
  ask('y.nope', 'AAAA');
  expect(made).toBe(4);
  ask('other', 'A');
  // SOA and wildcard are shared; only the name's own proof is new.
  expect(made).toBe(5);
  counting.answer(sampleQuery('never', 'A'), CONTEXT);
  expect(made).toBe(5);
  const next = counting.withZone(zoneOf('desktop A 100.64.0.2'));
  expect(next.answer(sampleQuery('desktop', 'A', { edns: DO }), CONTEXT).answers).toEqual(
    first.answers,
  );
  expect(made).toBe(5);
});

test.each([
  { ask: 'two A', answers: ['two CNAME'], why: 'the alias only' },
  { ask: 'x.old A', answers: ['old DNAME', 'x.old CNAME'], why: 'a DNAME with its alias' },
  { ask: 'desktop A', answers: ['desktop A'], why: 'no alias at all' },
])('$ask ends at its first alias when asked to: $why (I10)', ({ ask, answers }) => {
  const [name = '', type = ''] = ask.split(' ');
  const response = authority.answer(sampleQuery(name, type), { ...CONTEXT, followAliases: false });
  expect(listed(response.answers)).toEqual(answers);
  expect(response.authorities).toEqual([]);
});

test('two keys sign everything, and both are published', async () => {
  const keys = [key, await generateZoneKey(crypto, 'ed25519')];
  const rolling = createAuthority({ zone, keys, crypto });
  const dnskeys = rolling.answer(sampleQuery('', 'DNSKEY', { edns: DO }), CONTEXT);
  expect(listed(dnskeys.answers)).toEqual([
    '@ DNSKEY',
    '@ DNSKEY',
    '@ RRSIG(DNSKEY)',
    '@ RRSIG(DNSKEY)',
  ]);
  expect(rolling.apex).toEqual(APEX);
});

test('any question of any form gets an answer that can be sent', () => {
  const label = fc.oneof(
    fc
      .constantFrom('sub', 'old', 'wild', '*', 'ent', 'b', 'desktop')
      .map((text) => Buffer.from(text)),
    fc.uint8Array({ minLength: 1, maxLength: 63 }),
    fc.integer({ min: 60, max: 63 }).map((size) => new Uint8Array(size).fill(0xff)),
  );
  const name = fc
    .array(label, { maxLength: 5 })
    .map((found) => nameFromLabels([...found.map((it) => Uint8Array.from(it)), ...labels(APEX)]))
    .filter((found) => found !== undefined);
  const type = fc.oneof(
    fc.constantFrom(...Object.values(TYPE)),
    fc.integer({ min: 0, max: 65535 }),
  );
  const check = fc.property(name, type, fc.boolean(), (asked, number, dnssecOk) => {
    const questions = [{ name: asked, type: number, class: CLASS.IN }];
    const response = authority.answer(
      sampleQuery('', 'A', { questions, edns: { ...DO, dnssecOk } }),
      CONTEXT,
    );
    const decoded = decodeMessage(encodeMessage(response));
    expect(decoded.ok).toBe(true);
    const sent = decoded.ok ? decoded.message : response;
    expect(sent.truncated).toBe(false);
    expect(listed(sent.answers)).toEqual(listed(response.answers));
    expect(listed(sent.authorities)).toEqual(listed(response.authorities));
    const isSigned = /RRSIG|NSEC/.test(listed([...sent.answers, ...sent.authorities]).join());
    const isAskedFor = number === TYPE.RRSIG || number === TYPE.NSEC;
    expect(isSigned && !dnssecOk && !isAskedFor).toBe(false);
  });
  fc.assert(check, { numRuns: 300 });
});
