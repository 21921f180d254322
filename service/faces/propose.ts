/** What one owner may not do alone is proposed to another one. */

import { proposeOps, StorageError, type Store } from '#storage';
import { WebAdminError } from '#web-admin';
import { createSerially, type Serially } from '../serially.ts';

type Draft = Parameters<Store['commit']>[0];

/** Commits for a person; what needs a second owner becomes a proposal, and the person is told. */
export async function commitOrPropose(store: Store, self: string, draft: Draft): Promise<void> {
  await changeOrPropose(store, self, ({ instead }) => store.commit(instead?.(draft) ?? draft));
}

/** The same of a change that the store works out; `instead` makes the proposal of it. */
export async function changeOrPropose<T>(
  store: Store,
  self: string,
  change: (options: { readonly instead?: (draft: Draft) => Draft }) => Promise<T>,
): Promise<T> {
  try {
    return await change({});
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'needs-second-owner') throw error;
    const name = await inTurn(store, async () => {
      const free = freeName(store, self);
      const instead = (draft: Draft): Draft => {
        const ops = proposeOps(self, free, draft.ops as Parameters<typeof proposeOps>[2]);
        return { ...draft, ops, message: `Propose: ${draft.message}` };
      };
      await change({ instead });
      return free;
    });
    throw new WebAdminError(
      'denied',
      `This needs a second owner. It is proposed; another one agrees with: nymote approve ${self}.${name}`,
      error,
    );
  }
}

const lines = new WeakMap<Store, Serially>();

/** Two that are proposed at the same moment must not have one name. */
function inTurn<T>(store: Store, action: () => Promise<T>): Promise<T> {
  const line = lines.get(store) ?? createSerially();
  lines.set(store, line);
  return line(action);
}

/** The count goes back when commits of a removed device turn out not to count. */
function freeName(store: Store, self: string): string {
  const proposals = store.merged().get('proposals');
  let number = store.seq + 1;
  while (proposals?.has(`${self}.${number}`)) number += 1;
  return String(number);
}
