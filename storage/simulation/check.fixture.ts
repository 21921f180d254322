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
import { crypto, type Home, openCopy } from './home.fixture.ts';

/** A commit as its author made it, with what its author knew. */
export type Known = Step & VoidNode;

/** Something is not as it must be. */
export class Broken extends Error {
  override readonly name = 'Broken';
}

type Commits = { readonly known: ReadonlyMap<CommitId, Known> };

/** What the oracle does not speak about: rules of effective values, and lines of texts. */
const UNTOLD = /^(?:rules|notes)\//;

/** Everything that a device was told is safe is there, and nothing that nobody wrote. */
export async function checkHeld({ known }: Commits, home: Home): Promise<void> {
  const { name, store, acknowledged } = home;
  for (const id of acknowledged) {
    if (!store.holds(id)) throw new Broken(`${name} lost ${id}`);
  }
  for (const id of store.expand('')) {
    if (!known.has(id)) throw new Broken(`${name} holds ${id}, which nobody wrote`);
  }
  const [problem] = store.problems.filter(({ code }) => code !== 'torn-tail');
  if (problem !== undefined) throw new Broken(`${name}: ${problem.code} ${problem.message}`);
}

/** What a device shows is what its commits mean, now and when it is opened again. */
export async function checkMeaning({ known }: Commits, home: Home): Promise<void> {
  const { name, store } = home;
  const steps = (await store.log({ limit: 1000 })).toReversed();
  const nodes = steps.flatMap(({ id }) => known.get(id) ?? []);
  if (nodes.length !== steps.length) throw new Broken(`${name} lists what nobody wrote`);
  const voids = findVoid(nodes);
  const counting = nodes.map((node) => (voids.has(node.id) ? { ...node, ops: [] } : node));
  const expected = printMeaning(counting);
  const shown = printShown(store);
  if (shown !== expected) throw new Broken(`${name} shows\n${shown}\ninstead of\n${expected}`);
  checkTexts(store, counting);
  const again = await openCopy(home);
  if (digest(again) !== digest(store)) throw new Broken(`${name} is another when opened again`);
  if (again.problems.length > 0) throw new Broken(`${name} opens with a problem`);
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
  return canonicalize([
    store.head,
    [...store.heads],
    vector.sort(([a], [b]) => compare(String(a), String(b))),
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
function checkTexts(store: Store, steps: readonly Known[]): void {
  const writing = steps.filter(({ ops }) => ops.some(isOnText));
  const pasts = pastsOf(steps);
  const newest = writing.filter(({ id }) => !writing.some((other) => pasts.get(other.id)?.has(id)));
  const shown = [store.merged().get('notes')?.get('t')?.['body']];
  for (const { path, values } of store.conflicts()) {
    if (path === TEXT) shown.push(...values.map(({ value }) => value));
  }
  const seen = new Set(shown.flatMap((value) => (typeof value === 'string' ? linesOf(value) : [])));
  for (const { id, ops } of newest) {
    const last = ops.findLast(isOnText);
    const past = writing.filter((other) => pasts.get(id)?.has(other.id));
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

function pastsOf(steps: readonly Step[]): Map<string, ReadonlySet<string>> {
  const pasts = new Map<string, ReadonlySet<string>>();
  for (const { id, parents } of steps) {
    const past = new Set(parents.flatMap((parent) => [parent, ...(pasts.get(parent) ?? [])]));
    pasts.set(id, past);
  }
  return pasts;
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
