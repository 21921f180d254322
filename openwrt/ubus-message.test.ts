import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createUbusReader,
  decodeUbusMessage,
  encodeUbusMessage,
  MAX_UBUS_MESSAGE,
  type UbusMessage,
} from './ubus-message.ts';

const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex');
const bytes = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));

const SIGNATURE = { status: { verbose: 7 } };
const vectors: { what: string; wire: string; message: UbusMessage }[] = [
  {
    what: 'HELLO: the peer is our own client id',
    wire: '00000000 d2462182 00000004',
    message: { type: 0, sequence: 0, peer: 0xd2462182, fields: {} },
  },
  {
    what: 'ADD_OBJECT with a signature',
    wire: `00060001 00000000 00000038 0200000b 6e796d6f 74650000 06000028 82000024 00067374 61747573
      00000000 85000014 00077665 72626f73 65000000 00000007`,
    message: {
      type: 6,
      sequence: 1,
      peer: 0,
      fields: { path: 'nymote', signature: SIGNATURE },
    },
  },
  {
    what: 'DATA with the id of the new object, above 2^31',
    wire: '00020001 00000000 00000014 03000008 c04148dd 05000008 9e31ec3f',
    message: {
      type: 2,
      sequence: 1,
      peer: 0,
      fields: { objectId: 0xc04148dd, objectType: 0x9e31ec3f },
    },
  },
  {
    what: 'STATUS 0',
    wire: '00010001 00000000 0000000c 01000008 00000000',
    message: { type: 1, sequence: 1, peer: 0, fields: { status: 0 } },
  },
  {
    what: 'LOOKUP',
    wire: '00040002 00000000 00000010 0200000b 6e796d6f 74650000',
    message: { type: 4, sequence: 2, peer: 0, fields: { path: 'nymote' } },
  },
  {
    what: 'the answer to LOOKUP',
    wire: `00020002 00000000 00000048 0200000b 6e796d6f 74650000 03000008 c04148dd 05000008 9e31ec3f
      06000028 82000024 00067374 61747573 00000000 85000014 00077665 72626f73 65000000 00000007`,
    message: {
      type: 2,
      sequence: 2,
      peer: 0,
      fields: {
        path: 'nymote',
        objectId: 0xc04148dd,
        objectType: 0x9e31ec3f,
        signature: SIGNATURE,
      },
    },
  },
  {
    what: 'INVOKE of the event object',
    wire: `00050005 00000001 00000054 03000008 00000001 0400000d 72656769 73746572 00000000
      07000038 85000014 00066f62 6a656374 00000000 ae4261f2 83000020 00077061 74746572 6e000000
      75627573 2e6f626a 6563742e 61646400`,
    message: {
      type: 5,
      sequence: 5,
      peer: 1,
      fields: {
        objectId: 1,
        method: 'register',
        data: { object: 0xae4261f2 | 0, pattern: 'ubus.object.add' },
      },
    },
  },
  {
    what: 'a reply: DATA',
    wire: '00020002 ad3df4dd 00000020 03000008 c04148dd 07000014 8700000d 00027570 00000000 01000000',
    message: {
      type: 2,
      sequence: 2,
      peer: 0xad3df4dd,
      fields: { objectId: 0xc04148dd, data: { up: true } },
    },
  },
  {
    what: 'a reply: STATUS',
    wire: '00010002 ad3df4dd 00000014 01000008 00000000 03000008 c04148dd',
    message: {
      type: 1,
      sequence: 2,
      peer: 0xad3df4dd,
      fields: { status: 0, objectId: 0xc04148dd },
    },
  },
  {
    what: 'ADD_OBJECT of a nameless object',
    wire: '00060004 00000000 00000004',
    message: { type: 6, sequence: 4, peer: 0, fields: {} },
  },
  {
    what: 'NOTIFY that wants no reply',
    wire: `000a0003 c04148dd 00000030 03000008 c04148dd 0400000c 6368616e 67656400 07000010 8500000c
      00016e00 00000001 0a000005 01000000`,
    message: {
      type: 10,
      sequence: 3,
      peer: 0xc04148dd,
      fields: { objectId: 0xc04148dd, method: 'changed', data: { n: 1 }, noReply: true },
    },
  },
];

