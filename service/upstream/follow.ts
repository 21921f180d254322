/**
 * Following one upstream: a replica of its realm in a store of its own, pulled now and then. Nothing
 * of it goes into the household's history, and nothing of ours to it: not even which device asks.
 */

import type { Cancel, Runtime, Signer } from '#runtime';
import { openStore, realmKey, StorageError, type Store } from '#storage';
import { decodeBase64 } from '../base64.ts';
import { type Asking, pullAll } from '../sync/exchange.ts';
import type { UpstreamRecord } from './record.ts';

/** How things are with an upstream. */
export type Standing = {
  /** Milliseconds since it was asked with success; undefined: not since the start. */
  readonly ago: number | undefined;
  /** Why the last attempt failed, or what of it cannot be read. */
  readonly problem: string | undefined;
  /** It could not be asked the last time, or what it has cannot be used. */
  readonly isAway: boolean;
};

export type Following = AsyncDisposable & {
  readonly record: UpstreamRecord;
  readonly store: Store;
  standing(): Standing;
  /** Asks at once. */
  pull(): Promise<void>;
};

type FollowRuntime = Pick<Runtime, 'clock' | 'crypto' | 'files' | 'http' | 'log' | 'random'>;

const POLL_SECONDS = 1_800;
/** The first one after a failure; then twice as long each time, up to a poll. */
const RETRY_SECONDS = 60;
/** An operator's rules; whoever sends more does so to fill our disk. */
const MAX_COMMITS = 20_000;
const MAX_BYTES = 32 << 20;

/** Opens the replica in `directory` and follows it until disposed. */
export async function follow(
  runtime: FollowRuntime,
  directory: string,
  record: UpstreamRecord,
  moved: () => void,
): Promise<Following> {
  const { clock, random } = runtime;
  const signer = await throwawaySigner(runtime);
  const store = await openStore(runtime, { directory, realm: record.realm });
  const stopWatching = store.watch(moved);
  const asking = askingFor(runtime, store, record, signer);
  let at: number | undefined;
  let problem: string | undefined;
  let failures = 0;
  let running: Promise<void> | undefined;
  let cancel: Cancel = () => undefined;
  let isStopped = false;

  async function ask(): Promise<void> {
    try {
      const { refused, putOff } = await pullAll(asking, { name: 'upstream', url: record.url });
      at = clock.monotonic();
      failures = 0;
      problem = refused > 0 ? UNREADABLE : putOff > 0 ? TOO_MUCH : undefined;
    } catch (error) {
      failures += 1;
      problem = (error as Error).message;
      runtime.log('warn', 'upstream-failed', { failures });
    }
  }

  const pull = (): Promise<void> => {
    cancel();
    running ??= ask().finally(() => {
      running = undefined;
      schedule();
    });
    return running;
  };

  function schedule(): void {
    if (isStopped) return;
    const pause = failures === 0 ? POLL_SECONDS : RETRY_SECONDS * 2 ** Math.min(failures - 1, 5);
    const jitter = 0.75 + ((random(1)[0] ?? 0) / 255) * 0.5;
    cancel = clock.after(Math.min(pause, POLL_SECONDS) * jitter * 1_000, () => void pull());
  }

  void pull();
  return {
    record,
    store,
    pull,
    standing: () => ({
      ago: at === undefined ? undefined : clock.monotonic() - at,
      problem,
      isAway: failures > 0,
    }),
    async [Symbol.asyncDispose]() {
      isStopped = true;
      cancel();
      stopWatching();
      await running;
      await store[Symbol.asyncDispose]();
    },
  };
}

const UNREADABLE =
  'some of it is sealed with a key that the subscription does not have, or does not verify: ask for a new one';
const TOO_MUCH = 'it has grown beyond what a router keeps of an upstream';

function askingFor(
  { clock, crypto, http }: FollowRuntime,
  store: Store,
  { keys }: UpstreamRecord,
  signer: Signer,
): Asking {
  const realmKeys = keys.map((key) => realmKey(crypto, decodeBase64(key)));
  let taken = 0;
  return {
    ...{ clock, crypto, http, signer },
    store: () => store,
    keys: () => realmKeys,
    allowance: {
      admits: () => taken < MAX_BYTES && store.seq < MAX_COMMITS,
      spend(_, bytes) {
        taken += bytes;
      },
      limited: () => [],
    },
  };
}

/** A public realm is read by whoever signs: a key of no device tells the operator nothing. */
async function throwawaySigner({ crypto }: Pick<Runtime, 'crypto'>): Promise<Signer> {
  const { privateKey } = await crypto.generateSigningKey('ed25519');
  return crypto.signer('ed25519', privateKey);
}

/** Deletes what was kept of an upstream; empty directories may stay. */
export async function forget({ files }: Pick<Runtime, 'files'>, directory: string): Promise<void> {
  for (const room of ['/log', '/quarantine', '']) {
    for (const name of await files.list(`${directory}${room}`)) {
      // Of the directories in it only the content can be removed.
      await files.remove(`${directory}${room}/${name}`).catch(() => undefined);
    }
  }
}

/** Whether what is on the disk cannot be used, and can be had again. */
export const isSpoilt = (error: unknown): boolean =>
  error instanceof StorageError && (error.code === 'corrupt' || error.code === 'other-realm');
