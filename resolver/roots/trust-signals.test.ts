import { expect, test } from 'vitest';
import { IANA_ANCHORS, readAnchors } from '../dnssec/anchors.ts';
import { type Name, parseName, printName } from '../message/name.ts';
import { TYPE } from '../message/type.ts';
import { fullBudget } from '../recursion/budget.ts';
import type { Recursion, Resolved } from '../recursion/recursion.ts';
import type { Judged } from '../recursion/validation.ts';
import { keyTagName, rootKeyTags, withKeyTagSignal, withSentinel } from './trust-signals.ts';

const BUDGET = fullBudget(0);

function anchorsOf(...lines: readonly string[]) {
  const read = readAnchors(lines);
  if (!read.ok) throw new Error(read.line);
  return read.anchors;
}
const IANA = anchorsOf(...IANA_ANCHORS);
const LAB = anchorsOf(`lab. IN DS 1 13 2 ${'AB'.repeat(32)}`);

function nameOf(text: string): Name {
  const name = parseName(text);
  if (name === undefined) throw new Error(text);
  return name;
}

const DATA = { owner: nameOf('.'), type: 1, ttl: 60, rdatas: [], signatures: [] };
const FOUND = { kind: 'answer', rrset: DATA, proof: [] } as const;

/* RFC 8145 */

test('the tags in hexadecimal, ascending (RFC 8145 §5.1)', () => {
  expect(rootKeyTags(IANA)).toEqual([20_326, 38_696]);
  expect(rootKeyTags(LAB)).toBeUndefined();
  const name = keyTagName([1, 20_326, 38_696]);
  expect(name && printName(name)).toBe('_ta-0001-4f66-9728.');
  expect(keyTagName(Array.from({ length: 100 }, (_, tag) => tag))).toBeDefined();
});

test.each<{
  name: string;
  type: number;
  said?: Partial<Resolved>;
  anchors?: typeof IANA;
  told: boolean;
  why: string;
}>([
  { name: '.', type: TYPE.DNSKEY, anchors: LAB, told: false, why: 'there is none to tell of' },
  { name: '.', type: TYPE.DNSKEY, told: true, why: 'the keys were fetched' },
  {
    ...{ name: '.', type: TYPE.DNSKEY, told: false },
    ...{ said: { from: 'cache' }, why: 'they were known' },
  },
  {
    ...{ name: '.', type: TYPE.DNSKEY, told: false },
    ...{ said: { from: 'forward' }, why: 'a forwarder has anchors of its own' },
  },
  {
    ...{ name: '.', type: TYPE.DNSKEY, told: false },
    said: { outcome: { kind: 'failure', reason: 'out-of-time' } },
    why: 'nobody is there to tell',
  },
  { name: '.', type: TYPE.NS, told: false, why: 'no keys' },
  { name: 'lab.', type: TYPE.DNSKEY, told: false, why: 'not the root’s' },
])('$name $type told $told: $why', async ({ name, type, said, anchors = IANA, told }) => {
  const asked: string[] = [];
  const recursion: Recursion = {
    async resolve(each, eachType, budget) {
      asked.push(`${printName(each)} ${eachType}`);
      if (eachType === TYPE.NULL) throw new Error('and nobody minds');
      return { outcome: FOUND, budget, from: 'recursion', ...said };
    },
    inFlight: 0,
  };
  await withKeyTagSignal(recursion, anchors, () => 0).resolve(nameOf(name), type, BUDGET);
  expect(asked.slice(1)).toEqual(told ? [`_ta-4f66-9728. ${TYPE.NULL}`] : []);
});

/* RFC 8509 */

const SECURE = { state: 'secure', isDenial: false, isTimed: true } as const;
const IS = 'root-key-sentinel-is-ta-';
const NOT = 'root-key-sentinel-not-ta-';

test.each<{
  name: string;
  type?: number;
  judged?: Partial<Judged>;
  anchors?: typeof IANA;
  unchecked?: boolean;
  fails: boolean;
  why: string;
}>([
  { name: `${IS}20326.example.`, fails: false, why: 'it is one' },
  { name: `${IS}11112.example.`, fails: true, why: 'it is none' },
  { name: `${NOT}20326.example.`, fails: true, why: 'it is one, against what is said' },
  { name: `${NOT}11112.example.`, fails: false, why: 'it is none, as is said' },
  { name: `${NOT.toUpperCase()}38696.example.`, fails: true, why: 'letters in any case' },
  { name: `${IS}11112.example.`, type: TYPE.AAAA, fails: true, why: 'also for AAAA' },
  { name: `${IS}11112.example.`, type: TYPE.TXT, fails: false, why: 'no address' },
  { name: `x.${IS}11112.example.`, fails: false, why: 'not the leftmost label' },
  { name: `${IS}1111.example.`, fails: false, why: 'four digits' },
  { name: `${IS}111122.example.`, fails: false, why: 'six' },
  { name: `${IS}1111x.example.`, fails: false, why: 'no digits' },
  { name: `${IS}11112.example.`, unchecked: true, fails: false, why: 'CD: not ours to judge' },
  {
    ...{ name: `${IS}11112.example.`, fails: false, why: 'not validated' },
    judged: { judgement: { state: 'insecure', reason: 'unsigned-delegation', isTimed: true } },
  },
  {
    ...{ name: `${IS}11112.example.`, fails: false, why: 'a denial' },
    judged: { outcome: { kind: 'no-name', denial: undefined } },
  },
  { name: `${IS}11112.example.`, anchors: LAB, fails: false, why: 'the root has no anchor' },
])('$name fails $fails: $why', async (row) => {
  const { name, type = TYPE.A, judged, anchors = IANA, unchecked = false, fails } = row;
  const validation = {
    resolve: async () =>
      ({ outcome: FOUND, budget: BUDGET, from: 'cache', judgement: SECURE, ...judged }) as Judged,
  };
  const guarded = withSentinel(validation, anchors);
  const { outcome, judgement } = await guarded.resolve(nameOf(name), type, BUDGET, unchecked);
  expect(outcome.kind === 'failure' && outcome.reason === 'key-sentinel').toBe(fails);
  if (fails) expect(judgement).toBeUndefined();
});
