/**
 * Messages on a byte stream: two octets of length, then the message.
 *
 * @see RFC 1035 §4.2.2, RFC 7766 §8: length and message belong in one write
 */

/** Cuts a stream into messages; an incomplete last one is dropped. Holds what arrived, no more. */
export async function* unframe(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let store: Uint8Array = new Uint8Array(0);
  let used = 0;
  for await (const chunk of chunks) {
    store = withRoom(store, used, chunk.length);
    store.set(chunk, used);
    used += chunk.length;
    let at = 0;
    while (used - at >= 2) {
      const end = at + 2 + (((store[at] ?? 0) << 8) | (store[at + 1] ?? 0));
      if (end > used) break;
      yield store.slice(at + 2, end);
      at = end;
    }
    store.copyWithin(0, at, used);
    used -= at;
  }
}

/** Doubles, so that a message sent octet by octet is not copied once for each. */
function withRoom(store: Uint8Array, used: number, more: number): Uint8Array {
  if (used + more <= store.length) return store;
  const larger = new Uint8Array(Math.max(used + more, store.length * 2));
  larger.set(store.subarray(0, used));
  return larger;
}

/** Puts the length in front of a message. */
export function frame(message: Uint8Array): Uint8Array {
  if (message.length > 0xffff) throw new Error('unreachable: the encoder keeps to 65 535 octets');
  const framed = new Uint8Array(message.length + 2);
  framed[0] = message.length >> 8;
  framed[1] = message.length & 0xff;
  framed.set(message, 2);
  return framed;
}
