/**
 * Reads scenario files in Unbound's `.rpl` dialect, as far as a resolver can be tested by it.
 *
 *     stub-addr: 192.0.2.1                     head: `option: value` up to CONFIG_END
 *     CONFIG_END
 *     SCENARIO_BEGIN title
 *     RANGE_BEGIN 0 100                        what the server at ADDRESS says during steps 0…100
 *       ADDRESS 192.0.2.1
 *       ENTRY_BEGIN                            the first entry that matches answers
 *       MATCH opcode qname qtype               also: subdomain UDP TCP edns noedns
 *       ADJUST copy_id copy_query              also: do_not_answer
 *       REPLY QR AA NOERROR
 *       SECTION QUESTION                       then ANSWER, AUTHORITY, ADDITIONAL as zone files
 *       www.example.com. IN A
 *       ENTRY_END
 *     RANGE_END
 *     STEP 1 QUERY                             then an entry; also CHECK_ANSWER with one,
 *     STEP 2 TIME_PASSES ELAPSE 60             and CHECK_SENDS max [address] [name] [type]:
 *     SCENARIO_END                             not more questions than that since the last QUERY
 *
 * Our own additions save pasting: `$GENERATE 1-9 n$ …` (BIND's); `H(name)` is a name's NSEC3 hash
 * without salt, `H(name,9)` with 9 iterations, `H(name)-1` the one before; `key: id zone algorithm [flags]` in the
 * head makes a key, `trust-key: id` anchors it, and in sections `DNSKEY id…`, `DS id…` and
 * `SIGN id…` stand for records (rpl-sign.ts).
 *
 * `ZONE_BEGIN` makes whole zones (rpl-zone.ts); entries at the same address come first.
 * `ASK 1 name type AD NOERROR` with the answer's records below is QUERY and CHECK_ANSWER in one;
 * `ede=n` and CD may stand there too.
 *
 * Only reads: rpl-run.ts plays.
 */

import {
  type Entry,
  nextLine,
  type Reader,
  readEntry,
  readLines,
  readQuestion,
  type Words,
} from './rpl-entry.ts';
import { type Head, type Problem, readHead } from './rpl-head.ts';
import type { SectionLine } from './rpl-sign.ts';
import type { ZoneBlock } from './rpl-zone.ts';

/** What one server says while the step number lies between the two. */
export type Range = {
  readonly from: number;
  readonly to: number;
  readonly address: string;
  readonly entries: readonly Entry[];
};

export type Step = { readonly number: number; readonly line: number } & (
  | { readonly kind: 'query' | 'check-answer'; readonly entry: Entry }
  | { readonly kind: 'time-passes'; readonly seconds: number }
  | { readonly kind: 'check-sends'; readonly max: number; readonly words: readonly string[] }
);

export type Scenario = {
  readonly title: string;
  readonly head: Head;
  readonly ranges: readonly Range[];
  readonly zones: readonly ZoneBlock[];
  readonly steps: readonly Step[];
};

