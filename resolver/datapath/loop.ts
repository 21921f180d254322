/**
 * What a thread of the datapath does all day: take a batch, answer what is in shared memory, hand
 * the rest to the main thread.
 *
 * It decides nothing: it repeats what the main thread has said to the same view since the last
 * change of policy, zone or devices (I10). It loads nothing but this folder's small files.
 */

import type { BatchIo } from '#runtime';
import { viewOf } from './askers.ts';
import {
  type Arena,
  EVENT_RING_BYTES,
  HEAD,
  headWord,
  MISS_RING_BYTES,
  mapArena,
  ringBytes,
  THREAD,
  threadWord,
} from './layout.ts';
import { type Asked, createAsked, readAsked } from './question.ts';
import { createTableReader, type TableReader } from './reader.ts';
import { commit, type RingPlace, reserve } from './ring.ts';

/** What a thread rings for. */
export const SOUND = { miss: 1, event: 2 } as const;

/** Octets of a sender, sockaddr_in or sockaddr_in6 with room. */
export const SENDER_BYTES = 32;
/** In front of a miss: the sender, the number of the socket. */
export const MISS_HEAD = SENDER_BYTES + 8;
/** In front of an event's question: the sender, the return code, whether it is from our zone. */
export const EVENT_HEAD = SENDER_BYTES + 8;
/** Words of a sender. */
const SENDER_WORDS = SENDER_BYTES / 4;

const HEADER = 12;

/** The rings from a thread to the main one. */
export function ringsOf(arena: Arena, thread: number): { miss: RingPlace; event: RingPlace } {
  const { miss, event } = ringBytes(arena, thread);
  const word = (field: number): number => threadWord(thread, field);
  return {
    miss: {
      head: word(THREAD.missHead),
      tail: word(THREAD.missTail),
      start: miss,
      size: MISS_RING_BYTES,
    },
    event: {
      head: word(THREAD.eventHead),
      tail: word(THREAD.eventTail),
      start: event,
      size: EVENT_RING_BYTES,
    },
  };
}

/** Serves until the thread is to end. */
export function serveBatches(io: BatchIo): void {
  const arena = mapArena(io.shared);
  const { words } = arena;
  const { stride } = io;
  const reader = createTableReader(arena, io.thread, io);
  const teller = createTeller(io, arena, reader);
  const epochWord = headWord(HEAD.epoch);
  const hitsWord = threadWord(io.thread, THREAD.hits);
  const batch: Place[] = [];
  const prepare = createPreparing(io, arena, reader, batch);
  // Who served here before may have died before its ringing was heard: nobody would ring again.
  for (const field of [THREAD.missRung, THREAD.eventRung]) {
    Atomics.store(words, threadWord(io.thread, field), 0);
  }

  for (;;) {
    const count = io.receive();
    if (count < 0) return;
    const epoch = Atomics.load(words, epochWord);
    const now = Math.floor(io.now());
    prepare(count);
    let replies = 0;
    for (let index = 0; index < count; index++) {
      const { asked, view, place } = batch[index] as Place;
      const to = replies * stride;
      const length =
        place < 0 ? 0 : reader.answer(place, asked, index * stride, view, epoch, now, to);
      if (length === 0) teller.handOver(index);
      else {
        teller.tellHit(index, replies, asked.end);
        io.put(replies++, index, length);
      }
    }
    if (replies > 0) {
      io.flush(replies);
      words[hitsWord] = ((words[hitsWord] as number) + replies) | 0;
    }
    teller.ring();
  }
}

/** A datagram of a batch: what it asks, for whom (0: nobody), and where the answer may be, or -1. */
type Place = { readonly asked: Asked; view: number; place: number };

/**
 * Reads all questions and looks for all answers before the first is copied: a processor waits for
 * memory once for many then, where one after the other would each wait alone.
 */
