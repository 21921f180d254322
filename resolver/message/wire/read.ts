/**
 * Names inside a message, with compression: RFC 1035 §4.1.4.
 *
 * A pointer must lead to a smaller offset than the stretch it ends, so a name cannot loop; and all
 * names of a message share one budget, so that many records with long chains of pointers stay
 * cheap too (CVE-2023-4408, I6).
 */

import { keyOf, MAX_LABEL, MAX_NAME, type Name, ROOT } from '../name.ts';

/** What can be wrong with a name. */
export type NameProblem =
  | 'name-past-end'
  | 'bad-label-type'
  | 'bad-pointer'
  | 'name-too-long'
  | 'too-many-pointers'
  | 'work-limit';

/** A name has at most 127 labels, so more pointers than that bring nothing (RFC 1035 §2.3.4). */
export const MAX_POINTERS = 126;
/** Labels and pointers followed per message octet; real messages stay below 3. */
const STEPS_PER_OCTET = 4;
/** Name octets built per message octet; reverse zones of IPv6 come to 5. */
const OCTETS_PER_OCTET = 8;
/** Allowance for the smallest messages. */
const BASE_BUDGET = 1024;
/** How many names of a message are remembered by their offset. */
const REMEMBERED = 16;

/** A message being read. `at` moves; `problem` says why the last name could not be read. */
export type NameReader = {
  readonly bytes: Uint8Array;
  at: number;
  problem: NameProblem | undefined;
  steps: number;
  octets: number;
  size: number;
  readonly offsets: number[];
  readonly names: Name[];
  turn: number;
};

/** Starts reading at the beginning of `bytes`. */
export function nameReader(bytes: Uint8Array): NameReader {
  return {
    bytes,
    at: 0,
    problem: undefined,
    steps: STEPS_PER_OCTET * bytes.length + BASE_BUDGET,
    octets: OCTETS_PER_OCTET * bytes.length + BASE_BUDGET,
    size: 0,
    offsets: [],
    names: [],
    turn: 0,
  };
}

// One name at a time is put together here; nothing is awaited in between.
const scratch = new Uint8Array(MAX_NAME);

/**
 * Reads the name at `reader.at`, whose own octets must end by `end`, and moves past it.
 *
 * Undefined, with `reader.problem` set, when there is none.
 */
export function readName(reader: NameReader, end: number): Name | undefined {
  const { bytes, at } = reader;
  if (at >= end) return fail(reader, 'name-past-end');
  const first = bytes[at] as number;
  if (first === 0) {
    reader.at = at + 1;
    return ROOT;
  }
  if (first < 0xc0) return readFrom(reader, at, end);
  // The commonest owner is nothing but a pointer, and often to what was just read.
  if (at + 2 > end) return fail(reader, 'name-past-end');
  const target = pointerAt(bytes, at);
  const known = remembered(reader, target);
  if (known !== undefined) {
    reader.steps--;
    reader.at = at + 2;
    return known;
  }
  if (target >= at) return fail(reader, 'bad-pointer');
  const name = readFrom(reader, target, bytes.length);
  reader.at = at + 2;
  return name;
}

function remembered(reader: NameReader, offset: number): Name | undefined {
  const { offsets } = reader;
  for (let i = 0; i < offsets.length; i++) if (offsets[i] === offset) return reader.names[i];
  return undefined;
}

function fail(reader: NameReader, problem: NameProblem): undefined {
  reader.problem = problem;
  return undefined;
}

/** Collects labels from `start`, following pointers; `end` bounds the first stretch only. */
function readFrom(reader: NameReader, start: number, end: number): Name | undefined {
  const { bytes } = reader;
  let stretch = start;
  let stop = end;
  let pointers = 0;
  let after = -1;
  reader.size = 0;
  for (;;) {
    const at = readLabels(reader, stretch, stop);
    if (at < 0) return undefined;
    if (bytes[at] === 0) {
      reader.at = after < 0 ? at + 1 : after;
      return finish(reader, start);
    }
    const problem = checkPointer(reader, at, stop, stretch);
    if (problem !== undefined) return fail(reader, problem);
    if (++pointers > MAX_POINTERS) return fail(reader, 'too-many-pointers');
    if (after < 0) after = at + 2;
    stretch = pointerAt(bytes, at);
    stop = bytes.length;
  }
}

function pointerAt(bytes: Uint8Array, at: number): number {
  return (((bytes[at] as number) & 0x3f) << 8) | (bytes[at + 1] as number);
}

/** A pointer leads to before the stretch of labels that it ends, so each goes further back. */
function checkPointer(
  reader: NameReader,
  at: number,
  stop: number,
  stretch: number,
): NameProblem | undefined {
  if (at + 2 > stop) return 'name-past-end';
  if (pointerAt(reader.bytes, at) >= stretch) return 'bad-pointer';
  return --reader.steps < 0 ? 'work-limit' : undefined;
}

/** Copies labels and returns the offset of what ends them, the root or a pointer; -1 if broken. */
function readLabels(reader: NameReader, start: number, stop: number): number {
  const { bytes } = reader;
  let { size } = reader;
  let at = start;
  while (at < stop) {
    const length = bytes[at] as number;
    if (length === 0 || length >= 0xc0) {
      reader.size = size;
      return at;
    }
    const last = at + length;
    const problem = checkLabel(length, last, stop, size);
    if (problem !== undefined || --reader.steps < 0) {
      fail(reader, problem ?? 'work-limit');
      return -1;
    }
    while (at <= last) scratch[size++] = bytes[at++] as number;
  }
  fail(reader, 'name-past-end');
  return -1;
}

function checkLabel(
  length: number,
  last: number,
  stop: number,
  size: number,
): NameProblem | undefined {
  if (length > MAX_LABEL) return 'bad-label-type';
  if (last >= stop) return 'name-past-end';
  return size + length + 2 > MAX_NAME ? 'name-too-long' : undefined;
}

function finish(reader: NameReader, start: number): Name | undefined {
  const { size } = reader;
  scratch[size] = 0;
  const length = size + 1;
  reader.octets -= length;
  if (reader.octets < 0) return fail(reader, 'work-limit');
  const wire = new Uint8Array(length);
  for (let i = 0; i < size; i++) wire[i] = scratch[i] as number;
  const name = { wire, key: keyOf(scratch, length) };
  const slot = reader.turn++ % REMEMBERED;
  reader.offsets[slot] = start;
  reader.names[slot] = name;
  return name;
}
