/** The verbs about the history: what is kept, and ways back. */

import type { KeptView, PrunedView } from '#web-admin';
import { Misuse } from './misuse.ts';
import { SHORT_ID } from './print.ts';
import type { Action } from './verbs.ts';

const FORGET =
  'This drops the history for good, on all your devices: nothing can be undone or looked up any more. If you mean it, add --yes.';

const KEEP_COMMITS = '400';
const KEEP_MEGABYTES = '8';

type Reverted = { readonly commit: { readonly id: string } };

/** By the words that are typed. */
export const HISTORY_ACTIONS: Readonly<Record<string, Action>> = {
  async revert(api, { operands, flags }) {
    const { after, to } = rangeOf(operands['commit'] ?? '');
    const body = {
      to,
      ...(after === undefined ? {} : { after }),
      ...(flags['path'] === undefined ? {} : { path: flags['path'] }),
    };
    const reverted = await api<Reverted>('POST', '/history/revert', body);
    return { value: reverted, text: `Undone by commit ${reverted.commit.id.slice(0, SHORT_ID)}.` };
  },
  async 'history restore'(api, { operands }) {
    const { commit: point, path } = operands;
    const body = { point, ...(path === undefined ? {} : { path }) };
    const restored = await api<Reverted>('POST', '/history/restore', body);
    return {
      value: restored,
      text: `Restored by commit ${restored.commit.id.slice(0, SHORT_ID)}.`,
    };
  },
  async history(api) {
    const kept = await api<KeptView>('GET', '/history');
    return { value: kept, text: kept.sentences.join('\n') };
  },
  async 'history keep'(api, { operands, flags }) {
    await api('PUT', '/history', keepFrom(operands['days'] ?? '', flags));
    const kept = await api<KeptView>('GET', '/history');
    return { value: kept, text: kept.sentences.join('\n') };
  },
  async 'history prune'(api) {
    const pruned = await api<PrunedView>('POST', '/history/prune', {});
    return { value: pruned, text: pruned.sentence };
  },
  async 'history forget'(api, { flags }) {
    if (flags['yes'] === undefined) throw new Misuse(FORGET);
    const pruned = await api<PrunedView>('POST', '/history/prune', { forget: true });
    return { value: pruned, text: pruned.sentence };
  },
};

/** `all`, or days with what goes beside them. */
function keepFrom(days: string, { commits, above }: Readonly<Record<string, string>>) {
  if (days === 'all') return {};
  const wanted = { days, least: commits ?? KEEP_COMMITS, megabytes: above ?? KEEP_MEGABYTES };
  const numbers = Object.entries(wanted).map(([key, text]) => [key, Number(text)] as const);
  if (!numbers.every(([, number]) => Number.isSafeInteger(number))) {
    throw new Misuse('say a number of days, or all; --commits and --above take whole numbers');
  }
  return Object.fromEntries(numbers);
}

/** `B`, or `A..B`: everything after A up to B. */
export function rangeOf(text: string): { readonly after?: string; readonly to: string } {
  const [after, to] = text.split('..');
  return to === undefined || after === undefined ? { to: text } : { after, to };
}
