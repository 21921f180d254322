/**
 * SipHash-2-4: a short keyed hash that cannot be forged without the key.
 *
 * @see Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012)
 * Words are little-endian; JavaScript has no 64-bit ones that are fast, so each is two halves.
 */

/** v0 to v3, each as low and high half. */
type State = Uint32Array;

/** The first words of the state: "somepseudorandomlygeneratedbytes". */
const INITIAL = [
  0x70736575, 0x736f6d65, 0x6e646f6d, 0x646f7261, 0x6e657261, 0x6c796765, 0x79746573, 0x74656462,
];

/** The 8-octet hash of `data` under a key of 16 octets. */
export function siphash(key: Uint8Array, data: Uint8Array): Uint8Array {
  const keys = new DataView(key.buffer, key.byteOffset, 16);
  const state: State = Uint32Array.from(
    INITIAL,
    (word, index) => word ^ keys.getUint32((index % 4) * 4, true),
  );
  // Whole words of 8 octets; the last one ends in the length.
  const padded = new Uint8Array((Math.floor(data.length / 8) + 1) * 8);
  padded.set(data);
  padded[padded.length - 1] = data.length;
  const words = new DataView(padded.buffer);
  for (let at = 0; at < padded.length; at += 8) {
    const [low, high] = [words.getUint32(at, true), words.getUint32(at + 4, true)];
    mix(state, 3, low, high);
    rounds(state, 2);
    mix(state, 0, low, high);
  }
  mix(state, 2, 0xff, 0);
  rounds(state, 4);
  const hash = new DataView(new ArrayBuffer(8));
  for (const half of [0, 1]) {
    const word = [0, 2, 4, 6].reduce((sum, at) => sum ^ (state[at + half] as number), 0);
    hash.setUint32(half * 4, word, true);
  }
  return new Uint8Array(hash.buffer);
}

function rounds(state: State, count: number): void {
  for (let round = 0; round < count; round++) {
    add(state, 0, 1);
    rotate(state, 1, 13);
    exclusiveOr(state, 1, 0);
    rotate(state, 0, 32);
    add(state, 2, 3);
    rotate(state, 3, 16);
    exclusiveOr(state, 3, 2);
    add(state, 0, 3);
    rotate(state, 3, 21);
    exclusiveOr(state, 3, 0);
    add(state, 2, 1);
    rotate(state, 1, 17);
    exclusiveOr(state, 1, 2);
    rotate(state, 2, 32);
  }
}

function mix(state: State, word: number, low: number, high: number): void {
  state[2 * word] = (state[2 * word] as number) ^ low;
  state[2 * word + 1] = (state[2 * word + 1] as number) ^ high;
}

function exclusiveOr(state: State, into: number, from: number): void {
  mix(state, into, state[2 * from] as number, state[2 * from + 1] as number);
}

function add(state: State, into: number, from: number): void {
  const low = (state[2 * into] as number) + (state[2 * from] as number);
  const carry = low > 0xffff_ffff ? 1 : 0;
  state[2 * into] = low;
  state[2 * into + 1] = (state[2 * into + 1] as number) + (state[2 * from + 1] as number) + carry;
}

/** To the left, by 32 or less. */
function rotate(state: State, word: number, bits: number): void {
  const [low, high] = [state[2 * word] as number, state[2 * word + 1] as number];
  const isSwap = bits === 32;
  state[2 * word] = isSwap ? high : (low << bits) | (high >>> (32 - bits));
  state[2 * word + 1] = isSwap ? low : (high << bits) | (low >>> (32 - bits));
}
