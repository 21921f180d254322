/**
 * The web admin's Backend over the running house: each call goes to the feature that knows, and
 * what the store refuses is said in the API's words.
 */

import { StorageError, type StorageErrorCode } from '#storage';
import { type Author, type Backend, type BackendProblem, WebAdminError } from '#web-admin';
import type { House } from '../house.ts';
import { findCommit, viewCommit, viewDiff } from './history.ts';
import { removeRule, setRule, viewRules } from './rules.ts';
import { readOnlyReason, viewDevices, viewStatus, viewWhy, viewZone } from './views.ts';

/** Makes the backend. */
export function createBackend(house: House): Backend {
  const { store, devices, live, doors } = house;
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
    rules: () => viewRules(store),
    async setRule(id, rule, author) {
      requireWriter(house);
      await inApiWords(() => setRule(store, id, rule, author));
    },
    async removeRule(id, author) {
      requireWriter(house);
      await inApiWords(() => removeRule(store, id, author));
    },
    zone: () => viewZone(house.projection()),
    anchor: house.anchor,
    why: (query) => viewWhy(house, query),
    log: ({ limit, before, path }) =>
      inApiWords(async () => {
        const commits = await store.log({
          limit,
          ...(before === undefined ? {} : { before: findCommit(store, before) }),
          ...(path === undefined ? {} : { path }),
        });
        return Promise.all(commits.map((commit) => viewCommit(store, commit)));
      }),
    diff: (from, to) =>
      inApiWords(() => viewDiff(store, from && findCommit(store, from), findCommit(store, to))),
    async revert(commit, author) {
      requireWriter(house);
      const reverted = await inApiWords(() =>
        store.revert(findCommit(store, commit), author.via, seen(author)),
      );
      return viewCommit(store, reverted);
    },
    allowedSigners: () => store.allowedSigners(),
    questions: live.questions,
    subscribe: live.subscribe,
    doctor: house.doctor,
    async git(path) {
      const file = await store.git(path);
      return file && { body: new Uint8Array(file.body), type: file.type };
    },
  };
}

/** Refuses changes where they cannot be made, and says where they can. */
export function requireWriter({
  store,
  projection,
  household,
}: Pick<House, 'store' | 'projection' | 'household'>): void {
  if (store.isWritable) return;
  throw new WebAdminError(
    'read-only',
    readOnlyReason(store, projection().devices, household().self),
  );
}

/** The store's words as the API's; a new code does not compile until it has a row. */
const REFUSALS = {
  invalid: 'invalid',
  'not-writer': 'read-only',
  conflict: 'conflict',
  'does-not-apply': 'conflict',
  'no-space': 'no-space',
  io: 'unavailable',
  corrupt: 'unavailable',
  'too-large': 'invalid',
  'bad-signature': 'unavailable',
  'unknown-parent': 'unavailable',
  'unknown-commit': 'not-found',
  'other-realm': 'invalid',
  fork: 'unavailable',
  'wrong-tree': 'unavailable',
  'newer-format': 'unavailable',
} as const satisfies Record<StorageErrorCode, BackendProblem>;

/** What the store refuses, in the API's words. */
export async function inApiWords<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    const details = error.problems.map(({ path, message }) => `${path}: ${message}`);
    const isFull = error.code === 'no-space';
    const words = [isFull ? 'The disk is full, nothing was changed' : error.message, ...details];
    throw new WebAdminError(REFUSALS[error.code], `${words.join('; ')}.`, error);
  }
}

/** The head that somebody builds on, for the store. */
function seen({ ifHead }: Pick<Author, 'ifHead'>): Pick<Author, 'ifHead'> {
  return ifHead === undefined ? {} : { ifHead };
}
