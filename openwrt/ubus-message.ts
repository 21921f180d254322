/**
 * ubus messages: an eight-byte header, then one container of attributes.
 *
 * The format is ubus's `ubusmsg.h`: version, type, 16-bit sequence number, 32-bit peer, all
 * big-endian. `createUbusReader` cuts a stream, in chunks of any size, into messages. This file
 * knows what the fields are called, not who sends what when; that is `ubus.ts`.
 */

import {
  type BlobAttribute,
  type BlobProblem,
  type BlobResult,
  type BlobTable,
  decodeBlobTable,
  encodeBlob,
  encodeBlobTable,
  joinBytes,
  MAX_BLOB_LENGTH,
  splitBlob,
} from './blobmsg.ts';

export type UbusMessage = {
  readonly type: number;
  readonly sequence: number;
  readonly peer: number;
  readonly fields: UbusFields;
};

/** The attributes of a message (`enum ubus_msg_attr`). The ids of objects are random 32 bits. */
export type UbusFields = {
  readonly status?: number;
  readonly path?: string;
  readonly objectId?: number;
  readonly method?: string;
  readonly objectType?: number;
  readonly signature?: BlobTable;
  readonly data?: BlobTable;
  readonly target?: number;
  readonly active?: boolean;
  readonly noReply?: boolean;
  readonly user?: string;
  readonly group?: string;
};

/** Message types (`enum ubus_msg_type`). */
export const UBUS_MESSAGE = {
  hello: 0,
  status: 1,
  data: 2,
  ping: 3,
  lookup: 4,
  invoke: 5,
  addObject: 6,
  removeObject: 7,
  subscribe: 8,
  unsubscribe: 9,
  notify: 10,
} as const;

/** ubusd drops a connection that sends more (`UBUS_MAX_MSGLEN`). */
export const MAX_UBUS_MESSAGE = 1_048_576;

const HEADER_LENGTH = 8;

type FieldKind = 'u32' | 'u8' | 'text' | 'table';

/** Attribute number and form of each field; from this table messages are written and read. */
const FIELDS = {
  status: [1, 'u32'],
  path: [2, 'text'],
  objectId: [3, 'u32'],
  method: [4, 'text'],
  objectType: [5, 'u32'],
  signature: [6, 'table'],
  data: [7, 'table'],
  target: [8, 'u32'],
  active: [9, 'u8'],
  noReply: [10, 'u8'],
  user: [12, 'text'],
  group: [13, 'text'],
} as const satisfies Record<keyof UbusFields, readonly [number, FieldKind]>;

const FIELD_BY_ID = new Map(
  Object.entries(FIELDS).map(([name, [id, kind]]) => [id as number, { name, kind }] as const),
);

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Writes a message; undefined when it would be longer than ubusd takes. */
export function encodeUbusMessage(message: UbusMessage): Uint8Array | undefined {
  const body = encodeFields(message.fields);
  if (body === undefined || HEADER_LENGTH + 4 + body.length > MAX_UBUS_MESSAGE) return undefined;
  const header = new Uint8Array(HEADER_LENGTH);
  const view = new DataView(header.buffer);
  view.setUint8(1, message.type);
  view.setUint16(2, message.sequence);
  view.setUint32(4, message.peer);
  return joinBytes([header, encodeBlob(0, body)]);
}

/** Reads one whole message. Attributes it does not know are left out. */
export function decodeUbusMessage(bytes: Uint8Array): BlobResult<UbusMessage> {
  if (bytes.length < HEADER_LENGTH + 4) return { ok: false, reason: 'truncated' };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (messageLength(view) !== bytes.length || view.getUint8(0) !== 0) {
    return { ok: false, reason: 'bad-length' };
  }
  const attributes = splitBlob(bytes.subarray(HEADER_LENGTH + 4));
  if (!attributes.ok) return attributes;
  const fields = decodeFields(attributes.value);
  if (!fields.ok) return fields;
  return {
    ok: true,
    value: {
      type: view.getUint8(1),
      sequence: view.getUint16(2),
      peer: view.getUint32(4),
      fields: fields.value,
    },
  };
}

