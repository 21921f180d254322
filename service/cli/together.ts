/** The verbs about what several devices write, and what they print. */

import type { ConflictsView, LateDecided, LateView, ProposalsView, Status } from '#web-admin';
import { Misuse, readJson } from './misuse.ts';
import { date, SHORT_ID, table } from './print.ts';
import type { Action } from './verbs.ts';

/** By the words that are typed. */
export const TOGETHER_ACTIONS: Readonly<Record<string, Action>> = {
  async conflicts(api) {
    const view = await api<ConflictsView>('GET', '/conflicts');
    return { value: view, text: printConflicts(view) };
  },
  async resolve(api, { operands, flags }) {
    const path = operands['path'] ?? '';
    const { take, value: text } = flags;
    if ((take === undefined) === (text === undefined)) {
      throw new Misuse('resolve takes either --take DEVICE or --value JSON');
    }
    const decided =
      text === undefined
        ? { choice: take }
        : { value: readJson(text, `--value: '${text}' is not JSON`) };
    const body = { path, ...decided };
    await api('POST', '/conflicts/resolve', body);
    return { value: body, text: `${path} is decided.` };
  },
  async late(api) {
    const view = await api<LateView>('GET', '/late');
    const { readOnlyReason } = await api<Pick<Status, 'readOnlyReason'>>('GET', '/status');
    return { value: view, text: printLate(view, readOnlyReason) };
  },
  'late adopt': (api, { operands }) => decide(api, operands['device'] ?? '', 'adopt'),
  'late dismiss': (api, { operands }) => decide(api, operands['device'] ?? '', 'dismiss'),
  async proposals(api, { flags }) {
    const { require } = flags;
    if (require !== undefined) {
      const paths = require === 'none' ? [] : require.split(',');
      await api('PUT', '/proposals/paths', { paths });
      const text = paths.length === 0 ? 'One owner suffices.' : `Two owners: ${paths.join(', ')}.`;
      return { value: { paths }, text };
    }
    const view = await api<ProposalsView>('GET', '/proposals');
    return { value: view, text: printProposals(view) };
  },
  async approve(api, { operands, flags }) {
    const id = operands['id'] ?? '';
    const path = `/proposals/${encodeURIComponent(id)}`;
    if (flags['no'] !== undefined) {
      await api('DELETE', path);
      return { value: { withdrawn: id }, text: `The proposal ${id} is gone.` };
    }
    await api('POST', `${path}/approve`);
    return { value: { approved: id }, text: `What ${id} proposed holds now.` };
  },
};

async function decide(api: Parameters<Action>[0], device: string, word: 'adopt' | 'dismiss') {
  const decided = await api<LateDecided>('POST', `/late/${word}`, { device });
  const count = `${decided.commits} ${decided.commits === 1 ? 'change' : 'changes'} of ${device}`;
  const lines = [
    word === 'adopt' ? `${count} taken over.` : `${count} let go.`,
    ...decided.omitted.map((what) => `  Not taken over, decide it anew: ${what}`),
  ];
  return { value: decided, text: lines.join('\n') };
}

/** What devices disagree about: what counts, then what does not. */
export function printConflicts({ conflicts }: ConflictsView): string {
  if (conflicts.length === 0) return 'Your devices agree.';
  return conflicts
    .map(({ path, what, values, why }) =>
      [
        `Two devices changed the same thing: ${what}`,
        table(
          values.map(({ name, via, date: at, said }, index) => [
            `${index === 0 ? '  *' : '   '} ${said}`,
            `${name} (${via})`,
            date(at),
          ]),
        ),
        `  * ${why}.`,
        `  To choose: nymote resolve ${path} --take ${values.map(({ name }) => name).join('|')}`,
      ].join('\n'),
    )
    .join('\n\n');
}

/** What does not count, by device; `readOnlyReason`: why nobody decides about it here. */
export function printLate({ late }: LateView, readOnlyReason?: string): string {
  if (late.length === 0) return 'There are no late changes.';
  return late
    .map(({ name, sentence, changes, count, fork }) =>
      [
        sentence,
        ...changes.flatMap(({ commit, date: at, message, what }) => [
          `  ${commit.slice(0, SHORT_ID)}${fork?.commits.includes(commit) ? '!' : ' '} ${date(at)}  ${message.split('\n', 1)[0] ?? ''}`,
          ...what.map((each) => `      ${each}`),
        ]),
        ...(count > changes.length ? [`  and ${count - changes.length} more`] : []),
        `  ${readOnlyReason ?? `To take them over: nymote late adopt ${name}; to let them go: nymote late dismiss ${name}`}`,
      ].join('\n'),
    )
    .join('\n\n');
}

/** What waits for a second owner. */
export function printProposals({ paths, proposals }: ProposalsView): string {
  const rule = paths.length === 0 ? [] : [`No owner alone changes ${paths.join(', ')}.`];
  if (proposals.length === 0) return [...rule, 'Nothing waits for a second owner.'].join('\n');
  const texts = proposals.map(({ id, name, what, mayApprove }) =>
    [
      `${name} would like to:`,
      ...what.map((each) => `  ${each}`),
      mayApprove
        ? `  To agree: nymote approve ${id}; not to: nymote approve ${id} --no`
        : '  Another owner has to agree, on another device.',
    ].join('\n'),
  );
  return [...rule, ...texts].join('\n\n');
}
