/**
 * The parameters of SVCB and HTTPS records: RFC 9460 §2.1, §2.2, §7 and §8, RFC 9461 §5,
 * RFC 9540 §4.
 *
 * A record is only taken for malformed on the wire when its keys are not ascending or run over the
 * end. When a known value is wrong or a mandatory key missing it has no meaning, and stays opaque.
 */

import { parseIpv4, parseIpv6, printIpv4, printIpv6 } from './address-text.ts';
import { BASE64, fromDigits, toDigits } from './digits.ts';
import type { Field } from './field.ts';
import { join, readNumber, writeNumber } from './field.ts';
import { octetsOf, quote, takeBare, type Words } from './words.ts';

/** One parameter as octets. */
export type ServiceParameter = { readonly key: number; readonly value: Uint8Array };

/** The keys with a meaning here, as IANA numbers them. */
export const SERVICE_KEY = {
  mandatory: 0,
  alpn: 1,
  'no-default-alpn': 2,
  port: 3,
  ipv4hint: 4,
  ech: 5,
  ipv6hint: 6,
  dohpath: 7,
  ohttp: 8,
} as const;

/** What a key's value looks like in text, and which octets are a value. */
type ValueKind = {
  isValid(value: Uint8Array): boolean;
  print(value: Uint8Array): string;
  /** `text` has its escapes still in it. */
  parse(text: string, quoted: boolean): Uint8Array | undefined;
};

const NOTHING = new Uint8Array(0);

const empty: ValueKind = {
  isValid: (value) => value.length === 0,
  print: () => '',
  parse: (text) => (text === '' ? NOTHING : undefined),
};

const octets: ValueKind = { isValid: () => true, print: quote, parse: octetsOf };

const keyList: ValueKind = {
  isValid(value) {
    const keys = readKeys(value);
    return (
      value.length > 0 &&
      value.length % 2 === 0 &&
      // In order, each once, and never itself (RFC 9460 §8).
      keys.every((key, i) => key > (i === 0 ? 0 : (keys[i - 1] as number)))
    );
  },
  print: (value) => readKeys(value).map(keyName).join(','),
  parse(text) {
    const keys = text.split(',').map(keyNumber);
    if (keys.some((key) => key === undefined)) return undefined;
    return join((keys as number[]).sort((a, b) => a - b).map((key) => writeNumber(key, 2)));
  },
};

const protocolList: ValueKind = {
  isValid(value) {
    let at = 0;
    while (at < value.length) {
      if (value[at] === 0) return false;
      at += 1 + (value[at] as number);
    }
    return value.length > 0 && at === value.length;
  },
  print(value) {
    const items: number[] = [];
    for (let at = 0; at < value.length; at += 1 + (value[at] as number)) {
      if (at > 0) items.push(COMMA);
      for (const octet of value.subarray(at + 1, at + 1 + (value[at] as number))) {
        // The list's own escapes lie below those of the character string (RFC 9460 A.1).
        if (octet === COMMA || octet === BACKSLASH) items.push(BACKSLASH);
        items.push(octet);
      }
    }
    return quote(Uint8Array.from(items));
  },
  parse(text, quoted) {
    const list = octetsOf(text, quoted);
    return list && parseProtocols(list);
  },
};

const COMMA = 0x2c;
const BACKSLASH = 0x5c;

function parseProtocols(list: Uint8Array): Uint8Array | undefined {
  const items: number[][] = [[]];
  for (let at = 0; at < list.length; at++) {
    const octet = list[at] as number;
    if (octet === COMMA) {
      items.push([]);
      continue;
    }
    if (octet === BACKSLASH && ++at === list.length) return undefined;
    items.at(-1)?.push(list[at] as number);
  }
  if (items.some((item) => item.length === 0 || item.length > 255)) return undefined;
  return join(items.map((item) => Uint8Array.of(item.length, ...item)));
}

const port: ValueKind = {
  isValid: (value) => value.length === 2,
  print: (value) => String(readNumber(value, 0, 2)),
  parse: (text) =>
    /^\d{1,5}$/.test(text) && Number(text) <= 0xffff ? writeNumber(Number(text), 2) : undefined,
};

const base64: ValueKind = {
  isValid: (value) => value.length > 0,
  print: (value) => toDigits(BASE64, value),
  parse: (text) => fromDigits(BASE64, text),
};

