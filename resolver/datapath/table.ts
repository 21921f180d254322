/**
 * Filing answers in shared memory, which only the main thread does.
 *
 * Answers lie one behind the other in a circular log; an index of eight places for each hash says
 * where. The oldest make room, but one that was used since it was written goes back to the front
 * (CLOCK), so that names asked once push out themselves and not the household's. Everything is
 * bounded: memory by the arena, work by the constants below.
 *
 * The tail of the log moves before anything is written over, and readers look at it again after
 * copying (reader.ts).
 */

import { type Arena, HEAD, headWord, UNIT, WAYS } from './layout.ts';
import { hashFor } from './question.ts';
import { type Filing, RECORD, writeRecord } from './record.ts';

/** Used answers that one new answer may move to the front. */
const MAX_SECOND_CHANCES = 4;

export type TableWriter = {
  put(filing: Filing): void;
  readonly entries: number;
  /** Octets of the log that are taken. */
  readonly bytes: number;
};

/** Positions count units; both ends of the log wrap at 2³². */
type Table = Arena & { head: number; tail: number; entries: number; hand: number };

type Entry = { readonly hash: number; readonly record: Int32Array };

/** What is of no use any more: another epoch's, or past its end. */
type Present = Pick<Filing, 'epoch' | 'now'>;

/** The one writer of an arena. */
export function createTableWriter(arena: Arena): TableWriter {
  const table: Table = { ...arena, head: 0, tail: 0, entries: 0, hand: 0 };
  return {
    put(filing) {
      const used: Entry[] = [];
      const hash = hashFor(filing.view, filing.asked);
      insert(table, { hash, record: writeRecord(filing) }, filing, used);
      // Each makes room for itself; what it pushes out has no further chance.
      for (const entry of used) insert(table, entry, filing, []);
    },
    get entries() {
      return table.entries;
    },
    get bytes() {
      return ((table.head - table.tail) | 0) * UNIT;
    },
  };
}

/** Puts a record in front; `used` gets what was pushed out and deserves to come back. */
function insert(table: Table, { hash, record }: Entry, present: Present, used: Entry[]): void {
  makeRoom(table, record.length / 2, present, used);
  const { words, bytes } = table;
  const place = choosePlace(table, hash, present);
  record[RECORD.place] = place;
  words.set(record, wordAt(table, table.head));
  const at = placeWord(table, place);
  if (words[at] === 0 && words[at + 1] === 0) table.entries++;
  bytes[table.used + place] = 0;
  words[at + 1] = table.head;
  Atomics.store(words, at, hash);
  table.head = (table.head + record.length / 2) | 0;
}

/** Room for `units` in one piece, given up by the oldest. */
function makeRoom(table: Table, units: number, present: Present, used: Entry[]): void {
  const { words, capacity } = table;
  const straight = capacity - (table.head & (capacity - 1));
  const needed = units > straight ? units + straight : units;
  while (((table.head - table.tail) | 0) + needed > capacity) {
    const survivor = drop(table, present);
    if (survivor !== undefined && used.length < MAX_SECOND_CHANCES) used.push(survivor);
  }
  Atomics.store(words, headWord(HEAD.tail), table.tail);
  // With the store before it: what follows is written after everybody can see the tail.
  Atomics.load(words, headWord(HEAD.tail));
  if (units > straight) {
    words[wordAt(table, table.head)] = -straight;
    table.head = (table.head + straight) | 0;
  }
}

/** Gives up the oldest; returns a copy of it when it was used. */
function drop(table: Table, present: Present): Entry | undefined {
  const { words } = table;
  const at = wordAt(table, table.tail);
  const units = words[at] as number;
  const position = table.tail;
  table.tail = (position + Math.abs(units)) | 0;
  if (units < 0) return undefined;
  const place = words[at + RECORD.place] as number;
  const index = placeWord(table, place);
  // Another answer to the same question may have taken its place.
  const hash = words[index] as number;
  if (words[index + 1] !== position || (hash === 0 && position === 0)) return undefined;
  words.fill(0, index, index + 2);
  table.entries--;
  const isWanted = isAlive(table, at, present) && table.bytes[table.used + place] === 1;
  if (!isWanted) return undefined;
  return { hash, record: Int32Array.from(words.subarray(at, at + units * 2)) };
}

/** The place of an equal question, one of no use, or the one that is missed least. */
function choosePlace(table: Table, hash: number, present: Present): number {
  const { words } = table;
  const first = (hash & (table.places / WAYS - 1)) * WAYS;
  let free = -1;
  for (let way = 0; way < WAYS; way++) {
    const at = placeWord(table, first + way);
    if (words[at] === hash) return first + way;
    const isEmpty = words[at] === 0 && words[at + 1] === 0;
    if (isEmpty || !isAlive(table, wordAt(table, words[at + 1] as number), present)) {
      free = first + way;
    }
  }
  return free >= 0 ? free : takeUnused(table, first);
}

function takeUnused(table: Table, first: number): number {
  const { bytes, used } = table;
  for (let step = 0; step < WAYS; step++) {
    table.hand = (table.hand + 1) & (WAYS - 1);
    const mark = used + first + table.hand;
    if (bytes[mark] === 0) break;
    bytes[mark] = 0;
  }
  return first + table.hand;
}

function isAlive({ words }: Table, at: number, { epoch, now }: Present): boolean {
  return words[at + RECORD.epoch] === epoch && (words[at + RECORD.expires] as number) > now;
}

function wordAt({ log, capacity }: Table, position: number): number {
  return (log + (position & (capacity - 1)) * UNIT) >>> 2;
}

function placeWord({ index }: Table, place: number): number {
  return index + place * 2;
}
