/**
 * Server-sent events: what happens in nymote, pushed to the browsers that watch.
 *
 * ```
 *   connect ──► resume from the ring, or `gap` ──► live ──► closed
 *                                                   │  reader gone, reader too slow,
 *                                                   └─ session over, or we stop
 * ```
 * Event ids are `<start>-<number>`: a reader that comes back with an id of an earlier start, or one
 * that has left the ring, gets a `gap` event and reads everything again.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */

import type { Clock } from '#runtime';
import type { LiveEvent } from './backend.ts';

/** How many events a reader may have missed and still resume. */
const RING_EVENTS = 256;
/** Browsers at the same time; each holds a connection and a queue. */
export const MAX_STREAMS = 8;
/** A reader this far behind is dropped; it comes back and resumes. */
const MAX_QUEUED = 128;
/** Shorter than any proxy's or NAT's idle time that we know of. */
export const KEEPALIVE_MS = 15_000;

const TOPICS = ['question', 'head', 'tunnel', 'status'] as const;
export type Topic = (typeof TOPICS)[number];

export type StreamOptions = {
  /** Empty: all. */
  readonly topics: ReadonlySet<string>;
  readonly lastEventId: string | undefined;
  /** Asked at each keep-alive: a signed-out browser is cut off. */
  readonly isWelcome: () => boolean | Promise<boolean>;
};

export type EventHub = {
  /** The body of a stream, or undefined when there are too many. */
  open(options: StreamOptions): ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  /** Ends all streams. */
  close(): void;
};

type Entry = { readonly number: number; readonly event: LiveEvent };
type Reader = { readonly send: (text: string) => void; readonly topics: ReadonlySet<string> };
type Controller = ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;

const encoder = new TextEncoder();

/** Tells whether a client may ask for `topic`. */
export function isTopic(topic: string): topic is Topic {
  return (TOPICS as readonly string[]).includes(topic);
}

/** Keeps a ring of what `subscribe` reports and streams it to readers. */
export function createEventHub(
  clock: Pick<Clock, 'now' | 'after'>,
  subscribe: (listener: (event: LiveEvent) => void) => () => void,
): EventHub {
  const start = Math.floor(clock.now() * 1000).toString(36);
  const ring: Entry[] = [];
  const readers = new Set<Reader>();
  const endings = new Set<() => void>();
  let number = 0;

  const cancel = subscribe((event) => {
    number += 1;
    const entry = { number, event };
    ring.push(entry);
    if (ring.length > RING_EVENTS) ring.shift();
    // Every DNS answer comes by here: it is put into words only for somebody.
    if (readers.size === 0) return;
    const frame = frameOfEntry(start, entry);
    for (const reader of readers) {
      if (wants(reader.topics, event.topic)) reader.send(frame);
    }
  });

  return {
    open(options) {
      if (endings.size >= MAX_STREAMS) return undefined;
      const missed = missedBy(options, ring, start, number);
      return stream(clock, options, missed, readers, endings);
    },
    close() {
      cancel();
      for (const end of endings) end();
    },
  };
}

function stream(
  clock: Pick<Clock, 'after'>,
  options: StreamOptions,
  missed: readonly string[],
  readers: Set<Reader>,
  endings: Set<() => void>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let controller: Controller | undefined;
  let stopKeepalive = () => {};
  const reader: Reader = { topics: options.topics, send };

  function send(text: string): void {
    controller?.enqueue(encoder.encode(text));
    // Only what the reader has not taken counts; the burst of a resume fits (RING_EVENTS).
    if ((controller?.desiredSize ?? 0) <= -MAX_QUEUED) end();
  }

  function forget(): void {
    stopKeepalive();
    readers.delete(reader);
    endings.delete(end);
    controller = undefined;
  }

  function end(): void {
    const last = controller;
    forget();
    last?.close();
  }

  async function keepAlive(): Promise<void> {
    // A failing check is no permission.
    const isWelcome = await Promise.resolve(options.isWelcome()).catch(() => false);
    if (controller === undefined) return;
    if (!isWelcome) return end();
    send(': still here\n\n');
    if (controller !== undefined) wait();
  }

  function wait(): void {
    stopKeepalive = clock.after(KEEPALIVE_MS, () => void keepAlive());
  }

  endings.add(end);
  return new ReadableStream(
    {
      start(opened: Controller) {
        controller = opened;
        readers.add(reader);
        controller.enqueue(encoder.encode(`retry: 2000\n\n${missed.join('')}`));
        wait();
      },
      cancel: forget,
    },
    { highWaterMark: 1 },
  );
}

/** What a returning reader gets first: the events it missed, or the news that some are lost. */
function missedBy(
  options: StreamOptions,
  ring: readonly Entry[],
  start: string,
  newest: number,
): string[] {
  const last = options.lastEventId;
  if (last === undefined || last === '') return [];
  const seen = /^([0-9a-z]{1,16})-(\d{1,15})$/.exec(last);
  const number = Number(seen?.[2]);
  const oldest = ring[0]?.number ?? newest + 1;
  const isHeld = seen?.[1] === start && number >= oldest - 1 && number <= newest;
  if (!isHeld) return [frameOf(`${start}-${newest}`, 'gap', '{}')];
  return ring
    .filter((entry) => entry.number > number && wants(options.topics, entry.event.topic))
    .map((entry) => frameOfEntry(start, entry));
}

function wants(topics: ReadonlySet<string>, topic: string): boolean {
  return topics.size === 0 || topics.has(topic);
}

function frameOfEntry(start: string, { number, event }: Entry): string {
  return frameOf(`${start}-${number}`, event.topic, JSON.stringify(event.data));
}

/** `data` is JSON, which has no line ends outside strings and escapes them inside. */
function frameOf(id: string, event: string, data: string): string {
  return `id: ${id}\nevent: ${event}\ndata: ${data}\n\n`;
}
