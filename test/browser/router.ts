/** A router whose own settings are on trial, in memory. */

import type { ApplyView, Backend } from '#web-admin';

/** A router whose configuration was just changed. */
export function createRouter(now: () => number, changed: () => void): Backend['apply'] {
  const pending: ApplyView['pending'] & object = {
    id: 'a1b2c3d4e5f60718',
    commit: 'c'.repeat(64),
    kind: 'risky',
    options: ['network.lan.ipaddr'],
    secondsLeft: 240,
    failing: [],
  };
  let view: ApplyView = { state: 'off', reason: 'there is no guard', devices: [] };
  const end = (outcome: 'confirmed' | 'rolled-back', reason: string): void => {
    view = { state: 'on', devices: [], last: { commit: pending.commit, outcome, reason } };
    changed();
  };
  return {
    view: () => view,
    async confirm() {
      end('confirmed', 'everything works');
      return pending.id;
    },
    rollback: () => end('rolled-back', 'taken back'),
    extend: async () => undefined,
    async retry() {
      const router = { device: 'router', name: 'router', at: now() };
      const reason = 'nobody confirmed it in time';
      view = { state: 'on', pending, devices: [{ ...router, outcome: 'rolled-back', reason }] };
      changed();
    },
    drift: async () => ({ drift: [] }),
    heal: async () => ({ drift: [] }),
    adopt: async () => ({ drift: [] }),
    provenance: async () => ({ lines: [] }),
    options: () => ({ options: [] }),
    setOption: async () => undefined,
    removeOption: async () => undefined,
  };
}
