/** A device that was removed: what it says of itself, and the way back. */

import { StorageError } from '#storage';
import { date } from '../cli/print.ts';
import type { House } from '../house.ts';
import { findRemoval } from '../sync/farewell.ts';

/** Where a change was asked for. */
export const REMOVED_READ_ONLY =
  'This device was removed, so nothing can be changed here: nymote status says more.';

/** Who removed it and when, what that means, and what to do; nothing on a device that was not. */
export async function sayRemoved({
  store,
  household,
  own,
}: Pick<House, 'store' | 'household' | 'own'>): Promise<readonly string[]> {
  const { self, isRemoved } = household();
  if (isRemoved !== true) return [];
  const removal = await findRemoval(store, self).catch((error: unknown) => {
    // A history that cannot be read any more is told elsewhere.
    if (!(error instanceof StorageError)) throw error;
    return undefined;
  });
  const by = removal === undefined ? '' : ` by ${removal.name} on ${date(removal.at)}`;
  return [
    `This device was removed${by}: it serves no names of yours, has no tunnels, and nothing can be changed here; what it has can be read. ` +
      `If that was a mistake: \`nymote device add ${own().name} --node\` on ${removal?.name ?? 'another device of yours'}, then \`nymote join\` here, with its code and another --data.`,
  ];
}
