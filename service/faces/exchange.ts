/** The exchange of changes as the API shows it. */

import type { Author, ExchangeBackend } from '#web-admin';
import type { House } from '../house.ts';
import { hubOf, joinHub, leaveHub } from '../sync/hub.ts';
import { inApiWords, requireWriter } from './refusal.ts';

/** Makes that part of the backend. */
export function createExchangeBackend(house: House): ExchangeBackend<Author> {
  const { store, sync, hub } = house;
  return {
    view() {
      const url = hubOf(store);
      const parties = sync.standings().map(({ name, ago, problem, refused }) => ({
        ...{ name, refused },
        ...(ago === undefined ? {} : { ago: Math.round(ago / 1_000) }),
        ...(problem === undefined ? {} : { problem }),
      }));
      return { parties, ...(url === undefined ? {} : { hub: url }) };
    },
    async joinHub({ url, invite }, author) {
      requireWriter(house);
      await inApiWords(() => joinHub(hub, url, invite, author.via));
    },
    async leaveHub(author) {
      requireWriter(house);
      await inApiWords(() => leaveHub(hub, author.via));
    },
  };
}
