import { expect, test } from 'vitest';
import { createCache } from '../cache/cache.ts';
import { TRUST } from '../cache/worth.ts';
import { TYPE } from '../message/type.ts';
import type { Send } from './frame.ts';
import { learn } from './learn.ts';
import { nameOf, replyTo } from './reply.fixture.ts';
import { scrub } from './scrub.ts';

const CHAIN = [
  'd.example. DNAME t.example.',
  'x.d.example. CNAME x.t.example.',
  'x.t.example. CNAME y.example.',
  'y.example. A 192.0.2.1',
];

test.each([
  {
    isForwarder: true,
    known: ['d DNAME', 'x.t CNAME', 'y A'],
    why: 'a forwarder is asked for the whole chain',
  },
  {
    isForwarder: false,
    known: ['d DNAME'],
    why: 'a zone only for its first step; the made CNAME never',
  },
])('of a chain of aliases: $why', ({ isForwarder, known }) => {
  const name = nameOf('x.d.example.');
  const send: Send = {
    server: { address: '192.0.2.1', port: 53 },
    transport: 'udp',
    name,
    type: TYPE.A,
    edns: true,
    recursionDesired: isForwarder,
    timeout: 1,
  };
  const asked = { name, type: TYPE.A, zone: nameOf('example.'), isForwarder, allowsSpecial: false };
  const cache = createCache();
  learn(
    scrub(replyTo('x.d.example.', TYPE.A, { answers: CHAIN }), asked),
    send,
    TRUST.answer,
    0,
    cache,
  );
  const found = ['d DNAME', 'x.d CNAME', 'x.t CNAME', 'y A'].filter((entry) => {
    const [owner, type] = entry.split(' ') as [string, 'DNAME' | 'CNAME' | 'A'];
    return cache.find(nameOf(`${owner}.example.`), TYPE[type], 1) !== undefined;
  });
  expect(found).toEqual(known);
});
