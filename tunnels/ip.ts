/**
 * IP address literals: text to bytes and back, and whether one lies in a prefix.
 *
 * Strict: no host names, no zones (`%eth0`), no leading zeros or octal parts, so that what passes
 * here means the same to `ip`, to `wg` and to us.
 *
 * @see RFC 4291 §2.2 and RFC 5952 §4: the text forms of IPv6 addresses
 */

/** The 4 or 16 bytes of an address literal; undefined when it is none. */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

/** The canonical text of 4 or 16 bytes. */
export function printAddress(bytes: Uint8Array): string {
  return bytes.length === 4 ? bytes.join('.') : printIpv6(bytes);
}

/** One address as a prefix that holds only it. */
export function hostPrefix(address: string): string {
  return `${address}/${address.includes(':') ? 128 : 32}`;
}

/** An address or prefix in the form to compare; undefined when it is neither. */
export function normalizePrefix(text: string): string | undefined {
  const [address = '', length] = text.split('/', 2);
  const bytes = parseAddress(address);
  if (bytes === undefined) {
    return undefined;
  }
  const bits = length === undefined ? bytes.length * 8 : Number(length);
  return bits >= 0 && bits <= bytes.length * 8 ? `${printAddress(bytes)}/${bits}` : undefined;
}

/** Prefixes in the order that `wg` and we compare them in, each once. */
export function sortPrefixes(prefixes: Iterable<string>): readonly string[] {
  return [...new Set(prefixes)].sort((a, b) => (a < b ? -1 : 1));
}

/** Tells whether an address (or a prefix's first address) lies in a prefix such as `fd00::/48`. */
export function isInPrefix(address: string, prefix: string): boolean {
  const [network = '', length = ''] = prefix.split('/', 2);
  const inner = parseAddress(address.split('/', 1)[0] ?? '');
  const outer = parseAddress(network);
  if (inner === undefined || outer === undefined || inner.length !== outer.length) {
    return false;
  }
  const bits = Number(length);
  return outer.every((byte, index) => {
    const kept = Math.max(0, Math.min(8, bits - index * 8));
    return (byte ^ (inner[index] ?? 0)) >> (8 - kept) === 0;
  });
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.', 5);
  const isValid =
    parts.length === 4 &&
    parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
  return isValid ? Uint8Array.from(parts, Number) : undefined;
}

const MAX_IPV6_TEXT = 45;

function parseIpv6(text: string): Uint8Array | undefined {
  if (text.length > MAX_IPV6_TEXT) {
    return undefined;
  }
  const halves = text.split('::');
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 1 ? [] : parseGroups(halves[1] ?? '', true);
  if (halves.length > 2 || head === undefined || tail === undefined) {
    return undefined;
  }
  const missing = 16 - head.length - tail.length;
  const fits = halves.length === 1 ? missing === 0 : missing >= 2;
  return fits ? Uint8Array.from([...head, ...Array<number>(missing).fill(0), ...tail]) : undefined;
}

/** The bytes of groups between colons; only the last may be an IPv4 address. */
function parseGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') {
    return [];
  }
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [index, group] of groups.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 255);
    } else if (isEnd && index === groups.length - 1) {
      const ipv4 = parseIpv4(group);
      if (ipv4 === undefined) {
        return undefined;
      }
      bytes.push(...ipv4);
    } else {
      return undefined;
    }
  }
  return bytes;
}

function printIpv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16),
  );
  // The longest run of two or more zero groups becomes "::" (RFC 5952 §4.2).
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === '0') {
      length++;
    }
    if (length > best.length) {
      best = { start, length };
    }
  }
  if (best.length === 1) {
    return groups.join(':');
  }
  return `${groups.slice(0, best.start).join(':')}::${groups.slice(best.start + best.length).join(':')}`;
}
