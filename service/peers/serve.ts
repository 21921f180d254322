/**
 * The control port over TCP: enrolment and replication for one's other devices. No session, no
 * cookie, no page: every body is sealed, and what cannot be opened learns nothing.
 */

import { type Endpoint, type Path, type Runtime, RuntimeError } from '#runtime';
import type { Store } from '#storage';
import type { Config } from '../config.ts';
import type { Current } from '../current.ts';
import { commitEndpoints, type Realm } from '../realm.ts';
import { ENROL_PATH, type Enrolment } from './enrol.ts';
import { createReplicationServer, REPLICATE_PATH, type ReplicaNews } from './replicate.ts';
import { createSealing } from './sealed.ts';

type Parties = {
  readonly realm: Realm;
  readonly current: Current;
  readonly enrolment: Enrolment;
  readonly warnings: string[];
};

/** Every address of the machine, one socket for each family. */
const EVERYWHERE = ['0.0.0.0', '::'];

/** Listens until disposed; a port that is taken costs the peers, not the service. */
export async function listenForPeers(
  runtime: Runtime,
  { controlPort: port }: Config,
  { realm, current, enrolment, warnings }: Parties,
): Promise<AsyncDisposable> {
  const { crypto, random, http } = runtime;
  const { store, keys } = realm;
  const heard = hearReplicas(runtime, store);
  const parties = {
    clock: runtime.clock,
    self: keys.id,
    sealing: createSealing(crypto, random, keys.agreement),
    devices: () => current.projection().devices,
    store: () => store,
  };
  const replicate = createReplicationServer(parties, heard);
  const handle = async (request: Request, from: Endpoint | Path): Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (request.method !== 'POST') return new Response(null, { status: 404 });
    if (pathname === REPLICATE_PATH) return replicate(request);
    const canEnrol = pathname === ENROL_PATH && store.isWritable;
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

/** Moves of one device that become commits within an hour: it may travel, not wander. */
const MAX_MOVES = 8;
const HOUR_MS = 3_600_000;

/**
 * Commits where replicas say that they can be reached. A device that says something else each time
 * does not fill the history for it (I6): what came too soon comes again with its next request.
 */
export function hearReplicas(
  { clock, log }: Pick<Runtime, 'clock' | 'log'>,
  store: Store,
): (news: ReplicaNews) => void {
  const moves = new Map<string, readonly number[]>();
  return ({ device, endpoints }) => {
    if (!store.isWritable) return;
    const record = store.state().get('devices')?.get(device);
    if (record === undefined || String(record['endpoints']) === String(endpoints)) return;
    const now = clock.monotonic();
    const recent = (moves.get(device) ?? []).filter((at) => now - at < HOUR_MS);
    if (recent.length >= MAX_MOVES) return;
    moves.set(device, [...recent, now]);
    commitEndpoints(store, device, endpoints).catch((error: unknown) => {
      log('warn', 'endpoints-not-committed', { error: String(error) });
    });
  };
}
