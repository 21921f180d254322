/**
 * Whether JSON is what a state inside is made of. Whoever sends one may have written it by hand: the
 * merge relies on every part of it.
 */

import { isField } from '../format/path.ts';
import { isPlace } from './order.ts';

type Check = (value: unknown) => boolean;
type Members = { readonly [name: string]: unknown };

/** `[alive dots, gone dots, { field: entries }]`. */
export function isRecordShape(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [alive, gone, fields] = value as readonly unknown[];
  const isEach = (list: unknown) => isListOf(list, isDot);
  return (
    isEach(alive) && isEach(gone) && isObject(fields) && Object.entries(fields).every(isEntries)
  );
}

/** Numbers of commits by device. */
export function isVectorShape(value: unknown): boolean {
  return isObject(value) && Object.values(value).every(isNumber);
}

function isEntries([field, entries]: [string, unknown]): boolean {
  return isField(field) && isListOf(entries, isEntry);
}

const isText: Check = (value) => typeof value === 'string';
const isAny: Check = (value) => value !== undefined;
const isNumber: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isNumbers: Check = (value) => isListOf(value, isNumber);

function isDot(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { device, seq, index, branch } = value as Members;
  return isText(device) && isNumber(seq) && isNumber(index) && isOptional(branch, isText);
}

const RULES: ReadonlySet<unknown> = new Set(['deny', 'lower', 'rank']);

/** What an entry of a kind has besides its dot. */
const KINDS: Readonly<Record<string, (entry: Members) => boolean>> = {
  value: ({ value, rule, removed }) =>
    isAny(value) &&
    isOptional(rule, (name) => RULES.has(name)) &&
    isOptional(removed, (places) => Array.isArray(value) && isNumbers(places)),
  set: () => true,
  member: ({ value }) => isAny(value),
  grown: ({ value }) => isAny(value),
  item: ({ value }) => isAny(value),
  count: ({ value }) => Number.isSafeInteger(value),
  place: ({ item, at }) => isText(item) && typeof at === 'string' && isPlace(at),
  text: ({ value, past }) => isText(value) && isListOf(past, isVersion),
};

function isEntry(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { kind, dot } = value as Members;
  const isOfKind = typeof kind === 'string' && Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  return isDot(dot) && isOfKind?.(value) === true;
}

function isVersion(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { dot, others, value: text } = value as Members;
  const isDots: Check = (list) => isListOf(list, isDot);
  return isDot(dot) && isOptional(others, isDots) && isOptional(text, isText);
}

function isOptional(value: unknown, check: Check): boolean {
  return value === undefined || check(value);
}

function isListOf(value: unknown, check: Check): boolean {
  return Array.isArray(value) && value.every((item) => check(item));
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
