/**
 * Old history goes by itself: what an owner declared is dropped here as soon as all have heard of it, and
 * the device that began the realm declares something once the history is big. Never while somebody
 * needs what would go, and never before a backup that is made here has it.
 */

import type { Cancel, Clock, Log, Random } from '#runtime';
import { HORIZON, type Horizon, StorageError, type StorageErrorCode, type Store } from '#storage';
import type { Applying } from './apply/open.ts';
import type { Backups } from './backup/backups.ts';
import { lateOf } from './faces/waiting.ts';
import type { RealmSettings } from './records.ts';
import type { Acknowledgements } from './sync/acknowledged.ts';
import type { Sync } from './sync/follow.ts';

/** How much history a household keeps; without `megabytes` all of it, until somebody drops some. */
export type Keep = Horizon & { readonly megabytes?: number | undefined };

/** A quarter of a small router's flash: some years of changes. */
const KEEP_MEGABYTES = 8;
export const MEGABYTE = 1 << 20;

/** Why nothing is dropped now. */
export type Obstacle =
  | { readonly kind: 'removed' | 'damaged' | 'undecided' | 'no-backup' | 'disk' | 'busy' }
  | { readonly kind: 'two-owners' | 'refused' }
  | { readonly kind: 'waiting'; readonly names: readonly string[] }
  | { readonly kind: 'young' | 'disputed' | 'not-founder' };

export type Pruning = Disposable & {
  readonly keep: () => Keep;
  /** Whether the history takes more than it is to. */
  readonly isBig: () => boolean;
  /** What stood in the way when it was last looked at. */
  readonly obstacle: () => Obstacle | undefined;
};

type Needs = {
  readonly clock: Pick<Clock, 'after' | 'monotonic' | 'isSet'>;
  readonly random: Random;
  readonly log: Log;
  readonly store: Store;
  readonly current: {
    readonly projection: () => { readonly settings: Pick<RealmSettings, 'history'> };
    readonly isRemoved: () => boolean;
  };
  readonly acknowledged: Acknowledgements['all'];
  readonly sync: Pick<Sync, 'standings'>;
  readonly engine: Pick<NonNullable<Applying['engine']>, 'state'> | undefined;
  readonly backups: Pick<Backups, 'isCurrent' | 'whileIdle'>;
};

const MINUTE = 60_000;
/** Not in the minutes in which a router has most to do, and not on all of them at once. */
const FIRST_MS = 30 * MINUTE;
const EVERY_MS = 24 * 60 * MINUTE;
const BUSY_MS = 60 * MINUTE;
/** A disk that refuses is not worn out by attempts. */
const REFUSED_MS = 7 * EVERY_MS;
/** Since the last change, whoever made it. */
const QUIET_MS = 15 * MINUTE;

const PAUSES: Readonly<Partial<Record<Obstacle['kind'], number>>> = {
  busy: BUSY_MS,
  disk: REFUSED_MS,
  refused: REFUSED_MS,
};

const REFUSALS: { readonly [code in StorageErrorCode]?: 'disk' | 'two-owners' } = {
  'no-space': 'disk',
  io: 'disk',
  'needs-second-owner': 'two-owners',
};

/** What a household says, or the defaults. */
export function keepOf({ history }: Pick<RealmSettings, 'history'>): Keep {
  return history ?? { ...HORIZON, megabytes: KEEP_MEGABYTES };
}

/** Looks every day until disposed. */
export function startPruning(needs: Needs): Pruning {
  const { clock, random, log, store } = needs;
  const keep = (): Keep => keepOf(needs.current.projection().settings);
  const isBig = (): boolean =>
    store.bytes > (keep().megabytes ?? Number.POSITIVE_INFINITY) * MEGABYTE;
  let movedAt = Number.NEGATIVE_INFINITY;
  let obstacle: Obstacle | undefined;
  let cancel: Cancel = () => undefined;
  let isStopped = false;

  const lookAfter = (milliseconds: number): void => {
    const jitter = 0.75 + (random(1)[0] ?? 0) / 512;
    if (!isStopped) cancel = clock.after(milliseconds * jitter, () => void look());
  };
  const isQuiet = (): boolean => clock.monotonic() - movedAt >= QUIET_MS;

  async function look(): Promise<void> {
    try {
      obstacle = isQuiet()
        ? await prune(needs, { keep: keep(), isBig, isStopped: () => isStopped })
        : { kind: 'busy' };
    } catch (error) {
      const code = error instanceof StorageError ? error.code : undefined;
      log('warn', 'history-not-dropped', { reason: code ?? String(error) });
      obstacle = { kind: (code && REFUSALS[code]) ?? 'refused' };
    }
    lookAfter((obstacle && PAUSES[obstacle.kind]) ?? EVERY_MS);
  }

  const stopWatching = store.watch(() => {
    movedAt = clock.monotonic();
  });
  lookAfter(FIRST_MS);
  return {
    keep,
    isBig,
    obstacle: () => obstacle,
    [Symbol.dispose]() {
      isStopped = true;
      stopWatching();
      cancel();
    },
  };
}

type Moment = {
  readonly keep: Keep;
  readonly isBig: () => boolean;
  readonly isStopped: () => boolean;
};

/** Nobody reads or writes a backup meanwhile: it would find half of what it looks for. */
function prune(needs: Needs, { keep, isBig, isStopped }: Moment): Promise<Obstacle | undefined> {
  const { store, backups, log } = needs;
  return backups.whileIdle(async (): Promise<Obstacle | undefined> => {
    const found = await findObstacle(needs);
    if (isStopped()) return undefined;
    if (found !== undefined) return found;
    const occasion = isBig() ? 'unasked' : 'declared';
    const acknowledged = needs.acknowledged();
    const { days, commits } = keep;
    const options = { days, commits, acknowledged, occasion } as const;
    const { dropped, waitingFor, reason } = await store.prune('history', options);
    if (dropped > 0) log('info', 'history-dropped', { dropped });
    if (waitingFor.length > 0) return { kind: 'waiting', names: waitingFor };
    return reason === undefined ? undefined : { kind: reason };
  });
}

/** A draft needs no history: it remembers itself what it saw. */
async function findObstacle(needs: Needs): Promise<Obstacle | undefined> {
  const { clock, store, sync, engine, backups } = needs;
  if (needs.current.isRemoved()) return { kind: 'removed' };
  const isCatchingUp = sync.standings().some(({ progress }) => progress !== undefined);
  const isOnTrial = engine?.state().pending !== undefined;
  const isUnsure = !clock.isSet() || store.isBehind;
  if (isUnsure || isCatchingUp || isOnTrial) return { kind: 'busy' };
  const isDamaged = store.problems.some(({ code }) => code !== 'torn-tail') || store.isDiverged;
  if (isDamaged || store.invalid().length > 0) return { kind: 'damaged' };
  if (store.conflicts().length + (await lateOf(store)).length > 0) return { kind: 'undecided' };
  return (await backups.isCurrent()) ? undefined : { kind: 'no-backup' };
}
