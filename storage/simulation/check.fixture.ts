/**
 * What must be true of a device's store, worked out from the commits alone and without the merge:
 * every op that counts is visible, or was overwritten by somebody who had seen it.
 */

import type { CommitId } from '../format/commit.ts';
import { canonicalize, type Json } from '../format/json.ts';
import { buildTree } from '../format/object.ts';
import { type Op, printOps, type State } from '../format/op.ts';
import type { Step } from '../history/fold.ts';
import { meaningOf } from '../merge/intent.fixture.ts';
import { findVoid, type VoidNode } from '../rights/judge.ts';
import type { Store } from '../store.ts';
import { crypto, type Home, openCopy, readDisk } from './home.fixture.ts';
import {
  beginningOf,
  cutsKnownTo,
  forgottenBy,
  isDropped,
  mayBeLeft,
  pastOf,
  valuesIn,
} from './kept.fixture.ts';

/** A commit as its author made it, with what its author knew. */
export type Known = Step & VoidNode;

/** Something is not as it must be. */
export class Broken extends Error {
  override readonly name = 'Broken';
}

type Commits = {
  readonly known: ReadonlyMap<CommitId, Known>;
  readonly twice: ReadonlySet<string>;
};

/** What the oracle does not speak about: rules of effective values, and lines of texts. */
const UNTOLD = /^(?:rules|notes)\//;

/** Everything that a device was told is safe is there or was to go, and nothing that nobody wrote. */
export async function checkHeld(commits: Commits, home: Home): Promise<void> {
  const { name, store, acknowledged } = home;
  const { known } = commits;
  for (const id of acknowledged) {
    if (!store.holds(id) && !mayLack(commits, store, id)) throw new Broken(`${name} lost ${id}`);
  }
  for (const id of store.expand('')) {
    if (!known.has(id)) throw new Broken(`${name} holds ${id}, which nobody wrote`);
  }
  const [problem] = store.problems.filter(({ code }) => code !== 'torn-tail');
  if (problem !== undefined) throw new Broken(`${name}: ${problem.code} ${problem.message}`);
}

/** Before its beginning, or a fork's beside it. */
function mayLack(commits: Commits, store: Store, id: CommitId): boolean {
  if (beginningOf(store) === undefined) return false;
  const cuts = cutsKnownTo(commits, store);
  return isDropped(commits, store, id) || cuts.some((cut) => mayBeLeft(commits, id, cut, store));
}

/**
 * What a device shows is what its commits mean, with all that they build on, whether or not it still
 * has that; now and when it is opened again.
 */
export async function checkMeaning(commits: Commits, home: Home): Promise<void> {
  const { name, store } = home;
  const listed = await store.log({ limit: 1000 });
  if (listed.length !== store.expand('').length) throw new Broken(`${name} lists not all it holds`);
  const counting = countingOf(commits, store.heads);
  const expected = printMeaning(counting);
  const shown = printShown(store);
  if (shown !== expected) throw new Broken(`${name} shows\n${shown}\ninstead of\n${expected}`);
  checkTexts(commits, store, counting);
  const again = await openCopy(home);
  if (digest(again) !== digest(store)) throw new Broken(`${name} is another when opened again`);
  if (again.problems.length > 0) throw new Broken(`${name} opens with a problem`);
}

/** What was overwritten or deleted before a device's history begins is nowhere on its disk. */
export async function checkForgotten(commits: Commits, home: Home): Promise<void> {
  const beginning = beginningOf(home.store);
  if (beginning === undefined) return;
  const counting = countingOf(commits, [beginning]);
  const needed = neededIn(commits, counting);
  if (needed === undefined) return;
  const forgotten = forgottenBy(commits, home.store, printAll(counting), needed);
  for (const [file, bytes] of await readDisk(home)) {
    const found = valuesIn(decoder.decode(bytes)).find((value) => forgotten.has(value));
    if (found !== undefined) throw new Broken(`${home.name} has ${found} still in ${file}`);
  }
}

const decoder = new TextDecoder('latin1');

/** Commits and all that they build on, parents first; what counts for nothing says nothing. */
function countingOf(commits: Commits, ids: readonly CommitId[]): readonly Known[] {
  const past = new Set(ids.flatMap((id) => [id, ...pastOf(commits, id)]));
  const nodes = [...commits.known.values()].filter(({ id }) => past.has(id));
  const voids = findVoid(nodes);
  return nodes.map((node) => (voids.has(node.id) ? { ...node, ops: [] } : node));
}

