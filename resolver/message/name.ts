/**
 * Domain names as octets: what came over the wire is what is kept, upper case included.
 *
 * @see RFC 1035 §3.1 and §5.1: the wire form and its limits, the text form and its escapes
 * @see RFC 4343: how case is ignored in comparisons and kept everywhere else
 * @see RFC 4034 §6.1: the canonical order
 *
 * Knows nothing of messages or compression (wire/read.ts) nor of IDNA: text beyond ASCII becomes
 * its UTF-8 octets.
 */

/**
 * An absolute domain name.
 *
 * `wire` holds the uncompressed octets as received, ending in the root's zero. `key` is the same
 * in lower case, one UTF-16 unit for each octet: equal keys mean equal names.
 */
export type Name = { readonly wire: Uint8Array; readonly key: string };

/** RFC 1035 §2.3.4. */
export const MAX_LABEL = 63;
/** RFC 1035 §2.3.4, counted with every length octet and the root's. */
export const MAX_NAME = 255;

/** Maps each octet to its lower-case form; only A to Z change (RFC 4343 §3). */
export const LOWER: Uint8Array = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet,
);

/** The name of the root zone. */
export const ROOT: Name = { wire: new Uint8Array(1), key: '\0' };

/** Wraps octets that are known to be one uncompressed name. Keeps the array: do not change it. */
export function trustedName(wire: Uint8Array): Name {
  return { wire, key: keyOf(wire, wire.length) };
}

/** The lower-cased first `length` octets of `wire` as a string. */
export function keyOf(wire: Uint8Array, length: number): string {
  let key = '';
  let at = 0;
  // Eight at a time: one call and one concatenation instead of eight.
  for (; at + 8 <= length; at += 8) {
    key += String.fromCharCode(
      LOWER[wire[at] as number] as number,
      LOWER[wire[at + 1] as number] as number,
      LOWER[wire[at + 2] as number] as number,
      LOWER[wire[at + 3] as number] as number,
      LOWER[wire[at + 4] as number] as number,
      LOWER[wire[at + 5] as number] as number,
      LOWER[wire[at + 6] as number] as number,
      LOWER[wire[at + 7] as number] as number,
    );
  }
  for (; at < length; at++) key += String.fromCharCode(LOWER[wire[at] as number] as number);
  return key;
}

/** The name that fills `wire` exactly, uncompressed, or undefined. Copies. */
export function nameFromWire(wire: Uint8Array): Name | undefined {
  return skipName(wire, 0, wire.length) === wire.length
    ? trustedName(Uint8Array.from(wire))
    : undefined;
}

/** The offset after the uncompressed name at `at`, or -1 when there is none that ends by `end`. */
export function skipName(bytes: Uint8Array, at: number, end: number): number {
  const last = Math.min(end, at + MAX_NAME);
  let next = at;
  while (next < last) {
    const length = bytes[next] as number;
    if (length === 0) return next + 1;
    if (length > MAX_LABEL) return -1;
    next += length + 1;
  }
  return -1;
}

/** Joins labels, first the leftmost; undefined when a label is empty or a limit is broken. */
export function nameFromLabels(labels: readonly Uint8Array[]): Name | undefined {
  let size = 1;
  for (const label of labels) {
    if (label.length === 0 || label.length > MAX_LABEL) return undefined;
    size += label.length + 1;
    if (size > MAX_NAME) return undefined;
  }
  const wire = new Uint8Array(size);
  let at = 0;
  for (const label of labels) {
    wire[at] = label.length;
    wire.set(label, at + 1);
    at += label.length + 1;
  }
  return trustedName(wire);
}

/** The labels without the root's empty one, leftmost first. */
export function labels(name: Name): Uint8Array[] {
  const { wire } = name;
  const found: Uint8Array[] = [];
  for (let at = 0; wire[at] !== 0; at += (wire[at] as number) + 1) {
    found.push(wire.slice(at + 1, at + 1 + (wire[at] as number)));
  }
  return found;
}

