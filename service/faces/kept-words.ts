/** How far back the history is kept, in words. Pure. */

import { HORIZON, type Store } from '#storage';
import { type Keep, MEGABYTE, type Obstacle, type Pruning } from '../pruning.ts';

type Retention = Awaited<ReturnType<Store['retention']>>;
type Pruned = Awaited<ReturnType<Store['prune']>>;

/** A device that was not heard of for so long is worth a sentence. */
const NOTABLE_DAYS = 30;

/** What is kept, and who has to show up, as sentences. */
export function sayKept(
  { commits, since, isPruned, devices }: Retention,
  keep: Keep,
  bytes: number,
): string[] {
  const day = since === undefined ? 'the beginning' : dayOf(since);
  const changes = commits === 1 ? '1 change is' : `${commits} changes are`;
  return [
    `${changes} kept, since ${day}; ${isPruned ? 'older ones were dropped.' : 'none were dropped.'}`,
    sayKeep(keep, bytes),
    ...devices.flatMap(({ name, silentDays }) => {
      if (silentDays === undefined || silentDays < NOTABLE_DAYS) return [];
      const left = Math.max(keep.days, HORIZON.days) - silentDays;
      const then =
        left > 0
          ? `after ${left} more \`nymote history prune\` goes on without it, and it may have to join again`
          : '`nymote history prune` goes on without it, and it may have to join again; by itself nothing is dropped before it comes back or is removed';
      return [`'${name}' has not been heard of for ${silentDays} days: ${then}.`];
    }),
  ];
}

/** How much is kept, and what it takes. */
export function sayKeep({ days, commits, megabytes }: Keep, bytes: number): string {
  const stays = `What is younger than ${days} days, and the last ${commits} changes, always stay`;
  const size = `The history takes ${sayMegabytes(bytes)}`;
  return megabytes === undefined
    ? `${size}. Nothing is dropped by itself. ${stays}.`
    : `${size}. From ${megabytes} MB on what is old is dropped, as soon as all your devices know of it. ${stays}.`;
}

function sayMegabytes(bytes: number): string {
  const megabytes = bytes / MEGABYTE;
  return megabytes < 0.1 ? 'less than 0.1 MB' : `${megabytes.toFixed(1)} MB`;
}

/** Why it takes more than it is to. */
export function sayObstacle({ isBig, obstacle }: Pick<Pruning, 'isBig' | 'obstacle'>): string[] {
  const found = obstacle();
  return isBig() && found !== undefined
    ? [`Nothing is dropped now: ${OBSTACLES[found.kind](found)}.`]
    : [];
}

/** A flash that fills up is worth a word before it is full. */
export function warnOfHistory(
  pruning: Pick<Pruning, 'keep' | 'isBig' | 'obstacle'>,
  bytes: number,
) {
  const isMuch = bytes > 2 * (pruning.keep().megabytes ?? Number.POSITIVE_INFINITY) * MEGABYTE;
  const [why] = isMuch ? sayObstacle(pruning) : [];
  return why === undefined ? [] : [`The history takes ${Math.round(bytes / MEGABYTE)} MB. ${why}`];
}

/** What pruning came to. */
export function sayPruned({ dropped, waitingFor, reason }: Pruned): string {
  const done = dropped === 0 ? 'Nothing was dropped' : `${count(dropped)} dropped`;
  if (waitingFor.length > 0) {
    return `${done}: ${waitingFor.join(', ')} must hear of it first; do this again then.`;
  }
  if (dropped > 0)
    return `${done}. Backups made before, and devices that stay away, still have them.`;
  return `${done}: ${REASONS[reason ?? 'young']}.`;
}

const REASONS = {
  young: 'all of it is young enough to be kept',
  disputed: 'decide about conflicts, and about devices that exist twice, first',
  'not-founder': 'the device that began the realm has to do it',
} as const satisfies Record<NonNullable<Pruned['reason']>, string>;

const OBSTACLES: Readonly<Record<Obstacle['kind'], (obstacle: Obstacle) => string>> = {
  waiting: (found) =>
    `${'names' in found ? found.names.join(', ') : ''} must hear of it first; if that one is gone for good, remove it`,
  young: () =>
    'nearly all of it is young enough to be kept; `nymote history keep` says how much is',
  disputed: () => REASONS.disputed,
  'not-founder': () => REASONS['not-founder'],
  undecided: () => 'decide about conflicts and late changes first',
  'no-backup': () => 'the last backup is old or failed, see `nymote doctor`',
  damaged: () => 'part of it is damaged, or does not fit together, see `nymote doctor`',
  disk: () => 'the disk refused',
  'two-owners': () =>
    'where it begins needs two owners here, and cannot be proposed; take `realm` off that list (`nymote proposals --require`)',
  refused: () => 'it was refused; `nymote history prune` says why',
  busy: () => 'there is something else to do',
  removed: () => 'this device was removed',
};

function count(dropped: number): string {
  return dropped === 1 ? '1 change was' : `${dropped} changes were`;
}

function dayOf(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().slice(0, 10);
}
