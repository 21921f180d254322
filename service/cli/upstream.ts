/** `upstream …`: realms of others whose rules count here, and this one as theirs. */

import type { UpstreamsView } from '#web-admin';
import { parseSubscription } from '../upstream/subscription.ts';
import { Misuse } from './misuse.ts';
import { table } from './print.ts';
import type { Action } from './verbs.ts';

const NO_SUBSCRIPTION = 'That is no subscription: nymote-upstream:…, as its operator prints it.';

export const UPSTREAM_ACTIONS: Readonly<Record<string, Action>> = {
  async 'upstream add'(api, { operands, flags }) {
    const text = operands['text'] ?? '';
    const read = parseSubscription(text);
    if (read === undefined) throw new Misuse(NO_SUBSCRIPTION);
    const name = flags['name'] ?? read.name;
    await api('PUT', pathOf(name), { text, ...wishOf(flags) });
    const view = await api<UpstreamsView>('GET', '/upstreams');
    const added = view.upstreams.filter((each) => each.name === name);
    return { value: added[0], text: `${name} is followed.\n${print({ upstreams: added })}` };
  },
  async 'upstream set'(api, { operands, flags }) {
    const name = operands['name'] ?? '';
    await api('PUT', pathOf(name), wishOf(flags));
    const view = await api<UpstreamsView>('GET', '/upstreams');
    const changed = view.upstreams.filter((each) => each.name === name);
    return { value: changed[0], text: print({ upstreams: changed }) };
  },
  async 'upstream list'(api) {
    const view = await api<UpstreamsView>('GET', '/upstreams');
    return { value: view, text: print(view) };
  },
  async 'upstream pull'(api, { operands }) {
    const name = operands['name'] ?? '';
    await api('POST', `${pathOf(name)}/pull`);
    const view = await api<UpstreamsView>('GET', '/upstreams');
    const asked = view.upstreams.filter((each) => each.name === name);
    return { value: asked[0], text: print({ upstreams: asked }) };
  },
  async 'upstream remove'(api, { operands }) {
    const name = operands['name'] ?? '';
    await api('DELETE', pathOf(name));
    return { value: { removed: name }, text: `${name} is not followed any more.` };
  },
  async 'upstream share'(api, { flags }) {
    if (flags['off'] !== undefined) {
      await api('DELETE', '/upstreams/share');
      return { value: { shared: false }, text: 'Only its own devices read this realm now.' };
    }
    const shared = await api<{ text: string }>('POST', '/upstreams/share');
    return { value: shared, text: `${shared.text}\n\n${WARNING}` };
  },
};

const WARNING =
  'With this line everybody can follow this realm: nymote upstream add.\n' +
  'They read all of it: rules, but also devices, names, options and the history.';

const pathOf = (name: string): string => `/upstreams/${encodeURIComponent(name)}`;

function wishOf(flags: Readonly<Record<string, string>>): object {
  const { precedence, on, off } = flags;
  return {
    ...(precedence === undefined ? {} : { precedence }),
    ...(on === undefined ? {} : { enabled: true }),
    ...(off === undefined ? {} : { enabled: false }),
  };
}

const WORDS = {
  'mine-first': 'my rules first',
  'theirs-first': 'their rules first',
} as const;

function print({ upstreams }: UpstreamsView): string {
  if (upstreams.length === 0) return 'No upstream is followed.';
  return table(
    upstreams.map(({ name, url, precedence, enabled, rules, ago, problem }) => [
      name,
      WORDS[precedence],
      `${rules} rules`,
      enabled ? (ago === undefined ? 'not heard of since the start' : `${ago} s ago`) : 'off',
      problem ?? '',
      url,
    ]),
  );
}