function printAll(steps: readonly Step[]): string {
  const { values, conflicts } = meaningOf(steps);
  return JSON.stringify([values, conflicts]);
}

/** What the oracle does not speak about, as it was written last; undefined: several texts at once. */
function neededIn(commits: Commits, steps: readonly Known[]): readonly Op[] | undefined {
  const writing = steps.flatMap(({ id, ops }) =>
    ops.flatMap((op) => (UNTOLD.test(op.path) ? [{ id, op }] : [])),
  );
  const newest = writing.filter(
    ({ id, op }) =>
      !writing.some((other) => other.op.path === op.path && pastOf(commits, other.id).has(id)),
  );
  const texts = new Set(newest.flatMap(({ id, op }) => (isOnText(op) ? [id] : [])));
  return texts.size > 1 ? undefined : newest.map(({ op }) => op);
}

/** Each commit's tree is the state that its past and its ops make. */
export async function checkTrees(store: Store): Promise<void> {
  for (const { id, tree, ops } of await store.log({ limit: 1000 })) {
    const { root } = buildTree(crypto, await store.contentAt(id), printOps(ops));
    if (root.id !== tree) throw new Broken(`the tree of ${id} is another one`);
  }
}

/** All that two devices with the same commits must agree on. */
export function digest(store: Store): string {
  const vector = Object.entries(store.vector()).map(([device, tips]) => [
    device,
    [...tips].map(([seq, id]) => `${seq} ${id}`).sort(compare),
  ]);
  return `${canonicalize(vector.sort(([a], [b]) => compare(String(a), String(b))) as unknown as Json)}
${outcome(store)}`;
}

/** All that two must agree on of which one may have dropped what the other has. */
export function outcome(store: Store): string {
  return canonicalize([
    store.head,
    [...store.heads],
    store.seq,
    [...recordsIn(store.merged())].sort(byPath),
    store.conflicts().map(({ path, values, rule }) => ({
      path,
      rule: rule ?? null,
      values: values.map(({ value, commit }) => [value ?? null, commit]),
    })),
  ] as unknown as Json);
}

function printMeaning(steps: readonly Step[]): string {
  const { values, conflicts } = meaningOf(steps);
  return print(
    Object.entries(values),
    Object.entries(conflicts).map(([path, list]) => [path, list.length === 0 ? '' : list]),
  );
}

function printShown(store: Store): string {
  const conflicts = store.conflicts().map(({ path, values }) => {
    const isRecord = path.split('/').length === 2;
    return [path, isRecord ? '' : values.map(({ value }) => value)] as const;
  });
  return print(recordsIn(store.merged()), conflicts);
}

function recordsIn(state: State) {
  return [...state].flatMap(([name, records]) =>
    [...records].map(([key, record]) => [`${name}/${key}`, record] as const),
  );
}

function print(...parts: readonly (readonly (readonly [string, unknown])[])[]): string {
  const told = parts.map((part) =>
    Object.fromEntries(part.filter(([path]) => !UNTOLD.test(path)).toSorted(byPath)),
  );
  return canonicalize(told as unknown as Json);
}

function byPath([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return compare(a, b);
}

/** The newest line of every text that nobody wrote over is to be seen. */
function checkTexts(commits: Commits, store: Store, steps: readonly Known[]): void {
  const writing = steps.filter(({ ops }) => ops.some(isOnText));
  const newest = writing.filter(
    ({ id }) => !writing.some((other) => pastOf(commits, other.id).has(id)),
  );
  const shown = [store.merged().get('notes')?.get('t')?.['body']];
  for (const { path, values } of store.conflicts()) {
    if (path === TEXT) shown.push(...values.map(({ value }) => value));
  }
  const seen = new Set(shown.flatMap((value) => (typeof value === 'string' ? linesOf(value) : [])));
  for (const { id, ops } of newest) {
    const last = ops.findLast(isOnText);
    const past = writing.filter((other) => pastOf(commits, id).has(other.id));
    const before = new Set(past.flatMap((other) => other.ops.flatMap(linesIn)));
    const lost = linesIn(last).find((line) => !before.has(line) && !seen.has(line));
    if (lost !== undefined) throw new Broken(`"${lost}" of ${id} is gone`);
  }
}

const TEXT = 'notes/t/body';

function isOnText({ path }: Op): boolean {
  return path === TEXT || path === 'notes/t';
}

function linesIn(op: Op | undefined): string[] {
  return op?.op === 'text' ? linesOf(op.value) : [];
}

function linesOf(text: string): string[] {
  return text.split('\n');
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