/** How many labels a name has; the root has none. A wildcard's asterisk counts. */
export function countLabels(name: Name): number {
  const { wire } = name;
  let count = 0;
  for (let at = 0; wire[at] !== 0; at += (wire[at] as number) + 1) count++;
  return count;
}

/** Tells whether two names are the same but for case (RFC 4343 §3). */
export function equalNames(a: Name, b: Name): boolean {
  return a.key === b.key;
}

const starts = [new Uint8Array(128), new Uint8Array(128)] as const;

/** Orders names canonically (RFC 4034 §6.1): by label from the right, octets in lower case. */
export function compareNames(a: Name, b: Name): number {
  if (a.key === b.key) return 0;
  const [startsOfA, startsOfB] = starts;
  let left = labelStarts(a.key, startsOfA);
  let right = labelStarts(b.key, startsOfB);
  while (left > 0 && right > 0) {
    const order = compareLabels(
      a.key,
      startsOfA[--left] as number,
      b.key,
      startsOfB[--right] as number,
    );
    if (order !== 0) return order;
  }
  return left - right;
}

/** Notes where each label begins and returns how many there are. */
function labelStarts(key: string, into: Uint8Array): number {
  let count = 0;
  for (let at = 0; ; ) {
    const length = key.charCodeAt(at);
    if (length === 0) return count;
    into[count++] = at;
    at += length + 1;
  }
}

function compareLabels(a: string, startOfA: number, b: string, startOfB: number): number {
  const lengthOfA = a.charCodeAt(startOfA);
  const lengthOfB = b.charCodeAt(startOfB);
  const shared = Math.min(lengthOfA, lengthOfB);
  for (let i = 1; i <= shared; i++) {
    const order = a.charCodeAt(startOfA + i) - b.charCodeAt(startOfB + i);
    if (order !== 0) return order;
  }
  return lengthOfA - lengthOfB;
}

/** Tells whether `name` is `ancestor` or lies below it. */
export function isWithin(name: Name, ancestor: Name): boolean {
  const { key } = name;
  const cut = key.length - ancestor.key.length;
  if (cut < 0 || !key.endsWith(ancestor.key)) return false;
  // The same octets may also sit across a label's border: `xa` is not below `a`.
  let at = 0;
  while (at < cut) at += key.charCodeAt(at) + 1;
  return at === cut;
}

/** The name without its leftmost label; the root has no parent. */
export function parentOf(name: Name): Name | undefined {
  const length = name.wire[0] as number;
  if (length === 0) return undefined;
  return { wire: name.wire.slice(length + 1), key: name.key.slice(length + 1) };
}

/** The keys of a name and of all names above it, the root's last. */
export function keysUpwards({ key }: Name): string[] {
  const keys = [key];
  for (let at = 0; key.charCodeAt(at) !== 0; ) {
    at += key.charCodeAt(at) + 1;
    keys.push(key.slice(at));
  }
  return keys;
}

/**
 * Puts one label in front, or returns undefined when that breaks a limit.
 *
 * A string stands for its UTF-8 octets; a dot or backslash in it is just an octet.
 */
export function prepend(label: Uint8Array | string, name: Name): Name | undefined {
  const octets = typeof label === 'string' ? encoder.encode(label) : label;
  const size = octets.length + 1 + name.wire.length;
  if (octets.length === 0 || octets.length > MAX_LABEL || size > MAX_NAME) return undefined;
  const wire = new Uint8Array(size);
  wire[0] = octets.length;
  wire.set(octets, 1);
  wire.set(name.wire, octets.length + 1);
  return trustedName(wire);
}

/** Puts all labels of `prefix` in front of `suffix`, or returns undefined beyond 255 octets. */
export function joinNames(prefix: Name, suffix: Name): Name | undefined {
  const cut = prefix.wire.length - 1;
  if (cut + suffix.wire.length > MAX_NAME) return undefined;
  const wire = new Uint8Array(cut + suffix.wire.length);
  wire.set(prefix.wire);
  wire.set(suffix.wire, cut);
  return trustedName(wire);
}

