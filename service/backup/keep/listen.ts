/** The port for guests: TLS with a key of this machine's own, or with the certificate that was named. */

import { type Runtime, RuntimeError, type SecureListener } from '#runtime';
import type { Config } from '../../config.ts';
import type { Current } from '../../current.ts';
import { createKeptServer, type Host } from './serve.ts';

/** Every address of the machine, one socket for each family. */
const EVERYWHERE = ['0.0.0.0', '::'];
/** A street's, and not enough to be in the way of the house. */
const ROOM = { connections: 64, perSource: 16 };
const LOOK_MS = 3_600_000;

export type Listening = AsyncDisposable & {
  /** By which guests know this machine; undefined when an authority vouches for it. */
  readonly pin: string | undefined;
  readonly warnings: () => readonly string[];
};

/** Listens until disposed. Fails with RuntimeError when nobody could come at all. */
export async function listenForGuests(
  runtime: Runtime,
  config: Config,
  { own }: Pick<Current, 'own'>,
  find: (name: string) => Host | undefined,
): Promise<Listening> {
  // What makes certificates is large, and most machines keep nothing for others.
  const { holdCredentials } = await import('../../dns/credentials.ts');
  // A key apart from the resolver's: its certificate is for other names.
  const place = { ...config, data: `${config.data}/kept` };
  const hold = () => holdCredentials(runtime, place, { names: [own().fqdn], addresses: [] });
  await runtime.files.makeDirectory(place.data, 0o700);
  let held = await hold();
  let problem: string | undefined;
  const opened = new AsyncDisposableStack();
  const listeners: SecureListener[] = [];
  const failures: RuntimeError[] = [];
  const handle = createKeptServer({ ...runtime, find });
  for (const address of EVERYWHERE) {
    try {
      const local = { address, port: config.keepPort };
      const listener = await runtime.http.listenSecurely(local, held.credentials, handle, ROOM);
      listeners.push(opened.use(listener));
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      failures.push(error);
    }
  }
  const [failure] = failures;
  if (listeners.length === 0 && failure !== undefined) throw failure;
  // A machine without one of the two families misses nothing.
  const deaf = failures
    .filter(({ code }) => code !== 'unreachable')
    .map(({ message }) => `Not everybody whose backups are kept here can come: ${message}.`);

  async function look(): Promise<void> {
    try {
      held = await hold();
      for (const listener of listeners) listener.replaceCredentials(held.credentials);
      problem = undefined;
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      problem = `The certificate for backups of others cannot be renewed: ${error.message}.`;
    }
  }
  let cancel = runtime.clock.after(LOOK_MS, again);
  function again(): void {
    void look().finally(() => {
      if (!opened.disposed) cancel = runtime.clock.after(LOOK_MS, again);
    });
  }
  return {
    pin: held.isOwn ? held.facts.pin : undefined,
    warnings: () => [...deaf, ...(problem === undefined ? [] : [problem])],
    async [Symbol.asyncDispose]() {
      cancel();
      await opened.disposeAsync();
    },
  };
}
