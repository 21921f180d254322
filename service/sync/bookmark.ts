/** How far a hub was read, so that what nobody can read is not fetched again every minute. */

import type { Clock } from '#runtime';

/** Kept between exchanges; brought up to date. */
export type Bookmark = {
  url: string;
  seen: number;
  /** When it was begun at, and with how many keys. */
  began: number;
  keys: number;
};

/** After which a hub is read from its beginning: what was put off may be of use now. */
const BOOKMARK_MS = 3_600_000;

/** Nothing was read yet. */
export function createBookmark(): Bookmark {
  return { url: '', seen: 0, began: 0, keys: 0 };
}

/** Where to begin reading; a new key may open what was passed over. */
export function openBookmark(
  clock: Pick<Clock, 'monotonic'>,
  bookmark: Bookmark,
  url: string,
  keys: number,
): Bookmark {
  const now = clock.monotonic();
  const isCurrent = bookmark.url === url && bookmark.keys === keys;
  if (isCurrent && now - bookmark.began < BOOKMARK_MS) return bookmark;
  return Object.assign(bookmark, { url, seen: 0, began: now, keys });
}
