/**
 * Keeps the realm's keys among its devices: a key that somebody outside was given is replaced, however
 * that came about. The most senior owner does it at once, the others when it did not.
 */

import type { Cancel, Clock, Crypto, Log, Random } from '#runtime';
import { StorageError, type Store } from '#storage';
import type { Sealing } from '../peers/sealed.ts';
import type { RealmDevice } from '../project.ts';
import { replaceKnownKey } from './keys.ts';

export type KeyNeeds = {
  readonly clock: Pick<Clock, 'after'>;
  readonly crypto: Pick<Crypto, 'hash'>;
  readonly random: Random;
  readonly log: Log;
  readonly sealing: Sealing;
  readonly store: () => Store;
  readonly devices: () => readonly RealmDevice[];
  readonly isFirst: () => boolean;
};

const SOON_MS = 1_000;
const LATER_MS = 600_000;

/** Runs until stopped. */
export function tendKeys(needs: KeyNeeds): { stop(): void } {
  const { clock, crypto, random, log, sealing, store } = needs;
  let cancel: Cancel | undefined;

  const next = () => {
    const holders = needs.devices().filter(({ kind }) => kind !== 'plain');
    if (!store().isWritable || holders.length === 0) return undefined;
    return replaceKnownKey({ crypto, sealing }, random, store().state(), holders);
  };

  const replace = async (): Promise<void> => {
    const key = next();
    if (key === undefined) return;
    try {
      const message = 'Change the key of the realm, which a removed device has';
      await store().commit({ ops: [key], message, via: 'keys' });
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      log('warn', 'realm-key-not-changed', { error: error.code });
    }
  };

  const tend = (): void => {
    if (cancel !== undefined || next() === undefined) return;
    // Not all of the others at once: each would make another one.
    const later = LATER_MS * (0.5 + (random(1)[0] ?? 0) / 255);
    cancel = clock.after(needs.isFirst() ? SOON_MS : later, () => {
      cancel = undefined;
      void replace().catch((error: unknown) =>
        log('error', 'realm-key-failed', { error: String(error) }),
      );
    });
  };
  tend();
  const unwatch = store().watch(tend);
  return {
    stop() {
      unwatch();
      cancel?.();
    },
  };
}