function addressList(
  width: 4 | 16,
  print: (address: Uint8Array) => string,
  parse: (text: string) => Uint8Array | undefined,
): ValueKind {
  return {
    isValid: (value) => value.length > 0 && value.length % width === 0,
    print: (value) =>
      Array.from({ length: value.length / width }, (_, i) =>
        print(value.subarray(i * width, (i + 1) * width)),
      ).join(','),
    parse(text) {
      const addresses = text.split(',').map(parse);
      if (addresses.some((address) => address === undefined)) return undefined;
      return join(addresses as Uint8Array[]);
    },
  };
}

const KINDS: readonly ValueKind[] = [
  keyList,
  protocolList,
  empty,
  port,
  addressList(4, printIpv4, parseIpv4),
  base64,
  addressList(16, printIpv6, parseIpv6),
  { ...octets, isValid: (value) => value.length > 0 },
  empty,
];

const keyNames = new Map<number, string>(
  Object.entries(SERVICE_KEY).map(([name, key]) => [key, name]),
);

function keyName(key: number): string {
  return keyNames.get(key) ?? `key${key}`;
}

function keyNumber(name: string): number | undefined {
  if (Object.hasOwn(SERVICE_KEY, name)) return SERVICE_KEY[name as keyof typeof SERVICE_KEY];
  const digits = /^key(0|[1-9]\d{0,4})$/.exec(name)?.[1];
  return digits !== undefined && Number(digits) <= 0xffff ? Number(digits) : undefined;
}

function readKeys(value: Uint8Array): number[] {
  return Array.from({ length: value.length >> 1 }, (_, i) => readNumber(value, 2 * i, 2));
}

/** All parameters to the end of the RDATA. */
export function parametersField(): Field<readonly ServiceParameter[]> {
  return {
    skip(bytes, at, end) {
      let next = at;
      for (let last = -1; next < end; ) {
        if (next + 4 > end || readNumber(bytes, next, 2) <= last) return -1;
        last = readNumber(bytes, next, 2);
        next += 4 + readNumber(bytes, next + 2, 2);
      }
      return next === end ? end : -1;
    },
    read(bytes, at, next) {
      const parameters: ServiceParameter[] = [];
      for (let i = at; i < next; ) {
        const end = i + 4 + readNumber(bytes, i + 2, 2);
        parameters.push({ key: readNumber(bytes, i, 2), value: bytes.slice(i + 4, end) });
        i = end;
      }
      return areConsistent(parameters) ? parameters : undefined;
    },
    write: (parameters) =>
      join(
        [...parameters]
          .sort((a, b) => a.key - b.key)
          .flatMap(({ key, value }) => [writeNumber(key, 2), writeNumber(value.length, 2), value]),
      ),
    print: (parameters) => parameters.map(printParameter).join(' '),
    parse: parseParameters,
  };
}

/** RFC 9460 §2.2, §7.1.1 and §8: values of the right form, and all that is mandatory present. */
function areConsistent(parameters: readonly ServiceParameter[]): boolean {
  const keys = new Set(parameters.map(({ key }) => key));
  const needs = parameters.flatMap(({ key, value }) => {
    if (key === SERVICE_KEY.mandatory) return readKeys(value);
    return key === SERVICE_KEY['no-default-alpn'] ? [SERVICE_KEY.alpn] : [];
  });
  return (
    needs.every((key) => keys.has(key)) &&
    parameters.every(({ key, value }) => KINDS[key]?.isValid(value) ?? true)
  );
}

function printParameter({ key, value }: ServiceParameter): string {
  const kind = KINDS[key] ?? octets;
  if (value.length === 0) return keyName(key);
  return `${keyName(key)}=${kind.print(value)}`;
}

function parseParameters(words: Words): ServiceParameter[] | undefined {
  const parameters: ServiceParameter[] = [];
  while (words.at < words.list.length) {
    const parameter = parseParameter(takeBare(words) ?? '');
    if (parameter === undefined) return undefined;
    parameters.push(parameter);
  }
  parameters.sort((a, b) => a.key - b.key);
  const isUnique = parameters.every(({ key }, i) => i === 0 || parameters[i - 1]?.key !== key);
  return isUnique && areConsistent(parameters) ? parameters : undefined;
}

function parseParameter(word: string): ServiceParameter | undefined {
  const [, name = '', rest] = /^([a-z0-9-]+)(?:=(.*))?$/s.exec(word) ?? [];
  const key = keyNumber(name);
  if (key === undefined) return undefined;
  const quoted =
    rest !== undefined && rest.length > 1 && rest.startsWith('"') && rest.endsWith('"');
  const text = quoted ? rest.slice(1, -1) : (rest ?? '');
  // A value given to a number is the octets themselves (RFC 9460 §2.1).
  const kind = name.startsWith('key') ? octets : (KINDS[key] ?? octets);
  const value = kind.parse(text, quoted);
  return value && { key, value };
}
