/**
 * The resolver's cache in a file, so that a restart does not begin from nothing.
 *
 * Written when we stop and every few hours, never twice within one: flash wears out. Without the file,
 * with a damaged one or a full disk we do without.
 */

import type { Resolver } from '#resolver';
import { type Runtime, RuntimeError } from '#runtime';

/** Milliseconds between two writings while running. */
export const SAVE_MS = 6 * 3_600_000;

/** Seconds in which it is written once at most, restarts included. */
export const MIN_SAVE_SECONDS = 3600;

/** Who looks at it sees which names were asked for. */
const PRIVATE = 0o600;

/** The file in the data directory. */
export const cachePath = (directory: string): string => `${directory}/cache.bin`;

/** Reads the cache and keeps the file fresh until disposed, which writes it a last time. */
export async function keepCache(
  { files, clock, log }: Pick<Runtime, 'files' | 'clock' | 'log'>,
  directory: string,
  resolver: Pick<Resolver, 'saveCache' | 'restoreCache'>,
): Promise<AsyncDisposable> {
  const path = cachePath(directory);
  let written = await restore();
  let stopped = false;
  let cancel = clock.after(SAVE_MS, tick);
  let saving = Promise.resolve();

  async function restore(): Promise<number> {
    const bytes = await files.read(path).catch(explain('cache-not-read'));
    if (bytes === undefined) return Number.NEGATIVE_INFINITY;
    const restored = resolver.restoreCache(bytes);
    if (restored.ok) log('info', 'cache-restored', { facts: restored.facts });
    else log('info', 'cache-not-restored', { reason: restored.reason });
    return restored.ok ? restored.written : Number.NEGATIVE_INFINITY;
  }

  async function save(): Promise<void> {
    // In either direction: a date that went back would keep us from writing until it is there again.
    if (Math.abs(clock.now() - written) < MIN_SAVE_SECONDS) return;
    const bytes = resolver.saveCache();
    if (bytes === undefined) return;
    written = clock.now();
    await files.replace(path, bytes, PRIVATE).catch(explain('cache-not-saved'));
  }

  function tick(): void {
    saving = save();
    if (!stopped) cancel = clock.after(SAVE_MS, tick);
  }

  function explain(event: string): (error: unknown) => undefined {
    return (error) => {
      if (!(error instanceof RuntimeError)) throw error;
      log('warn', event, { code: error.code });
    };
  }

  return {
    async [Symbol.asyncDispose]() {
      stopped = true;
      cancel();
      await saving;
      await save();
    },
  };
}
