/**
 * Names going out: a suffix that was written before becomes a pointer (RFC 1035 §4.1.4).
 *
 * Only octets that are the same in case too are shared, so that a reader gets back what was put
 * in. The memory of suffixes is a fixed table and each look-up is a few steps: building an answer
 * cannot be made expensive (CVE-2024-8508).
 */

import type { Name } from '../name.ts';

/** The length prefix of TCP has 16 bits (RFC 1035 §4.2.2). */
export const MAX_MESSAGE = 0xffff;
/** Two names and a record's header: what may be written before a limit is looked at. */
const SPARE = 1024;
/** Pointers have 14 bits. */
const MAX_TARGET = 0x3fff;
/** Suffixes remembered; a power of two. */
const SLOTS = 1024;
/** How many slots are tried before a suffix is written out or not remembered. */
const PROBES = 4;
const MAX_LABELS = 127;
/** Octets compared in one message; names made to collide end compression, not the CPU. */
const MAX_COMPARED = 0x40000;

/** The message being written. `end` is the limit; `bytes` reaches further. */
export type Writer = { readonly bytes: Uint8Array; at: number; end: number };

// One message at a time is put together here; nothing is awaited in between. A slot is valid when
// its round is the present one, so that a new message need not clear the table.
const bytes = new Uint8Array(MAX_MESSAGE + SPARE);
const hashes = new Uint32Array(SLOTS);
const targets = new Uint16Array(SLOTS);
const rounds = new Uint32Array(SLOTS);
let round = 0;
let lastName: Pick<Name, 'wire'> | undefined;
let lastTarget = 0;
let compared = 0;
const starts = new Uint8Array(MAX_LABELS + 1);
const suffixHashes = new Uint32Array(MAX_LABELS + 1);

/** Starts a new message in the shared buffer: the one before must have been copied out. */
export function beginMessage(): Writer {
  round = (round + 1) >>> 0;
  if (round === 0) rounds.fill(0);
  lastName = undefined;
  compared = 0;
  return { bytes, at: 0, end: MAX_MESSAGE };
}

/** Goes back to `at` and forgets the suffixes beyond. */
export function rewind(writer: Writer, at: number): void {
  writer.at = at;
  for (let slot = 0; slot < SLOTS; slot++) if ((targets[slot] as number) >= at) rounds[slot] = 0;
  if (lastTarget >= at) lastName = undefined;
}

/** Writes a name, compressed as far as what was written before allows. */
export function writeName(writer: Writer, name: Pick<Name, 'wire'>, remember: boolean): void {
  const { wire } = name;
  if (name === lastName) {
    writePointer(writer, lastTarget);
    return;
  }
  const count = measure(wire);
  const start = writer.at;
  let known = -1;
  let label = 0;
  for (; label < count; label++) {
    known = find(wire, label);
    if (known >= 0) break;
  }
  const stop = label < count ? (starts[label] as number) : wire.length - 1;
  for (let i = 0; i < stop; i++) bytes[start + i] = wire[i] as number;
  writer.at = start + stop;
  if (known >= 0) writePointer(writer, known);
  else bytes[writer.at++] = 0;
  if (!remember) return;
  for (let i = 0; i < label; i++) store(suffixHashes[i] as number, start + (starts[i] as number));
  const target = label === 0 ? known : start;
  if (count > 0 && target <= MAX_TARGET) {
    lastName = name;
    lastTarget = target;
  }
}

function writePointer(writer: Writer, target: number): void {
  bytes[writer.at] = 0xc0 | (target >> 8);
  bytes[writer.at + 1] = target;
  writer.at += 2;
}

/** Notes where each label begins and a hash of the suffix from there on (FNV-1a, right to left). */
function measure(wire: Uint8Array): number {
  let count = 0;
  for (let at = 0; wire[at] !== 0; at += (wire[at] as number) + 1) starts[count++] = at;
  let hash = 0x811c9dc5;
  for (let label = count - 1; label >= 0; label--) {
    const first = starts[label] as number;
    const last = first + (wire[first] as number);
    for (let at = first; at <= last; at++)
      hash = Math.imul(hash ^ (wire[at] as number), 0x01000193);
    suffixHashes[label] = hash;
  }
  return count;
}

function find(wire: Uint8Array, label: number): number {
  const hash = suffixHashes[label] as number;
  for (let probe = 0; probe < PROBES; probe++) {
    const slot = (hash + probe) & (SLOTS - 1);
    if (rounds[slot] !== round) return -1;
    const target = targets[slot] as number;
    if (hashes[slot] === hash && isSame(wire, starts[label] as number, target)) return target;
  }
  return -1;
}

/** Compares a suffix with what was written at `target`, following our own pointers. */
function isSame(wire: Uint8Array, start: number, target: number): boolean {
  let at = target;
  let i = start;
  while (compared < MAX_COMPARED) {
    const length = bytes[at] as number;
    if (length >= 0xc0) {
      at = ((length & 0x3f) << 8) | (bytes[at + 1] as number);
      continue;
    }
    compared += length + 1;
    for (const last = at + length; at <= last; at++, i++) if (bytes[at] !== wire[i]) return false;
    if (length === 0) return true;
  }
  return false;
}

function store(hash: number, target: number): void {
  if (target > MAX_TARGET) return;
  for (let probe = 0; probe < PROBES; probe++) {
    const slot = (hash + probe) & (SLOTS - 1);
    if (rounds[slot] === round) continue;
    rounds[slot] = round;
    hashes[slot] = hash;
    targets[slot] = target;
    return;
  }
}
