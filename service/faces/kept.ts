/** How far back the history is kept, and ways back in it, as the API shows it. */

import { HORIZON } from '#storage';
import type { Author, HistoryBackend, KeptView } from '#web-admin';
import type { House } from '../house.ts';
import { findCommit, viewCommit } from './history.ts';
import { sayKept, sayObstacle, sayPruned } from './kept-words.ts';
import { changeOrPropose, commitOrPropose } from './propose.ts';
import { inApiWords, requireWriter } from './refusal.ts';

const EVERYTHING = { days: 0, commits: 1 };

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
      const { commits, since, isPruned, devices } = kept;
      const keep = house.pruning.keep();
      return {
        ...{ commits, isPruned, bytes: store.bytes, days: keep.days, least: keep.commits },
        ...(since === undefined ? {} : { since }),
        ...(keep.megabytes === undefined ? {} : { megabytes: keep.megabytes }),
        devices: devices.map(({ device, name, silentDays }) => ({
          ...{ device, name },
          ...(silentDays === undefined ? {} : { silentDays }),
        })),
        sentences: [...sayKept(kept, keep, store.bytes), ...sayObstacle(house.pruning)],
      } satisfies KeptView;
    },
    async keep({ days = HORIZON.days, least = HORIZON.commits, megabytes }, { via, ifHead }) {
      requireWriter(house);
      const value = { days, commits: least, ...(megabytes === undefined ? {} : { megabytes }) };
      const draft = {
        ops: [{ op: 'set', path: 'realm/settings/history', value } as const],
        message: megabytes === undefined ? 'Keep all history' : `Keep ${days} days of history`,
        via,
        ...(ifHead === undefined ? {} : { ifHead }),
      };
      await inApiWords(() => commitOrPropose(store, house.household().self, draft));
    },
    async prune({ forget }, { via }) {
      requireWriter(house);
      const { days, commits } = house.pruning.keep();
      const horizon = forget === true ? EVERYTHING : { days, commits };
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
