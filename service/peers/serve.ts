/**
 * The control port over TCP: enrolment and synchronisation for one's other devices. No
 * session, no cookie, no page: what matters is sealed, and who is nobody here learns nothing.
 */

import { type Endpoint, type Path, type Runtime, RuntimeError } from '#runtime';
import type { Config } from '../config.ts';
import { createSyncServer, type Listener, SYNC_PATH, type SyncParties } from '../sync/serve.ts';
import type { Enrolment } from './enrol.ts';
import { ENROL_PATH, POLL_PATH } from './enrol-messages.ts';

type Parties = {
  readonly parties: Omit<SyncParties, 'clock' | 'crypto'>;
  readonly enrolment: Enrolment;
  /** Another device was here. */
  readonly heard: Listener;
  readonly warnings: string[];
};

/** Every address of the machine, one socket for each family. */
const EVERYWHERE = ['0.0.0.0', '::'];

/** Listens until disposed; a port that is taken costs the peers, not the service. */
export async function listenForPeers(
  runtime: Runtime,
  { controlPort: port }: Config,
  { parties, enrolment, heard, warnings }: Parties,
): Promise<AsyncDisposable> {
  const { http } = runtime;
  const sync = createSyncServer({ ...runtime, ...parties }, heard);
  const handle = async (request: Request, from: Endpoint | Path): Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith(SYNC_PATH)) return sync(request);
    const canEnrol =
      (pathname === ENROL_PATH || pathname === POLL_PATH) &&
      request.method === 'POST' &&
      parties.store().isWritable;
    if (canEnrol) return enrolment.answer(request, 'address' in from ? from.address : '');
    return new Response(null, { status: 404 });
  };
  const opened = new AsyncDisposableStack();
  const failures: RuntimeError[] = [];
  for (const address of EVERYWHERE) {
    try {
      opened.use(await http.listen({ address, port }, handle));
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      failures.push(error);
    }
  }
  // A machine without one of the two families misses nothing.
  const isNowhere = failures.length === EVERYWHERE.length;
  for (const { code, message } of failures) {
    if (code === 'unreachable' && !isNowhere) continue;
    warnings.push(`Other devices cannot come to port ${port}: ${message}.`);
  }
  return opened;
}
