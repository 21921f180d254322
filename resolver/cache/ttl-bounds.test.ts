import { expect, test } from 'vitest';
import type { Send } from '../recursion/frame.ts';
import { nameOf, replyTo } from '../recursion/reply.fixture.ts';
import { withTtlBounds } from './ttl-bounds.ts';

const NAME = 'www.example.';
const SEND: Send = {
  server: { address: '192.0.2.1', port: 53 },
  transport: 'udp',
  name: nameOf(NAME),
  type: 1,
  edns: true,
  recursionDesired: false,
  timeout: 100,
};

test.each([
  { ttl: 5, becomes: 60, why: 'raised' },
  { ttl: 100, becomes: 100, why: 'inside' },
  { ttl: 4000, becomes: 3600, why: 'lowered' },
  { ttl: 0xffff_ffff, becomes: 60, why: 'the top bit means zero (RFC 2181 §8)' },
])('$ttl → $becomes: $why', async ({ ttl, becomes }) => {
  const plain = replyTo(NAME, 1, { answers: [`${NAME} 1 A 192.0.2.2`] });
  const message = { ...plain, answers: plain.answers.map((record) => ({ ...record, ttl })) };
  const ask = async () => ({ kind: 'reply', message, bytes: 50, milliseconds: 1 }) as const;
  const event = await withTtlBounds({ ask }, { least: 60, most: 3600 }).ask(SEND);
  expect(event).toMatchObject({ message: { answers: [{ ttl: becomes }] } });
});

test('what is no reply passes', async () => {
  const bounded = withTtlBounds({ ask: async () => ({ kind: 'timeout' }) }, { least: 0, most: 60 });
  expect(await bounded.ask(SEND)).toEqual({ kind: 'timeout' });
});