function createPreparing(
  io: BatchIo,
  arena: Arena,
  reader: TableReader,
  batch: Place[],
): (count: number) => void {
  const { words } = arena;
  const { stride } = io;
  const seed = words[headWord(HEAD.seed)] as number;
  const fence = threadWord(io.thread, THREAD.fence);
  const read = (index: number, into: Place): void => {
    const isRead = readAsked(io.received, index * stride, io.lengthOf(index), seed, into.asked);
    into.view = isRead ? viewOf(arena, io.senders, index * SENDER_WORDS) : 0;
  };
  return (count) => {
    while (batch.length < count) batch.push({ asked: createAsked(), view: 0, place: -1 });
    for (let index = 0; index < count; index++) read(index, batch[index] as Place);
    for (let index = 0; index < count; index++) {
      const each = batch[index] as Place;
      each.place = each.view === 0 ? -1 : reader.find(each.asked, each.view);
    }
    let seen = 0;
    for (let index = 0; index < count; index++) {
      const { place } = batch[index] as Place;
      if (place >= 0) seen ^= reader.touch(place);
    }
    // Or else engines leave out what is read to no end.
    words[fence] = seen;
  };
}

type Teller = {
  /** A question for the main thread. */
  handOver(index: number): void;
  /** An answer for the live log. */
  tellHit(index: number, reply: number, questionEnd: number): void;
  /** Wakes the main thread, once until it has looked. */
  ring(): void;
};

function createTeller(io: BatchIo, arena: Arena, reader: TableReader): Teller {
  const { words, bytes } = arena;
  const { miss, event } = ringsOf(arena, io.thread);
  const word = (field: number): number => threadWord(io.thread, field);
  const [misses, dropped, unseen] = [
    word(THREAD.misses),
    word(THREAD.dropped),
    word(THREAD.unseen),
  ];
  const wantsEvents = headWord(HEAD.wantsEvents);
  let hasMisses = false;
  let hasEvents = false;
  /** The live log has heard enough until the next batch. */
  let isFull = false;

  const count = (field: number): void => {
    words[field] = ((words[field] as number) + 1) | 0;
  };
  const copySender = (index: number, at: number): void => {
    for (let part = 0; part < SENDER_WORDS; part++) {
      words[(at >>> 2) + part] = io.senders[index * SENDER_WORDS + part] as number;
    }
  };
  const ringOnce = (field: number, sound: number): void => {
    if (Atomics.compareExchange(words, field, 0, 1) === 0) io.ring(sound);
  };

  return {
    handOver(index) {
      const size = io.lengthOf(index);
      const length = MISS_HEAD + io.routeBytes + size;
      const at = reserve(arena, miss, length);
      hasMisses = true;
      if (at < 0) return count(dropped);
      copySender(index, at);
      words[(at + SENDER_BYTES) >>> 2] = io.socket();
      io.copyRoute(index, bytes, at + MISS_HEAD);
      const start = index * io.stride;
      bytes.set(io.received.subarray(start, start + size), at + MISS_HEAD + io.routeBytes);
      commit(arena, miss, length);
      count(misses);
    },
    tellHit(index, reply, questionEnd) {
      if (isFull) return count(unseen);
      if (words[wantsEvents] === 0) return;
      const length = EVENT_HEAD + questionEnd - HEADER;
      const at = reserve(arena, event, length);
      if (at < 0) {
        isFull = true;
        return count(unseen);
      }
      const start = reply * io.stride;
      copySender(index, at);
      words[(at + SENDER_BYTES) >>> 2] = (io.replies[start + 3] as number) & 15;
      words[(at + SENDER_BYTES + 4) >>> 2] = reader.isFromZone() ? 1 : 0;
      bytes.set(io.replies.subarray(start + HEADER, start + questionEnd), at + EVENT_HEAD);
      commit(arena, event, length);
      hasEvents = true;
    },
    ring() {
      if (hasMisses) ringOnce(word(THREAD.missRung), SOUND.miss);
      if (hasEvents) ringOnce(word(THREAD.eventRung), SOUND.event);
      hasMisses = false;
      hasEvents = false;
      isFull = false;
    },
  };
}
