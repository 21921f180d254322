/**
 * What memory keeps of commits: rows of numbers beside their names.
 *
 * A household has tens of thousands after some years, and as objects they were most of what an open
 * store took. Here each takes less than a hundred bytes; an entry is made when somebody asks for it.
 */

import type { Place } from '../disk/log.ts';
import { decodeText, encodeText } from '../format/bytes.ts';
import type { CommitId } from '../format/commit.ts';
import { Names } from './names.ts';

/** What memory keeps of a commit. */
export type Entry = {
  readonly id: CommitId;
  readonly parents: readonly CommitId[];
  readonly device: string;
  readonly seq: number;
  readonly place: Place;
};

/** Commits in an order, to be read. */
export type Entries = Omit<EntryList, 'add'>;

/** Of a row: device, segment, offset, end, and where its parents begin. */
const COLUMNS = 5;
const FIRST_ROOM = 64;

/** Commits in an order, that more can be added to. */
export class EntryList implements Iterable<Entry> {
  readonly #names = new Names();
  readonly #devices = new Texts();
  /** Parents that were not here when they were named. */
  readonly #strangers = new Texts();
  #rows = new Uint32Array(FIRST_ROOM * COLUMNS);
  /** A number of a commit may need 50 bits. */
  #seqs = new Float64Array(FIRST_ROOM);
  /** The places of parents; those below zero are strangers. */
  #parents = new Int32Array(FIRST_ROOM);
  #parentCount = 0;
  #bytes = 0;

  constructor(initial: Iterable<Entry> = []) {
    for (const entry of initial) this.add(entry);
  }

  get length(): number {
    return this.#names.length;
  }

  /** What they take on the disk. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Undefined beyond either end. */
  at(index: number): Entry | undefined {
    return index >= 0 && index < this.length ? this.#entryAt(index) : undefined;
  }

  /** Where a commit stands; of one that stands there twice, the last place. */
  find(id: CommitId): number | undefined {
    return this.#names.find(id);
  }

  /** Names, as `slice` gives them. */
  ids(start = 0, end = this.length): CommitId[] {
    const ids: CommitId[] = [];
    for (let at = start; at < Math.min(end, this.length); at++) ids.push(this.#names.at(at));
    return ids;
  }

  *[Symbol.iterator](): Generator<Entry> {
    for (let index = 0; index < this.length; index++) yield this.#entryAt(index);
  }

  /** Who wrote, without anything that would have to be made: for looking at all of them. */
  *numbers(): Generator<Pick<Entry, 'device' | 'seq'>> {
    for (let index = 0; index < this.length; index++) {
      yield { device: this.#devices.at(this.#column(index, 0)), seq: this.#seqs[index] as number };
    }
  }

  /** The last one first. */
  *reversed(): Generator<Entry> {
    for (let index = this.length - 1; index >= 0; index--) yield this.#entryAt(index);
  }

  add({ id, parents, device, seq, place }: Entry): void {
    const index = this.length;
    if (index === this.#seqs.length) {
      this.#seqs = grow(this.#seqs, new Float64Array(index * 2));
      this.#rows = grow(this.#rows, new Uint32Array(index * 2 * COLUMNS));
    }
    const { segment, offset, end } = place;
    const row = [this.#devices.place(device), segment, offset, end, this.#parentCount];
    this.#rows.set(row, index * COLUMNS);
    this.#bytes += end - offset;
    this.#seqs[index] = seq;
    for (const parent of parents) {
      const count = this.#parentCount;
      if (count === this.#parents.length) {
        this.#parents = grow(this.#parents, new Int32Array(count * 2));
      }
      this.#parents[count] = this.#names.find(parent) ?? ~this.#strangers.place(parent);
      this.#parentCount += 1;
    }
    this.#names.add(id);
  }

  /** Where the parents of a commit stand; -1: not here. */
  above(index: number): number[] {
    // One that was a stranger may have come since.
    return this.#parentsOf(index, (place) =>
      place < 0 ? (this.find(this.#strangers.at(~place)) ?? -1) : place,
    );
  }

  /** Tells whether commits stand so that each comes once and after its parents. */
  isCausal(): boolean {
    for (let index = 0; index < this.length; index++) {
      const isNext = this.above(index).every((place) => place >= 0 && place < index);
      if (!isNext || this.#names.last(index) !== index) return false;
    }
    return true;
  }

  /** Tells whether each but the first follows the one before it, and nothing else. */
  isChain(): boolean {
    for (let index = 0; index < this.length; index++) {
      const above = this.above(index);
      if (above.length !== Math.min(index, 1) || (index > 0 && above[0] !== index - 1))
        return false;
    }
    return true;
  }

  /** Names are made when they are asked for: most who look at all commits want none. */
  #entryAt(index: number): Entry {
    const names = this.#names;
    const name = (place: number) =>
      place < 0 ? this.#strangers.at(~place) : this.#names.at(place);
    const parents = () => this.#parentsOf(index, name);
    return {
      get id() {
        return names.at(index);
      },
      get parents() {
        return parents();
      },
      device: this.#devices.at(this.#column(index, 0)),
      seq: this.#seqs[index] as number,
      place: {
        segment: this.#column(index, 1),
        offset: this.#column(index, 2),
        end: this.#column(index, 3),
      },
    };
  }

  #parentsOf<T>(index: number, show: (place: number) => T): T[] {
    const end = index + 1 < this.length ? this.#column(index + 1, 4) : this.#parentCount;
    const shown: T[] = [];
    for (let at = this.#column(index, 4); at < end; at++) {
      shown.push(show(this.#parents[at] as number));
    }
    return shown;
  }

  #column(index: number, at: number): number {
    return this.#rows[index * COLUMNS + at] as number;
  }
}

/** Marks commits and all in their past, by place. */
export function markPast(entries: Entries, ids: Iterable<CommitId>): Uint8Array {
  const marks = new Uint8Array(entries.length);
  for (const id of ids) {
    const index = entries.find(id);
    if (index !== undefined) marks[index] = 1;
  }
  // Parents come first, so one way down is enough.
  for (let index = entries.length - 1; index >= 0; index--) {
    if (marks[index] !== 1) continue;
    for (const place of entries.above(index)) if (place >= 0) marks[place] = 1;
  }
  return marks;
}

/** Texts that come again and again, by number. */
class Texts {
  readonly #texts: string[] = [];
  readonly #places = new Map<string, number>();

  at(place: number): string {
    return this.#texts[place] as string;
  }

  place(text: string): number {
    const known = this.#places.get(text);
    if (known !== undefined) return known;
    // Of what was read this may be a piece, that would keep all of it.
    const alone = decodeText(encodeText(text)) ?? text;
    this.#places.set(alone, this.#texts.length);
    return this.#texts.push(alone) - 1;
  }
}

function grow<T extends Uint32Array | Int32Array | Float64Array>(from: T, into: T): T {
  into.set(from);
  return into;
}