describe('the bytes of ubusd', () => {
  test.each(vectors)('$what', ({ wire, message }) => {
    expect(hex(encodeUbusMessage(message))).toBe(wire.replaceAll(/\s/g, ''));
    expect(decodeUbusMessage(bytes(wire))).toEqual({ ok: true, value: message });
  });

  test('INVOKE as a server gets it, with the attributes out of order', () => {
    const wire = `00050002 ad3df4dd 00000048 03000008 c04148dd 0400000b 73746174 75730000
      0c000009 726f6f74 00000000 0d000009 726f6f74 00000000
      07000018 87000011 00077665 72626f73 65000000 00000000`;
    expect(decodeUbusMessage(bytes(wire))).toEqual({
      ok: true,
      value: {
        type: 5,
        sequence: 2,
        peer: 0xad3df4dd,
        fields: {
          objectId: 0xc04148dd,
          method: 'status',
          user: 'root',
          group: 'root',
          data: { verbose: false },
        },
      },
    });
  });
});

test('a message over 1 MiB is not written: ubusd would hang up', () => {
  const message = (length: number) => ({
    type: 2,
    sequence: 1,
    peer: 1,
    fields: { data: { s: 'x'.repeat(length) } },
  });
  expect(encodeUbusMessage(message(MAX_UBUS_MESSAGE - 100))).toBeDefined();
  expect(encodeUbusMessage(message(MAX_UBUS_MESSAGE))).toBeUndefined();
  expect(encodeUbusMessage(message(17_000_000))).toBeUndefined();
});

describe('the reader', () => {
  const stream = bytes(vectors.map(({ wire }) => wire).join(''));
  const expected = vectors.map(({ message }) => message);

  test.each([
    { size: 1, why: 'single bytes' },
    { size: 7, why: 'pieces that end anywhere' },
    { size: 4096, why: 'all messages in one read' },
  ])('reads $why', ({ size }) => {
    const read = createUbusReader();
    const messages: UbusMessage[] = [];
    for (let at = 0; at < stream.length; at += size) {
      const result = read(stream.subarray(at, at + size));
      if (result.ok) messages.push(...result.messages);
    }
    expect(messages).toEqual(expected);
  });

  test.each([
    { wire: '00000000 00000000 00100001', reason: 'too-long', why: 'more than 1 MiB' },
    { wire: '00000000 00000000 00000003', reason: 'bad-length', why: 'less than a container' },
    { wire: '07000000 00000000 00000004', reason: 'bad-length', why: 'not version 0' },
    {
      wire: '00010001 00000000 0000000c 01000007 00000000',
      reason: 'bad-length',
      why: 'half a u32',
    },
    { wire: '00040001 00000000 0000000c 02000008 6e796d6f', reason: 'bad-value', why: 'no NUL' },
  ])('hangs up on $wire: $why', ({ wire, reason }) => {
    expect(createUbusReader()(bytes(wire))).toEqual({ ok: false, reason });
  });

  test('any bytes in any pieces are read or refused', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 8 });
    fc.assert(
      fc.property(pieces, (chunks) => {
        const read = createUbusReader();
        for (const chunk of chunks) expect(typeof read(chunk).ok).toBe('boolean');
      }),
    );
  });

  test('real messages with changed bytes are read or refused', () => {
    const change = fc.record({ at: fc.nat(stream.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 5 }), (changes) => {
        const wire = stream.slice();
        for (const { at, byte } of changes) wire[at] = byte;
        expect(typeof createUbusReader()(wire).ok).toBe('boolean');
      }),
    );
  });
});
