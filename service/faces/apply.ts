/** Applying, drift, options and provenance as the API shows them. */

import { RuntimeError } from '#runtime';
import {
  type ApplyBackend,
  type ApplyView,
  type Author,
  type DriftView,
  type NewOption,
  WebAdminError,
} from '#web-admin';
import type { House } from '../house.ts';
import { OptionRecord, problemsOf } from '../records.ts';
import { inApiWords, requireWriter } from './refusal.ts';
import { findDevice } from './views.ts';

/** Makes that part of the backend. */
export function createApplyBackend(house: House): ApplyBackend<Author> {
  const { applying, projection } = house;
  return {
    view: () => viewApply(house),
    confirm: (id, author) => inApiWords(() => applying.confirm(id, author)),
    rollback: applying.rollback,
    extend: applying.extend,
    retry: () => onTheSystem(applying.retry),
    drift: () => viewDrift(applying.drift),
    heal: () => viewDrift(applying.heal),
    async adopt(author) {
      requireWriter(house);
      return viewDrift(() => inApiWords(() => applying.adopt(author)));
    },
    provenance: async (line) => ({ lines: await applying.why(line) }),
    options: () => ({
      options: applying
        .options()
        .map((option) => ({ ...option, name: nameOf(house, option.device) })),
    }),
    async setOption(wanted, author) {
      requireWriter(house);
      const option = readOption(house, wanted);
      await inApiWords(() => applying.setOption(option, author));
    },
    async removeOption(device, option, author) {
      requireWriter(house);
      const found = findDevice(projection().devices, device);
      // Options of a device that is gone can still be removed.
      const id = found?.id ?? device;
      await inApiWords(() => applying.removeOption(id, option, author));
    },
  };

  async function viewDrift(find: () => Promise<DriftView['drift']>): Promise<DriftView> {
    const drift = await onTheSystem(find);
    const { self } = house.household();
    const isUnread =
      applying.engine === undefined && applying.options().some(({ device }) => device === self);
    return { drift, ...(isUnread ? { reason: applying.reason } : {}) };
  }

  function readOption({ household }: House, wanted: NewOption): OptionRecord {
    const value = {
      ...wanted,
      device: idOf(wanted.device ?? household().self),
      ...(wanted.firstOn === undefined ? {} : { firstOn: idOf(wanted.firstOn) }),
    };
    const problems = problemsOf(OptionRecord, value, wanted.option);
    if (problems.length > 0) throw new WebAdminError('invalid', `${problems.join('; ')}.`);
    return value as OptionRecord;
  }

  function idOf(wanted: string): string {
    const device = findDevice(projection().devices, wanted);
    if (device !== undefined) return device.id;
    throw new WebAdminError('not-found', `There is no device ${wanted}.`);
  }
}

/** What the router's programs refuse is no fault of ours. */
async function onTheSystem<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    throw new WebAdminError('unavailable', `${error.message}.`, error);
  }
}

const nameOf = ({ projection }: House, id: string): string =>
  findDevice(projection().devices, id)?.name ?? id;

function viewApply({ applying }: House): ApplyView {
  const { engine, reason } = applying;
  const devices = applying
    .statuses()
    .map(({ part: _, refused: __, ...status }) => status)
    .map(({ pending, ...status }) => (pending === undefined ? status : { ...status, pending }));
  if (engine === undefined) return { state: 'off', reason, devices };
  const { pending, settled, applied } = engine.state();
  const problem = engine.problem() ?? applying.waiting();
  return {
    state: 'on',
    devices,
    ...(problem === undefined ? {} : { reason: problem }),
    ...(applied === undefined ? {} : { applied: applied.commit }),
    ...(settled === undefined ? {} : { last: lastOf(settled) }),
    ...(pending === undefined ? {} : { pending: pendingOf(pending, engine.secondsLeft()) }),
  };
}

type State = ReturnType<NonNullable<House['applying']['engine']>['state']>;

function lastOf({ commit, outcome, reason }: NonNullable<State['settled']>) {
  return { commit, outcome, reason };
}

function pendingOf(
  { id, commit, kind, changes, person, failing }: NonNullable<State['pending']>,
  secondsLeft: number | undefined,
): NonNullable<ApplyView['pending']> {
  return {
    ...{ id, commit, kind, failing },
    options: changes.map(({ option }) => option),
    ...(person === undefined ? {} : { confirmedBy: person }),
    ...(secondsLeft === undefined ? {} : { secondsLeft }),
  };
}
