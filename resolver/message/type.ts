/**
 * The numbers IANA gave to types, classes, return codes and opcodes, and their names.
 *
 * @see https://www.iana.org/assignments/dns-parameters
 * @see RFC 3597 §5: `TYPEn` and `CLASSn` for everything else
 */

/** Record types by mnemonic. Which RDATA is understood is in wire/layout.ts. */
export const TYPE = {
  A: 1,
  NS: 2,
  MD: 3,
  MF: 4,
  CNAME: 5,
  SOA: 6,
  MB: 7,
  MG: 8,
  MR: 9,
  NULL: 10,
  WKS: 11,
  PTR: 12,
  HINFO: 13,
  MINFO: 14,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  X25: 19,
  ISDN: 20,
  RT: 21,
  NSAP: 22,
  'NSAP-PTR': 23,
  SIG: 24,
  KEY: 25,
  PX: 26,
  GPOS: 27,
  AAAA: 28,
  LOC: 29,
  NXT: 30,
  SRV: 33,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  A6: 38,
  DNAME: 39,
  OPT: 41,
  APL: 42,
  DS: 43,
  SSHFP: 44,
  IPSECKEY: 45,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  HIP: 55,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  DSYNC: 66,
  SPF: 99,
  NID: 104,
  L32: 105,
  L64: 106,
  LP: 107,
  EUI48: 108,
  EUI64: 109,
  NXNAME: 128,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
  URI: 256,
  CAA: 257,
  AMTRELAY: 260,
  RESINFO: 261,
} as const;

export const CLASS = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const;

/** Return codes; 16 and above need EDNS (RFC 6891 §6.1.3) or live in TSIG (RFC 8945 §3). */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  DSOTYPENI: 11,
  BADVERS: 16,
  BADKEY: 17,
  BADTIME: 18,
  BADMODE: 19,
  BADNAME: 20,
  BADALG: 21,
  BADTRUNC: 22,
  BADCOOKIE: 23,
} as const;

export const OPCODE = { QUERY: 0, IQUERY: 1, STATUS: 2, NOTIFY: 4, UPDATE: 5, DSO: 6 } as const;

const typeNames = invert(TYPE);
const classNames = invert(CLASS);
const rcodeNames = invert(RCODE);
const typeNumbers = new Map<string, number>(Object.entries(TYPE));
const classNumbers = new Map<string, number>(Object.entries(CLASS));

/** A type's mnemonic, or `TYPEn`. */
export function typeName(number: number): string {
  return typeNames.get(number) ?? `TYPE${number}`;
}

/** A type's number from its mnemonic or `TYPEn`, in any case. */
export function typeNumber(text: string): number | undefined {
  const word = text.toUpperCase();
  return typeNumbers.get(word) ?? numbered(word, 'TYPE');
}

/** A class's mnemonic, or `CLASSn`. */
export function className(number: number): string {
  return classNames.get(number) ?? `CLASS${number}`;
}

/** A class's number from its mnemonic or `CLASSn`, in any case. */
export function classNumber(text: string): number | undefined {
  const word = text.toUpperCase();
  return classNumbers.get(word) ?? numbered(word, 'CLASS');
}

/** A return code's mnemonic, or `RCODEn`. */
export function rcodeName(number: number): string {
  return rcodeNames.get(number) ?? `RCODE${number}`;
}

function invert(table: Readonly<Record<string, number>>): Map<number, string> {
  return new Map(Object.entries(table).map(([name, number]) => [number, name]));
}

function numbered(word: string, prefix: string): number | undefined {
  if (!word.startsWith(prefix) || !/^\d{1,5}$/.test(word.slice(prefix.length))) return undefined;
  const number = Number(word.slice(prefix.length));
  return number <= 0xffff ? number : undefined;
}
