/**
 * The datapath as the pipeline sees it: there or not, and which answers it may repeat.
 *
 * An answer may be repeated when every ruling on its way says so, for the same view: one name on a
 * chain of aliases that may not is enough against it (I10). What was denied, failed or came with an
 * explanation is asked for again each time.
 */

import { type Endpoint, type Runtime, RuntimeError, type Udp } from '#runtime';
import { LAST_PART } from '../cache/worth.ts';
import type { Askers } from '../datapath/askers.ts';
import {
  createDatapath,
  type Datapath,
  type DatapathStats,
  type Hit,
} from '../datapath/datapath.ts';
import { type Name, nameFromWire } from '../message/name.ts';
import { RCODE } from '../message/type.ts';
import type { Answered, Before, Reusable, Ruling } from './answering.ts';

/** A question that a thread answered. */
export type LaneHit = Pick<Hit, 'asker' | 'rcode' | 'isFromZone'> & {
  readonly name: Name;
  readonly type: number;
};

/** A hook that remembers its rulings on one question. */
type Watched = {
  readonly before: Before;
  /** The answer about to be sent to `asker` may be given again, as far as the rulings say. */
  allow(answered: Answered, asker: Endpoint): void;
};

export type FastLane = AsyncDisposable & {
  /** The sockets to listen with: the threads', or the plain ones. */
  open(): Promise<Udp>;
  start(): void;
  setAskers(askers: Askers): void;
  flush(): void;
  watch(before: Before): Watched;
  stats(): DatapathStats | string;
};

type Seams = Pick<Runtime, 'clock' | 'random' | 'udp' | 'log' | 'memoryBytes' | 'batchUdp'>;

/** Opens the datapath as wanted: 'on' fails with RuntimeError 'not-found' where it cannot be had. */
export function createFastLane(
  runtime: Seams,
  wanted: 'auto' | 'on' | 'off',
  hear: (hit: LaneHit) => void,
): FastLane {
  let datapath: Datapath | undefined;
  let absent = 'off, as you set it';
  let askers: Askers | undefined;

  async function open(): Promise<Udp> {
    if (wanted === 'off') return runtime.udp;
    const batch = (await runtime.batchUdp?.()) ?? 'not on this runtime';
    if (typeof batch === 'string') {
      absent = batch;
      if (wanted === 'on') throw new RuntimeError('not-found', `no datapath: ${batch}`);
      runtime.log('info', 'datapath-absent', { reason: batch });
      return runtime.udp;
    }
    datapath = createDatapath(runtime, batch, (hit) => {
      const read = readQuestion(hit.question);
      if (read !== undefined) hear({ ...hit, ...read });
    });
    if (askers !== undefined) datapath.setAskers(askers);
    return datapath.udp;
  }

  return {
    open,
    start: () => datapath?.start(),
    setAskers(next) {
      askers = next;
      datapath?.setAskers(next);
    },
    flush() {
      if (askers !== undefined) datapath?.setAskers(askers);
    },
    watch(before) {
      const path = datapath;
      return path === undefined ? { before, allow: () => undefined } : watch(path, before);
    },
    stats: () => datapath?.stats() ?? absent,
    async [Symbol.asyncDispose]() {
      await datapath?.[Symbol.asyncDispose]();
    },
  };
}

function watch(datapath: Datapath, before: Before): Watched {
  const rulings: Ruling[] = [];
  const remember = (ruling: Ruling): Ruling => {
    rulings.push(ruling);
    return ruling;
  };
  return {
    before(question, asker, transport) {
      const ruling = before(question, asker, transport);
      return ruling instanceof Promise ? ruling.then(remember) : remember(ruling);
    },
    allow(answered, asker) {
      const reusable = isRepeatable(answered) ? combine(rulings) : undefined;
      if (reusable === undefined) return;
      // Of a zone here the DS may have come from elsewhere.
      const isOurs = answered.from === 'zone';
      const isFromZone = isOurs && rulings.every(({ kind }) => kind === 'zone');
      const most = isFromZone ? reusable.seconds : beforeLastPart(answered);
      const seconds = Math.min(reusable.seconds, most);
      datapath.allow(asker, { ...reusable, seconds, isFromZone });
    },
  };
}

/** Seconds until questions should come here again, so that what nears its end can be refreshed. */
function beforeLastPart({ response }: Answered): number {
  const ttls = [...response.answers, ...response.authorities].map(({ ttl }) => ttl);
  return Math.min(...ttls) * (1 - LAST_PART);
}

function isRepeatable({ response, from, error }: Answered): boolean {
  const isAnswer = response.rcode === RCODE.NOERROR || response.rcode === RCODE.NXDOMAIN;
  return isAnswer && from !== 'policy' && error === undefined;
}

/** What all rulings allow together. */
function combine(rulings: readonly Ruling[]): Reusable | undefined {
  const all = rulings.map((ruling) => ('reuse' in ruling ? ruling.reuse : undefined));
  const [first] = all;
  if (first === undefined) return undefined;
  let { seconds } = first;
  for (const each of all) {
    if (each?.view !== first.view) return undefined;
    seconds = Math.min(seconds, each.seconds);
  }
  return { view: first.view, seconds };
}

function readQuestion(octets: Uint8Array): { name: Name; type: number } | undefined {
  const end = octets.length - 4;
  const name = nameFromWire(octets.subarray(0, end));
  if (name === undefined) return undefined;
  return { name, type: ((octets[end] as number) << 8) | (octets[end + 1] as number) };
}
