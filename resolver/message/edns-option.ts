/**
 * EDNS options as typed values.
 *
 * An option that breaks its own rules reads as undefined; what that means is up to who asks: for a
 * cookie or a client subnet it is FORMERR (RFC 7873 §5.2.2, RFC 7871 §7.1.2), for most nothing.
 */

import type { EdnsOption } from './edns.ts';
import { type Name, nameFromWire } from './name.ts';

/** Option codes as IANA numbers them. */
export const OPTION = {
  NSID: 3,
  'CLIENT-SUBNET': 8,
  EXPIRE: 9,
  COOKIE: 10,
  KEEPALIVE: 11,
  PADDING: 12,
  CHAIN: 13,
  'KEY-TAG': 14,
  EDE: 15,
  'REPORT-CHANNEL': 18,
  ZONEVERSION: 19,
} as const;

/** The values of the options by their names. Times are in the units of the wire. */
export type Option =
  /** RFC 5001: empty in queries. */
  | { readonly option: 'NSID'; readonly identifier: Uint8Array }
  /** RFC 7871: `address` has all its 4 or 16 octets, zero beyond the source prefix. */
  | {
      readonly option: 'CLIENT-SUBNET';
      readonly address: Uint8Array;
      readonly sourcePrefix: number;
      readonly scopePrefix: number;
    }
  /** RFC 7314: seconds, none in queries. */
  | { readonly option: 'EXPIRE'; readonly seconds: number | undefined }
  /** RFC 7873 §4: 8 octets of the client, then none or 8 to 32 of the server. */
  | { readonly option: 'COOKIE'; readonly client: Uint8Array; readonly server: Uint8Array }
  /** RFC 7828: tenths of a second, none in queries. */
  | { readonly option: 'KEEPALIVE'; readonly timeout: number | undefined }
  /** RFC 7830: only the length matters, what the octets are does not. */
  | { readonly option: 'PADDING'; readonly length: number }
  /** RFC 8145 §4. */
  | { readonly option: 'KEY-TAG'; readonly tags: readonly number[] }
  /** RFC 8914: `text` is for people. */
  | { readonly option: 'EDE'; readonly code: number; readonly text: string }
  /** RFC 9567: whom to report to. */
  | { readonly option: 'REPORT-CHANNEL'; readonly agent: Name }
  /** RFC 9660: none in queries. */
  | {
      readonly option: 'ZONEVERSION';
      readonly version:
        | { readonly labels: number; readonly kind: number; readonly octets: Uint8Array }
        | undefined;
    };

/** RFC 7873 §4. */
const CLIENT_COOKIE = 8;
const MIN_SERVER_COOKIE = 8;
const MAX_SERVER_COOKIE = 32;

type OptionOf<K extends Option['option']> = Extract<Option, { readonly option: K }>;

type Codec<K extends Option['option']> = {
  decode(data: Uint8Array): OptionOf<K> | undefined;
  encode(option: OptionOf<K>): Uint8Array;
};

const CODECS: { readonly [K in Option['option']]: Codec<K> } = {
  NSID: {
    decode: (identifier) => ({ option: 'NSID', identifier }),
    encode: ({ identifier }) => identifier,
  },
  'CLIENT-SUBNET': { decode: decodeSubnet, encode: encodeSubnet },
  EXPIRE: {
    decode(data) {
      if (data.length !== 0 && data.length !== 4) return undefined;
      return { option: 'EXPIRE', seconds: data.length === 0 ? undefined : numberIn(data, 0, 4) };
    },
    encode: ({ seconds }) => (seconds === undefined ? new Uint8Array(0) : numberOf(seconds, 4)),
  },
  COOKIE: {
    decode(data) {
      const server = data.subarray(CLIENT_COOKIE);
      const isServer = server.length >= MIN_SERVER_COOKIE && server.length <= MAX_SERVER_COOKIE;
      if (data.length !== CLIENT_COOKIE && !isServer) return undefined;
      return { option: 'COOKIE', client: data.subarray(0, CLIENT_COOKIE), server };
    },
    encode: ({ client, server }) => Uint8Array.of(...client, ...server),
  },
  KEEPALIVE: {
    decode(data) {
      if (data.length !== 0 && data.length !== 2) return undefined;
      return { option: 'KEEPALIVE', timeout: data.length === 0 ? undefined : numberIn(data, 0, 2) };
    },
    encode: ({ timeout }) => (timeout === undefined ? new Uint8Array(0) : numberOf(timeout, 2)),
  },
  PADDING: {
    decode: ({ length }) => ({ option: 'PADDING', length }),
    encode: ({ length }) => new Uint8Array(length),
  },
  'KEY-TAG': {
    decode(data) {
      if (data.length === 0 || data.length % 2 !== 0) return undefined;
      const tags = Array.from({ length: data.length / 2 }, (_, i) => numberIn(data, 2 * i, 2));
      return { option: 'KEY-TAG', tags };
    },
    encode: ({ tags }) => Uint8Array.from(tags.flatMap((tag) => [tag >> 8, tag & 0xff])),
  },
  EDE: { decode: decodeExtendedError, encode: encodeExtendedError },
  'REPORT-CHANNEL': {
    decode(data) {
      const agent = nameFromWire(data);
      // The root would mean that there is none to report to (RFC 9567).
      return agent === undefined || data.length === 1
        ? undefined
        : { option: 'REPORT-CHANNEL', agent };
    },
    encode: ({ agent }) => agent.wire,
  },
  ZONEVERSION: { decode: decodeZoneVersion, encode: encodeZoneVersion },
};

