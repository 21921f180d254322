/**
 * What the cache keeps, as octets: names and RDATA in wire form, numbers in network order.
 *
 *   name ‖ judgement ‖ TTL* ‖ RDATA… ‖ signatures… ‖ proof…        a set
 *   name ‖ judgement ‖ proof… (the SOA first)                       a denial
 *
 * Written and read by nobody but this program in one run: there is no version and no check.
 */

import type { BogusReason, Reason } from '../message/ede.ts';
import { type Name, skipName, trustedName } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import type { RRset } from '../message/rrset.ts';
import type { Cut, NameServer } from '../recursion/delegation.ts';
import type { InsecureReason, Judgement } from '../recursion/judgement.ts';
import type { Denial } from './cache.ts';

/** Octets of one entry at most; nothing larger is kept. A message has 65,535, compressed. */
export const MAX_PACKED = 128 * 1024;

/* Writing. One entry at a time is put together here; nothing is awaited in between. */

/** What was packed last. */
export const packed = new Uint8Array(MAX_PACKED);
const packedView = new DataView(packed.buffer);
let at = 0;
let isFull = false;

/** Begins an entry with its name; others are put behind it, and `finish` says how long it became. */
export function begin(name: Name): void {
  at = 0;
  isFull = false;
  octets(name.wire);
}

/** How many octets were packed, or undefined when they were too many. */
export function finish(): number | undefined {
  return isFull ? undefined : at;
}

function fits(length: number): boolean {
  if (at + length > MAX_PACKED) isFull = true;
  return !isFull;
}

function octets(bytes: Uint8Array): void {
  const { length } = bytes;
  if (!fits(length)) return;
  for (let i = 0; i < length; i++) packed[at + i] = bytes[i] as number;
  at += length;
}

function word(value: number): void {
  if (!fits(2)) return;
  packed[at++] = value >> 8;
  packed[at++] = value;
}

function long(value: number): void {
  word(value >>> 16);
  word(value & 0xffff);
}

function text(value: string): void {
  if (!fits(1 + value.length)) return;
  packed[at++] = value.length;
  for (let i = 0; i < value.length; i++) packed[at++] = value.charCodeAt(i);
}

function list(items: readonly Uint8Array[]): void {
  word(items.length);
  for (const item of items) {
    word(item.length);
    octets(item);
  }
}

const STATES = ['none', 'secure', 'insecure', 'bogus'] as const;

function packJudgement(judgement: Judgement | undefined): void {
  if (!fits(1)) return;
  const state = STATES.indexOf(judgement?.state ?? 'none');
  switch (judgement?.state) {
    case 'secure':
      packed[at++] = state | (judgement.isDenial ? 4 : 0) | (judgement.isTimed ? 8 : 0);
      return;
    case 'insecure':
      packed[at++] = state | (judgement.isTimed ? 8 : 0);
      text(judgement.reason);
      return;
    case 'bogus':
      packed[at++] = state;
      text(judgement.reason);
      return;
    case undefined:
      packed[at++] = state;
  }
}

function packRecords(records: readonly ResourceRecord[]): void {
  word(records.length);
  let before: Name | undefined;
  for (const { owner, type, class: klass, ttl, rdata } of records) {
    // A name begins with a length; none is 0x80.
    if (before?.key === owner.key && fits(1)) packed[at++] = SAME_OWNER;
    else octets(owner.wire);
    before = owner;
    word(type);
    word(klass);
    long(ttl);
    word(rdata.length);
    octets(rdata);
  }
}

const SAME_OWNER = 0x80;

/** A set, and what shows that it was rightly made. */
export function packSet(
  { rdatas, signatures }: RRset,
  proof: readonly ResourceRecord[],
  judgement?: Judgement,
): void {
  packJudgement(judgement);
  list(rdatas);
  list(signatures);
  packRecords(proof);
}

export function packDenial({ soa, proof }: Denial, judgement?: Judgement): void {
  packJudgement(judgement);
  packRecords([soa, ...proof]);
}

export function packFailure(reason: Reason, ttl: number): void {
  text(reason);
  word(ttl);
}

/** The zone of a set that is a proof. */
export function packZone(zone: Name): void {
  octets(zone.wire);
}

