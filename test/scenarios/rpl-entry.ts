/**
 * Entries of scenario files: a question, the reply, and what is compared.
 *
 * For the dialect see rpl-file.ts.
 */

import { parseName, parseRecord, type Question, typeNumber } from '#resolver';
import type { Problem } from './rpl-head.ts';
import { addToHash, nsec3Hash, type SectionLine } from './rpl-sign.ts';

type Line = { readonly number: number; readonly text: string };

/** The lines, and how far they are read. */
export type Reader = { readonly lines: readonly Line[]; at: number; readonly problems: Problem[] };

/** A line in words. */
export type Words = {
  readonly line: number;
  readonly text: string;
  readonly words: readonly string[];
};

/** Goes on to the next line. */
export function nextLine(reader: Reader): Words | undefined {
  const line = reader.lines[reader.at++];
  return line && { line: line.number, text: line.text, words: line.text.split(/\s+/) };
}

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

/** Reads up to ENTRY_END. */
export function readEntry(reader: Reader, begin: number): Entry {
  const words = { MATCH: new Set<string>(), ADJUST: new Set<string>(), REPLY: new Set<string>() };
  const questions: Question[] = [];
  const sections = {
    answers: [] as SectionLine[],
    authorities: [] as SectionLine[],
    additionals: [] as SectionLine[],
  };
  let section: keyof typeof sections | 'questions' | undefined;
  for (let line = nextLine(reader); line?.text !== 'ENTRY_END'; line = nextLine(reader)) {
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

/** `name [class] type`. */
export function readQuestion(reader: Reader, { line, words }: Words): Question[] {
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
export function readLines(reader: Reader, { line, words }: Words): SectionLine[] {
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

const HASHED = /H\(([^),]*)(?:,(\d+))?\)([+-]1)?/g;

function replaceHash(whole: string, text: string, iterations = '0', change = '0'): string {
  const name = parseName(text);
  if (name === undefined) return whole;
  return addToHash(nsec3Hash(name, Number(iterations)), Number(change));
}

/** `1-9 n$ …`: the text once for each number; `${1}` is the number and one more. */
function generate([range = '', ...words]: readonly string[]): string[] {
  const [first = 0, last = -1] = range.split('-').map(Number);
  const text = words.join(' ');
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) =>
    text.replaceAll(/\$\{(\d+)\}|\$/g, (_match, add = '0') => String(first + index + Number(add))),
  );
}
