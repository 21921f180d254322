/**
 * What the RDATA of each type consists of: the one table that all else derives from.
 *
 * A type that is not here is opaque octets (RFC 3597 §3).
 */

import { TYPE } from '../type.ts';
import {
  countedField,
  type Field,
  type NameRule,
  nameField,
  numberField,
  octetsField,
  restField,
  stringsField,
  typesField,
} from './field.ts';

const compressed = nameField('compressed');
const expanded = nameField('expanded');
const lowered = nameField('lowered');
const exact = nameField('exact');
const u8 = numberField(1);
const u16 = numberField(2);
const u32 = numberField(4);
const rest = restField();

const dnskey = { flags: u16, protocol: u8, algorithm: u8, publicKey: rest };
const ds = { keyTag: u16, algorithm: u8, digestType: u8, digest: rest };

/** Type → its fields in wire order. */
export const LAYOUT = {
  A: { address: octetsField(4) },
  NS: { host: compressed },
  CNAME: { target: compressed },
  SOA: {
    mname: compressed,
    rname: compressed,
    serial: u32,
    refresh: u32,
    retry: u32,
    expire: u32,
    minimum: u32,
  },
  PTR: { target: compressed },
  MX: { preference: u16, exchange: compressed },
  TXT: { strings: stringsField() },
  AAAA: { address: octetsField(16) },
  SRV: { priority: u16, weight: u16, port: u16, target: expanded },
  DNAME: { target: lowered },
  DS: ds,
  RRSIG: {
    typeCovered: u16,
    algorithm: u8,
    labels: u8,
    originalTtl: u32,
    expiration: u32,
    inception: u32,
    keyTag: u16,
    signer: lowered,
    signature: rest,
  },
  NSEC: { next: exact, types: typesField() },
  DNSKEY: dnskey,
  NSEC3: {
    algorithm: u8,
    flags: u8,
    iterations: u16,
    salt: countedField(1),
    next: countedField(1),
    types: typesField(),
  },
  NSEC3PARAM: { algorithm: u8, flags: u8, iterations: u16, salt: countedField(1) },
  CDS: ds,
  CDNSKEY: dnskey,
} as const satisfies Partial<Record<keyof typeof TYPE, Readonly<Record<string, Field<unknown>>>>>;

/** What the table says about one type. */
export type Layout = {
  readonly fields: readonly (readonly [name: string, field: Field<unknown>])[];
  /** Has names that may arrive compressed. */
  readonly expands: boolean;
  /** Has names that we may send compressed. */
  readonly compresses: boolean;
  /** Has names that the canonical form writes in lower case. */
  readonly lowers: boolean;
};

const layouts: (Layout | undefined)[] = Array.from({ length: 512 }, () => undefined);
for (const [type, row] of Object.entries(LAYOUT)) {
  const fields = Object.entries(row) as [string, Field<unknown>][];
  const has = (...rules: (NameRule | undefined)[]) =>
    fields.some(([, field]) => field.rule !== undefined && rules.includes(field.rule));
  layouts[TYPE[type as keyof typeof LAYOUT]] = {
    fields,
    expands: has('compressed', 'expanded'),
    compresses: has('compressed'),
    lowers: has('compressed', 'expanded', 'lowered'),
  };
}

/** What is known of a type, or undefined when its RDATA is opaque. */
export function layoutOf(type: number): Layout | undefined {
  return layouts[type];
}
