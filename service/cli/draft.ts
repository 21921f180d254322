/** `draft …`: changes that are collected, looked at, and made as one. */

import type { DraftsView, DraftView } from '#web-admin';
import { readJson } from './misuse.ts';
import { date, SHORT_ID, table } from './print.ts';
import type { Action } from './verbs.ts';

type Applied = { readonly commit: { readonly id: string; readonly what: readonly string[] } };

/** By the words that are typed. */
export const DRAFT_ACTIONS: Readonly<Record<string, Action>> = {
  async 'draft begin'(api, { operands }) {
    const { draft = '' } = operands;
    await api('PUT', pathOf(draft));
    return { value: { draft }, text: `The draft ${draft} is begun.` };
  },
  async 'draft list'(api) {
    const view = await api<DraftsView>('GET', '/drafts');
    return { value: view, text: printDrafts(view) };
  },
  async 'draft show'(api, { operands }) {
    const view = await api<DraftView>('GET', pathOf(operands['draft']));
    return { value: view, text: printDraft(view) };
  },
  async 'draft set'(api, { operands, flags }) {
    const { draft, path = '', json = '' } = operands;
    const value = readJson(json, `'${json}' is not JSON; words need quotes: '"${json}"'`);
    await api('POST', `${pathOf(draft)}/steps`, {
      ...{ ops: [{ op: 'set', path, value }] },
      ...messageIn(flags),
    });
    return { value: { draft, path }, text: `${path} is in the draft.` };
  },
  async 'draft unset'(api, { operands, flags }) {
    const { draft, path = '' } = operands;
    await api('POST', `${pathOf(draft)}/steps`, {
      ...{ ops: [{ op: 'del', path }] },
      ...messageIn(flags),
    });
    return { value: { draft, path }, text: `That ${path} goes is in the draft.` };
  },
  async 'draft apply'(api, { operands, flags }) {
    const applied = await api<Applied>('POST', `${pathOf(operands['draft'])}/apply`, {
      ...messageIn(flags),
      ...(flags['force'] === undefined ? {} : { force: true }),
    });
    const { id, what } = applied.commit;
    const text = [`Applied by commit ${id.slice(0, SHORT_ID)}.`, ...what].join('\n');
    return { value: applied, text };
  },
  async 'draft discard'(api, { operands }) {
    const { draft = '' } = operands;
    await api('DELETE', pathOf(draft));
    return { value: { discarded: draft }, text: `The draft ${draft} is gone.` };
  },
};

const pathOf = (draft = ''): string => `/drafts/${encodeURIComponent(draft)}`;

const messageIn = ({ message }: Readonly<Record<string, string>>) =>
  message === undefined ? {} : { message };

function printDrafts({ drafts }: DraftsView): string {
  if (drafts.length === 0) return 'There are no drafts.';
  const rows = drafts.map(({ name, isDamaged, begun = 0, steps = 0 }) => [
    name,
    isDamaged ? 'damaged: its file cannot be read' : `${steps} ${steps === 1 ? 'step' : 'steps'}`,
    isDamaged ? '' : date(begun),
  ]);
  return table([['NAME', 'STEPS', 'BEGUN'], ...rows]);
}

function printDraft({ name, begun, steps, changes, what, problems, moved }: DraftView): string {
  const would = changes.length === 0 ? ['It would change nothing.'] : what;
  return [
    `${name}, begun ${date(begun)}`,
    ...steps.flatMap(({ message, what: said }) =>
      said.map((words) => `  ${words}${message === '' ? '' : ` (${message})`}`),
    ),
    ...['', 'Applied now:', ...would.map((words) => `  ${words}`)],
    ...problems.map((problem) => `Problem  ${problem}`),
    ...moved.map((words) => `Moved    ${words}`),
  ].join('\n');
}
