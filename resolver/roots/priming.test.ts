import { expect, test } from 'vitest';
import type { Clock } from '#runtime';
import type { Message } from '../message/message.ts';
import { printName } from '../message/name.ts';
import { rootCut } from '../recursion/delegation.ts';
import type { Event, Send, Settings } from '../recursion/frame.ts';
import { replyTo } from '../recursion/reply.fixture.ts';
import { createPriming, MAX_PRIMING_SERVERS, PRIMING_RETRY } from './priming.ts';

const HINTS = ['198.51.100.1', '198.51.100.2', '198.51.100.3', '198.51.100.4'];

const SETTINGS: Settings = {
  root: rootCut([{ name: 'old.root.', addresses: HINTS }]),
  routes: [],
  port: 53,
  ipv4: true,
  ipv6: false,
  minimise: true,
  allowsSpecial: false,
};

const SOUND = {
  answers: ['. 1000 NS a.root.', '. 1000 NS b.root.'],
  additionals: ['a.root. A 203.0.113.1', 'a.root. AAAA 2001:db8::1', 'other. A 203.0.113.9'],
};

const heard = (message: Message): Event => ({
  ...{ kind: 'reply', message, bytes: 100, milliseconds: 5 },
});
const says = (sections: Parameters<typeof replyTo>[2], more: Partial<Message> = {}) =>
  heard(replyTo('.', 2, sections, more));

function start(answer: (send: Send) => Event) {
  const sends: Send[] = [];
  const said: string[] = [];
  let seconds = 5000;
  const priming = createPriming(
    {
      clock: { monotonic: () => seconds * 1000 } as Clock,
      random: (length) => new Uint8Array(length),
      log: (_level, event) => said.push(event),
      upstream: {
        ask: async (send) => {
          sends.push(send);
          return answer(send);
        },
      },
    },
    SETTINGS,
  );
  const show = () =>
    priming.root.servers.map(({ name, addresses }) => [printName(name), ...addresses].join(' '));
  const wait = (more: number) => {
    seconds += more;
  };
  return { priming, sends, said, show, wait };
}

const LEARNT = ['a.root. 203.0.113.1 2001:db8::1', 'b.root.'];
const KEPT = [`old.root. ${HINTS.join(' ')}`];

test.each([
  { event: says(SOUND), root: LEARNT, asked: 1, why: 'servers and their addresses' },
  {
    event: says(SOUND, { authoritative: false }),
    root: KEPT,
    asked: MAX_PRIMING_SERVERS,
    why: 'not the root’s own word',
  },
  {
    event: says({ ...SOUND, additionals: [] }),
    root: KEPT,
    asked: MAX_PRIMING_SERVERS * 3,
    why: 'names without any address',
  },
  {
    event: says({ ...SOUND, additionals: ['a.root. A 192.168.1.1'] }),
    root: KEPT,
    asked: MAX_PRIMING_SERVERS * 3,
    why: 'addresses in the house',
  },
  {
    event: says({ answers: ['com. NS a.root.'], additionals: SOUND.additionals }),
    root: KEPT,
    asked: MAX_PRIMING_SERVERS,
    why: 'another zone’s servers',
  },
  { event: says({}, { rcode: 5 }), root: KEPT, asked: MAX_PRIMING_SERVERS, why: 'refused' },
  {
    event: { kind: 'timeout' } as const,
    root: KEPT,
    asked: MAX_PRIMING_SERVERS,
    why: 'nobody there',
  },
])('$why', async ({ event, root, asked }) => {
  const { priming, sends, show } = start(() => event);
  await priming.ready();
  expect(show()).toEqual(root);
  expect(sends.length).toBe(asked);
  expect(sends[0]).toMatchObject({ type: 2, recursionDesired: false });
});

test('who gives minimal answers is asked for the addresses', async () => {
  const { priming, sends, show } = start(({ name, type }) => {
    if (type === 2) return says({ answers: ['. 1000 NS a.root.', '. 1000 NS b.root.'] });
    const owner = printName(name);
    return heard(
      replyTo(owner, type, { answers: owner === 'a.root.' ? ['a.root. A 203.0.113.1'] : [] }),
    );
  });
  await priming.ready();
  expect(show()).toEqual(['a.root. 203.0.113.1', 'b.root.']);
  expect(sends.length).toBe(3);
});

test.each([
  { event: { kind: 'forged' } as const, why: 'a forgery' },
  { event: says({}, { truncated: true }), why: 'cut off' },
])('$why is asked for again over TCP', async ({ event }) => {
  const { priming, sends, show } = start(({ transport }) =>
    transport === 'tcp' ? says(SOUND) : event,
  );
  await priming.ready();
  expect(show()).toEqual(LEARNT);
  expect(sends.map(({ transport }) => transport)).toEqual(['udp', 'tcp']);
});

test('once for all who ask, and again when the TTL is over, without a wait', async () => {
  const { priming, sends, said, wait } = start(() => says(SOUND));
  await Promise.all([priming.ready(), priming.ready()]);
  wait(999);
  await priming.ready();
  expect(sends.length).toBe(1);
  wait(2);
  await priming.ready();
  expect(sends.length).toBe(2);
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(said).toEqual(['primed', 'primed']);
});

test('after a failure it is left alone for a minute', async () => {
  const { priming, sends, wait } = start(() => ({ kind: 'timeout' }));
  await priming.ready();
  wait(PRIMING_RETRY - 1);
  await priming.ready();
  expect(sends.length).toBe(MAX_PRIMING_SERVERS);
  wait(2);
  await priming.ready();
  expect(sends.length).toBeGreaterThan(MAX_PRIMING_SERVERS);
});

test('a date that goes back ends what was learnt', async () => {
  const { priming, sends, wait } = start(() => says(SOUND));
  await priming.ready();
  wait(-4000);
  await priming.ready();
  expect(sends.length).toBe(2);
});
