/**
 * Texts that several wrote at once: merged line by line where nobody wrote over another, else all
 * shown (diff3: Khanna, Kunal and Pierce, "A Formal Investigation of Diff3", 2007).
 */

import { mergeDiff3 } from 'node-diff3';
import { type Dot, type Entry, printDot, type Version } from './merged.ts';

type Text = Extract<Entry, { kind: 'text' }>;

/** Longer texts are not merged: comparing lines is quadratic at worst. */
const MAX_LINES = 1000;
/** Earlier texts that are kept to merge by. */
export const MAX_PAST = 4;

/** One text when they can be merged, else each. `texts` are sorted by their dots. */
export function mergeTexts(
  texts: readonly Text[],
): readonly { readonly dot: Dot; readonly value: string }[] {
  const [first, ...others] = texts;
  if (first === undefined || others.length === 0) return texts;
  let merged = first.value;
  for (const other of others) {
    const base = commonVersion(first, other);
    const next = base === undefined ? undefined : merge(merged, base.value, other.value);
    if (next === undefined) return texts;
    merged = next;
  }
  return [{ dot: first.dot, value: merged }];
}

/** What a new text that replaces `texts` remembers of them, newest first. */
export function remember(texts: readonly Text[]): Version[] {
  const versions = new Map<string, Version>();
  for (const { dot, value } of texts) versions.set(printDot(dot), { dot, value });
  for (const { past } of texts) {
    for (const version of past) versions.set(printDot(version.dot), version);
  }
  return [...versions.values()].slice(0, MAX_PAST);
}

function commonVersion(a: Text, b: Text): Version | undefined {
  const theirs = new Set([b, ...b.past].map(({ dot }) => printDot(dot)));
  return a.past.find(({ dot }) => theirs.has(printDot(dot)));
}

function merge(a: string, base: string, b: string): string | undefined {
  const lines = [a, base, b].map((text) => text.split('\n'));
  if (lines.some(({ length }) => length > MAX_LINES)) return undefined;
  const [left = [], middle = [], right = []] = lines;
  const { conflict, result } = mergeDiff3(left, middle, right, { excludeFalseConflicts: true });
  return conflict ? undefined : result.join('\n');
}
