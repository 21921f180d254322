/**
 * The names of commits as memory keeps them: 32 bytes each, in the order in which they came, and a
 * hash table to find them by.
 *
 * Whoever may write can make names that begin alike, but hardly any that agree in two words: the
 * second one says how far apart the slots lie in which a name is looked for.
 */

import { encodeHex } from '../format/bytes.ts';

const NAME_BYTES = 32;
const NAME_WORDS = NAME_BYTES / 4;
const FIRST_ROOM = 64;
/** At most half of the slots are taken. */
const SLOTS_EACH = 2;

const ZERO = 48;
const NINE = 57;
const A = 97;
const F = 102;

export class Names {
  #words = new Uint32Array(FIRST_ROOM * NAME_WORDS);
  #bytes = new Uint8Array(this.#words.buffer);
  /** One more than the place of the name; 0: free. */
  #slots = new Int32Array(FIRST_ROOM * SLOTS_EACH);
  #count = 0;
  readonly #asked = new Uint32Array(NAME_WORDS);
  readonly #askedBytes = new Uint8Array(this.#asked.buffer);

  get length(): number {
    return this.#count;
  }

  /** Throws beyond the end. */
  at(index: number): string {
    if (index >= this.#count) throw new Error(`unreachable: no name ${index}`);
    return encodeHex(this.#bytes.subarray(index * NAME_BYTES, (index + 1) * NAME_BYTES));
  }

  /** Where a name stands; of one that was added twice, the last place. */
  find(name: string): number | undefined {
    if (!readHex(name, this.#askedBytes)) return undefined;
    const held = this.#slots[this.#slotOf(this.#asked, 0)] as number;
    return held === 0 ? undefined : held - 1;
  }

  /** The last place of the name that stands at `index`. */
  last(index: number): number {
    return (this.#slots[this.#slotOf(this.#words, index * NAME_WORDS)] as number) - 1;
  }

  add(name: string): void {
    if (!readHex(name, this.#askedBytes)) throw new Error(`unreachable: no name: ${name}`);
    if (this.#count * NAME_WORDS === this.#words.length) this.#grow();
    this.#words.set(this.#asked, this.#count * NAME_WORDS);
    this.#count += 1;
    this.#slots[this.#slotOf(this.#asked, 0)] = this.#count;
  }

  #grow(): void {
    const words = new Uint32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    this.#bytes = new Uint8Array(words.buffer);
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let index = 0; index < this.#count; index++) {
      this.#slots[this.#slotOf(words, index * NAME_WORDS)] = index + 1;
    }
  }

  /** The slot of the name that stands at `from` in `words`, or the free one for it. */
  #slotOf(words: Uint32Array, from: number): number {
    const last = this.#slots.length - 1;
    // Odd, so that every slot is looked at before one comes again.
    const step = (words[from + 1] as number) | 1;
    let slot = (words[from] as number) & last;
    for (;;) {
      const held = this.#slots[slot] as number;
      if (held === 0 || this.#isSame(held - 1, words, from)) return slot;
      slot = (slot + step) & last;
    }
  }

  #isSame(index: number, words: Uint32Array, from: number): boolean {
    for (let at = 0; at < NAME_WORDS; at++) {
      if (this.#words[index * NAME_WORDS + at] !== words[from + at]) return false;
    }
    return true;
  }
}

/** Reads as many bytes as there is room for; false when the text is anything else. */
function readHex(text: string, into: Uint8Array): boolean {
  if (text.length !== into.length * 2) return false;
  for (let at = 0; at < into.length; at++) {
    const high = digit(text.charCodeAt(at * 2));
    const low = digit(text.charCodeAt(at * 2 + 1));
    if (high < 0 || low < 0) return false;
    into[at] = (high << 4) | low;
  }
  return true;
}

function digit(code: number): number {
  if (code >= ZERO && code <= NINE) return code - ZERO;
  return code >= A && code <= F ? code - A + 10 : -1;
}
