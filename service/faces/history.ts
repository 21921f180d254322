/** The store's history as the API shows it: commits, what they changed, and short ids made whole. */

import type { Change, Commit, State, Store } from '#storage';
import { type CommitView, type DiffView, WebAdminError } from '#web-admin';
import { written } from './waiting.ts';
import { sayChanges } from './words.ts';

/** A commit by its id or the first digits of it. */
export function findCommit(store: Store, prefix: string): string {
  const [id, another] = store.expand(prefix);
  if (id === undefined) {
    const older = store.base() === undefined ? '' : '; older ones were dropped';
    throw new WebAdminError('not-found', `There is no commit ${prefix}${older}.`);
  }
  if (another !== undefined)
    throw new WebAdminError('invalid', `Several commits begin with ${prefix}.`);
  return id;
}

/** One commit with what it changed. */
export async function viewCommit(store: Store, commit: Commit): Promise<CommitView> {
  // Of the first one that is kept nobody can tell any more.
  const changes = (await store.changesIn(commit.id)) ?? [];
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
  if (from !== undefined) return { from, to, changes: viewChanges(await store.diff(from, to)) };
  const own = await store.changesIn(to);
  const { parents } = await store.read(to);
  const [base, ...others] = parents.filter((id) => store.holds(id));
  return {
    ...(base === undefined || others.length > 0 ? {} : { from: base }),
    to,
    changes: viewChanges(own ?? everything(await store.stateAt(to))),
  };
}

/** Differences with what was there and what is. */
export function viewChanges(changes: readonly Change[]): DiffView['changes'] {
  return changes.map(({ path, before, after }) => ({
    ...{ path, kind: kindOf({ before, after }) },
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  }));
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