const names = new Map<number, Option['option'] | 'CHAIN'>(
  Object.entries(OPTION).map(([name, code]) => [code, name as keyof typeof OPTION]),
);

/** The value of an option; undefined when it is not one of ours or breaks its rules. */
export function decodeOption(option: EdnsOption): Option | undefined {
  const name = names.get(option.code);
  return name === undefined || name === 'CHAIN' ? undefined : CODECS[name].decode(option.data);
}

/** The octets of an option. A value out of range is our own mistake and throws. */
export function encodeOption<K extends Option['option']>(option: OptionOf<K>): EdnsOption {
  const codec = CODECS[option.option] as unknown as Codec<K>;
  return { code: OPTION[option.option], data: codec.encode(option) };
}

/** The value of the first option with this name. */
export function findOption<K extends Option['option']>(
  options: readonly EdnsOption[],
  name: K,
): OptionOf<K> | undefined {
  const found = options.find(({ code }) => code === OPTION[name]);
  return found && (decodeOption(found) as OptionOf<K> | undefined);
}

function numberIn(data: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = 0; i < width; i++) value = value * 256 + (data[at + i] as number);
  return value;
}

function numberOf(value: number, width: 2 | 4): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value >= 256 ** width) {
    throw new RangeError(`${value} is no unsigned number of ${width} octets`);
  }
  const data = new Uint8Array(width);
  for (let i = 0; i < width; i++) data[i] = Math.floor(value / 256 ** (width - 1 - i));
  return data;
}

/** RFC 7871 §6: only the octets that the source prefix needs, and no bit beyond it. */
function decodeSubnet(data: Uint8Array): OptionOf<'CLIENT-SUBNET'> | undefined {
  if (data.length < 4) return undefined;
  const family = numberIn(data, 0, 2);
  const sourcePrefix = data[2] as number;
  const scopePrefix = data[3] as number;
  const width = family === 1 ? 4 : 16;
  if (family < 1 || family > 2 || Math.max(sourcePrefix, scopePrefix) > width * 8) return undefined;
  const octets = data.subarray(4);
  if (octets.length !== Math.ceil(sourcePrefix / 8)) return undefined;
  const spare = octets.length * 8 - sourcePrefix;
  if (((octets.at(-1) ?? 0) & ((1 << spare) - 1)) !== 0) return undefined;
  const address = new Uint8Array(width);
  address.set(octets);
  return { option: 'CLIENT-SUBNET', address, sourcePrefix, scopePrefix };
}

function encodeSubnet(option: OptionOf<'CLIENT-SUBNET'>): Uint8Array {
  const { address, sourcePrefix, scopePrefix } = option;
  const size = Math.ceil(sourcePrefix / 8);
  const data = new Uint8Array(4 + size);
  data.set([0, address.length === 4 ? 1 : 2, sourcePrefix, scopePrefix]);
  data.set(address.subarray(0, size), 4);
  const spare = size * 8 - sourcePrefix;
  if (size > 0) data[3 + size] = (data[3 + size] as number) & (0xff << spare);
  return data;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The text is UTF-8 that may be cut short or end in a zero; it is shown, never trusted. */
function decodeExtendedError(data: Uint8Array): OptionOf<'EDE'> | undefined {
  if (data.length < 2) return undefined;
  const text = decoder.decode(data.subarray(2)).replace(/\0$/, '');
  return { option: 'EDE', code: numberIn(data, 0, 2), text };
}

function encodeExtendedError({ code, text }: OptionOf<'EDE'>): Uint8Array {
  return Uint8Array.of(...numberOf(code, 2), ...encoder.encode(text));
}

function decodeZoneVersion(data: Uint8Array): OptionOf<'ZONEVERSION'> | undefined {
  if (data.length === 0) return { option: 'ZONEVERSION', version: undefined };
  if (data.length < 2) return undefined;
  const [labels = 0, kind = 0] = data;
  // A SOA serial, the only kind there is, has four octets (RFC 9660 §3.2).
  if (kind === 0 && data.length !== 6) return undefined;
  return { option: 'ZONEVERSION', version: { labels, kind, octets: data.subarray(2) } };
}

function encodeZoneVersion({ version }: OptionOf<'ZONEVERSION'>): Uint8Array {
  return version === undefined
    ? new Uint8Array(0)
    : Uint8Array.of(version.labels, version.kind, ...version.octets);
}
