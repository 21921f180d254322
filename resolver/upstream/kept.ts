/**
 * One connection that is opened when it is needed, kept while it is used, and opened again when it
 * breaks: after a pause that grows while the other side is not there.
 *
 * @see RFC 7858 §3.4, RFC 7766 §6.2.3: connections are reused, and end when nobody needs them
 */

import type { Clock } from '#runtime';

/** Milliseconds without a question until the connection is closed. */
export const KEPT_MILLISECONDS = 15_000;
/** Milliseconds until the next attempt after the first that failed; twice as many each time … */
export const FIRST_PAUSE = 500;
/** … up to this: a router that comes back should not stay without names. */
export const MAX_PAUSE = 10_000;

export type Keepable = AsyncDisposable & { readonly isOpen: boolean };

export type Kept<C> = AsyncDisposable & {
  readonly isOpen: boolean;
  /** The connection, opened if need be; rejects with why that failed, also while a pause lasts. */
  get(): Promise<C>;
  /** Notes that it was used just now. */
  touch(): void;
  /** Gives `connection` up, if it is still the one. */
  drop(connection: C): void;
};

/** Keeps what `open` opens. */
export function createKept<C extends Keepable>(
  clock: Pick<Clock, 'monotonic' | 'after'>,
  open: () => Promise<C>,
): Kept<C> {
  let current: C | undefined;
  let opening: Promise<C> | undefined;
  let failure:
    | { readonly thrown: unknown; readonly until: number; readonly pause: number }
    | undefined;
  let cancelIdle = () => {};
  let isClosed = false;

  function drop(connection: C): void {
    if (current !== connection) return;
    current = undefined;
    cancelIdle();
    void connection[Symbol.asyncDispose]();
  }

  async function reopen(): Promise<C> {
    try {
      const opened = await open();
      if (isClosed) {
        await opened[Symbol.asyncDispose]();
        throw new Error('closed meanwhile');
      }
      failure = undefined;
      current = opened;
      touch();
      return opened;
    } catch (thrown) {
      const pause = Math.min((failure?.pause ?? FIRST_PAUSE / 2) * 2, MAX_PAUSE);
      failure = { thrown, pause, until: clock.monotonic() + pause };
      throw thrown;
    } finally {
      opening = undefined;
    }
  }

  function touch(): void {
    cancelIdle();
    cancelIdle = clock.after(KEPT_MILLISECONDS, () => current && drop(current));
  }

  return {
    get isOpen() {
      return current?.isOpen === true;
    },
    get() {
      if (current?.isOpen === true) return Promise.resolve(current);
      if (current !== undefined) drop(current);
      if (opening !== undefined) return opening;
      if (failure !== undefined && clock.monotonic() < failure.until) {
        return Promise.reject(failure.thrown);
      }
      opening = reopen();
      return opening;
    },
    touch,
    drop,
    async [Symbol.asyncDispose]() {
      isClosed = true;
      if (current !== undefined) drop(current);
    },
  };
}
