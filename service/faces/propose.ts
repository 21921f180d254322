/** What one owner may not do alone is proposed to another one. */

import { proposeOps, StorageError, type Store } from '#storage';
import { WebAdminError } from '#web-admin';

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
    const name = String(store.seq + 1);
    const instead = (draft: Draft): Draft => {
      const ops = proposeOps(self, name, draft.ops as Parameters<typeof proposeOps>[2]);
      return { ...draft, ops, message: `Propose: ${draft.message}` };
    };
    await change({ instead });
    throw new WebAdminError(
      'denied',
      `This needs a second owner. It is proposed; another one agrees with: nymote approve ${self}.${name}`,
      error,
    );
  }
}
