/**
 * What is known of the root's keys (RFC 5011) in the store, as `anchors/root`: which wait, which were
 * revoked. The first owner commits it when a key changes its state, some times a year; other devices
 * begin with what it knew and follow the keys by themselves.
 */

import { type ResolverOptions, readTracked, writeTracked } from '#resolver';
import type { Log } from '#runtime';
import { StorageError, type Store } from '#storage';

type FollowRoot = NonNullable<ResolverOptions['followRoot']>;

/** Milliseconds after the start; there is enough to do before. */
const DELAY_MS = 60_000;

const PATH = 'anchors/root';

/** Follows the root's keys with the store as memory. */
export function followWithStore(
  { log }: { readonly log: Log },
  store: Pick<Store, 'state' | 'commit'>,
  mayWrite: () => boolean,
): FollowRoot {
  const record = () => store.state().get('anchors')?.get('root');

  async function write(keys: Parameters<FollowRoot['save']>[0]): Promise<void> {
    if (!mayWrite() || (keys.length === 0 && record() === undefined)) return;
    const value = { keys: writeTracked(keys).map((key) => ({ ...key })) };
    const states = keys.map(({ state }) => state).join(', ');
    await store.commit({
      ops: [keys.length === 0 ? { op: 'del', path: PATH } : { op: 'set', path: PATH, value }],
      message: `The root's keys: ${states === '' ? 'as they were shipped' : states}`,
      via: 'rfc5011',
    });
  }

  let writing = Promise.resolve();
  return {
    saved: readTracked(record()?.['keys']) ?? [],
    delay: DELAY_MS,
    save(keys) {
      writing = writing
        .then(() => write(keys))
        .catch((error: unknown) => {
          // A full disk costs the wait, not the answers.
          if (!(error instanceof StorageError)) throw error;
          log('error', 'anchors-not-committed', { code: error.code });
        });
    },
  };
}
