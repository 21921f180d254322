/** How far back the history is kept, in words, and ways back in it, as the API shows it. */

import type { Store } from '#storage';
import type { Author, HistoryBackend, KeptView } from '#web-admin';
import type { House } from '../house.ts';
import { findCommit, viewCommit } from './history.ts';
import { changeOrPropose } from './propose.ts';
import { inApiWords, requireWriter } from './refusal.ts';

/** A device that was not heard of for so long is worth a sentence. */
const NOTABLE_DAYS = 30;
const EVERYTHING = { days: 0, commits: 1 };

type Retention = Awaited<ReturnType<Store['retention']>>;
type Pruned = Awaited<ReturnType<Store['prune']>>;

/** Makes that part of the backend. */
export function createHistoryBackend(house: House): HistoryBackend<Author> {
  const { store } = house;
  return {
    async undo({ to, after, path }, { via, ifHead }) {
      requireWriter(house);
      const options = optionsOf(path, ifHead);
      return inApiWords(async () => {
        const last = findCommit(store, to);
        const what = after === undefined ? last : { after: findCommit(store, after), to: last };
        const undone = await changeOrPropose(store, house.household().self, (more) =>
          store.revert(what, via, { ...options, ...more }),
        );
        return viewCommit(store, undone);
      });
    },
    async restore({ point, path }, { via, ifHead }) {
      requireWriter(house);
      const options = optionsOf(path, ifHead);
      return inApiWords(async () => {
        const then = findCommit(store, point);
        const restored = await changeOrPropose(store, house.household().self, (more) =>
          store.restore(then, via, { ...options, ...more }),
        );
        return viewCommit(store, restored);
      });
    },
    async kept() {
      const kept = await inApiWords(() => store.retention(house.acknowledged()));
      const { commits, since, isPruned, horizon, devices } = kept;
      return {
        ...{ commits, isPruned, days: horizon.days, least: horizon.commits },
        ...(since === undefined ? {} : { since }),
        devices: devices.map(({ device, name, silentDays }) => ({
          ...{ device, name },
          ...(silentDays === undefined ? {} : { silentDays }),
        })),
        sentences: sayKept(kept),
      } satisfies KeptView;
    },
    async prune({ forget }, { via }) {
      requireWriter(house);
      const horizon = forget === true ? EVERYTHING : {};
      const acknowledged = house.acknowledged();
      const pruned = await inApiWords(() => store.prune(via, { ...horizon, acknowledged }));
      const { dropped, waitingFor } = pruned;
      return { dropped, waitingFor: [...waitingFor], sentence: sayPruned(pruned) };
    },
  };
}

function optionsOf(path: string | undefined, ifHead: string | undefined) {
  return {
    ...(path === undefined ? {} : { path }),
    ...(ifHead === undefined ? {} : { ifHead }),
  };
}

/** What is kept, and who has to show up, as sentences. */
export function sayKept({ commits, since, isPruned, horizon, devices }: Retention): string[] {
  const day = since === undefined ? 'the beginning' : dayOf(since);
  const changes = commits === 1 ? '1 change is' : `${commits} changes are`;
  return [
    `${changes} kept, since ${day}; ${isPruned ? 'older ones were dropped.' : 'none were dropped.'}`,
    `What is younger than ${horizon.days} days, and the last ${horizon.commits} changes, always stay.`,
    ...devices.flatMap(({ name, silentDays }) => {
      if (silentDays === undefined || silentDays < NOTABLE_DAYS) return [];
      const left = horizon.days - silentDays;
      const then =
        left > 0
          ? `after ${left} more it may have to join again`
          : 'it is not waited for any more, and may have to join again';
      return [`'${name}' has not been heard of for ${silentDays} days: ${then}.`];
    }),
  ];
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

function count(dropped: number): string {
  return dropped === 1 ? '1 change was' : `${dropped} changes were`;
}

function dayOf(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().slice(0, 10);
}
