/** New devices that wait until somebody has compared six digits, in memory. */

import { type Backend, WebAdminError } from '#web-admin';

type Waiting = ReturnType<Backend['enrolments']['waiting']>['devices'][number];

/** What tests can do with it besides. */
export type Newcomers = {
  /** A new device says these digits, and waits. */
  comes(name: string, code: string): void;
};

const MINUTES_10 = 600;

/** Nobody waits until `comes` is called; who is let in is handed to `admit`. */
export function createNewcomers(
  now: () => number,
  admit: (name: string) => void,
): Newcomers & Pick<Backend, 'enrolments'> {
  const waiting = new Map<string, Waiting>();
  return {
    comes(name, code) {
      waiting.set(name, { name, role: 'owner', code, expiresAt: now() + MINUTES_10 });
    },
    enrolments: {
      waiting: () => ({ devices: [...waiting.values()] }),
      async confirm(name, code) {
        if (waiting.get(name)?.code !== code.replace(' ', '')) {
          throw new WebAdminError('conflict', 'The new device shows other digits.');
        }
        waiting.delete(name);
        admit(name);
      },
      reject: (name) => void waiting.delete(name),
    },
  };
}
