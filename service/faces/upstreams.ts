/** Upstreams as the API shows them: those that are followed, and this realm as one of others. */

import { type Author, type UpstreamsBackend, type UpstreamsView, WebAdminError } from '#web-admin';
import { encodeBase64 } from '../base64.ts';
import type { House } from '../house.ts';
import { setPublic } from '../sync/hub.ts';
import type { UpstreamRecord } from '../upstream/record.ts';
import { parseSubscription, printSubscription } from '../upstream/subscription.ts';
import { commitOrPropose } from './propose.ts';
import { inApiWords, requireWriter } from './refusal.ts';

/** Makes that part of the backend. */
export function createUpstreamsBackend(house: House): UpstreamsBackend<Author> {
  const { store, upstreams, hub, realmKeys, projection } = house;
  const find = (name: string) => upstreams.list().find((each) => each.name === name);
  const commit = (
    op: Parameters<typeof store.commit>[0]['ops'][number],
    message: string,
    via: Author['via'],
  ) =>
    inApiWords(() => commitOrPropose(store, house.household().self, { ops: [op], message, via }));
  return {
    view: () => ({ upstreams: upstreams.list().map(viewOf) }),
    async set(name, { text, precedence, enabled }, { via }) {
      requireWriter(house);
      const known = find(name)?.record;
      const read = text === undefined ? known : parseSubscription(text);
      if (read === undefined) {
        throw text === undefined
          ? new WebAdminError('not-found', `There is no upstream ${name}.`)
          : new WebAdminError('invalid', 'That is no subscription: nymote-upstream:….');
      }
      const { url, realm, keys } = read;
      const record: UpstreamRecord = {
        ...{ url, realm, keys: [...keys], use: 'rules' },
        precedence: precedence ?? known?.precedence ?? 'mine-first',
        enabled: enabled ?? known?.enabled ?? true,
      };
      const verb = known === undefined ? 'Follow' : 'Change how it follows';
      await commit(
        { op: 'set', path: `upstreams/${name}`, value: record },
        `${verb} upstream ${name}`,
        via,
      );
      if (record.enabled) await upstreams.pull(name);
    },
    async remove(name, { via }) {
      requireWriter(house);
      if (find(name) === undefined) {
        throw new WebAdminError('not-found', `There is no upstream ${name}.`);
      }
      await commit(
        { op: 'del', path: `upstreams/${name}` },
        `Follow upstream ${name} no more`,
        via,
      );
    },
    async pull(name) {
      if (await upstreams.pull(name)) return;
      throw new WebAdminError('not-found', `No upstream ${name} is followed.`);
    },
    async share() {
      requireWriter(house);
      const keys = realmKeys().map(({ secret }) => encodeBase64(secret));
      if (keys.length === 0)
        throw new WebAdminError('unavailable', 'This device has no key of the realm yet.');
      const url = await setPublic(hub, true);
      const text = printSubscription({
        url,
        realm: store.realm,
        keys,
        name: projection().settings.user,
      });
      return { text };
    },
    async unshare() {
      requireWriter(house);
      await setPublic(hub, false);
    },
  };
}

type View = UpstreamsView['upstreams'][number];

function viewOf({
  name,
  record,
  rules,
  ago,
  problem,
}: ReturnType<House['upstreams']['list']>[number]): View {
  const { url, realm, precedence, enabled } = record;
  return {
    ...{ name, url, realm, precedence, enabled, rules },
    ...(ago === undefined ? {} : { ago: Math.round(ago / 1_000) }),
    ...(problem === undefined ? {} : { problem }),
  };
}
