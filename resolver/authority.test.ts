import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Crypto } from '#runtime';
import { nodeRuntime } from '#runtime/node';
import { type AnswerContext, createAuthority } from './authority.ts';
import { generateZoneKey } from './dnssec/keys.ts';
import type { Edns } from './edns.ts';
import { decodeMessage, encodeMessage, type Message } from './message.ts';
import { labels, nameFromLabels, printName } from './name.ts';
import { decodeRdataAs } from './rdata.ts';
import type { ResourceRecord } from './record.ts';
import { APEX, sampleName, zoneOf } from './sample-zone.ts';
import { CLASS, OPCODE, rcodeName, TYPE, typeName, typeNumber } from './type.ts';

const { crypto } = nodeRuntime();
const key = await generateZoneKey(crypto);
const CONTEXT: AnswerContext = { now: 1_795_000_000, clockIsSet: true };
const DO: Edns = { udpSize: 1232, version: 0, dnssecOk: true, options: [] };

const zone = zoneOf(
  'router A 100.64.0.1',
  'desktop A 100.64.0.2',
  'desktop AAAA 2',
  'a.b.ent A 100.64.0.3',
  '*.wild A 100.64.0.4',
  'alias CNAME desktop',
  'two CNAME alias',
  'out CNAME www.example.',
  'gone CNAME nowhere',
  'loop CNAME pool',
  'pool CNAME loop',
  '*.turn CNAME again.turn',
  'sub NS ns.sub',
  'ns.sub A 192.0.2.1',
  'safe NS ns.example.',
  'safe DS',
  'down CNAME host.sub',
  'old DNAME wild',
);
const authority = createAuthority({ zone, keys: [key], crypto });

function query(name: string, type: string, more: Partial<Message> = {}): Message {
  return {
    id: 4711,
    response: false,
    opcode: OPCODE.QUERY,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    authenticData: true,
    checkingDisabled: true,
    rcode: 0,
    questions: [{ name: sampleName(name), type: typeNumber(type) ?? 0, class: CLASS.IN }],
    answers: [],
    authorities: [],
    additionals: [],
    edns: undefined,
    ...more,
  };
}

/** `owner TYPE` of each record, relative to the apex; signatures as `owner RRSIG(TYPE)`. */
function list(records: readonly ResourceRecord[]): string[] {
  return records.map(({ owner, type, rdata }) => {
    const covered = decodeRdataAs('RRSIG', rdata)?.typeCovered;
    const shown = type === TYPE.RRSIG ? `RRSIG(${typeName(covered ?? 0)})` : typeName(type);
    return `${printName(owner).replace(/\.?alice\.nymote\.$/, '') || '@'} ${shown}`;
  });
}

function answer(name: string, type: string, more: Partial<Message> = {}) {
  const { rcode, authoritative, answers, authorities, additionals } = authority.answer(
    query(name, type, more),
    CONTEXT,
  );
  return {
    rcode: rcodeName(rcode),
    aa: authoritative,
    answers: list(answers),
    authorities: list(authorities),
    additionals: list(additionals),
  };
}

const SOA = ['@ SOA'];

