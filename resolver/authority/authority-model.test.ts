/**
 * Random zones and questions against a second opinion: a naive reading of RFC 1034 §4.3.2 over a
 * list of records, and a small validator that takes nothing from the code under test but the wire.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import { generateZoneKey } from '../dnssec/keys.ts';
import { decodeMessage, encodeMessage, type Message } from '../message/message.ts';
import type { Name } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import { RCODE, TYPE } from '../message/type.ts';
import { createAuthority } from './authority.ts';
import { APEX, sampleName, sampleQuery, sampleRecord } from './zone.fixture.ts';
import { buildZone, type Zone } from './zone.ts';

const { crypto } = nodeRuntime();
const key = await generateZoneKey(crypto);
const NOW = 1_795_000_000;
const BASE = { apex: APEX, serial: 1, ttl: 60, nameServers: [sampleName('ns.example.')] };
const EDNS = { udpSize: 4096, version: 0, dnssecOk: true, options: [] };

/** A name as its labels from the right, in lower case: `nymote`, `alice`, … */
type Path = readonly string[];

function pathOf(wire: Uint8Array): Path {
  const path: string[] = [];
  for (let at = 0; wire[at] !== 0; at += 1 + (wire[at] ?? 0)) {
    const label = Buffer.from(wire.subarray(at + 1, at + 1 + (wire[at] ?? 0))).toString('latin1');
    path.unshift(label.replace(/[A-Z]/g, (letter) => letter.toLowerCase()));
  }
  return path;
}

const ROOT_PATH = pathOf(APEX.wire);
const same = (a: Path, b: Path) => a.length === b.length && within(a, b);
const within = (a: Path, b: Path) => b.every((label, index) => label === a[index]);
const octets = (text: string) => Buffer.from(text, 'latin1');

function compare(a: Path, b: Path): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const order = Buffer.compare(octets(a[index] ?? ''), octets(b[index] ?? ''));
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

// The naive model.

type Fact = { readonly owner: Path; readonly type: number; readonly rdata: Uint8Array };
type Answer = { readonly owner: Path; readonly type: number; readonly rdata: string };
type Outcome = {
  readonly answers: readonly Answer[];
  readonly end: 'data' | 'no-data' | 'no-name' | 'referral' | 'outside' | 'loop';
  /** What the last step was about: the name, and the wildcard that stood in. */
  readonly name: Path;
  readonly source: Path;
  readonly expansions: Path[];
};

/** How many names of a chain are looked at. */
const MAX_NAMES = 9;

function model(facts: readonly Fact[], question: Path, type: number): Outcome {
  const answers: Answer[] = [];
  const expansions: Path[] = [];
  const visited: Path[] = [];
  let name = question;
  for (;;) {
    const again = visited.some((path) => same(path, name)) || visited.length === MAX_NAMES;
    const end = within(name, ROOT_PATH) ? 'loop' : 'outside';
    if (again || end === 'outside') return { answers, expansions, name, source: name, end };
    visited.push(name);
    const step = stepAt(facts, name, type);
    // A DNAME that is used twice is in the answer once.
    answers.push(...step.answers.filter((more) => !answers.some((known) => isSame(known, more))));
    if (step.source.at(-1) === '*' && !same(step.source, name)) expansions.push(name);
    if (step.alias === undefined) {
      return { answers, expansions, name, source: step.source, end: step.end };
    }
    name = step.alias;
  }
}

type Step = Pick<Outcome, 'answers' | 'end' | 'source'> & { readonly alias?: Path };

function stepAt(facts: readonly Fact[], name: Path, type: number): Step {
  const hidden = hiddenBy(facts, name, type);
  if (hidden?.type === TYPE.NS) return { answers: [], end: 'referral', source: hidden.owner };
  if (hidden !== undefined) {
    const alias = [...pathOf(hidden.rdata), ...name.slice(hidden.owner.length)];
    const dname = { owner: hidden.owner, type: TYPE.DNAME, rdata: hex(hidden.rdata) };
    const cname = { owner: name, type: TYPE.CNAME, rdata: alias.join('.') };
    return { answers: [dname, cname], end: 'loop', source: hidden.owner, alias };
  }
  const encloser = closestEncloser(facts, name);
  const source = same(encloser, name) ? name : [...encloser, '*'];
  if (!exists(facts, source)) return { answers: [], end: 'no-name', source: encloser };
  const found = at(facts, source, type);
  const [cname] = found.length > 0 ? [] : at(facts, source, TYPE.CNAME);
  const used = cname === undefined ? found : [cname];
  const answers = used.map((fact) => ({
    owner: name,
    type: fact.type,
    rdata: shownRdata(fact.type, fact.rdata),
  }));
  if (cname !== undefined) return { answers, end: 'loop', source, alias: pathOf(cname.rdata) };
  return { answers, end: found.length > 0 ? 'data' : 'no-data', source };
}

function isSame(a: Answer, b: Answer): boolean {
  return a.type === b.type && a.rdata === b.rdata && same(a.owner, b.owner);
}

function exists(facts: readonly Fact[], path: Path): boolean {
  return facts.some((fact) => within(fact.owner, path));
}

