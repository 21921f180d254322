/**
 * On which line of a JSON text a value stands, and which keys an object has twice: JSON.parse says
 * neither, and silently keeps the last (RFC 8259 §4).
 */

type Key = string | number;

type Value = { line: number; readonly parts: Map<string, Value> };

export type JsonLines = {
  /** Keys that are given twice. */
  readonly twice: readonly (readonly Key[])[];
  /** The line, from 1; of what is not in the text, the line of what it would be in. */
  lineOf(path: readonly Key[]): number;
};

/** An object or list that has not ended; `key` is what the next value in it is, once that is known. */
type Open = { readonly value: Value; readonly isList: boolean; key: Key | undefined };

/** Strings, punctuation, ends of lines, and what else there is: numbers, true, false and null. */
const TOKENS = /"(?:[^"\\]+|\\.)*"|[{}[\],:\n]|[^\s{}[\],:"]+/g;

/** Reads what JSON.parse has read without an error. */
export function readJsonLines(json: string): JsonLines {
  const root: Value = { line: 1, parts: new Map() };
  const twice: (readonly Key[])[] = [];
  const opened: Open[] = [];
  let line = 1;

  function begin(token: string): void {
    const within = opened.at(-1);
    const value = within === undefined ? root : { line, parts: new Map<string, Value>() };
    value.line = line;
    within?.value.parts.set(String(within.key), value);
    if (token === '{') opened.push({ value, isList: false, key: undefined });
    if (token === '[') opened.push({ value, isList: true, key: 0 });
  }

  function name(within: Open, token: string): void {
    within.key = JSON.parse(token) as string;
    if (!within.value.parts.has(within.key)) return;
    twice.push(opened.flatMap(({ key }) => key ?? []));
  }

  for (const [token] of json.matchAll(TOKENS)) {
    const within = opened.at(-1);
    if (token === '\n') line++;
    else if (token === '}' || token === ']') opened.pop();
    else if (token === ',') proceed(within);
    else if (within !== undefined && within.key === undefined) name(within, token);
    else if (token !== ':') begin(token);
  }

  return {
    twice,
    lineOf: (path) =>
      path.reduce((value: Value, key) => value.parts.get(String(key)) ?? value, root).line,
  };
}

/** Behind a comma: to the next place of a list, or to a key that is still to be read. */
function proceed(within: Open | undefined): void {
  if (within !== undefined) within.key = within.isList ? Number(within.key) + 1 : undefined;
}
