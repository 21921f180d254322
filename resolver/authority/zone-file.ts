/**
 * Records and zones as text: the master file format of RFC 1035 §5, with $TTL (RFC 2308 §4) and
 * the generic forms of RFC 3597 §5.
 *
 * $INCLUDE is refused, since text has no business opening files, and so is every other directive
 * but $ORIGIN and $TTL. Whether the records make a zone is not looked at.
 */

import { type Name, printName, ROOT } from '../message/name.ts';
import { printRdata, rdataFromWords } from '../message/rdata.ts';
import type { ResourceRecord } from '../message/record.ts';
import { CLASS, className, classNumber, TYPE, typeName, typeNumber } from '../message/type.ts';
import { type Line, type LineProblem, lineReader, readLine } from '../message/wire/line.ts';
import { parseDuration } from '../message/wire/time-text.ts';
import { resolveName, takeBare, type Word, type Words } from '../message/wire/words.ts';

/** What can be wrong with a line. */
export type ZoneFileProblem =
  | LineProblem
  | 'bad-owner'
  | 'no-owner'
  | 'no-ttl'
  | 'bad-type'
  | 'bad-rdata'
  | 'bad-directive'
  | 'include-refused'
  | 'too-many-records';

/** What a line may leave out. */
export type ZoneFileDefaults = {
  /** What relative names lie below; the root if not given. */
  readonly origin?: Name;
  readonly ttl?: number;
  readonly class?: number;
};

export type ParsedRecord =
  | { readonly ok: true; readonly record: ResourceRecord }
  | { readonly ok: false; readonly reason: ZoneFileProblem };

export type ParsedZone =
  | { readonly ok: true; readonly records: readonly ResourceRecord[] }
  | { readonly ok: false; readonly line: number; readonly reason: ZoneFileProblem };

/** More than any zone that fits a household's machine. */
const MAX_RECORDS = 1_000_000;

/** A record on one line: owner, TTL, class, type, RDATA. */
export function printRecord(record: ResourceRecord): string {
  const { owner, ttl, type } = record;
  const rdata = printRdata(type, record.rdata);
  const line = `${printName(owner)} ${ttl} ${className(record.class)} ${typeName(type)} ${rdata}`;
  return line.trimEnd();
}

/** Reads what `printRecord` writes, or any one line of a zone file that begins with its owner. */
export function parseRecord(text: string, defaults: ZoneFileDefaults = {}): ParsedRecord {
  const state = stateFrom(defaults);
  const reader = lineReader(text);
  for (let line = readLine(reader); line !== undefined; line = readLine(reader)) {
    if (!line.ok) return { ok: false, reason: line.reason };
    if (line.words.length > 0) return readRecord(state, line.words, line.indented);
  }
  return { ok: false, reason: 'no-owner' };
}

/** Reads a whole zone file; the first line that is wrong ends it. */
export function parseZone(text: string, defaults: ZoneFileDefaults = {}): ParsedZone {
  const state = stateFrom(defaults);
  const reader = lineReader(text);
  const records: ResourceRecord[] = [];
  for (let line = readLine(reader); line !== undefined; line = readLine(reader)) {
    const problem = line.ok ? readEntry(state, line, records) : line.reason;
    if (problem !== undefined) return { ok: false, line: line.number, reason: problem };
  }
  return { ok: true, records };
}

/** What carries over from line to line. */
type State = {
  origin: Name;
  owner: Name | undefined;
  standardTtl: number | undefined;
  lastTtl: number | undefined;
  class: number;
};

function stateFrom(defaults: ZoneFileDefaults): State {
  return {
    origin: defaults.origin ?? ROOT,
    owner: undefined,
    standardTtl: defaults.ttl,
    lastTtl: undefined,
    class: defaults.class ?? CLASS.IN,
  };
}

function readEntry(
  state: State,
  { words, indented }: Extract<Line, { ok: true }>,
  records: ResourceRecord[],
): ZoneFileProblem | undefined {
  const [first] = words;
  if (first === undefined) return undefined;
  if (!indented && !first.quoted && first.text.startsWith('$')) return readDirective(state, words);
  const parsed = readRecord(state, words, indented);
  if (!parsed.ok) return parsed.reason;
  if (isMeta(parsed.record.type)) return 'bad-type';
  return records.push(parsed.record) > MAX_RECORDS ? 'too-many-records' : undefined;
}

/** Types that are asked for or sent along, but never kept (RFC 6895 §3.1). */
function isMeta(type: number): boolean {
  return type === 0 || type === TYPE.OPT || (type >= TYPE.NXNAME && type <= TYPE.ANY);
}

function readDirective(state: State, words: readonly Word[]): ZoneFileProblem | undefined {
  const [directive, argument] = words;
  const word = directive?.text.toUpperCase();
  if (word === '$INCLUDE') return 'include-refused';
  if (argument === undefined || argument.quoted || words.length > 2) return 'bad-directive';
  if (word === '$ORIGIN') {
    const origin = resolveName(argument.text, state.origin);
    if (origin === undefined) return 'bad-directive';
    state.origin = origin;
    return undefined;
  }
  const ttl = word === '$TTL' ? parseDuration(argument.text) : undefined;
  if (ttl === undefined) return 'bad-directive';
  state.standardTtl = ttl;
  return undefined;
}

function readRecord(state: State, list: readonly Word[], indented: boolean): ParsedRecord {
  const words: Words = { list, at: 0, origin: state.origin };
  if (!indented) {
    const text = takeBare(words);
    state.owner = text === undefined ? undefined : resolveName(text, state.origin);
    if (state.owner === undefined) return { ok: false, reason: 'bad-owner' };
  }
  const { owner } = state;
  if (owner === undefined) return { ok: false, reason: 'no-owner' };
  const { ttl, klass } = readTtlAndClass(state, words);
  const type = typeNumber(takeBare(words) ?? '');
  if (type === undefined) return { ok: false, reason: 'bad-type' };
  if (ttl === undefined) return { ok: false, reason: 'no-ttl' };
  const rdata = isBare(klass, words) ? new Uint8Array(0) : rdataFromWords(type, words);
  if (rdata === undefined) return { ok: false, reason: 'bad-rdata' };
  return { ok: true, record: { owner, type, class: klass, ttl, rdata } };
}

/** Both are optional and in any order (RFC 1035 §5.1). */
function readTtlAndClass(state: State, words: Words): { ttl: number | undefined; klass: number } {
  let ttl: number | undefined;
  let klass: number | undefined;
  for (;;) {
    const word = words.list[words.at];
    const text = word === undefined || word.quoted ? '' : word.text;
    const asTtl = ttl === undefined ? parseDuration(text) : undefined;
    const asClass = klass === undefined ? classNumber(text) : undefined;
    // ANY is a type as well; a class is only what a type can still follow.
    const isLast = words.at + 1 >= words.list.length;
    if (asTtl === undefined && (asClass === undefined || isLast)) break;
    ttl ??= asTtl;
    klass ??= asClass;
    words.at++;
  }
  state.lastTtl = ttl ?? state.lastTtl;
  return { ttl: ttl ?? state.standardTtl ?? state.lastTtl, klass: klass ?? state.class };
}

/** Updates delete and require records without RDATA (RFC 2136 §2.4 and §2.5). */
function isBare(klass: number, words: Words): boolean {
  const [sign, length, more] = words.list.slice(words.at, words.at + 3);
  const isEmpty = sign?.text === '\\#' && length?.text === '0' && more === undefined;
  return isEmpty && (klass === CLASS.ANY || klass === CLASS.NONE);
}
