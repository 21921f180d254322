import { beforeEach, expect, test } from 'vitest';
import { type FakeRuntime, fakeRuntime } from '#runtime/fake';
import { OPTION } from '../message/edns-option.ts';
import type { Message } from '../message/message.ts';
import { replyTo } from '../recursion/reply.fixture.ts';
import {
  COOKIE_MILLISECONDS,
  createServerCookies,
  MAX_COOKIES,
  type ServerCookies,
  SHUNNED_MILLISECONDS,
} from './server-cookies.ts';

const PLACE = '198.51.100.1 53';
const SERVER_HALF = new Uint8Array(16).fill(7);

let runtime: FakeRuntime;
let cookies: ServerCookies;
beforeEach(() => {
  runtime = fakeRuntime();
  cookies = createServerCookies(runtime);
});

const offered = (place = PLACE): Uint8Array => cookies.offer(place) ?? new Uint8Array(0);
const withCookie = (data: Uint8Array): Message =>
  replyTo(
    'a.',
    1,
    {},
    {
      edns: {
        udpSize: 1232,
        version: 0,
        dnssecOk: true,
        options: [{ code: OPTION.COOKIE, data }],
      },
    },
  );
const BARE = replyTo('a.', 1);
const server = (half: Uint8Array) =>
  withCookie(Uint8Array.of(...half.subarray(0, 8), ...SERVER_HALF));

function learnt(): Uint8Array {
  const first = offered();
  expect(cookies.hear(PLACE, first, server(first), 'udp')).toBe(true);
  return offered();
}

test('the server’s half is shown again, to it alone', () => {
  expect(offered()).toHaveLength(8);
  expect(learnt().subarray(8)).toEqual(SERVER_HALF);
  expect(offered(`${PLACE} 192.0.2.9`)).toHaveLength(8);
  expect(offered(`${PLACE} 192.0.2.9`)).not.toEqual(offered().subarray(0, 8));
});

test.each([
  { reply: () => BARE, known: false, transport: 'udp', is: true, why: 'it may know no cookies' },
  { reply: () => BARE, known: true, transport: 'udp', is: false, why: 'it did before' },
  { reply: () => BARE, known: true, transport: 'tcp', is: true, why: 'it has given them up' },
  {
    reply: () => server(new Uint8Array(8)),
    known: false,
    transport: 'udp',
    is: false,
    why: 'another half than ours',
  },
  {
    reply: () => withCookie(new Uint8Array(9)),
    known: false,
    transport: 'udp',
    is: false,
    why: 'no cookie by its length',
  },
  {
    reply: (half: Uint8Array) => withCookie(half.slice(0, 8)),
    known: true,
    transport: 'udp',
    is: true,
    why: 'ours came back, and nothing new',
  },
] as const)('$transport, known $known: $is, $why', ({ reply, known, transport, is }) => {
  const half = known ? learnt() : offered();
  expect(cookies.hear(PLACE, half, reply(half), transport)).toBe(is);
});

test('a server that gives cookies up over TCP is asked without its half', () => {
  const half = learnt();
  cookies.hear(PLACE, half, BARE, 'tcp');
  expect(offered()).toHaveLength(8);
});

test('our half is new after a day, and the server’s is forgotten with it', async () => {
  const before = learnt();
  await runtime.clock.advance(COOKIE_MILLISECONDS + 1);
  expect(offered()).toHaveLength(8);
  expect(offered()).not.toEqual(before.subarray(0, 8));
});

test('who refuses cookies gets none for an hour, but not who gave one', async () => {
  offered();
  cookies.shun(PLACE);
  expect(cookies.offer(PLACE)).toBeUndefined();
  await runtime.clock.advance(SHUNNED_MILLISECONDS + 1);
  learnt();
  cookies.shun(PLACE);
  expect(cookies.offer(PLACE)).toBeDefined();
});

test('memory is bounded, the one unused for longest goes', () => {
  for (let index = 0; index < MAX_COOKIES + 10; index++) offered(`${index}`);
  expect(cookies.size).toBe(MAX_COOKIES);
});
