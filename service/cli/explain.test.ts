import { expect, test } from 'vitest';
import { printExplanation, type Told } from './explain.ts';

const NOTHING: Told = {
  ...{ name: 'www.example.', type: 'A', rcode: 'NOERROR' },
  ...{ answers: [], names: [], chain: [], steps: [], isCut: false },
};
const ASKED: Extract<Told['steps'][number], { kind: 'asked' }> = {
  kind: 'asked',
  ...{ server: '192.0.2.1:53', transport: 'udp', name: 'example.', type: 'A' },
  ...{ said: 'NOERROR', milliseconds: 12.5, bytes: 90, answers: 0, authorities: 2 },
  ...{ additionals: 3, authoritative: false, truncated: false },
};
const SIGNED = {
  ...{ signer: 'example.', keyTag: 4711, algorithm: 13, covers: 'A' },
  ...{ inception: 1_795_000_000, expiration: 1_796_000_000 },
};
const RESULT = {
  ...{ what: 'answer', from: 'recursion', ttl: 300 },
  ...{ records: ['www.example. 300 IN A 192.0.2.9'], signatures: [SIGNED] },
};
const RULING: NonNullable<Told['ruling']> = {
  effect: 'allow',
  ...{ asker: 'laptop', verb: 'resolve', name: 'www.example', tier: 'default' },
  ...{ sentence: 'laptop may resolve it.', reason: 'default', overridden: [] },
};

test.each<{ told: Partial<Told>; line: string; why: string }>([
  { told: {}, line: 'www.example. A: NOERROR', why: 'the end comes first' },
  {
    told: { rcode: 'SERVFAIL', ede: { code: 7, text: 'expired' } },
    line: 'www.example. A: SERVFAIL (EDE 7: expired)',
    why: 'with its reason',
  },
  { told: { ruling: RULING }, line: 'Ruling   laptop may resolve it.', why: 'who may' },
  { told: { own: true }, line: 'Zone     our own: nobody else is asked', why: 'our zone' },
  {
    told: { steps: [ASKED] },
    line: '  → 192.0.2.1:53  example. A: NOERROR, 0/2/3 records, 90 B, 12.5 ms',
    why: 'a server and its answer',
  },
  {
    told: { steps: [{ ...ASKED, transport: 'tcp', authoritative: true }] },
    line: '  → 192.0.2.1:53 over tcp  example. A: NOERROR aa, 0/2/3 records, 90 B, 12.5 ms',
    why: 'another way, and flags',
  },
  {
    told: { steps: [{ ...ASKED, said: 'timeout', bytes: 0 }] },
    line: '  → 192.0.2.1:53  example. A: timeout',
    why: 'no answer has no size',
  },
  {
    told: { steps: [{ kind: 'found', name: 'example.', type: 'DNSKEY', ...RESULT }] },
    line: '  = example. DNSKEY: answer from recursion, 1 signature',
    why: 'what is looked up for the chain',
  },
  { told: { steps: [ASKED], isCut: true }, line: '  … and more', why: 'it went on' },
  {
    told: { chain: [{ name: '.', is: 'zone', keys: [{ tag: 20_326, algorithm: 8 }] }] },
    line: '  .  a signed zone, keys 20326 (algorithm 8)',
    why: 'keys by tag and algorithm',
  },
  {
    told: { chain: [{ name: 'a.', is: 'bogus', reason: 'dnskey-missing', keys: [] }] },
    line: '  a.  BROKEN: dnskey-missing',
    why: 'where the chain breaks',
  },
])('$line: $why', ({ told, line }) => {
  expect(printExplanation({ ...NOTHING, ...told }).split('\n')).toContain(line);
});

test('the times of a link’s keys stand below it', () => {
  const signatures = [{ ...SIGNED, covers: 'DNSKEY' }];
  const looked = { kind: 'found', name: 'example.', type: 'DNSKEY' } as const;
  const chain = [{ name: 'example.', is: 'zone', keys: [{ tag: 4711, algorithm: 13 }] }] as const;
  const told = { ...NOTHING, chain, steps: [{ ...looked, ...RESULT, signatures }] };
  expect(printExplanation(told)).toContain(
    '  example.  a signed zone, keys 4711 (algorithm 13)\n' +
      '    its keys are signed by 4711, 2026-11-18T11:06Z to 2026-11-30T00:53Z',
  );
});

const NAME = {
  name: 'www.example.',
  type: 'A',
  result: RESULT,
  verdict: { state: 'secure' },
} as const;

test.each<{ name: Told['names'][number]; line: string; why: string }>([
  { name: NAME, line: '  Found    answer from recursion, TTL 300 s', why: 'what, and from whom' },
  { name: NAME, line: '           www.example. 300 IN A 192.0.2.9', why: 'the records' },
  { name: NAME, line: '  Verdict  secure', why: 'what validation says' },
  {
    name: { ...NAME, verdict: { state: 'bogus', reason: 'signature-expired' } },
    line: '  Verdict  bogus: signature-expired',
    why: 'and why',
  },
  {
    name: { ...NAME, verdict: { state: 'secure', untimed: true } },
    line: '  Verdict  secure (the clock is not set: times were not checked)',
    why: 'what was left out (I9)',
  },
  {
    name: NAME,
    line: '  Signed   A by key 4711 of example. (algorithm 13), 2026-11-18T11:06Z to 2026-11-30T00:53Z',
    why: 'times in words',
  },
  {
    name: { ...NAME, cachedAfter: { what: 'answer', ttl: 299.6, state: 'secure' } },
    line: '  Cache    before: nothing; after: answer, secure, 300 s left',
    why: 'what was learnt',
  },
])('$line: $why', ({ name, line }) => {
  expect(printExplanation({ ...NOTHING, names: [name] }).split('\n')).toContain(line);
});

