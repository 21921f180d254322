/** The verbs about what several devices write, and what they print. */

import type { ConflictsView, LateDecided, LateView, NamesView, ProposalsView } from '#web-admin';
import { date, SHORT_ID, table } from './print.ts';
import type { Action, EXIT } from './verbs.ts';

const USAGE: (typeof EXIT)['usage'] = 2;

/** By the words that are typed. */
export const TOGETHER_ACTIONS: Readonly<Record<string, Action>> = {
  async 'name set'(api, { operands, flags }) {
    const { owner = '', type = '', value: data = '' } = operands;
    const { ttl, add } = flags;
    if (ttl !== undefined && !/^\d{1,6}$/.test(ttl)) {
      return misused('ttl', `--ttl: '${ttl}' is no number of seconds`);
    }
    const body = {
      ...{ type, data },
      ...(ttl === undefined ? {} : { ttl: Number(ttl) }),
      ...(add === undefined ? {} : { beside: true }),
    };
    await api('PUT', `/names/${encodeURIComponent(owner)}`, body);
    return { value: { owner, ...body }, text: `${owner} ${type} is ${data}.` };
  },
  async 'name remove'(api, { operands, flags }) {
    const { owner = '', type } = operands;
    const { value } = flags;
    const query = new URLSearchParams({
      ...(type === undefined ? {} : { type }),
      ...(value === undefined ? {} : { data: value }),
    });
    await api('DELETE', `/names/${encodeURIComponent(owner)}?${query}`);
    const removed = [owner, type].filter((word) => word !== undefined).join(' ');
    return { value: { removed }, text: `${removed} is removed.` };
  },
  async 'name list'(api) {
    const list = await api<NamesView>('GET', '/names');
    return { value: list, text: printNames(list) };
  },
  async conflicts(api) {
    const view = await api<ConflictsView>('GET', '/conflicts');
    return { value: view, text: printConflicts(view) };
  },
  async resolve(api, { operands, flags }) {
    const path = operands['path'] ?? '';
    const { take, value: text } = flags;
    if ((take === undefined) === (text === undefined)) {
      return misused('take', 'resolve takes either --take DEVICE or --value JSON');
    }
    const value = text === undefined ? undefined : parseJson(text);
    if (text !== undefined && value === undefined) {
      return misused('value', `--value: '${text}' is not JSON`);
    }
    const body = { path, ...(take === undefined ? { value } : { choice: take }) };
    await api('POST', '/conflicts/resolve', body);
    return { value: body, text: `${path} is decided.` };
  },
  async late(api) {
    const view = await api<LateView>('GET', '/late');
    return { value: view, text: printLate(view) };
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

function misused(problem: string, text: string) {
  return { value: { problem }, text, exitCode: USAGE };
}

/** The records that people wrote. */
export function printNames({ names }: NamesView): string {
  if (names.length === 0) return 'You wrote no records yet.';
  return table(
    names.flatMap(({ fqdn, records }) =>
      records.map(({ type, ttl, data }) => [fqdn, String(ttl), type, data]),
    ),
  );
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

/** What does not count, by device. */
export function printLate({ late }: LateView): string {
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
        `  To take them over: nymote late adopt ${name}; to let them go: nymote late dismiss ${name}`,
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
