/**
 * Texts that several wrote at once: merged line by line where nobody wrote over another, else all
 * shown (diff3: Khanna, Kunal and Pierce, "A Formal Investigation of Diff3", 2007).
 */

import { mergeDiff3 } from 'node-diff3';
import { compareDots, type Dot, type Entry, printDot, type Version } from './merged.ts';

type Text = Extract<Entry, { kind: 'text' }>;

/** Longer texts are not merged: comparing lines is quadratic at worst. */
const MAX_LINES = 1000;
/** Earlier texts that are kept to merge by. */
const MAX_PAST = 6;

/** One text when they can be merged, else each. `texts` are sorted by their dots. */
export function mergeTexts(
  texts: readonly Text[],
): readonly { readonly dot: Dot; readonly value: string }[] {
  const [first, ...others] = texts;
  if (first === undefined || others.length === 0) return texts;
  let merged = first.value;
  for (const other of others) {
    const base = commonVersion(first, other);
    const next = base?.value === undefined ? undefined : merge(merged, base.value, other.value);
    if (next === undefined) return texts;
    merged = next;
  }
  return [{ dot: first.dot, value: merged }];
}

/**
 * What a new text that replaces `texts` remembers of them, newest first: the same on every device, and
 * a version always before those that it replaced.
 *
 * What several made together is a version of its own, else a line that one of them brought and the
 * new text took out would come back from whoever left it alone.
 */
export function remember(texts: readonly Text[]): Version[] {
  const versions = new Map<string, Version>();
  const add = (version: Version) => {
    const name = nameVersion(version);
    if (!versions.has(name)) versions.set(name, version);
  };
  const sorted = texts.toSorted((a, b) => compareDots(a.dot, b.dot));
  const [together, ...apart] = mergeTexts(sorted);
  if (together !== undefined && apart.length === 0 && sorted.length > 1) {
    add({ ...together, others: sorted.slice(1).map(({ dot }) => dot) });
  }
  for (const { dot, value } of sorted) add({ dot, value });
  for (const { past } of sorted) past.forEach(add);
  return [...versions.values()].slice(0, MAX_PAST);
}

/**
 * The same texts with no earlier ones but those by which they are merged. That there were others is
 * kept: what a device forgot is to crowd out the same as what another one still has.
 */
export function forgetVersions(texts: readonly Text[]): readonly Text[] {
  const sorted = texts.toSorted((a, b) => compareDots(a.dot, b.dot));
  const [first, ...others] = sorted;
  const needed = new Set(
    others.flatMap((other) => (first && commonVersion(first, other)) ?? []).map(nameVersion),
  );
  return texts.map((text) => {
    const past = text.past.map((version) => {
      const { value: _, ...name } = version;
      return needed.has(nameVersion(version)) ? version : name;
    });
    return { ...text, past };
  });
}

/** The newest version of `a` that `b` comes from as well. */
function commonVersion(a: Text, b: Text): Version | undefined {
  const theirs = new Set([b, ...b.past].map(nameVersion));
  return a.past.find((version) => theirs.has(nameVersion(version)));
}

function nameVersion({ dot, others = [] }: Version): string {
  return [dot, ...others].map(printDot).join(' ');
}

function merge(a: string, base: string, b: string): string | undefined {
  const lines = [a, base, b].map((text) => text.split('\n'));
  if (lines.some(({ length }) => length > MAX_LINES)) return undefined;
  const [left = [], middle = [], right = []] = lines;
  const { conflict, result } = mergeDiff3(left, middle, right, { excludeFalseConflicts: true });
  return conflict ? undefined : result.join('\n');
}
