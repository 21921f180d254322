/**
 * Ways to spoil a DNS packet that was right: what networks, bugs and attackers do to them.
 */

import type { Draw } from '../conformance/side-by-side-questions.ts';

const HEADER = 12;

type Mutation = (packet: Uint8Array, draw: Draw, corpus: readonly Uint8Array[]) => Uint8Array;

/** An offset behind the id, so that the reply still finds its question. */
const place = (packet: Uint8Array, draw: Draw) => 2 + draw(Math.max(1, packet.length - 2));

const flip: Mutation = (packet, draw) => {
  const spoiled = packet.slice();
  for (let left = 1 + draw(4); left > 0; left--) {
    const at = place(packet, draw);
    spoiled[at] = (spoiled[at] ?? 0) ^ (1 << draw(8));
  }
  return spoiled;
};

const overwrite: Mutation = (packet, draw) => {
  const spoiled = packet.slice();
  const at = place(packet, draw);
  for (let left = 1 + draw(8); left > 0; left--) spoiled[at + left - 1] = draw(256);
  return spoiled;
};

const truncate: Mutation = (packet, draw) => packet.slice(0, draw(packet.length + 1));

/** Section counts that lie. */
const miscount: Mutation = (packet, draw) => {
  const spoiled = packet.slice();
  const at = 4 + 2 * draw(4);
  spoiled[at] = draw(3) === 0 ? draw(256) : 0;
  spoiled[at + 1] = draw(256);
  return spoiled;
};

/** Compression pointers to anywhere: forward, to themselves, in circles. */
const point: Mutation = (packet, draw) => {
  const spoiled = packet.slice();
  const at = HEADER + draw(Math.max(1, packet.length - HEADER - 1));
  const target = draw(3) === 0 ? at : draw(packet.length);
  spoiled[at] = 0xc0 | (target >> 8);
  spoiled[at + 1] = target & 255;
  return spoiled;
};

/** Two octets that may be a length become one that is too small, too large or huge. */
const lie: Mutation = (packet, draw) => {
  const spoiled = packet.slice();
  const at = HEADER + draw(Math.max(1, packet.length - HEADER - 1));
  const lies = [0, 1, 0xff, 0xffff, packet.length, (spoiled[at + 1] ?? 0) + 1];
  const length = lies[draw(lies.length)] ?? 0;
  spoiled[at] = length >> 8;
  spoiled[at + 1] = length & 255;
  return spoiled;
};

/** The head of one and the tail of another. */
const splice: Mutation = (packet, draw, corpus) => {
  const other = corpus[draw(Math.max(1, corpus.length))] ?? packet;
  const head = packet.subarray(0, HEADER + draw(Math.max(1, packet.length - HEADER)));
  return Uint8Array.of(...head, ...other.subarray(draw(other.length)));
};

/** The records of another answer under this one's head and question. */
const swapSections: Mutation = (packet, draw, corpus) => {
  const other = corpus[draw(Math.max(1, corpus.length))] ?? packet;
  const records = other.subarray(endOfQuestion(other));
  const head = packet.slice(0, endOfQuestion(packet));
  head.set(other.subarray(6, HEADER), 6);
  return Uint8Array.of(...head, ...records);
};

const flags: Mutation = (packet, draw) => {
  const spoiled = packet.slice();
  spoiled[2] = 0x80 | draw(128);
  spoiled[3] = draw(256);
  return spoiled;
};

const repeat: Mutation = (packet) =>
  Uint8Array.of(...packet, ...packet.subarray(endOfQuestion(packet)));

const MUTATIONS: readonly Mutation[] = [
  ...[flip, flip, overwrite, truncate, miscount, point, point, lie, lie],
  ...[splice, swapSections, swapSections, flags, repeat],
];

/** Where the first question ends, in packets that are right. */
export function endOfQuestion(packet: Uint8Array): number {
  let at = HEADER;
  while ((packet[at] ?? 0) !== 0) at += 1 + (packet[at] ?? 0);
  return Math.min(at + 5, packet.length);
}

/** Spoils a packet in one to three ways. */
export function mutate(packet: Uint8Array, draw: Draw, corpus: readonly Uint8Array[]): Uint8Array {
  let spoiled = packet;
  for (let left = 1 + draw(3); left > 0; left--) {
    const mutation = MUTATIONS[draw(MUTATIONS.length)];
    if (mutation !== undefined && spoiled.length > HEADER)
      spoiled = mutation(spoiled, draw, corpus);
  }
  return spoiled;
}
