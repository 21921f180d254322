/**
 * Zone-file text → lines of words: RFC 1035 §5.1.
 *
 * A line goes on while a parenthesis is open. Comments and blank space are gone; escapes and the
 * quotes inside a word (`alpn="h2"`) are still there.
 */

import type { Word } from './words.ts';

export type LineProblem = 'unbalanced-parenthesis' | 'open-quote' | 'too-many-words';

/** One logical line. `number` is where it starts, from 1; `indented` when a blank came first. */
export type Line =
  | {
      readonly ok: true;
      readonly number: number;
      readonly indented: boolean;
      readonly words: readonly Word[];
    }
  | { readonly ok: false; readonly number: number; readonly reason: LineProblem };

/** The most that RDATA can need: an NSEC bitmap that names all types, and some. */
const MAX_WORDS = 70_000;

/** Text being read. */
export type LineReader = { readonly text: string; at: number; line: number };

/** Starts reading at the beginning of `text`. */
export function lineReader(text: string): LineReader {
  return { text, at: 0, line: 1 };
}

/** The next line, which may have no words; undefined at the end of the text. */
export function readLine(reader: LineReader): Line | undefined {
  if (reader.at >= reader.text.length) return undefined;
  const number = reader.line;
  const indented = isBlank(reader.text[reader.at]);
  const words: Word[] = [];
  const reason = readWords(reader, words);
  // The end of the line is not one of its words.
  reader.at++;
  reader.line++;
  return reason === undefined
    ? { ok: true, number, indented, words }
    : { ok: false, number, reason };
}

function readWords(reader: LineReader, words: Word[]): LineProblem | undefined {
  let depth = 0;
  while (depth >= 0) {
    skipBlanks(reader, depth > 0);
    const character = reader.text[reader.at];
    if (character === undefined || character === '\n') break;
    if (character === '(' || character === ')') {
      depth += character === '(' ? 1 : -1;
      reader.at++;
    } else {
      const problem = pushWord(reader, words);
      if (problem !== undefined) return problem;
    }
  }
  return depth === 0 ? undefined : 'unbalanced-parenthesis';
}

function pushWord(reader: LineReader, words: Word[]): LineProblem | undefined {
  const word = readWord(reader);
  if (word === undefined) return 'open-quote';
  return words.push(word) > MAX_WORDS ? 'too-many-words' : undefined;
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t' || character === '\r';
}

/** Skips blanks and comments, and ends of lines if `multiline`. */
function skipBlanks(reader: LineReader, multiline: boolean): void {
  const { text } = reader;
  for (;;) {
    const character = text[reader.at];
    if (character === ';') {
      const end = text.indexOf('\n', reader.at);
      reader.at = end < 0 ? text.length : end;
    } else if (isBlank(character)) reader.at++;
    else if (character === '\n' && multiline) {
      reader.at++;
      reader.line++;
    } else return;
  }
}

function readWord(reader: LineReader): Word | undefined {
  const { text, at } = reader;
  const quoted = text[at] === '"';
  const end = quoted ? endOfQuotes(text, at) : endOfBare(text, at);
  if (end < 0) return undefined;
  reader.at = end;
  return quoted
    ? { text: text.slice(at + 1, end - 1), quoted }
    : { text: text.slice(at, end), quoted };
}

/** The offset after the quote that closes the one at `at`, or -1 when its line ends first. */
function endOfQuotes(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const character = text[i];
    if (character === '"') return i + 1;
    if (character === '\\') i++;
    if (text[i] === '\n') return -1;
  }
  return -1;
}

function endOfBare(text: string, at: number): number {
  let i = at;
  while (i < text.length && !DELIMITERS.includes(text[i] as string)) {
    if (text[i] === '"') {
      i = endOfQuotes(text, i);
      if (i < 0) return -1;
    } else i += text[i] === '\\' && text[i + 1] !== '\n' ? 2 : 1;
  }
  return Math.min(i, text.length);
}

const DELIMITERS = ' \t\r\n;()';