export function packCut({ servers, until, noDs }: Cut): void {
  if (!fits(8)) return;
  packedView.setFloat64(at, until);
  at += 8;
  word(servers.length);
  for (const { name, addresses } of servers) {
    octets(name.wire);
    word(addresses.length);
    for (const address of addresses) text(address);
  }
  word(noDs === undefined ? 0 : 1);
  packRecords(noDs ?? []);
}

/* Reading */

/** What is unpacked next is put here. */
export const unpacked = new Uint8Array(MAX_PACKED);
const unpackedView = new DataView(unpacked.buffer);
let next = 0;

/** Begins to read; the entry's name. The name asked for is given back if it is the same in every letter. */
export function beginReading(asked?: Name): Name {
  next = 0;
  if (asked === undefined || !isHere(asked.wire)) return readName();
  next = asked.wire.length;
  return asked;
}

function isHere(wire: Uint8Array): boolean {
  for (let i = 0; i < wire.length; i++) if (wire[i] !== unpacked[i]) return false;
  return true;
}

function readName(): Name {
  const start = next;
  next = skipName(unpacked, start, MAX_PACKED);
  return trustedName(unpacked.slice(start, next));
}

function readOctets(): Uint8Array {
  const length = readWord();
  const start = next;
  next += length;
  const own = new Uint8Array(length);
  if (length > 64) own.set(unpacked.subarray(start, next));
  else for (let i = 0; i < length; i++) own[i] = unpacked[start + i] as number;
  return own;
}

function readWord(): number {
  next += 2;
  return ((unpacked[next - 2] as number) << 8) | (unpacked[next - 1] as number);
}

function readText(): string {
  const length = unpacked[next++] as number;
  let read = '';
  for (let i = 0; i < length; i++) read += String.fromCharCode(unpacked[next++] as number);
  return read;
}

function readList(): Uint8Array[] {
  const items: Uint8Array[] = [];
  for (let left = readWord(); left > 0; left--) items.push(readOctets());
  return items;
}

function readJudgement(): Judgement | undefined {
  const octet = unpacked[next++] as number;
  const state = STATES[octet & 3];
  switch (state) {
    case 'secure':
      return { state, isDenial: (octet & 4) !== 0, isTimed: (octet & 8) !== 0 };
    case 'insecure':
      return { state, reason: readText() as InsecureReason, isTimed: (octet & 8) !== 0 };
    case 'bogus':
      return { state, reason: readText() as BogusReason };
    default:
      return undefined;
  }
}

/** Records, none with a TTL above `most`. */
function readRecords(most: number): ResourceRecord[] {
  const records: ResourceRecord[] = [];
  let owner: Name | undefined;
  for (let left = readWord(); left > 0; left--) {
    if (unpacked[next] === SAME_OWNER && owner !== undefined) next++;
    else owner = readName();
    const type = readWord();
    const klass = readWord();
    const ttl = readWord() * 0x1_0000 + readWord();
    records.push({ owner, type, class: klass, ttl: Math.min(ttl, most), rdata: readOctets() });
  }
  return records;
}

/** What `packSet` packed, with `ttl` as its TTL and no more for its proof. */
export function readSet(owner: Name, type: number, ttl: number) {
  const judgement = readJudgement();
  const rrset: RRset = { owner, type, ttl, rdatas: readList(), signatures: readList() };
  return { judgement, rrset, proof: readRecords(ttl) };
}

export function readDenial(ttl: number) {
  const judgement = readJudgement();
  const [soa, ...proof] = readRecords(ttl);
  if (soa === undefined) throw new Error('unreachable: a denial without an SOA');
  return { judgement, denial: { soa, proof } };
}

export function readFailure(): { readonly reason: Reason; readonly ttl: number } {
  return { reason: readText() as Reason, ttl: readWord() };
}

/** Passes over the zone of a set that is a proof. */
export function passZone(): void {
  next = skipName(unpacked, next, MAX_PACKED);
}

export function readCut(zone: Name): Cut {
  const until = unpackedView.getFloat64(next);
  next += 8;
  const servers: NameServer[] = [];
  for (let left = readWord(); left > 0; left--) {
    const name = readName();
    const addresses: string[] = [];
    for (let more = readWord(); more > 0; more--) addresses.push(readText());
    servers.push({ name, addresses });
  }
  const hasNoDs = readWord() === 1;
  const noDs = readRecords(Number.POSITIVE_INFINITY);
  return { zone, servers, until, ...(hasNoDs && { noDs }) };
}
