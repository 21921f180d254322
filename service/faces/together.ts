/**
 * Devices that write at the same time, as the API shows it: what they disagree about, what came too
 * late, what needs a second owner, and what does not fit together. In words, not in paths.
 */

import { approveOps, type Json, type Store } from '#storage';
import {
  type Author,
  type ConflictsView,
  type LateView,
  type ProposalsView,
  type TogetherBackend,
  WebAdminError,
} from '#web-admin';
import type { House } from '../house.ts';
import { changeOrPropose, commitOrPropose } from './propose.ts';
import { inApiWords, requireWriter } from './refusal.ts';
import { lateOf, written } from './waiting.ts';
import { isPlace, nameDevice, sayOps, sayPath, sayValue } from './words.ts';

type Conflict = ReturnType<Store['conflicts']>[number];
type Late = Awaited<ReturnType<Store['late']>>[number];

/** Makes that part of the backend. */
export function createTogetherBackend(house: House): TogetherBackend<Author> {
  const { store, household } = house;
  const self = (): string => household().self;
  return {
    conflicts: () => inApiWords(() => viewConflicts(store)),
    resolve: (decision, author) => resolve(house, decision, author),
    late: () => inApiWords(() => viewLate(store, self())),
    async decideLate(wanted, adopts, { via, ifHead }) {
      requireWriter(house);
      requireSeen(store, ifHead);
      const late = await inApiWords(() => lateOf(store));
      const state = store.merged();
      const found = late.find((each) => [each.device, nameOf(store, each)].includes(wanted));
      if (found === undefined) {
        throw new WebAdminError('not-found', `There are no late changes of ${wanted}.`);
      }
      const decided = await inApiWords(() => store.decideLate(found.device, { via, adopts }));
      return { commits: decided.commits, omitted: [...sayOps(state, decided.omitted)] };
    },
    proposals: () => viewProposals(store, self()),
    async requireTwo(paths, { via, ifHead }) {
      requireWriter(house);
      const path = 'realm/settings/twoOwners';
      const unknown = paths.filter((each) => !isPlace(each));
      if (unknown.length > 0) {
        throw new WebAdminError('invalid', `Nothing is kept under ${unknown.join(', ')}.`);
      }
      const isFirst = pathsIn(store).length === 0;
      if (isFirst && countOwners(store) < 2) {
        throw new WebAdminError('invalid', 'There is only one owner, who could agree with nobody.');
      }
      const draft = {
        ops: [
          paths.length === 0
            ? ({ op: 'del', path } as const)
            : ({ op: 'set', path, value: [...paths] } as const),
        ],
        message: paths.length === 0 ? 'One owner suffices' : `Two owners for ${paths.join(', ')}`,
        via,
        ...(ifHead === undefined ? {} : { ifHead }),
      };
      await inApiWords(() => commitOrPropose(store, self(), draft));
    },
    async approve(id, { via, ifHead }) {
      requireWriter(house);
      const ops = approveOps(store.merged(), id);
      if (ops === undefined) throw new WebAdminError('not-found', `There is no proposal ${id}.`);
      const proposer = proposerOf(id);
      if (proposer === self()) {
        throw new WebAdminError('denied', 'Another owner has to agree, on another device.');
      }
      const message = `Agree to what ${nameDevice(store.merged(), proposer)} proposed`;
      const seen = ifHead === undefined ? {} : { ifHead };
      await inApiWords(() => store.commit({ ...seen, ops, message, via, isExact: true }));
    },
    async withdraw(id, { via, ifHead }) {
      requireWriter(house);
      const path = `proposals/${id}`;
      if (store.merged().get('proposals')?.has(id) !== true) {
        throw new WebAdminError('not-found', `There is no proposal ${id}.`);
      }
      const seen = ifHead === undefined ? {} : { ifHead };
      const draft = { ops: [{ op: 'del', path }] as const, message: `Take proposal ${id} away` };
      await inApiWords(() => store.commit({ ...seen, ...draft, via }));
    },
  };
}

async function resolve(
  house: House,
  { path, choice, value }: Parameters<TogetherBackend<Author>['resolve']>[0],
  { via, ifHead }: Author,
): Promise<void> {
  requireWriter(house);
  const { store, household } = house;
  const conflict = store.conflicts().find((each) => each.path === path);
  if (conflict === undefined) {
    throw new WebAdminError('not-found', `${path} is not in conflict.`);
  }
  if ((choice === undefined) === (value === undefined)) {
    throw new WebAdminError('invalid', 'Take one of the values, or give another one.');
  }
  const taken = choice === undefined ? (value as Json) : choose(store, conflict, choice);
  const seen = ifHead === undefined ? {} : { ifHead };
  await inApiWords(() =>
    changeOrPropose(store, household().self, (more) =>
      store.resolve(path, taken, via, { ...seen, ...more }),
    ),
  );
}