const BOGUS = { ...NAME, verdict: { state: 'bogus', reason: 'signature-expired' } } as const;
const GONE = { ...NAME, result: { ...RESULT, what: 'no-name', records: [] } };
const FOUND = RESULT.records;

test.each<{ told: Partial<Told>; says: string; why: string }>([
  {
    told: { answers: FOUND, names: [NAME] },
    says: 'there is an answer; signatures prove it, from a trusted key down.',
    why: 'secure',
  },
  {
    told: { answers: FOUND, names: [{ ...NAME, verdict: { state: 'insecure' } }] },
    says: 'there is an answer; no signatures prove it, so somebody could have changed it on its way.',
    why: 'insecure',
  },
  {
    told: { answers: FOUND, names: [NAME, { ...NAME, verdict: { state: 'insecure' } }] },
    says: 'there is an answer; no signatures prove it, so somebody could have changed it on its way.',
    why: 'a chain is as strong as its weakest name',
  },
  {
    told: { answers: FOUND, names: [{ ...NAME, verdict: { state: 'unchecked' } }] },
    says: 'there is an answer; nothing was checked.',
    why: 'no anchor',
  },
  {
    told: { rcode: 'NXDOMAIN', names: [GONE] },
    says: 'there is no such name; signatures prove it, from a trusted key down.',
    why: 'a denial',
  },
  {
    told: { type: 'AAAA', names: [GONE] },
    says: 'the name has no AAAA; signatures prove it, from a trusted key down.',
    why: 'no data',
  },
  {
    told: {
      rcode: 'SERVFAIL',
      ede: { code: 7, text: 'the signature has expired' },
      names: [BOGUS],
    },
    says:
      'refused: the signature has expired. Either its owner made a mistake with the signatures, ' +
      'or somebody changed the answer on its way.',
    why: 'bogus',
  },
  {
    told: {
      ...{ rcode: 'SERVFAIL', ede: { code: 22, text: 'nobody answered' } },
      names: [{ ...NAME, verdict: { state: 'unchecked' } }],
    },
    says: 'no answer: nobody answered.',
    why: 'unreachable',
  },
  { told: { rcode: 'SERVFAIL' }, says: 'no answer: why is not known.', why: 'without a reason' },
  {
    told: { rcode: 'SERVFAIL', ede: { code: 13, text: 'failed a moment ago' } },
    says: 'no answer: failed a moment ago. With --fresh it is tried again.',
    why: 'nobody was asked anew',
  },
  {
    told: { ede: { code: 15, text: 'a private address was taken out' }, names: [NAME] },
    says: 'held back: a private address was taken out.',
    why: 'what was found is not what is told',
  },
  {
    told: { type: 'ANY', answers: ['www.example. 3600 IN HINFO "RFC8482" ""'] },
    says: 'there is an answer; nobody had to be asked.',
    why: 'ANY has an answer of another type',
  },
  {
    told: { ruling: { ...RULING, effect: 'deny' }, own: true, answers: FOUND, names: [NAME] },
    says: 'whoever asks so is not told, whatever follows here.',
    why: 'the ruling comes before everything',
  },
  { told: { rcode: 'REFUSED' }, says: 'the question is not answered here.', why: 'a transfer' },
  {
    told: { own: true, answers: FOUND, names: [{ ...NAME, verdict: { state: 'unchecked' } }] },
    says: 'there is an answer; nobody had to be asked.',
    why: 'our own zone',
  },
  {
    told: { answers: ['localhost. 60 IN A 127.0.0.1'] },
    says: 'there is an answer; nobody had to be asked.',
    why: 'a local name',
  },
])('in short, $why: $says', ({ told, says }) => {
  expect(printExplanation({ ...NOTHING, ...told }).split('\n')).toContain(`In short ${says}`);
});

const MADE = 'www.example. 300 IN AAAA 64:ff9b::c000:209';

test.each<{ answers: string[]; names: Told['names']; shown: string[]; why: string }>([
  { answers: [...FOUND], names: [NAME], shown: [], why: 'what was found is told once' },
  {
    answers: ['www.example. 299 IN A 192.0.2.9'],
    names: [NAME],
    shown: [],
    why: 'a second later too',
  },
  { answers: [MADE], names: [GONE, NAME], shown: [MADE], why: 'made of another (DNS64)' },
  { answers: [MADE], names: [], shown: [MADE], why: 'nobody was asked' },
])('the answer itself: $why', ({ answers, names, shown }) => {
  const lines = printExplanation({ ...NOTHING, answers, names }).split('\n');
  const at = lines.indexOf('Answer');
  expect(at < 0 ? [] : lines.slice(at + 1, at + 1 + shown.length)).toEqual(
    shown.map((line) => `  ${line}`),
  );
});