test.each([
  { ask: 'desktop A', rcode: 'NOERROR', answers: ['desktop A'], why: 'a device' },
  { ask: 'DeskTop AAAA', rcode: 'NOERROR', answers: ['DeskTop AAAA'], why: "the asker's case" },
  { ask: 'desktop MX', rcode: 'NOERROR', authorities: SOA, why: 'no data' },
  { ask: 'ent A', rcode: 'NOERROR', authorities: SOA, why: 'an empty non-terminal (RFC 8020 §2)' },
  { ask: 'nope A', rcode: 'NXDOMAIN', authorities: SOA, why: 'no such name' },
  { ask: 'x.y.nope A', rcode: 'NXDOMAIN', authorities: SOA, why: 'nor below it' },
  { ask: 'x.desktop A', rcode: 'NXDOMAIN', authorities: SOA, why: 'nothing below a device' },
  { ask: 'foo.wild A', rcode: 'NOERROR', answers: ['foo.wild A'], why: 'a wildcard' },
  { ask: 'a.b.wild A', rcode: 'NOERROR', answers: ['a.b.wild A'], why: 'deeper too' },
  { ask: 'foo.wild MX', rcode: 'NOERROR', authorities: SOA, why: 'a wildcard without the type' },
  { ask: '*.wild A', rcode: 'NOERROR', answers: ['*.wild A'], why: 'the wildcard itself' },
  { ask: 'wild A', rcode: 'NOERROR', authorities: SOA, why: 'a wildcard is below, not at' },
  { ask: 'alias A', rcode: 'NOERROR', answers: ['alias CNAME', 'desktop A'], why: 'an alias' },
  { ask: 'alias CNAME', rcode: 'NOERROR', answers: ['alias CNAME'], why: 'the alias itself' },
  {
    ask: 'two AAAA',
    rcode: 'NOERROR',
    answers: ['two CNAME', 'alias CNAME', 'desktop AAAA'],
    why: 'a chain inside the zone',
  },
  {
    ask: 'alias MX',
    rcode: 'NOERROR',
    answers: ['alias CNAME'],
    authorities: SOA,
    why: 'an alias of a name without the type (RFC 2308 §2.2)',
  },
  { ask: 'out A', rcode: 'NOERROR', answers: ['out CNAME'], why: 'an alias that leaves the zone' },
  {
    ask: 'gone A',
    rcode: 'NXDOMAIN',
    answers: ['gone CNAME'],
    authorities: SOA,
    why: 'the code is about the last name (RFC 6604 §2.1)',
  },
  {
    ask: 'loop A',
    rcode: 'NOERROR',
    answers: ['loop CNAME', 'pool CNAME'],
    why: 'a loop ends where it begins (I6)',
  },
  {
    ask: 'x.turn A',
    rcode: 'NOERROR',
    answers: ['x.turn CNAME', 'again.turn CNAME'],
    why: 'a wildcard that points below itself',
  },
  {
    ask: 'x.old A',
    rcode: 'NOERROR',
    answers: ['old DNAME', 'x.old CNAME', 'x.wild A'],
    why: 'DNAME, then the wildcard at its target',
  },
  { ask: 'old DNAME', rcode: 'NOERROR', answers: ['old DNAME'], why: 'the DNAME itself' },
  { ask: 'old A', rcode: 'NOERROR', authorities: SOA, why: "a DNAME's owner is not moved" },
  { ask: ' SOA', rcode: 'NOERROR', answers: SOA, why: 'the apex' },
  { ask: ' NS', rcode: 'NOERROR', answers: ['@ NS'], why: 'its name servers, nothing additional' },
  { ask: ' DS', rcode: 'NOERROR', authorities: SOA, why: "the parent's (RFC 4035 §3.1.4.1)" },
  { ask: ' DNSKEY', rcode: 'NOERROR', answers: ['@ DNSKEY'], why: 'the key' },
  { ask: ' CDS', rcode: 'NOERROR', answers: ['@ CDS'], why: 'for the parent (RFC 7344)' },
  { ask: ' CDNSKEY', rcode: 'NOERROR', answers: ['@ CDNSKEY'], why: 'for the parent (RFC 7344)' },
  { ask: 'desktop ANY', rcode: 'NOERROR', answers: ['desktop A'], why: 'one set (RFC 8482 §4.1)' },
  { ask: 'alias ANY', rcode: 'NOERROR', answers: ['alias CNAME'], why: 'an alias is all there is' },
  { ask: 'ent ANY', rcode: 'NOERROR', authorities: SOA, why: 'no set at all' },
  { ask: 'safe DS', rcode: 'NOERROR', answers: ['safe DS'], why: "DS is the parent's: ours" },
  { ask: 'sub DS', rcode: 'NOERROR', authorities: SOA, why: 'an insecure delegation has none' },
])('without DNSSEC, $ask is $rcode: $why', ({ ask, rcode, answers = [], authorities = [] }) => {
  const [name = '', type = ''] = ask.split(' ');
  const expected = { rcode, aa: true, answers, authorities, additionals: [] };
  expect(answer(name, type)).toEqual(expected);
});