async function viewConflicts(store: Store): Promise<ConflictsView> {
  const state = store.merged();
  const conflicts = store.conflicts().map(async ({ path, values, rule }) => ({
    path,
    what: sayPath(state, path),
    values: await Promise.all(
      distinct(values).map(async ({ value, commit }) => ({
        ...written(store, await store.read(commit)),
        ...(value === undefined ? {} : { value }),
        said: isRecord(path) && value !== undefined ? 'kept' : sayValue(state, value),
      })),
    ),
    ...(rule === undefined ? {} : { rule }),
    why: reasonFor(path, rule),
  }));
  return { conflicts: await Promise.all(conflicts) };
}

/** What holds a record alive may be several changes of one device. */
function distinct(values: Conflict['values']): Conflict['values'] {
  const seen = new Map(
    values.map((each) => [`${each.device} ${JSON.stringify(each.value)}`, each] as const),
  );
  return [...seen.values()];
}

const isRecord = (path: string): boolean => path.split('/').length === 2;

const REASONS = {
  deny: 'what refuses counts until you decide',
  lower: 'the lower number counts until you decide',
  rank: 'what the senior device wrote counts until you decide',
} as const satisfies Record<NonNullable<Conflict['rule']>, string>;

function reasonFor(path: string, rule: Conflict['rule']): string {
  if (rule !== undefined) return REASONS[rule];
  return isRecord(path)
    ? 'what somebody changed is kept until you decide'
    : 'all your devices picked the same one until you decide';
}

function choose(store: Store, { path, values }: Conflict, choice: string): Json | undefined {
  const state = store.merged();
  const found = distinct(values).filter(({ commit, device }) =>
    [commit, device, nameDevice(state, device)].includes(choice),
  );
  const [first, another] = found;
  if (first === undefined) {
    const names = values.map(({ device }) => nameDevice(state, device)).join(', ');
    throw new WebAdminError('not-found', `${path} was written by ${names}, not by ${choice}.`);
  }
  if (another !== undefined) {
    throw new WebAdminError('invalid', `${choice} wrote both; name one by its commit.`);
  }
  return first.value;
}

async function viewLate(store: Store, self: string): Promise<LateView> {
  const state = store.merged();
  const late = await lateOf(store);
  return {
    late: late.map((each) => ({
      device: each.device,
      name: nameOf(store, each),
      reason: each.reason,
      sentence: sentenceAbout(each, nameOf(store, each), self),
      count: each.count,
      changes: each.commits.map((commit) => ({
        ...written(store, commit),
        message: commit.message,
        what: [...sayOps(state, commit.ops)],
      })),
      ...(each.fork === undefined
        ? {}
        : { fork: { seq: each.fork.seq, commits: [...each.fork.commits] } }),
    })),
  };
}

function sentenceAbout({ device, reason, fork }: Late, name: string, self: string): string {
  if (reason === 'revoked' && device === self) {
    return 'This device wrote this after it was removed. It counts only if one of the others takes it over, which is offered there.';
  }
  if (reason === 'revoked') {
    return `${name} wrote this after it was removed. It does not count unless you take it over.`;
  }
  if (fork === undefined) {
    return `${name} was let in by a device that exists twice; decide about that one first.`;
  }
  const words = [
    `${name} wrote two different changes with one number (${fork.seq}): it was copied, or restored from an old backup.`,
    'Its later changes do not count until you decide.',
    device === self
      ? 'That is this device: decide on another one of yours.'
      : 'Either way it is removed, and joins again with a new code.',
  ];
  return words.join(' ');
}

function viewProposals(store: Store, self: string): ProposalsView {
  const state = store.merged();
  const proposals = [...(state.get('proposals') ?? [])].map(([id, record]) => {
    const device = proposerOf(id);
    return {
      ...{ id, device, name: nameDevice(state, device) },
      what: [...sayOps(state, record['ops'] as unknown as Parameters<typeof sayOps>[1])],
      mayApprove: store.isWritable && device !== self,
    };
  });
  return { paths: [...pathsIn(store)], proposals };
}

function pathsIn(store: Store): readonly string[] {
  const paths = store.merged().get('realm')?.get('settings')?.['twoOwners'];
  return Array.isArray(paths) ? paths.filter((path) => typeof path === 'string') : [];
}

function countOwners(store: Store): number {
  const devices = [...(store.merged().get('devices')?.values() ?? [])];
  return devices.filter(({ role, writer }) => role === 'owner' || writer === true).length;
}

/** A decision takes several commits, so the head is looked at before the first. */
function requireSeen(store: Store, ifHead: string | undefined): void {
  if (ifHead === undefined || ifHead === store.head) return;
  throw new WebAdminError('conflict', 'Something changed in the meantime.');
}

const proposerOf = (id: string): string => id.split('.', 1)[0] ?? '';

function nameOf(store: Store, { device, commits }: Late): string {
  const known = store.merged().get('devices')?.get(device)?.['name'];
  return typeof known === 'string' ? known : (commits[0]?.name ?? device);
}
