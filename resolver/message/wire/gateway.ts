/**
 * Gateways and relays whose form is told by an earlier field: IPSECKEY (RFC 4025 §2.5) and
 * AMTRELAY (RFC 8777 §4.2).
 *
 * A form that we do not know leaves the record opaque.
 */

import { type Name, printName, skipName, trustedName } from '../name.ts';
import { parseIpv4, parseIpv6, printIpv4, printIpv6 } from './address-text.ts';
import { type Field, numberField } from './field.ts';
import { earlierWord, takeBare, takeName, type Words } from './words.ts';

/** Nothing, an address of 4 or 16 octets, or a name. */
export type Gateway = Uint8Array | Name;

const NONE = 0;
const IPV4 = 1;
const IPV6 = 2;
const NAME = 3;

/** The bits of an octet that tell the form: AMTRELAY's top bit means something else (RFC 8777 §4.2.2). */
const FORM_BITS = { ipseckey: 0xff, amtrelay: 0x7f } as const;

/** The form lies `octets` octets and `words` words before the gateway. */
export function gatewayField(
  record: keyof typeof FORM_BITS,
  form: { octets: number; words: number },
): Field<Gateway> {
  const formAt = (bytes: Uint8Array, at: number) =>
    (bytes[at - form.octets] as number) & FORM_BITS[record];
  return {
    skip: (bytes, at, end) => skipGateway(formAt(bytes, at), bytes, at, end),
    read(bytes, at, next) {
      const kind = formAt(bytes, at);
      if (kind > NAME) return undefined;
      return kind === NAME ? trustedName(bytes.slice(at, next)) : bytes.slice(at, next);
    },
    write: (value) => (value instanceof Uint8Array ? value : value.wire),
    print(value) {
      if (!(value instanceof Uint8Array)) return printName(value);
      if (value.length === 0) return '.';
      return value.length === 4 ? printIpv4(value) : printIpv6(value);
    },
    parse: (words) => parseGateway(earlierWord(words, form.words), words),
  };
}

function skipGateway(form: number, bytes: Uint8Array, at: number, end: number): number {
  if (form === NAME) return skipName(bytes, at, end);
  // What follows an unknown form cannot be told from it.
  if (form > NAME) return end;
  const next = at + (form === NONE ? 0 : form === IPV4 ? 4 : 16);
  return next <= end ? next : -1;
}

function parseGateway(form: string | undefined, words: Words): Gateway | undefined {
  if (form === String(NAME)) return takeName(words);
  const text = takeBare(words);
  if (text === undefined) return undefined;
  if (form === String(IPV4)) return parseIpv4(text);
  if (form === String(IPV6)) return parseIpv6(text);
  return form === String(NONE) && text === '.' ? new Uint8Array(0) : undefined;
}

/** A bit and seven bits in one octet, two words in text (RFC 8777 §4.3.1). */
export function relayTypeField(): Field<{ readonly discovery: boolean; readonly form: number }> {
  const octet = numberField(1);
  return {
    skip: octet.skip,
    read: (bytes, at) => ({
      discovery: (bytes[at] as number) >= 0x80,
      form: (bytes[at] as number) & 0x7f,
    }),
    write: ({ discovery, form }) => Uint8Array.of((discovery ? 0x80 : 0) | (form & 0x7f)),
    print: ({ discovery, form }) => `${discovery ? 1 : 0} ${form}`,
    parse(words) {
      const discovery = takeBare(words);
      const form = octet.parse(words);
      if ((discovery !== '0' && discovery !== '1') || form === undefined || form > 0x7f) {
        return undefined;
      }
      return { discovery: discovery === '1', form };
    },
  };
}
