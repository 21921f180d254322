/**
 * How much is taken over at a time. A device that somebody stole is a member until it is removed; until
 * then it must not fill the disks of the others, alone or with devices that it lets in.
 *
 * Token buckets of commits and bytes: a small one for each author that nobody else can empty, so that
 * a flood never keeps its end away; then a large one for each author, and one for all together. What
 * does not fit is not lost: it comes with a later exchange, and what was built on it waits with it.
 */

import type { Clock } from '#runtime';

export type Allowance = {
  /** Whether a commit of this author is taken now. */
  readonly admits: (author: string) => boolean;
  /** Counts a commit that was taken. */
  readonly spend: (author: string, bytes: number) => void;
  /** Whose commits were put off within the last hour. */
  readonly limited: () => readonly string[];
};

type Limit = {
  readonly commits: number;
  readonly bytes: number;
  readonly commitsPerHour: number;
  readonly bytesPerHour: number;
};

const KIB = 1_024;
/** Enough to remove whoever floods, and to let the next one in. */
const OWN: Limit = { commits: 16, bytes: 32 * KIB, commitsPerHour: 8, bytesPerHour: 16 * KIB };
/** More than a household's device writes in a year; a quarter of a small router's flash. */
const AUTHOR: Limit = {
  ...{ commits: 4_096, bytes: 8_192 * KIB },
  ...{ commitsPerHour: 256, bytesPerHour: 512 * KIB },
};
const ALL: Limit = {
  ...{ commits: 16_384, bytes: 32_768 * KIB },
  ...{ commitsPerHour: 1_024, bytesPerHour: 2_048 * KIB },
};
const HOUR_MS = 3_600_000;

type Bucket = { readonly hasRoom: () => boolean; readonly take: (bytes: number) => void };
type Share = { readonly own: Bucket; readonly large: Bucket; limitedAt: number | undefined };

/** `away` is how many seconds nobody here took anything, for which everybody has its share. */
export function createAllowance(clock: Pick<Clock, 'monotonic'>, away: number): Allowance {
  const hours = Math.max(0, away) / 3_600;
  const all = createBucket(clock, ALL, hours);
  const shares = new Map<string, Share>();
  const fresh = (): Share => ({
    own: createBucket(clock, OWN, hours),
    large: createBucket(clock, AUTHOR, hours),
    limitedAt: undefined,
  });
  const isIn = ({ own, large }: Share): boolean =>
    own.hasRoom() || (large.hasRoom() && all.hasRoom());
  return {
    admits(author) {
      // Who is not known took nothing yet; names that somebody invents are not remembered.
      const share = shares.get(author);
      if (share === undefined || isIn(share)) return true;
      share.limitedAt = clock.monotonic();
      return false;
    },
    spend(author, bytes) {
      const share = shares.get(author) ?? fresh();
      shares.set(author, share);
      if (share.own.hasRoom()) return share.own.take(bytes);
      share.large.take(bytes);
      all.take(bytes);
    },
    limited() {
      const since = clock.monotonic() - HOUR_MS;
      return [...shares].flatMap(([author, { limitedAt }]) =>
        limitedAt !== undefined && limitedAt > since ? [author] : [],
      );
    },
  };
}

/** Full at first, and with what `hours` brought on top. */
function createBucket(clock: Pick<Clock, 'monotonic'>, limit: Limit, hours: number): Bucket {
  let commits = limit.commits + hours * limit.commitsPerHour;
  let bytes = limit.bytes + hours * limit.bytesPerHour;
  let at = clock.monotonic();
  const fill = (): void => {
    const passed = (clock.monotonic() - at) / HOUR_MS;
    at += passed * HOUR_MS;
    commits = Math.min(Math.max(commits, limit.commits), commits + passed * limit.commitsPerHour);
    bytes = Math.min(Math.max(bytes, limit.bytes), bytes + passed * limit.bytesPerHour);
  };
  return {
    hasRoom() {
      fill();
      return commits >= 1 && bytes > 0;
    },
    take(size) {
      fill();
      commits -= 1;
      bytes -= size;
    },
  };
}
