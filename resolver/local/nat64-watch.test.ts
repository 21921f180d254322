import { beforeEach, expect, test } from 'vitest';
import { type FakeRuntime, fakeRuntime } from '#runtime/fake';
import { printIpv6 } from '../message/wire/address-text.ts';
import type { Event, Send } from '../recursion/frame.ts';
import { replyTo } from '../recursion/reply.fixture.ts';
import { type Nat64Watch, RETRY_SECONDS, watchNat64 } from './nat64-watch.ts';

const SERVERS = [
  { address: '192.0.2.1', port: 53 },
  { address: '192.0.2.2', port: 53 },
];

let runtime: FakeRuntime;
let sends: Send[];
let answer: (send: Send) => Event;
let watch: Nat64Watch;

const said = (...answers: string[]): Event => ({
  kind: 'reply',
  message: replyTo('ipv4only.arpa.', 28, { answers }),
  bytes: 100,
  milliseconds: 1,
});
const nothing: Event = said();
const prefix = () => watch.prefix && `${printIpv6(watch.prefix.octets)}/${watch.prefix.length}`;

beforeEach(async () => {
  runtime = fakeRuntime();
  sends = [];
  answer = () => nothing;
  const ask = async (send: Send) => {
    sends.push(send);
    return answer(send);
  };
  watch = watchNat64({ ...runtime, upstream: { ask } }, SERVERS);
});

test.each<{ answer: (send: Send) => Event; is: string | undefined; why: string }>([
  {
    answer: () => said('ipv4only.arpa. 600 AAAA 64:ff9b::c000:aa'),
    is: '64:ff9b::/96',
    why: 'the network has a NAT64',
  },
  {
    answer: ({ server }) =>
      server.address === '192.0.2.1'
        ? { kind: 'timeout' }
        : said('ipv4only.arpa. 600 AAAA 2001:db8:64::192.0.0.171'),
    is: '2001:db8:64::/96',
    why: 'the second resolver knows',
  },
  {
    answer: ({ transport }) =>
      transport === 'udp'
        ? ({ ...nothing, message: replyTo('ipv4only.arpa.', 28, {}, { truncated: true }) } as Event)
        : said('ipv4only.arpa. 600 AAAA 64:ff9b::c000:aa'),
    is: '64:ff9b::/96',
    why: 'cut off: over TCP',
  },
  { answer: () => nothing, is: undefined, why: 'no NAT64' },
  {
    answer: () => said('ipv4only.arpa. 600 AAAA 2001:db8::1'),
    is: undefined,
    why: 'an address that shows nothing',
  },
])('$is: $why', async ({ answer: give, is }) => {
  answer = give;
  watch.start();
  await runtime.clock.settle();
  expect(prefix()).toBe(is);
});

test('it is asked for again before it ends, and followed', async () => {
  answer = () => said('ipv4only.arpa. 600 AAAA 64:ff9b::c000:aa');
  watch.start();
  await runtime.clock.settle();
  answer = () => said('ipv4only.arpa. 600 AAAA 2001:db8:64::c000:aa');
  await runtime.clock.advance(500_000);
  expect(prefix()).toBe('64:ff9b::/96');
  await runtime.clock.advance(60_000);
  expect(prefix()).toBe('2001:db8:64::/96');
  // The network has changed: there is none any more.
  answer = () => nothing;
  await runtime.clock.advance(600_000);
  expect(prefix()).toBeUndefined();
  const before = sends.length;
  await runtime.clock.advance(RETRY_SECONDS * 1_000 + 100);
  expect(sends.length).toBeGreaterThan(before);
});

test('a TTL of 0 does not make it ask all the time, and its end is one', async () => {
  answer = () => said('ipv4only.arpa. 0 AAAA 64:ff9b::c000:aa');
  watch.start();
  await runtime.clock.advance(600_000);
  expect(sends.length).toBeLessThan(12);
  watch[Symbol.dispose]();
  const before = sends.length;
  await runtime.clock.advance(600_000);
  expect(sends.length).toBe(before);
});

test('that there is none is said too, once', async () => {
  watch.start();
  await runtime.clock.advance(RETRY_SECONDS * 3_000);
  expect(sends.length).toBeGreaterThan(SERVERS.length);
  const fields = { prefix: 'none' };
  expect(runtime.log.lines).toEqual([{ level: 'info', event: 'nat64-prefix', fields }]);
});
