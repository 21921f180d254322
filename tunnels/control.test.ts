import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import {
  type ControlMessage,
  DATAGRAM_BYTES,
  derivePairKeys,
  nextStamp,
  openMessage,
  type PairKeys,
  readSender,
  sealMessage,
  senderTag,
} from './control.ts';

const { crypto } = nodeRuntime();
const alice = crypto.generateAgreementKey();
const bob = crypto.generateAgreementKey();
const toBob = pairKeys(alice, bob.publicKey);
const toAlice = pairKeys(bob, alice.publicKey);
const SENDER = senderTag(crypto, 'alice');
const NONCE = new Uint8Array(12).fill(3);
const KNOCK: ControlMessage = {
  kind: 'knock',
  stamp: 5,
  listenPort: 51_820,
  controlPort: 51_821,
  callBack: false,
};
const seal = (message: ControlMessage) => sealMessage(crypto, toBob, SENDER, NONCE, message);

const stamps = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const ports = fc.integer({ min: 1, max: 65_535 });
const messages: fc.Arbitrary<ControlMessage> = fc.oneof(
  fc.record({
    kind: fc.constant('knock' as const),
    stamp: stamps,
    listenPort: ports,
    controlPort: ports,
    callBack: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('welcome' as const),
    stamp: stamps,
    echo: stamps,
    listenPort: ports,
    controlPort: ports,
    seen: fc.record({ address: fc.constantFrom('192.0.2.1', '2001:db8::1'), port: ports }),
    initiator: fc.constantFrom('asker' as const, 'answerer' as const),
  }),
  fc.record({
    kind: fc.constant('refuse' as const),
    stamp: stamps,
    echo: stamps,
    reason: fc.constantFrom('not-allowed' as const, 'tunnels-off' as const, 'old-stamp' as const),
    last: stamps,
  }),
  fc.record({ kind: fc.constant('bye' as const), stamp: stamps }),
  fc.record({
    kind: fc.constant('moved' as const),
    stamp: stamps,
    head: fc.stringMatching(/^[0-9a-zA-Z]{1,128}$/),
  }),
);

test('what is sealed is opened by the other, and all datagrams are of one size', () => {
  fc.assert(
    fc.property(messages, (message) => {
      const datagram = seal(message);
      expect(datagram).toHaveLength(DATAGRAM_BYTES);
      expect(readSender(datagram)).toBe(SENDER);
      expect(openMessage(crypto, toAlice, datagram)).toEqual(message);
    }),
  );
});

test('one changed bit anywhere, and it is nothing', () => {
  const datagram = seal(KNOCK);
  fc.assert(
    fc.property(fc.nat({ max: DATAGRAM_BYTES * 8 - 1 }), (bit) => {
      const changed = datagram.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(openMessage(crypto, toAlice, changed)).toBeUndefined();
    }),
  );
});

test('bytes of any kind are nothing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 700 }), (bytes) => {
      expect(openMessage(crypto, toAlice, bytes)).toBeUndefined();
      const shaped = seal(KNOCK);
      shaped.set(bytes.subarray(0, DATAGRAM_BYTES - 5), 5);
      if (bytes.length > 0) {
        openMessage(crypto, toAlice, shaped);
      }
    }),
  );
});

describe('sealed by a peer that is broken or of another version', () => {
  test.each<[unknown, string]>([
    [{ ...KNOCK, listenPort: 0 }, 'port 0'],
    [{ ...KNOCK, stamp: -1 }, 'a stamp that is none'],
    [{ ...KNOCK, stamp: '5' }, 'a stamp in words'],
    [
      {
        kind: 'welcome',
        stamp: 1,
        echo: 1,
        listenPort: 1,
        controlPort: 1,
        initiator: 'both',
        seen: { address: '1.2.3.4', port: 1 },
      },
      'both begin',
    ],
    [
      { kind: 'welcome', stamp: 1, echo: 1, listenPort: 1, controlPort: 1, initiator: 'asker' },
      'nothing seen',
    ],
    [{ kind: 'refuse', stamp: 1, echo: 1, last: 0, reason: 'mood' }, 'an unknown reason'],
    [{ kind: 'moved', stamp: 1, head: '../x' }, 'a head that is none'],
    [{ kind: 'dance', stamp: 1 }, 'an unknown kind'],
    [[], 'a list'],
    [null, 'null'],
  ])('%j is nothing: %s', (json) => {
    expect(openMessage(crypto, toAlice, seal(json as unknown as ControlMessage))).toBeUndefined();
  });
});

test("a datagram does not open with the other direction's key: no reflection", () => {
  expect(openMessage(crypto, toBob, seal(KNOCK))).toBeUndefined();
});

test('a third device can neither open nor forge', () => {
  const carol = crypto.generateAgreementKey();
  const fromBob = pairKeys(carol, bob.publicKey);
  expect(openMessage(crypto, pairKeys(carol, alice.publicKey), seal(KNOCK))).toBeUndefined();
  const forged = sealMessage(crypto, fromBob, SENDER, NONCE, KNOCK);
  expect(openMessage(crypto, toAlice, forged)).toBeUndefined();
});

test('no datagram looks like WireGuard, whose first word is 1 to 4', () => {
  const [first = 0, ...rest] = seal(KNOCK).subarray(0, 4);
  expect(first > 4 || rest.some((byte) => byte !== 0)).toBe(true);
});

test('a key of low order makes no pair (RFC 7748 §6.1)', () => {
  expect(derivePairKeys(crypto, alice, new Uint8Array(32))).toBeUndefined();
});

test('stamps grow, whatever the clock does', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 4e9, noNaN: true })), (clock) => {
      let last = 0;
      for (const now of clock) {
        const next = nextStamp(last, now);
        expect(next).toBeGreaterThan(last);
        last = next;
      }
    }),
  );
});

function pairKeys(
  own: { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array },
  other: Uint8Array,
): PairKeys {
  const keys = derivePairKeys(crypto, own, other);
  if (keys === undefined) {
    throw new Error('unreachable: a good key');
  }
  return keys;
}
