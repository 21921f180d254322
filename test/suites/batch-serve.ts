/** What a thread does in the suite of batched datagrams: it echoes, fails when told to, or passes on. */

import type { BatchIo } from '#runtime';

/** A first octet that says what to do. */
export const ORDER = { echo: 1, fail: 2, pass: 3 } as const;

/** Words of the shared memory: who answered how often, then the last route and its datagram. */
export const ROUTE_AT = 64;

/** Runs in the thread. */
export function serveBatches(io: BatchIo): void {
  const counts = new Int32Array(io.shared);
  const bytes = new Uint8Array(io.shared);
  for (;;) {
    const count = io.receive();
    if (count < 0) return;
    let replies = 0;
    for (let index = 0; index < count; index++) {
      const start = index * io.stride;
      const length = io.lengthOf(index);
      if (io.received[start] === ORDER.fail) throw new Error('as told');
      if (io.received[start] === ORDER.pass) {
        bytes[ROUTE_AT] = io.socket();
        io.copyRoute(index, bytes, ROUTE_AT + 1);
        io.ring(7);
        continue;
      }
      io.replies.set(io.received.subarray(start, start + length), replies * io.stride);
      io.put(replies++, index, length);
    }
    if (replies > 0) io.flush(replies);
    Atomics.add(counts, io.thread, replies);
  }
}
