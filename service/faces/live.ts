/**
 * What happens, as it happens: the last questions in a ring, and one stream of events for the faces.
 */

import type { AnswerEvent, Resolver } from '#resolver';
import type { Clock } from '#runtime';
import type { Store } from '#storage';
import type { TunnelStatus } from '#tunnels';
import type { LiveEvent, Peer, QuestionView } from '#web-admin';
import { FORWARDED, type Household } from '../dns/ruling.ts';

/** Questions kept for a page that is opened later; some 100 KB. */
const QUESTIONS_KEPT = 500;
/** WireGuard tells nobody that a peer changed, so while somebody watches we look. */
const TUNNEL_LOOK_MS = 2_000;

export type Live = Disposable & {
  readonly questions: () => readonly QuestionView[];
  readonly subscribe: (listener: (event: LiveEvent) => void) => () => void;
};

type Sources = {
  readonly clock: Clock;
  readonly store: Pick<Store, 'watch'>;
  readonly resolver: Pick<Resolver, 'onAnswer'>;
  readonly household: () => Household;
  readonly tunnelStatus: () => Promise<TunnelStatus>;
  readonly viewPeer: (peer: TunnelStatus['peers'][number]) => Peer;
};

/** Listens from now on, until disposed. */
export function createLive(sources: Sources): Live {
  const { clock, store, resolver, household } = sources;
  const listeners = new Set<(event: LiveEvent) => void>();
  const ring: QuestionView[] = [];
  let asked = 0;

  const tell = (event: LiveEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const hear = (event: AnswerEvent): void => {
    const view = viewQuestion(event, asked++, household());
    ring.push(view);
    if (ring.length > QUESTIONS_KEPT) ring.shift();
    tell({ topic: 'question', data: view });
  };
  const stopAnswers = resolver.onAnswer(hear);
  const stopStore = store.watch(({ head }) => {
    tell({ topic: 'head', data: { head } });
    tell({ topic: 'status', data: {} });
  });
  const stopTunnels = watchTunnels(clock, sources, () => listeners.size > 0, tell);
  return {
    questions: () => [...ring],
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    [Symbol.dispose]() {
      stopAnswers();
      stopStore();
      stopTunnels();
    },
  };
}

function viewQuestion(event: AnswerEvent, id: number, { devices }: Household): QuestionView {
  const { asker, at, transport, name, type, rcode, from, milliseconds, ede } = event;
  const device = devices.find(({ ipv6, ipv4 }) => ipv6 === asker.address || ipv4 === asker.address);
  return {
    id,
    at,
    asker: {
      address: asker.address === FORWARDED ? 'forwarder' : asker.address,
      ...(device === undefined ? {} : { device: device.name }),
    },
    transport,
    name,
    type,
    rcode,
    from: from === 'local' ? 'policy' : from,
    milliseconds,
    ...(ede === undefined ? {} : { ede: { code: ede.code, text: ede.text } }),
  };
}

function watchTunnels(
  clock: Clock,
  { tunnelStatus, viewPeer }: Pick<Sources, 'tunnelStatus' | 'viewPeer'>,
  isWatched: () => boolean,
  tell: (event: LiveEvent) => void,
): () => void {
  const seen = new Map<string, string>();
  let cancel = clock.after(TUNNEL_LOOK_MS, () => void look());
  let isStopped = false;

  async function look(): Promise<void> {
    if (isWatched()) {
      const { peers } = await tunnelStatus();
      for (const peer of peers) {
        if (seen.get(peer.id) === peer.state) continue;
        seen.set(peer.id, peer.state);
        tell({ topic: 'tunnel', data: viewPeer(peer) });
      }
    }
    if (!isStopped) cancel = clock.after(TUNNEL_LOOK_MS, () => void look());
  }
  return () => {
    isStopped = true;
    cancel();
  };
}