test.each([
  { ask: 'desktop A', answers: ['desktop A', 'desktop RRSIG(A)'], proofs: [], why: 'signed' },
  {
    ask: 'desktop MX',
    answers: [],
    proofs: ['@ SOA', '@ RRSIG(SOA)', 'desktop NSEC', 'desktop RRSIG(NSEC)'],
    why: 'no data: the NSEC of the name (RFC 4035 §3.1.3.1)',
  },
  {
    ask: 'x.y.nope A',
    answers: [],
    proofs: [
      '@ SOA',
      '@ RRSIG(SOA)',
      'nopd\\255 NSEC',
      'nopd\\255 RRSIG(NSEC)',
      '\\)\\255 NSEC',
      '\\)\\255 RRSIG(NSEC)',
    ],
    why: 'neither the name nor a wildcard (RFC 4035 §3.1.3.2)',
  },
  {
    ask: 'foo.wild A',
    answers: ['foo.wild A', 'foo.wild RRSIG(A)'],
    proofs: ['fon\\255.wild NSEC', 'fon\\255.wild RRSIG(NSEC)'],
    why: 'a wildcard: nothing closer (RFC 4035 §3.1.3.3)',
  },
  {
    ask: 'foo.wild MX',
    answers: [],
    proofs: [
      'fon\\255.wild NSEC',
      'fon\\255.wild RRSIG(NSEC)',
      '*.wild NSEC',
      '*.wild RRSIG(NSEC)',
    ],
    soa: true,
    why: 'a wildcard without the type (RFC 4035 §3.1.3.4)',
  },
  {
    ask: 'x.old AAAA',
    answers: ['old DNAME', 'old RRSIG(DNAME)', 'x.old CNAME'],
    soa: true,
    proofs: ['w\\255.wild NSEC', 'w\\255.wild RRSIG(NSEC)', '*.wild NSEC', '*.wild RRSIG(NSEC)'],
    why: "a DNAME's CNAME is not signed (RFC 6672 §5.3.1)",
  },
  { ask: 'desktop RRSIG', answers: ['desktop RRSIG(A)'], proofs: [], why: 'signatures only' },
  {
    ask: 'ent NSEC',
    answers: ['ent NSEC', 'ent RRSIG(NSEC)'],
    proofs: [],
    why: 'asked for by name',
  },
])('with DNSSEC, $ask has its proofs: $why', ({ ask, answers, proofs, soa }) => {
  const [name = '', type = ''] = ask.split(' ');
  const authorities = soa ? ['@ SOA', '@ RRSIG(SOA)', ...proofs] : proofs;
  expect(answer(name, type, { edns: DO })).toMatchObject({ answers, authorities });
});

test.each([
  {
    ask: 'x.sub A',
    aa: false,
    authorities: ['sub NS', 'sub NSEC', 'sub RRSIG(NSEC)'],
    additionals: ['ns.sub A'],
    why: 'glue unsigned, and a proof that there is no DS',
  },
  {
    ask: 'safe TXT',
    aa: false,
    authorities: ['safe NS', 'safe DS', 'safe RRSIG(DS)'],
    additionals: [],
    why: 'a secure delegation',
  },
  {
    ask: 'down A',
    aa: true,
    authorities: ['sub NS', 'sub NSEC', 'sub RRSIG(NSEC)'],
    additionals: ['ns.sub A'],
    why: 'the alias is ours, what it points at is not',
  },
])('$ask is referred: $why', ({ ask, aa, authorities, additionals }) => {
  const [name = '', type = ''] = ask.split(' ');
  expect(answer(name, type, { edns: DO })).toMatchObject({ aa, authorities, additionals });
  const plain = answer(name, type);
  expect(plain.authorities).toEqual(authorities.slice(0, 1));
});

