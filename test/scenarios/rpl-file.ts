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
 * without salt and iterations, `H(name)-1` the one before; `key: id zone algorithm [flags]` in the
 * head makes a key, `trust-key: id` anchors it, and in sections `DNSKEY id…`, `DS id…` and
 * `SIGN id…` stand for records (rpl-sign.ts).
 *
 * Only reads: rpl-run.ts plays.
 */

import { parseName, parseRecord, type Question, typeNumber } from '#resolver';
import { type Head, type Problem, readHead } from './rpl-head.ts';
import type { SectionLine } from './rpl-sign.ts';
import { addToHash, nsec3Hash } from './rpl-sign.ts';

/** A question with its answer, or what an answer must be like. */
export type Entry = {
  readonly line: number;
  readonly match: ReadonlySet<string>;
  readonly adjust: ReadonlySet<string>;
  /** Flags and return code, as words. */
  readonly reply: ReadonlySet<string>;
  readonly questions: readonly Question[];
  readonly answers: readonly SectionLine[];
  readonly authorities: readonly SectionLine[];
  readonly additionals: readonly SectionLine[];
};

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

type Line = { readonly number: number; readonly text: string };

type Reader = { readonly lines: readonly Line[]; at: number; readonly problems: Problem[] };

function next(reader: Reader): { line: number; text: string; words: string[] } | undefined {
  const line = reader.lines[reader.at++];
  return line && { line: line.number, text: line.text, words: line.text.split(/\s+/) };
}

function readBody(reader: Reader): Omit<Scenario, 'head'> {
  const ranges: Range[] = [];
  const steps: Step[] = [];
  let title = '';
  for (let line = next(reader); line !== undefined; line = next(reader)) {
    const [word] = line.words;
    if (word === 'SCENARIO_BEGIN') title = line.words.slice(1).join(' ');
    else if (word === 'SCENARIO_END') break;
    else if (word === 'RANGE_BEGIN') ranges.push(readRange(reader, line));
    else if (word === 'STEP') steps.push(...readStep(reader, line));
    else reader.problems.push({ line: line.line, reason: `not understood: ${word}` });
  }
  return { title, ranges, steps };
}

type Words = { readonly line: number; readonly words: readonly string[] };

function readRange(reader: Reader, begin: Words): Range {
  const [from, to] = begin.words.slice(1).map(Number);
  let address = '';
  const entries: Entry[] = [];
  for (let line = next(reader); line?.text !== 'RANGE_END'; line = next(reader)) {
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

const STEPS_WITH_ENTRY = new Map([
  ['QUERY', 'query'],
  ['CHECK_ANSWER', 'check-answer'],
] as const);

function readStep(reader: Reader, { line, words }: Words): Step[] {
  const [, count, word = '', ...rest] = words;
  const number = Number(count);
  const kind = STEPS_WITH_ENTRY.get(word as 'QUERY');
  if (kind !== undefined) {
    const begin = next(reader);
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

/* Entries */

const VOCABULARY = {
  MATCH:
    'opcode qtype qname subdomain question flags rcode answer authority UDP TCP edns noedns ede=',
  ADJUST: 'copy_id copy_query do_not_answer',
  REPLY: 'QR AA TC RD RA AD CD DO NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED YXDOMAIN',
} as const;

const SECTIONS = new Map([
  ['QUESTION', 'questions'],
  ['ANSWER', 'answers'],
  ['AUTHORITY', 'authorities'],
  ['ADDITIONAL', 'additionals'],
] as const);

function readEntry(reader: Reader, begin: number): Entry {
  const words = { MATCH: new Set<string>(), ADJUST: new Set<string>(), REPLY: new Set<string>() };
  const questions: Question[] = [];
  const sections = {
    answers: [] as SectionLine[],
    authorities: [] as SectionLine[],
    additionals: [] as SectionLine[],
  };
  let section: keyof typeof sections | 'questions' | undefined;
  for (let line = next(reader); line?.text !== 'ENTRY_END'; line = next(reader)) {
    if (line === undefined) {
      reader.problems.push({ line: begin, reason: 'no ENTRY_END' });
      break;
    }
    const [first = '', ...rest] = line.words;
    if (first === 'SECTION') {
      section = SECTIONS.get(rest[0] as 'ANSWER');
      if (section === undefined) reader.problems.push({ line: line.line, reason: 'bad section' });
    } else if (first in words) {
      addWords(reader, line.line, first as keyof typeof words, rest, words);
    } else if (section === 'questions') questions.push(...readQuestion(reader, line));
    else if (section === undefined) {
      reader.problems.push({ line: line.line, reason: `not understood: ${first}` });
    } else sections[section].push(...readLines(reader, line));
  }
  const { MATCH: match, ADJUST: adjust, REPLY: reply } = words;
  return { line: begin, match, adjust, reply, questions, ...sections };
}

function addWords(
  reader: Reader,
  line: number,
  kind: keyof typeof VOCABULARY,
  found: readonly string[],
  into: Readonly<Record<keyof typeof VOCABULARY, Set<string>>>,
): void {
  const known = VOCABULARY[kind].split(' ');
  for (const word of found) {
    if (!known.includes(word.replace(/=.*/, '='))) {
      reader.problems.push({ line, reason: `${kind} does not know ${word}` });
    }
    into[kind].add(word);
  }
}

const CLASSES: ReadonlyMap<string | undefined, number> = new Map([
  ['IN', 1],
  ['CH', 3],
  ['ANY', 255],
]);

function readQuestion(reader: Reader, { line, words }: Words): Question[] {
  const name = parseName(words[0] ?? '');
  const type = typeNumber(words.at(-1) ?? '');
  if (name === undefined || type === undefined) {
    reader.problems.push({ line, reason: `no question: ${words.join(' ')}` });
    return [];
  }
  const klass = words.length > 2 ? (CLASSES.get(words[1]) ?? 1) : 1;
  return [{ name, type, class: klass }];
}

/** A line of a section: a record, several of them, or an order to make some. */
function readLines(reader: Reader, { line, words }: Words): SectionLine[] {
  const [first, ...rest] = words;
  if (first === 'SIGN' || first === 'DNSKEY' || first === 'DS') {
    const changes = rest.filter((word) => word.includes('='));
    const keys = rest.filter((word) => !word.includes('='));
    return [{ kind: 'made', line, order: first, keys, changes: new Map(changes.map(pairOf)) }];
  }
  const texts = first === '$GENERATE' ? generate(rest) : [words.join(' ')];
  return texts.flatMap((text) => {
    const parsed = parseRecord(text.replaceAll(HASHED, replaceHash), { ttl: 3600 });
    if (parsed.ok) return [{ kind: 'record', record: parsed.record }];
    reader.problems.push({ line, reason: `${parsed.reason}: ${text}` });
    return [];
  });
}

function pairOf(word: string): [string, string] {
  const at = word.indexOf('=');
  return [word.slice(0, at), word.slice(at + 1)];
}

const HASHED = /H\(([^)]*)\)([+-]1)?/g;

function replaceHash(whole: string, text: string, change?: string): string {
  const name = parseName(text);
  return name === undefined ? whole : addToHash(nsec3Hash(name), Number(change ?? 0));
}

/** `1-9 n$ …`: the text once for each number; `${1}` is the number and one more. */
function generate([range = '', ...words]: readonly string[]): string[] {
  const [first = 0, last = -1] = range.split('-').map(Number);
  const text = words.join(' ');
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) =>
    text.replaceAll(/\$\{(\d+)\}|\$/g, (_match, add = '0') => String(first + index + Number(add))),
  );
}
