/**
 * Addresses as text: IPv4 in four decimal parts, IPv6 as RFC 4291 §2.2 reads and RFC 5952 writes.
 */

/** Four octets with dots. */
export function printIpv4(octets: Uint8Array): string {
  return octets.join('.');
}

/** The four octets of an address literal. No leading zeros: some readers take them for octal. */
export function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.', 5);
  if (parts.length !== 4) return undefined;
  const octets = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    octets[i] = Number(part);
  }
  return octets;
}

/** Sixteen octets as RFC 5952 §4 writes them, all groups in hexadecimal. */
export function printIpv6(octets: Uint8Array): string {
  const groups: string[] = [];
  let zerosAt = 0;
  let zeros = 1;
  let run = 0;
  for (let i = 0; i < 8; i++) {
    const group = ((octets[2 * i] as number) << 8) | (octets[2 * i + 1] as number);
    groups.push(group.toString(16));
    run = group === 0 ? run + 1 : 0;
    // Strictly longer, so that the first of equal runs is shortened (RFC 5952 §4.2.3).
    if (run > zeros) {
      zeros = run;
      zerosAt = i + 1 - run;
    }
  }
  if (zeros < 2) return groups.join(':');
  return `${groups.slice(0, zerosAt).join(':')}::${groups.slice(zerosAt + zeros).join(':')}`;
}

/** The sixteen octets of an address literal, without a zone. */
export function parseIpv6(text: string): Uint8Array | undefined {
  // 8 groups of 4, or 6 groups and an IPv4 address.
  if (text.length > 45) return undefined;
  const halves = text.split('::', 3);
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] as string, halves.length === 1);
  const tail = halves.length === 1 ? [] : parseGroups(halves[1] as string, true);
  if (head === undefined || tail === undefined) return undefined;
  const given = head.length + tail.length;
  if (halves.length === 1 ? given !== 16 : given > 14) return undefined;
  const octets = new Uint8Array(16);
  octets.set(head);
  octets.set(tail, 16 - tail.length);
  return octets;
}

/** The octets of groups with colons between; the last may be an IPv4 address if `isLast`. */
function parseGroups(text: string, isLast: boolean): number[] | undefined {
  if (text === '') return [];
  const octets: number[] = [];
  const groups = text.split(':');
  for (const [i, group] of groups.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = Number.parseInt(group, 16);
      octets.push(value >> 8, value & 0xff);
      continue;
    }
    const ipv4 = isLast && i === groups.length - 1 ? parseIpv4(group) : undefined;
    if (ipv4 === undefined) return undefined;
    octets.push(...ipv4);
  }
  return octets;
}