test('a DNAME whose target is too long says so (RFC 6672 §2.2)', () => {
  const target = `${'x'.repeat(63)}.${'y'.repeat(63)}.${'z'.repeat(63)}`;
  const moved = createAuthority({ zone: zoneOf(`d DNAME ${target}`), keys: [key], crypto });
  const response = moved.answer(query(`${'a'.repeat(60)}.d`, 'A'), CONTEXT);
  expect(rcodeName(response.rcode)).toBe('YXDOMAIN');
  expect(list(response.answers)).toEqual(['d DNAME']);
});

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
  const response = authority.answer(query('desktop', 'A', { edns: DO, ...more }), CONTEXT);
  expect(rcodeName(response.rcode)).toBe(rcode);
  expect(response).toMatchObject({ authoritative: false, answers: [], authorities: [], id: 4711 });
  expect(response.edns?.options.map(({ code, data }) => [code, data[1]])).toEqual(
    ede === undefined ? [] : [[15, ede]],
  );
});

test('header bits: QR and AA, RD copied, never RA, AD or CD (I1)', () => {
  const response = authority.answer(query('desktop', 'A', { edns: DO }), CONTEXT);
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
  expect(authority.answer(query('desktop', 'A'), CONTEXT).edns).toBeUndefined();
});

test('a TTL cap shortens device records and their signatures, not what is signed', () => {
  const capped = { ...CONTEXT, ttlCap: 5 };
  const { answers } = authority.answer(query('alias', 'A', { edns: DO }), capped);
  expect(answers.map(({ ttl }) => ttl)).toEqual([5, 5, 5, 5]);
  const rrsig = answers.find(({ type }) => type === TYPE.RRSIG);
  const { originalTtl } = decodeRdataAs('RRSIG', rrsig?.rdata ?? new Uint8Array(0)) ?? {};
  expect(originalTtl).toBe(30);
  const [soa] = authority.answer(query('', 'SOA'), capped).answers;
  expect(soa?.ttl).toBe(60);
  const longer = authority.answer(query('desktop', 'A'), { ...CONTEXT, ttlCap: 900 });
  expect(longer.answers[0]?.ttl).toBe(30);
  const zero = authority.answer(query('desktop', 'A'), { ...CONTEXT, ttlCap: 0 });
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
    counting.answer(query(name, type, { edns: DO }), CONTEXT);
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
  counting.answer(query('never', 'A'), CONTEXT);
  expect(made).toBe(5);
  const next = counting.withZone(zoneOf('desktop A 100.64.0.2'));
  expect(next.answer(query('desktop', 'A', { edns: DO }), CONTEXT).answers).toEqual(first.answers);
  expect(made).toBe(5);
});

test.each([
  { ask: 'two A', answers: ['two CNAME'], why: 'the alias only' },
  { ask: 'x.old A', answers: ['old DNAME', 'x.old CNAME'], why: 'a DNAME with its alias' },
  { ask: 'desktop A', answers: ['desktop A'], why: 'no alias at all' },
])('$ask ends at its first alias when asked to: $why (I10)', ({ ask, answers }) => {
  const [name = '', type = ''] = ask.split(' ');
  const response = authority.answer(query(name, type), { ...CONTEXT, followAliases: false });
  expect(list(response.answers)).toEqual(answers);
  expect(response.authorities).toEqual([]);
});

test('two keys sign everything, and both are published', async () => {
  const keys = [key, await generateZoneKey(crypto, 'ed25519')];
  const rolling = createAuthority({ zone, keys, crypto });
  const dnskeys = rolling.answer(query('', 'DNSKEY', { edns: DO }), CONTEXT);
  expect(list(dnskeys.answers)).toEqual([
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
      query('', 'A', { questions, edns: { ...DO, dnssecOk } }),
      CONTEXT,
    );
    const decoded = decodeMessage(encodeMessage(response));
    expect(decoded.ok).toBe(true);
    const sent = decoded.ok ? decoded.message : response;
    expect(sent.truncated).toBe(false);
    expect(list(sent.answers)).toEqual(list(response.answers));
    expect(list(sent.authorities)).toEqual(list(response.authorities));
    const isSigned = /RRSIG|NSEC/.test(list([...sent.answers, ...sent.authorities]).join());
    const isAskedFor = number === TYPE.RRSIG || number === TYPE.NSEC;
    expect(isSigned && !dnssecOk && !isAskedFor).toBe(false);
  });
  fc.assert(check, { numRuns: 300 });
});
