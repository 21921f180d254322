/** How a router's configuration stands, in sentences with a way out. */

import type { Store } from '#storage';
import type { Current } from '../current.ts';
import type { DeviceStatus } from '../records.ts';
import type { Engine } from './engine.ts';
import type { Settled } from './plan.ts';
import { optionsOf } from './render.ts';
import { waitOf } from './wait.ts';

type Room = {
  readonly store: Store;
  readonly self: string;
  readonly current: Pick<Current, 'projection'>;
  readonly engine: Engine | undefined;
};

/** What is not as the head says. */
export function warningsOf(room: Room, reason: string): readonly string[] {
  const { engine, store, self } = room;
  const { settled, applied, wanted, pending } = engine?.state() ?? {};
  const isDrifted = pending === undefined && wanted !== undefined && wanted.part === applied?.part;
  const drifted = isDrifted ? wanted.changes.map(({ option }) => option) : [];
  const problem = engine?.problem();
  // What waits for a change that is shown itself is no news.
  const waiting = pending === undefined ? waitingOf(room) : undefined;
  const isIdle = engine === undefined && optionsOf(store.state(), self).length > 0;
  return [
    ...(isIdle ? [`The options of this device are not applied: ${reason}.`] : []),
    ...(problem === undefined ? [] : [`The newest configuration is not applied: ${problem}.`]),
    ...(waiting === undefined ? [] : [`The newest configuration waits: ${waiting}.`]),
    ...(drifted.length === 0
      ? []
      : [`Somebody changed ${drifted.join(', ')} on this router: see nymote drift.`]),
    ...(settled === undefined || settled.outcome === 'confirmed' ? [] : [sayEnd(settled)]),
  ];
}

function sayEnd({ outcome, reason }: Pick<Settled, 'outcome' | 'reason'>): string {
  const which = "The last change of this router's configuration was";
  return outcome === 'failed'
    ? `${which} not made: ${reason}. To try it again: nymote apply retry.`
    : `${which} taken back: ${reason}.`;
}

/** What the newest configuration of this device waits for. */
export function waitingOf(room: Room): string | undefined {
  const { engine } = room;
  const wait = engine && waitOf(engine.state());
  switch (wait?.kind) {
    case undefined:
      return undefined;
    case 'newer':
      return 'a newer change waits until this one has ended';
    case 'refused':
      return `this was taken back and is still asked for: ${wait.options.join(', ')}; change or unset it, or try all of it again with \`nymote apply retry\``;
    case 'busy':
      return 'another change is on trial here, of LuCI or armed by hand; ours follows when that one has ended';
    case 'first':
      return sayFirst(room, wait.device);
  }
}

/** What became of it on the device that is to try it first. */
function sayFirst({ store, current }: Room, device: string): string {
  const found = current.projection().devices.find(({ id }) => id === device);
  if (found === undefined) {
    return 'the device that was to try it first was removed: set it again without --first-on';
  }
  const { pending, outcome, reason } = (store.state().get('status')?.get(device) ??
    {}) as Partial<DeviceStatus>;
  const isBack = pending === undefined && (outcome === 'rolled-back' || outcome === 'failed');
  return isBack
    ? `${found.name} was to try it first, and it did not stay there: ${reason ?? ''}; try it there again with \`nymote apply retry\`, or set it here without --first-on`
    : `${found.name} tries it first, and has not confirmed it yet`;
}
