/** What stores are pruned with, and what is looked for in them afterwards. */

import type { FakeRuntime } from '#runtime/fake';
import { DIRECTORY, setName } from '../realm.fixture.ts';
import type { Store } from '../store.ts';

/** All that can go. */
export const ALL = { days: 0, commits: 1 };

export async function fill(store: Store, count: number): Promise<void> {
  for (let value = 0; value < count; value++) await store.commit(setName(`n${value % 5}`, value));
}

export const plain = (store: Store) =>
  [...store.state()]
    .map(([name, records]) => [name, Object.fromEntries(records)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));

/** Whether a text is in any file of a store. */
export async function found({ files }: FakeRuntime, text: string): Promise<boolean> {
  const names = [
    ...(await files.list(DIRECTORY)),
    ...(await files.list(`${DIRECTORY}/log`)).map((name) => `log/${name}`),
    ...(await files.list(`${DIRECTORY}/quarantine`)).map((name) => `quarantine/${name}`),
  ];
  for (const name of names) {
    const bytes = await files.read(`${DIRECTORY}/${name}`).catch(() => undefined);
    if (bytes !== undefined && new TextDecoder().decode(bytes).includes(text)) return true;
  }
  return false;
}
