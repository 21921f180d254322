/** `exchange`, `hub join` and `hub leave`: how changes travel between one's devices. */

import type { ExchangeView } from '#web-admin';
import { table } from './print.ts';
import type { Action } from './verbs.ts';

export const EXCHANGE_ACTIONS: Readonly<Record<string, Action>> = {
  async exchange(api) {
    const view = await api<ExchangeView>('GET', '/exchange');
    return { value: view, text: print(view) };
  },
  async 'hub join'(api, { operands, flags }) {
    const url = operands['url'] ?? '';
    await api('PUT', '/exchange/hub', { url, invite: flags['invite'] ?? '' });
    const text = `All your full devices exchange changes through ${url} now, sealed.`;
    return { value: { hub: url }, text };
  },
  async 'hub leave'(api) {
    await api('DELETE', '/exchange/hub');
    return { value: { hub: null }, text: 'Your devices use no hub any more.' };
  },
};

function print({ hub, parties }: ExchangeView): string {
  if (parties.length === 0) return 'There is no other full device, and no hub.';
  const rows = parties.map(({ name, ago, problem, refused }) => [
    name,
    ago === undefined ? 'not since the start' : `${ago} s ago`,
    problem ?? (refused > 0 ? `${refused} changes do not verify here` : 'up to date'),
  ]);
  return [...(hub === undefined ? [] : [`hub: ${hub}`]), table(rows)].join('\n');
}
