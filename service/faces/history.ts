/** The store's history as the API shows it: commits, what they changed, and short ids made whole. */

import type { Change, Commit, State, Store } from '#storage';
import { type CommitView, type DiffView, WebAdminError } from '#web-admin';
import { written } from './waiting.ts';
import { sayChanges } from './words.ts';

/** A commit by its id or the first digits of it. */
export function findCommit(store: Store, prefix: string): string {
  const [id, another] = store.expand(prefix);
  if (id === undefined) throw new WebAdminError('not-found', `There is no commit ${prefix}.`);
  if (another !== undefined)
    throw new WebAdminError('invalid', `Several commits begin with ${prefix}.`);
  return id;
}

/** One commit with what it changed. */
export async function viewCommit(store: Store, commit: Commit): Promise<CommitView> {
  const changes = await changesIn(store, commit);
  const person = store.state().get('realm')?.get('settings')?.['user'];
  return {
    id: commit.id,
    seq: commit.seq,
    author: written(store, commit).name,
    device: commit.device,
    ...(typeof person === 'string' ? { person } : {}),
    date: commit.at,
    via: commit.via,
    message: commit.message,
    what: [...sayChanges(store.merged(), changes)],
    changes: changes.map(({ path, before, after }) => ({ path, kind: kindOf({ before, after }) })),
  };
}

/** What changed between two commits, or in `to` itself. */
export async function viewDiff(
  store: Store,
  from: string | undefined,
  to: string,
): Promise<DiffView> {
  // Of the first commit that is kept the one before may be gone.
  const base = from ?? (await store.read(to)).parents.find((id) => store.holds(id));
  const changes = await changesBetween(store, base, to);
  return { ...(base === undefined ? {} : { from: base }), to, changes: viewChanges(changes) };
}

/** Differences with what was there and what is. */
export function viewChanges(changes: readonly Change[]): DiffView['changes'] {
  return changes.map(({ path, before, after }) => ({
    ...{ path, kind: kindOf({ before, after }) },
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  }));
}

function changesIn(store: Store, { id, parents }: Commit): Promise<readonly Change[]> {
  return changesBetween(store, parents[0], id);
}

/** The first commit has nothing to differ from. */
async function changesBetween(
  store: Store,
  base: string | undefined,
  to: string,
): Promise<readonly Change[]> {
  return base === undefined ? everything(await store.stateAt(to)) : store.diff(base, to);
}

function kindOf({
  before,
  after,
}: Pick<Change, 'before' | 'after'>): 'added' | 'changed' | 'removed' {
  if (before === undefined) return 'added';
  return after === undefined ? 'removed' : 'changed';
}

function everything(state: State): readonly Change[] {
  return [...state].flatMap(([collection, records]) =>
    [...records].map(([key, after]) => ({
      path: `${collection}/${key}`,
      before: undefined,
      after,
    })),
  );
}
