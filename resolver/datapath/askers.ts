/**
 * Who an address is to the datapath: a view, and answers are kept for each view apart.
 *
 * The table says only what service/ has told it; an address it says nothing about has no view, and
 * its questions go to the main thread. Senders are compared as four words in the order of the
 * network, IPv4 as mapped into IPv6 (RFC 4291 §2.5.5.2).
 */

import { canonicalAddress } from '../message/address.ts';
import { parseIpv4, parseIpv6 } from '../message/wire/address-text.ts';
import {
  type Arena,
  EXACT_PLACES,
  EXACT_WORDS,
  HEAD,
  headWord,
  MAX_EXACT,
  MAX_PREFIXES,
  PREFIX_WORDS,
} from './layout.ts';
import { MAX_VIEW } from './record.ts';

/** Which askers get the same answers: the view of an address or of a network; others have none. */
export type Askers = {
  readonly exact: readonly { readonly address: string; readonly view: string }[];
  /** The first that fits counts. */
  readonly networks: readonly {
    readonly address: string;
    readonly bits: number;
    readonly view: string;
  }[];
};

const AF_INET = 2;
const AF_INET6 = 10;
/** 0:0:ffff in front of an IPv4 address, as words of a little-endian machine. */
const MAPPED = 0xffff0000 | 0;

/**
 * Writes down who is who. From the first word on everything kept until now is dead: readers compare
 * the epoch. Returns the numbers of the views; empty when there are too many to tell apart.
 */
export function publishAskers(arena: Arena, askers: Askers): ReadonlyMap<string, number> {
  const { words } = arena;
  const epoch = headWord(HEAD.epoch);
  Atomics.add(words, epoch, 1);
  // With the addition before it: what follows is written after everybody can see the epoch.
  Atomics.load(words, epoch);
  words.fill(0, arena.exact, arena.exact + EXACT_PLACES * EXACT_WORDS);
  words[headWord(HEAD.prefixes)] = 0;
  const views = numberViews(askers);
  if (views.size > 0) writeAskers(arena, askers, views);
  Atomics.add(words, epoch, 1);
  return views;
}

function numberViews({ exact, networks }: Askers): ReadonlyMap<string, number> {
  const names = new Set([...networks, ...exact].map(({ view }) => view));
  const isTooMuch =
    exact.length > MAX_EXACT || networks.length > MAX_PREFIXES || names.size > MAX_VIEW;
  return new Map(isTooMuch ? [] : [...names].map((name, index) => [name, index + 1]));
}

function writeAskers(
  { words, exact: exactWord, prefixes }: Arena,
  { exact, networks }: Askers,
  views: ReadonlyMap<string, number>,
): void {
  const numberOf = (view: string): number => views.get(view) ?? 0;
  for (const { address, view } of exact) {
    const parsed = parseWords(address);
    // Who is known by another spelling is not known to those who compare text either.
    if (parsed === undefined || canonicalAddress(address) !== address) continue;
    const at = exactWord + findPlace(words, exactWord, parsed) * EXACT_WORDS;
    // Of two with one address the first counts.
    if (words[at + 4] !== 0) continue;
    words.set(parsed, at);
    words[at + 4] = numberOf(view) + 1;
  }
  networks.forEach(({ address, bits, view }, index) => {
    const parsed = parseWords(address);
    if (parsed === undefined) throw new Error(`unreachable: ${address} is no network`);
    const at = prefixes + index * PREFIX_WORDS;
    words.set(parsed, at);
    words.set(maskOf(address.includes(':') ? bits : bits + 96), at + 4);
    words[at + 8] = numberOf(view);
  });
  words[headWord(HEAD.prefixes)] = networks.length;
}

function parseWords(address: string): Int32Array | undefined {
  const octets = address.includes(':') ? parseIpv6(address) : parseIpv4(address);
  if (octets === undefined) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(
    octets.length === 4 ? [255, 255, ...octets] : octets,
    16 - (octets.length === 4 ? 6 : 16),
  );
  return new Int32Array(bytes.buffer);
}

function maskOf(bits: number): Int32Array {
  const bytes = Uint8Array.from({ length: 16 }, (_, index) => {
    const ones = Math.min(Math.max(bits - index * 8, 0), 8);
    return (0xff00 >> ones) & 0xff;
  });
  return new Int32Array(bytes.buffer);
}

/** The place of an address, or the free one where it belongs. */
function findPlace(words: Int32Array, exact: number, [a = 0, b = 0, c = 0, d = 0]: Int32Array) {
  let place = hashWords(a, b, c, d);
  for (;;) {
    const at = exact + place * EXACT_WORDS;
    const isMine =
      words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d;
    if (words[at + 4] === 0 || isMine) return place;
    place = (place + 1) & (EXACT_PLACES - 1);
  }
}

function hashWords(a: number, b: number, c: number, d: number): number {
  let hash = Math.imul(a ^ Math.imul(b, 0x85ebca6b), 0xc2b2ae35);
  hash = Math.imul(hash ^ c ^ (hash >>> 15), 0x27d4eb2f);
  hash = Math.imul(hash ^ d ^ (hash >>> 13), 0x165667b1);
  return (hash ^ (hash >>> 16)) & (EXACT_PLACES - 1);
}

/** The view of the sender at `at` in `senders` (sockaddr_in or sockaddr_in6); 0 for none. */
export function viewOf(
  { words, exact, prefixes }: Arena,
  senders: Uint32Array,
  at: number,
): number {
  const family = (senders[at] as number) & 0xffff;
  const is4 = family === AF_INET;
  if (!is4 && family !== AF_INET6) return 0;
  const a = is4 ? 0 : (senders[at + 2] as number) | 0;
  const b = is4 ? 0 : (senders[at + 3] as number) | 0;
  const c = is4 ? MAPPED : (senders[at + 4] as number) | 0;
  const d = (senders[is4 ? at + 1 : at + 5] as number) | 0;
  let place = hashWords(a, b, c, d);
  // Half of the places are free, unless the writer is at it; then what is found does not count.
  for (let step = 0; step < EXACT_PLACES; step++) {
    const entry = exact + place * EXACT_WORDS;
    const view = words[entry + 4] as number;
    if (view === 0) break;
    if (
      words[entry] === a &&
      words[entry + 1] === b &&
      words[entry + 2] === c &&
      words[entry + 3] === d
    ) {
      return view - 1;
    }
    place = (place + 1) & (EXACT_PLACES - 1);
  }
  return viewOfNetwork(words, prefixes, a, b, c, d);
}

function viewOfNetwork(
  words: Int32Array,
  prefixes: number,
  a: number,
  b: number,
  c: number,
  d: number,
): number {
  const count = words[headWord(HEAD.prefixes)] as number;
  for (let index = 0; index < count; index++) {
    const at = prefixes + index * PREFIX_WORDS;
    const isInside =
      ((a ^ (words[at] as number)) & (words[at + 4] as number)) === 0 &&
      ((b ^ (words[at + 1] as number)) & (words[at + 5] as number)) === 0 &&
      ((c ^ (words[at + 2] as number)) & (words[at + 6] as number)) === 0 &&
      ((d ^ (words[at + 3] as number)) & (words[at + 7] as number)) === 0;
    if (isInside) return words[at + 8] as number;
  }
  return 0;
}