function at(facts: readonly Fact[], path: Path, type: number): Fact[] {
  return facts.filter((fact) => same(fact.owner, path) && fact.type === type);
}

function closestEncloser(facts: readonly Fact[], name: Path): Path {
  let encloser = name;
  while (!exists(facts, encloser)) encloser = encloser.slice(0, -1);
  return encloser;
}

/** The uppermost cut at or DNAME above a name; a cut's own DS is not hidden. */
function hiddenBy(facts: readonly Fact[], name: Path, type: number): Fact | undefined {
  return facts
    .filter(({ owner }) => within(name, owner))
    .filter((fact) =>
      fact.type === TYPE.NS
        ? !same(fact.owner, ROOT_PATH) && !(type === TYPE.DS && same(fact.owner, name))
        : fact.type === TYPE.DNAME && !same(fact.owner, name),
    )
    .sort((a, b) => a.owner.length - b.owner.length)[0];
}

function shownRdata(type: number, rdata: Uint8Array): string {
  return type === TYPE.CNAME ? pathOf(rdata).join('.') : hex(rdata);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function factsOf(zone: Zone): Fact[] {
  return [...zone.nodes.values()].flatMap((node) =>
    [...node.sets.values()].flatMap(({ owner, type, rdatas }) =>
      rdatas.map((rdata) => ({ owner: pathOf(owner.wire), type, rdata })),
    ),
  );
}

// The small validator.

type Proof = { owner: Path; next: Path; types: ReadonlySet<number> };

/** Checks every signature there should be and returns the names of the NSECs that hold. */
function validate(message: Message): Proof[] {
  const proofs: Proof[] = [];
  const records = [...message.answers, ...message.authorities];
  for (const [index, record] of records.entries()) {
    if (record.type === TYPE.RRSIG) continue;
    const set = records.filter(
      ({ type, owner }) => type === record.type && owner.key === record.owner.key,
    );
    if (isUnsigned(record, message)) continue;
    const signature = records.find(
      ({ type, owner, rdata }) =>
        type === TYPE.RRSIG &&
        owner.key === record.owner.key &&
        Buffer.from(rdata).readUInt16BE(0) === record.type,
    );
    expect(signature && verifies(set, signature), `record ${index} is signed`).toBe(true);
    if (record.type === TYPE.NSEC) {
      expect(set, 'one NSEC at a name').toHaveLength(1);
      proofs.push(proofOf(record));
    }
  }
  return proofs;
}

/** The NS of a delegation, and the CNAME right after its DNAME. */
function isUnsigned(record: ResourceRecord, { answers, authorities }: Message): boolean {
  if (record.type === TYPE.NS) return authorities.includes(record);
  const owner = pathOf(record.owner.wire);
  return (
    record.type === TYPE.CNAME &&
    answers.some((other) => {
      const above = pathOf(other.owner.wire);
      return other.type === TYPE.DNAME && within(owner, above) && !same(owner, above);
    })
  );
}

function verifies(set: readonly ResourceRecord[], signature: ResourceRecord): boolean {
  const { rdata } = signature;
  const signerEnd = 18 + APEX.wire.length;
  const labels = rdata[3] ?? 0;
  const data: Uint8Array[] = [rdata.subarray(0, signerEnd)];
  const sorted = [...set].sort((a, b) => Buffer.compare(a.rdata, b.rdata));
  for (const record of sorted) {
    const path = pathOf(record.owner.wire);
    const isWild = path.at(-1) === '*';
    const full = isWild ? path.length - 1 : path.length;
    const signed = labels < full ? [...path.slice(0, labels), '*'] : path;
    const name = [...signed].reverse().flatMap((label) => [label.length, ...octets(label)]);
    const fixed = Buffer.alloc(10);
    fixed.writeUInt16BE(record.type, 0);
    fixed.writeUInt16BE(1, 2);
    rdata.slice(4, 8).forEach((octet, index) => {
      fixed[4 + index] = octet;
    });
    fixed.writeUInt16BE(record.rdata.length, 8);
    data.push(Uint8Array.from([...name, 0]), fixed, record.rdata);
  }
  return crypto.verify('ecdsa-p256', key.publicKey, Buffer.concat(data), rdata.subarray(signerEnd));
}

function proofOf(record: ResourceRecord): Proof {
  const next = pathOf(record.rdata);
  const types = new Set<number>();
  let at = 1 + next.reduce((size, label) => size + 1 + label.length, 0);
  while (at < record.rdata.length) {
    const window = record.rdata[at] ?? 0;
    const size = record.rdata[at + 1] ?? 0;
    for (let bit = 0; bit < size * 8; bit++) {
      const octet = record.rdata[at + 2 + (bit >> 3)] ?? 0;
      if ((octet >> (7 - (bit & 7))) & 1) types.add(window * 256 + bit);
    }
    at += 2 + size;
  }
  return { owner: pathOf(record.owner.wire), next, types };
}

function covers({ owner, next, types }: Proof, name: Path): boolean {
  // RFC 6840 §4.1: not what is below a cut or a DNAME.
  const isHidden = (types.has(TYPE.NS) && !types.has(TYPE.SOA)) || types.has(TYPE.DNAME);
  if (isHidden && within(name, owner)) return false;
  const beforeNext = same(next, ROOT_PATH) || compare(name, next) < 0;
  return compare(owner, name) < 0 && beforeNext && !within(next, name);
}

/** The longest ancestor that a covering NSEC shares with the name. */
function encloserBy({ owner, next }: Proof, name: Path): Path {
  const shared = [owner, next].map((path) => {
    let depth = 0;
    while (depth < path.length && path[depth] === name[depth]) depth++;
    return name.slice(0, depth);
  });
  return shared.reduce((a, b) => (b.length > a.length ? b : a));
}

function lacks(proof: Proof, path: Path, type: number): boolean {
  const has = proof.types.has(type) || proof.types.has(TYPE.CNAME);
  return same(proof.owner, path) && !has;
}

function expectProven(proofs: readonly Proof[], outcome: Outcome, type: number): void {
  const { name, source, end, expansions } = outcome;
  for (const path of expansions) expect(proofs.some((proof) => covers(proof, path))).toBe(true);
  if (end === 'no-name') {
    const gap = proofs.find((proof) => covers(proof, name));
    expect(gap && encloserBy(gap, name)).toEqual(source);
    expect(proofs.some((proof) => covers(proof, [...source, '*']))).toBe(true);
  }
  if (end === 'no-data') expect(proofs.some((proof) => lacks(proof, source, type))).toBe(true);
}

// The property.

const label = fc.constantFrom('a', 'b', 'ab', '*', '\\000', 'b\\000', 'a\\255', '@', '[', 'z');
const relative = (min: number, max: number) =>
  fc.array(label, { minLength: min, maxLength: max }).map((found) => found.join('.'));
const line = fc
  .tuple(
    relative(1, 3),
    fc.constantFrom('A 1.2.3.4', 'A 1.2.3.5', 'TXT x', 'CNAME', 'CNAME', 'DNAME', 'NS', 'DS'),
    relative(1, 2),
  )
  .map(([owner, rest, target]) => `${owner} ${rest}${rest.includes(' ') ? '' : ` ${target}`}`);

/** A zone of as many of the records as do not contradict the ones before. */
function zoneFrom(lines: readonly string[]): Zone {
  let records: ResourceRecord[] = [];
  for (const text of lines) {
    const more = [...records, sampleRecord(text.replace(/^@/, '\\@'))];
    if (buildZone({ ...BASE, records: more }).ok) records = more;
  }
  const built = buildZone({ ...BASE, records });
  if (!built.ok) throw new Error('the records fit one by one');
  return built.zone;
}

function ask(zone: Zone, name: Name, type: number): Message {
  const authority = createAuthority({ zone, keys: [key], crypto });
  const query = sampleQuery('', 'A', { questions: [{ name, type, class: 1 }], edns: EDNS });
  const answer = authority.answer(query, { now: NOW, clockIsSet: true });
  const decoded = decodeMessage(encodeMessage(answer));
  if (!decoded.ok) throw new Error(`our own message: ${decoded.reason}`);
  return decoded.message;
}

test('answers are those of the model, signed, and proven where something is missing', () => {
  const types = [TYPE.A, TYPE.A, TYPE.TXT, TYPE.CNAME, TYPE.NS, TYPE.DS, TYPE.SOA, TYPE.AAAA];
  const ends = new Set<string>();
  const check = fc.property(
    fc.array(line, { maxLength: 9 }),
    fc.array(fc.tuple(relative(0, 4), fc.constantFrom(...types)), { minLength: 3, maxLength: 6 }),
    (lines, questions) => {
      const zone = zoneFrom(lines);
      for (const [text, type] of questions) {
        const name = sampleName(text.toUpperCase());
        const outcome = model(factsOf(zone), pathOf(name.wire), type);
        const message = ask(zone, name, type);
        expect(shown(message.answers)).toEqual(outcome.answers);
        const isMissing = outcome.end === 'no-name';
        expect(message.rcode).toBe(isMissing ? RCODE.NXDOMAIN : RCODE.NOERROR);
        const proofs = validate(message);
        expectProven(proofs, outcome, type);
        ends.add(outcome.end);
      }
    },
  );
  // Chance alone does not reach all the ends that matter in so few runs.
  const lines = ['a A 192.0.2.1', 'ns.b A 192.0.2.2', 'b NS ns.b'];
  const questions: [string, number][] = [
    ['a', TYPE.A],
    ['a', TYPE.TXT],
    ['c', TYPE.A],
    ['a.b', TYPE.A],
  ];
  fc.assert(check, { numRuns: 60, examples: [[lines, questions]] });
  const reached = expect.arrayContaining(['data', 'no-data', 'no-name', 'referral']);
  expect([...ends]).toEqual(reached);
});

function shown(records: readonly ResourceRecord[]): Answer[] {
  return records
    .filter(({ type }) => type !== TYPE.RRSIG)
    .map(({ owner, type, rdata }) => ({
      owner: pathOf(owner.wire),
      type,
      rdata: shownRdata(type, rdata),
    }));
}
