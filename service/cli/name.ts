/** `name …`: records of one's own in the zone. */

import type { NamesView } from '#web-admin';
import { Misuse } from './misuse.ts';
import { table } from './print.ts';
import type { Action } from './verbs.ts';

/** By the words that are typed. */
export const NAME_ACTIONS: Readonly<Record<string, Action>> = {
  async 'name set'(api, { operands, flags }) {
    const { owner = '', type = '', value: data = '' } = operands;
    const { ttl, add } = flags;
    if (ttl !== undefined && !/^\d{1,6}$/.test(ttl)) {
      throw new Misuse(`--ttl: '${ttl}' is no number of seconds`);
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
};

/** The records that people wrote. */
export function printNames({ names }: NamesView): string {
  if (names.length === 0) return 'You wrote no records yet.';
  return table(
    names.flatMap(({ fqdn, records }) =>
      records.map(({ type, ttl, data }) => [fqdn, String(ttl), type, data]),
    ),
  );
}