/** Reads a file; all that is wrong with it, if anything is. */
export function parseScenario(
  text: string,
): { ok: true; scenario: Scenario } | { ok: false; problems: readonly Problem[] } {
  const lines = text
    .split('\n')
    .map((line, index) => ({ number: index + 1, text: line.replace(/^[;#].*|\s;.*$/, '').trim() }))
    .filter((line) => line.text !== '');
  const end = lines.findIndex((line) => line.text === 'CONFIG_END');
  const problems: Problem[] = [];
  if (end < 0) problems.push({ line: 1, reason: 'no CONFIG_END' });
  const head = readHead(lines.slice(0, Math.max(end, 0)), problems);
  const reader: Reader = { lines, at: end + 1, problems };
  const body = readBody(reader);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, scenario: { head, ...body } };
}

function readBody(reader: Reader): Omit<Scenario, 'head'> {
  const ranges: Range[] = [];
  const zones: ZoneBlock[] = [];
  const steps: Step[] = [];
  let title = '';
  for (let line = nextLine(reader); line !== undefined; line = nextLine(reader)) {
    const [word] = line.words;
    if (word === 'SCENARIO_BEGIN') title = line.words.slice(1).join(' ');
    else if (word === 'SCENARIO_END') break;
    else if (word === 'RANGE_BEGIN') ranges.push(readRange(reader, line));
    else if (word === 'ZONE_BEGIN') zones.push(readZone(reader, line));
    else if (word === 'ASK') steps.push(...readAsk(reader, line));
    else if (word === 'STEP') steps.push(...readStep(reader, line));
    else reader.problems.push({ line: line.line, reason: `not understood: ${word}` });
  }
  return { title, ranges, zones, steps };
}

function readRange(reader: Reader, begin: Words): Range {
  const [from, to] = begin.words.slice(1).map(Number);
  let address = '';
  const entries: Entry[] = [];
  for (let line = nextLine(reader); line?.text !== 'RANGE_END'; line = nextLine(reader)) {
    if (line === undefined) {
      reader.problems.push({ line: begin.line, reason: 'no RANGE_END' });
      break;
    }
    if (line.words[0] === 'ADDRESS') address = line.words[1] ?? '';
    else if (line.words[0] === 'ENTRY_BEGIN') entries.push(readEntry(reader, line.line));
    else reader.problems.push({ line: line.line, reason: `not understood: ${line.words[0]}` });
  }
  if (address === '') reader.problems.push({ line: begin.line, reason: 'no ADDRESS' });
  return { from: from ?? 0, to: to ?? 0, address, entries };
}

const STYLES = new Map([
  ['NSEC3', 'nsec3'],
  ['OPTOUT', 'optout'],
] as const);

function readZone(reader: Reader, { line: begin, words }: Words): ZoneBlock {
  const [, apex = '', addresses = '', ...rest] = words;
  const lines: SectionLine[] = [];
  for (let line = nextLine(reader); line?.text !== 'ZONE_END'; line = nextLine(reader)) {
    if (line === undefined) {
      reader.problems.push({ line: begin, reason: 'no ZONE_END' });
      break;
    }
    lines.push(...readLines(reader, line));
  }
  const style = rest.map((word) => STYLES.get(word as 'NSEC3')).find((each) => each !== undefined);
  const keys = rest.filter((word) => !STYLES.has(word as 'NSEC3'));
  return { line: begin, apex, at: addresses.split(','), keys, style: style ?? 'nsec', lines };
}

const STEPS_WITH_ENTRY = new Map([
  ['QUERY', 'query'],
  ['CHECK_ANSWER', 'check-answer'],
] as const);

function readStep(reader: Reader, { line, words }: Words): Step[] {
  const [, count, word = '', ...rest] = words;
  const number = Number(count);
  const kind = STEPS_WITH_ENTRY.get(word as 'QUERY');
  if (kind !== undefined) {
    const begin = nextLine(reader);
    if (begin?.text === 'ENTRY_BEGIN') {
      return [{ kind, number, line, entry: readEntry(reader, begin.line) }];
    }
    reader.problems.push({ line, reason: `${word} without an entry` });
    return [];
  }
  const value = Number(rest[word === 'TIME_PASSES' ? 1 : 0]);
  if (Number.isInteger(value)) {
    if (word === 'TIME_PASSES') return [{ kind: 'time-passes', number, line, seconds: value }];
    if (word === 'CHECK_SENDS') {
      return [{ kind: 'check-sends', number, line, max: value, words: rest.slice(1) }];
    }
  }
  reader.problems.push({ line, reason: `not understood: STEP ${word} ${rest.join(' ')}` });
  return [];
}

/** What ends the records after ASK. */
const AFTER_ASK: ReadonlySet<string | undefined> = new Set([
  'ASK',
  'STEP',
  'RANGE_BEGIN',
  'ZONE_BEGIN',
  'SCENARIO_END',
  undefined,
]);

/** `ASK n name type word…` and the answer's records: both steps in one, with AD asked for. */
function readAsk(reader: Reader, { line, text, words }: Words): Step[] {
  const [, number, name = '', type = '', ...said] = words;
  const questions = readQuestion(reader, { line, text, words: [name, type] });
  const answers: SectionLine[] = [];
  while (!AFTER_ASK.has(reader.lines[reader.at]?.text.split(/\s/)[0])) {
    const next = nextLine(reader);
    if (next !== undefined) answers.push(...readLines(reader, next));
  }
  const rest = { line, adjust: new Set<string>(), questions, authorities: [], additionals: [] };
  const asked = ['RD', 'AD', ...said.filter((word) => word === 'CD')];
  const match = [
    'question',
    'flags',
    'rcode',
    'answer',
    ...said.filter((word) => word.includes('=')),
  ];
  const query = { ...rest, match: new Set<string>(), reply: new Set(asked), answers: [] };
  const check = { ...rest, match: new Set(match), reply: new Set(['RD', 'RA', ...said]), answers };
  const shared = { number: Number(number), line };
  return [
    { ...shared, kind: 'query', entry: query },
    { ...shared, kind: 'check-answer', entry: check },
  ];
}
