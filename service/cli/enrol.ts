/** Verbs for new devices that wait to be confirmed. */

import type { Backend } from '#web-admin';
import type { Action } from './verbs.ts';

type Waiting = ReturnType<Backend['enrolments']['waiting']>;

/** Six digits as people read them aloud. */
export const spaced = (code: string): string => `${code.slice(0, 3)} ${code.slice(3)}`;

/** What is to be done about devices that wait; empty for none. */
export function printWaiting({ devices }: Waiting): string {
  return devices
    .map(({ name, code }) =>
      code === undefined
        ? `${name} is about to show a code.`
        : `${name} waits. Does it show ${spaced(code)}? Then: nymote device confirm ${name} --yes-i-see ${code}`,
    )
    .join('\n');
}

export const ENROL_ACTIONS: Readonly<Record<string, Action>> = {
  async 'device confirm'(api, { operands, flags }) {
    const name = operands['name'] ?? '';
    const { devices } = await api<Waiting>('GET', '/enrolments');
    const code = flags['yesISee'];
    if (code === undefined) {
      const device = devices.find((each) => each.name === name);
      const text = device && printWaiting({ devices: [device] });
      const value = { waiting: device ?? null };
      return { value, text: text ?? `No ${name} waits.`, exitCode: 1 };
    }
    await api('POST', `/enrolments/${encodeURIComponent(name)}/confirm`, { code });
    return { value: { confirmed: name }, text: `${name} is one of your devices now.` };
  },
  async 'device reject'(api, { operands }) {
    const name = operands['name'] ?? '';
    await api('DELETE', `/enrolments/${encodeURIComponent(name)}`);
    return { value: { rejected: name }, text: `${name} is turned away, and its code is used up.` };
  },
};