/** What a reader makes of more bytes: the messages they complete, or that the stream is no ubus. */
export type UbusRead =
  | { readonly ok: true; readonly messages: readonly UbusMessage[] }
  | { readonly ok: false; readonly reason: BlobProblem | 'too-long' };

/** Cuts a stream into messages. After a refusal the stream has no frame any more: hang up. */
export function createUbusReader(): (chunk: Uint8Array) => UbusRead {
  let held = new Uint8Array(4096);
  let length = 0;
  return (chunk) => {
    held = makeRoom(held, length, chunk.length);
    held.set(chunk, length);
    length += chunk.length;
    const cut = cutMessages(held.subarray(0, length));
    if (!cut.ok) return cut;
    held.copyWithin(0, cut.used, length);
    length -= cut.used;
    return { ok: true, messages: cut.messages };
  };
}

function cutMessages(
  bytes: Uint8Array,
): (UbusRead & { readonly ok: false }) | (UbusRead & { readonly ok: true; readonly used: number }) {
  const messages: UbusMessage[] = [];
  let used = 0;
  while (bytes.length - used >= HEADER_LENGTH + 4) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + used, HEADER_LENGTH + 4);
    const length = messageLength(view);
    if (length > MAX_UBUS_MESSAGE) return { ok: false, reason: 'too-long' };
    if (length < HEADER_LENGTH + 4) return { ok: false, reason: 'bad-length' };
    if (length > bytes.length - used) break;
    // A copy: the buffer is written over by what comes next.
    const decoded = decodeUbusMessage(bytes.slice(used, used + length));
    if (!decoded.ok) return decoded;
    messages.push(decoded.value);
    used += length;
  }
  return { ok: true, messages, used };
}

/** Doubles, so that a message in single bytes costs no more than one in a piece. */
function makeRoom(held: Uint8Array<ArrayBuffer>, length: number, more: number) {
  if (length + more <= held.length) return held;
  const larger = new Uint8Array(Math.max(held.length * 2, length + more));
  larger.set(held.subarray(0, length));
  return larger;
}

function messageLength(view: DataView): number {
  return HEADER_LENGTH + (view.getUint32(HEADER_LENGTH) & MAX_BLOB_LENGTH);
}

function encodeFields(fields: UbusFields): Uint8Array | undefined {
  try {
    const parts = Object.entries(FIELDS).map(([name, [id, kind]]) => {
      const value = fields[name as keyof UbusFields];
      return value === undefined ? new Uint8Array() : encodeBlob(id, encodeField(kind, value));
    });
    return joinBytes(parts);
  } catch (thrown) {
    // More than 24 bits of length, which is far more than a message.
    if (thrown instanceof RangeError) return undefined;
    throw thrown;
  }
}

function encodeField(kind: FieldKind, value: UbusFields[keyof UbusFields]): Uint8Array {
  if (typeof value === 'string') return encoder.encode(`${value}\0`);
  if (typeof value === 'object') return encodeBlobTable(value);
  if (kind === 'u8') return Uint8Array.of(Number(value));
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, Number(value));
  return bytes;
}

function decodeFields(attributes: readonly BlobAttribute[]): BlobResult<UbusFields> {
  const fields: Record<string, unknown> = {};
  for (const { id, payload } of attributes) {
    const field = FIELD_BY_ID.get(id);
    if (field === undefined) continue;
    const decoded = decodeField(field.kind, payload);
    if (!decoded.ok) return decoded;
    fields[field.name] = decoded.value;
  }
  return { ok: true, value: fields };
}

function decodeField(
  kind: FieldKind,
  payload: Uint8Array,
): BlobResult<string | number | boolean | BlobTable> {
  switch (kind) {
    case 'table':
      return decodeBlobTable(payload);
    case 'text':
      return payload.at(-1) === 0
        ? { ok: true, value: decoder.decode(payload.subarray(0, payload.indexOf(0))) }
        : { ok: false, reason: 'bad-value' };
    case 'u8':
      return payload.length === 1
        ? { ok: true, value: payload[0] !== 0 }
        : { ok: false, reason: 'bad-length' };
    case 'u32':
      return payload.length === 4
        ? { ok: true, value: new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0) }
        : { ok: false, reason: 'bad-length' };
    default:
      return kind satisfies never;
  }
}
