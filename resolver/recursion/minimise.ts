/**
 * QNAME minimisation: each server is asked only as much of the name as it needs to refer us on.
 *
 * @see RFC 9156 §2.3: the algorithm, and its limits against names with very many labels
 */

import { countLabels, type Name, parentOf } from '../message/name.ts';

/** At most this many minimised questions for one name (RFC 9156 §2.3). */
export const MAX_MINIMISE_COUNT = 10;

/** The first ones add one label each, the others share what is left (RFC 9156 §2.3). */
export const MINIMISE_ONE_LAB = 4;

const UNDERSCORE = 0x5f;

/**
 * How many labels to ask for next, knowing that the name of `known` labels exists.
 *
 * `asked` is how many minimised questions were asked already. A label that starts with `_` is no
 * delegation (RFC 8552 §1.1), so from there on the whole name is asked.
 */
export function nextLabels(name: Name, known: number, asked: number): number {
  const total = countLabels(name);
  if (asked >= MAX_MINIMISE_COUNT || known >= total) return total;
  const shared = Math.ceil((total - known) / (MAX_MINIMISE_COUNT - asked));
  const next = Math.min(total, known + (asked < MINIMISE_ONE_LAB ? 1 : shared));
  return lastLabels(name, next).wire[1] === UNDERSCORE ? total : next;
}

/** The last `count` labels of a name. */
export function lastLabels(name: Name, count: number): Name {
  let rest = name;
  for (let left = countLabels(name); left > count; left--) {
    const parent = parentOf(rest);
    if (parent === undefined) throw new Error('unreachable: fewer labels than were counted');
    rest = parent;
  }
  return rest;
}