/** The wire form in lower case: what is signed and hashed (RFC 4034 §6.2). */
export function canonicalName(name: Name): Uint8Array {
  return name.wire.map((octet) => LOWER[octet] as number);
}

const encoder = new TextEncoder();

/**
 * Reads a name from text: RFC 1035 §5.1 with the escapes of RFC 4343 §2.1.
 *
 * Always absolute; the trailing dot may be missing. Undefined for the empty text, an empty label,
 * a bad escape, or a limit broken.
 */
export function parseName(text: string): Name | undefined {
  return parseNameText(text)?.name;
}

/** As `parseName`, and tells whether the text ended in a dot (a zone file's absolute name). */
export function parseNameText(text: string): { name: Name; absolute: boolean } | undefined {
  if (text === '.') return { name: ROOT, absolute: true };
  // Four characters (\DDD) make one octet, so nothing longer can be a name.
  if (text === '' || text.length > 4 * MAX_NAME) return undefined;
  const octets = encoder.encode(text);
  const draft: Draft = { wire: new Uint8Array(MAX_NAME), start: 0, size: 1 };
  for (let at = 0; at < octets.length; ) {
    const octet = octets[at] as number;
    const escaped = octet === BACKSLASH ? readEscape(octets, at) : octet;
    const fits =
      octet === DOT ? closeLabel(draft) : escaped >= 0 && addOctet(draft, escaped & 0xff);
    if (!fits) return undefined;
    at += (escaped >> 8) + 1;
  }
  const absolute = draft.size === draft.start + 1;
  if (!absolute && !closeLabel(draft)) return undefined;
  return { name: trustedName(draft.wire.slice(0, draft.size)), absolute };
}

/** A name being put together; the length octet of its last label, at `start`, is still zero. */
type Draft = { readonly wire: Uint8Array; start: number; size: number };

const DOT = 0x2e;
const BACKSLASH = 0x5c;

function addOctet(draft: Draft, octet: number): boolean {
  // One more is needed for the root.
  if (draft.size >= MAX_NAME - 1) return false;
  draft.wire[draft.size++] = octet;
  return true;
}

function closeLabel(draft: Draft): boolean {
  const length = draft.size - draft.start - 1;
  if (length === 0 || length > MAX_LABEL) return false;
  draft.wire[draft.start] = length;
  draft.start = draft.size++;
  return true;
}

/** The octet an escape stands for, plus 256 for each further character it takes; -1 if bad. */
export function readEscape(octets: Uint8Array, at: number): number {
  const first = octets[at + 1];
  if (first === undefined) return -1;
  if (!isDigit(first)) return first + 0x100;
  const second = octets[at + 2];
  const third = octets[at + 3];
  if (!isDigit(second) || !isDigit(third)) return -1;
  const value = (first - 0x30) * 100 + (second - 0x30) * 10 + (third - 0x30);
  return value > 255 ? -1 : value + 0x300;
}

function isDigit(octet: number | undefined): octet is number {
  return octet !== undefined && octet >= 0x30 && octet <= 0x39;
}

const PRINTED: readonly string[] = Array.from({ length: 256 }, (_, octet) => {
  if (octet <= 0x20 || octet >= 0x7f) return `\\${String(octet).padStart(3, '0')}`;
  const character = String.fromCharCode(octet);
  // What a zone file's reader would take for something else (RFC 1035 §5.1).
  return '."\\;()@$'.includes(character) ? `\\${character}` : character;
});

/** Writes a name as text that `parseName` reads back: trailing dot, escapes, case kept. */
export function printName(name: Name): string {
  const { wire } = name;
  if (wire.length === 1) return '.';
  let text = '';
  for (let at = 0; wire[at] !== 0; ) {
    const end = at + 1 + (wire[at] as number);
    for (at++; at < end; at++) text += PRINTED[wire[at] as number] as string;
    text += '.';
  }
  return text;
}
