/**
 * The web admin's Backend over the running house: each call goes to the feature that knows, and
 * what the store refuses is said in the API's words.
 */

import type { Author, Backend } from '#web-admin';
import type { House } from '../house.ts';
import { createApplyBackend } from './apply.ts';
import { createDraftsBackend } from './drafts.ts';
import { createEnrolmentBackend } from './enrolments.ts';
import { createExchangeBackend } from './exchange.ts';
import { findCommit, viewCommit, viewDiff } from './history.ts';
import { createHistoryBackend } from './kept.ts';
import { createNamesBackend } from './names.ts';
import { inApiWords, requireWriter } from './refusal.ts';
import { createResolverBackend } from './resolver.ts';
import { removeRule, setRule, viewRules } from './rules.ts';
import { createTogetherBackend } from './together.ts';
import { createUpstreamsBackend } from './upstreams.ts';
import { findDevice, viewDevices, viewStatus, viewWhy, viewZone } from './views.ts';

/** Makes the backend. */
export function createBackend(house: House): Backend {
  const { store, devices, live, doors } = house;
  const history = createHistoryBackend(house);
  return {
    signIn: doors.signIn,
    tokens: doors.tokens,
    head: () => store.head,
    status: () => viewStatus(house),
    devices: () => viewDevices(house),
    async addDevice(wanted, author) {
      requireWriter(house);
      const added = await inApiWords(() => devices.add(wanted, author.via));
      if (added.kind === 'node') return added;
      const device = (await viewDevices(house)).find(({ id }) => id === added.id);
      if (device === undefined) throw new Error('unreachable: the device just added is not there');
      return { kind: 'plain', device, config: added.config, once: true };
    },
    async removeDevice(device, author) {
      requireWriter(house);
      await inApiWords(() => devices.remove(device, author.via, seen(author)));
    },
    enrolments: createEnrolmentBackend(house),
    rules: () => viewRules(store),
    async setRule(id, rule, author) {
      requireWriter(house);
      await inApiWords(() => setRule(house, id, rule, author));
    },
    async removeRule(id, author) {
      requireWriter(house);
      await inApiWords(() => removeRule(house, id, author));
    },
    zone: () => viewZone(house.projection()),
    anchor: house.anchor,
    why: (query) => viewWhy(house, query),
    log: ({ limit, before, path, device, grep }) =>
      inApiWords(async () => {
        const commits = await store.log({
          limit,
          ...(before === undefined ? {} : { before: findCommit(store, before) }),
          ...(path === undefined ? {} : { path }),
          ...(device === undefined
            ? {}
            : { device: findDevice(house.projection().devices, device)?.id ?? device }),
          ...(grep === undefined ? {} : { reason: grep }),
        });
        return Promise.all(commits.map((commit) => viewCommit(store, commit)));
      }),
    diff: (from, to) =>
      inApiWords(() => viewDiff(store, from && findCommit(store, from), findCommit(store, to))),
    revert: (to, author) => history.undo({ to }, author),
    allowedSigners: () => store.allowedSigners(),
    ...{ questions: live.questions, subscribe: live.subscribe },
    doctor: house.doctor,
    apply: createApplyBackend(house),
    resolver: createResolverBackend(house),
    ...{ history, drafts: createDraftsBackend(house) },
    together: createTogetherBackend(house),
    names: createNamesBackend(house),
    exchange: createExchangeBackend(house),
    upstreams: createUpstreamsBackend(house),
    async git(path) {
      const file = await store.git(path);
      return file && { body: new Uint8Array(file.body), type: file.type };
    },
  };
}

/** The head that somebody builds on, for the store. */
function seen({ ifHead }: Pick<Author, 'ifHead'>): Pick<Author, 'ifHead'> {
  return ifHead === undefined ? {} : { ifHead };
}
