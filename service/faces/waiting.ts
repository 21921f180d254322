/** What waits for a person because several devices write, for the status and the check-up. */

import { type Commit, StorageError, type Store } from '#storage';
import type { Check, Status } from '#web-admin';

type Late = ReturnType<Store['late']>;

const known = new WeakMap<Store, { readonly head: string; readonly late: Late }>();

/** What does not count, worked out once for each head: a page asks for its status often. */
export function lateOf(store: Store): Late {
  const last = known.get(store);
  if (last?.head === store.head) return last.late;
  const now = { head: store.head, late: store.late() };
  known.set(store, now);
  now.late.catch(() => known.delete(store));
  return now.late;
}

/** What waits for a person; undefined when nothing does. */
export async function viewWaiting(
  store: Store,
): Promise<NonNullable<Status['waiting']> | undefined> {
  const conflicts = store.conflicts().length;
  const late = (await readable(lateOf(store))).length;
  const proposals = store.merged().get('proposals')?.size ?? 0;
  return conflicts + late + proposals === 0 ? undefined : { conflicts, late, proposals };
}

const MAX_SUSPECTS = 4;

/** Why the head's state is not in force; undefined when it is. */
export async function viewMerge(store: Store): Promise<NonNullable<Status['merge']> | undefined> {
  const invalid = store.invalid();
  if (invalid.length === 0) {
    return store.isDiverged ? { problems: [DIVERGED], fix: SAME_VERSION, changes: [] } : undefined;
  }
  const problems = [...new Set(invalid.map(({ message }) => message))];
  const commits = new Map<string, Commit>();
  for (const path of new Set(invalid.map((problem) => problem.path))) {
    for (const commit of await readable(store.log({ path, limit: MAX_SUSPECTS }))) {
      commits.set(commit.id, commit);
    }
  }
  const changes = [...commits.values()].slice(0, MAX_SUSPECTS);
  return {
    problems,
    fix: UNDO_ONE,
    changes: changes.map((commit) => ({ ...written(store, commit), message: commit.message })),
  };
}

const DIVERGED =
  'another device makes another state of the same changes: the two may run different versions';
const SAME_VERSION = 'bring all your devices to the same version of nymote';
const UNDO_ONE =
  'undo one of the changes that do not fit (`nymote log`, `nymote revert`), or change one so that they do; until then everything runs as it did before';

/** The same, for the check-up. */
export async function checkMerge(store: Store): Promise<Check> {
  const merge = await viewMerge(store);
  if (merge !== undefined) {
    const detail = `what your devices changed does not fit together, so an older state is in force: ${merge.problems.join('; ')}`;
    return { name: 'merge', ok: false, detail, fix: merge.fix };
  }
  const open = store.conflicts().length;
  const detail = open === 0 ? 'nothing is open' : `${open} to decide: \`nymote conflicts\``;
  return { name: 'merge', ok: true, detail };
}

/** A history that cannot be read any more is told elsewhere; the status is needed then above all. */
async function readable<T>(list: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await list;
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    return [];
  }
}

/** A commit as far as it is evidence. */
export function written(store: Store, { id, device, name, at, via }: Commit) {
  const known = store.merged().get('devices')?.get(device)?.['name'];
  return { commit: id, device, name: typeof known === 'string' ? known : name, date: at, via };
}
