/**
 * Items of cells from old to new, and the hands of SIEVE that go round forgetting what was used.
 */

import type { Cells } from './cells.ts';

/** Which words of an item's head are the queue's, and which bit of its state says that it was used. */
type Words = {
  readonly older: number;
  readonly newer: number;
  readonly state: number;
  readonly used: number;
};

/** Makes an empty queue. */
export function createPackedQueue(
  cells: Pick<Cells, 'get' | 'set'>,
  { older: OLDER, newer: NEWER, state: STATE, used: USED }: Words,
) {
  let newest = 0;
  let oldest = 0;
  let hand = 0;
  /** The hand for shares above their quota, which leaves others as they are. */
  let sharesHand = 0;

  const isUsed = (item: number) => (cells.get(item, STATE) & USED) !== 0;
  const forgive = (item: number) => cells.set(item, STATE, cells.get(item, STATE) & ~USED);
  const after = (item: number) => cells.get(item, NEWER);

  function next(): number {
    let item = hand || oldest;
    while (item !== 0 && isUsed(item)) {
      forgive(item);
      item = after(item) || oldest;
    }
    if (item === 0) throw new Error('unreachable: bytes held by no entry');
    hand = after(item);
    return item;
  }

  return {
    newest: () => newest,
    /** Puts an entry at the new end. */
    link(item: number): void {
      cells.set(item, OLDER, newest);
      cells.set(item, NEWER, 0);
      if (newest !== 0) cells.set(newest, NEWER, item);
      newest = item;
      oldest ||= item;
    },
    unlink(item: number): void {
      const newer = after(item);
      const older = cells.get(item, OLDER);
      if (hand === item) hand = newer;
      if (sharesHand === item) sharesHand = newer;
      if (newer === 0) newest = older;
      else cells.set(newer, OLDER, older);
      if (older === 0) oldest = newer;
      else cells.set(older, NEWER, newer);
    },
    /** The entry whose turn it is to go. Precondition: there is one. */
    next,
    /** The same of those that are meant; of all when there is none. */
    nextOf(isMeant: (item: number) => boolean): number {
      let item = sharesHand || oldest;
      // Twice round: the first time what was used is forgiven. Nothing is there when the only one
      // above its quota is about to come in.
      for (let ends = 0; item !== 0 && ends < 3; ) {
        const newer = after(item);
        if (isMeant(item)) {
          if (!isUsed(item)) {
            sharesHand = newer;
            return item;
          }
          forgive(item);
        }
        if (newer === 0) ends++;
        item = newer || oldest;
      }
      return next();
    },
    clear(): void {
      newest = oldest = hand = sharesHand = 0;
    },
  };
}
