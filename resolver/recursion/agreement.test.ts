import { describe, expect, test } from 'vitest';
import type { Message } from '../message/message.ts';
import { RCODE } from '../message/type.ts';
import { ASKS_TO_AGREE, afterForgery, confirm, withoutTcp } from './agreement.ts';
import type { Send } from './frame.ts';
import { nameOf, replyTo } from './reply.fixture.ts';
import { createServers, NO_TCP_SECONDS } from './servers.ts';

const SERVER = { address: '198.51.100.1', port: 53 };
const SEND: Send = {
  server: SERVER,
  transport: 'udp',
  name: nameOf('www.example.'),
  type: 1,
  edns: true,
  recursionDesired: false,
  timeout: 400,
};
const TCP = { transport: 'tcp', timeout: 3000 } as const;
const FORGED = { kind: 'forged' } as const;
const OTHER_CASE = { kind: 'forged', isOnlyCase: true } as const;

describe('what may be forged', () => {
  test.each<{
    sent: Partial<Send>;
    event: typeof FORGED | typeof OTHER_CASE;
    lacksTcp?: boolean;
    is: Partial<Send> | 'no-use';
    why: string;
  }>([
    { sent: {}, event: FORGED, is: TCP, why: 'TCP decides' },
    { sent: {}, event: FORGED, lacksTcp: true, is: TCP, why: 'also where there seems to be none' },
    {
      sent: {},
      event: OTHER_CASE,
      is: { ...TCP, agreement: { asks: 0 } },
      why: 'TCP decides first, if it can be had',
    },
    {
      sent: {},
      event: OTHER_CASE,
      lacksTcp: true,
      is: { agreement: { asks: 1 } },
      why: 'it could not be had a moment ago',
    },
    {
      sent: { agreement: { asks: 2, said: 'this' } },
      event: FORGED,
      is: 'no-use',
      why: 'one guess ends it',
    },
  ])('$sent $event: $why', ({ sent, event, lacksTcp, is }) => {
    const servers = createServers();
    if (lacksTcp === true) servers.noteNoTcp(SERVER, 0);
    const send = { ...SEND, ...sent };
    expect(afterForgery(send, event, servers, 1)).toEqual(
      typeof is === 'object' ? { ...send, ...is } : is,
    );
  });
});

describe('TCP that fails', () => {
  test.each<{ sent: Partial<Send>; is: Partial<Send> | undefined; why: string }>([
    { sent: TCP, is: undefined, why: 'after truncation or another forgery' },
    {
      sent: { ...TCP, agreement: { asks: 0 } },
      is: { transport: 'udp', timeout: 400, agreement: { asks: 1 } },
      why: 'which was to tell about the case',
    },
    {
      sent: { ...TCP, agreement: { asks: 2, said: 'this' } },
      is: undefined,
      why: 'after a truncated reply in plain letters',
    },
    { sent: { agreement: { asks: 1 } }, is: undefined, why: 'no TCP at all' },
  ])('$sent: $why', ({ sent, is }) => {
    const servers = createServers();
    const send = { ...SEND, ...sent };
    expect(withoutTcp(send, servers, 0)).toEqual(is && { ...send, ...is });
    expect(servers.lacksTcp(SERVER, 1)).toBe(is !== undefined);
    expect(servers.lacksTcp(SERVER, NO_TCP_SECONDS)).toBe(false);
  });
});

const answers = (...lines: string[]) => replyTo('www.example.', 1, { answers: lines });
const ONE = 'www.example. 300 A 192.0.2.1';
const TWO = 'www.example. 300 A 192.0.2.2';

describe('replies that have to agree', () => {
  test.each<{ replies: Message[]; is: 'agreed' | 'no-use' | 'more'; why: string }>([
    { replies: [answers(ONE)], is: 'more', why: 'one is not enough' },
    { replies: [answers(ONE), answers(ONE)], is: 'more', why: 'nor are two' },
    { replies: Array(ASKS_TO_AGREE).fill(answers(ONE)), is: 'agreed', why: 'three say the same' },
    { replies: [answers(ONE), answers(TWO)], is: 'no-use', why: 'another address' },
    { replies: [answers(ONE), answers(ONE), answers(TWO)], is: 'no-use', why: 'the last counts' },
    { replies: [answers(ONE), answers(ONE, TWO)], is: 'no-use', why: 'one address more' },
    {
      replies: [answers(ONE), { ...answers(ONE), rcode: RCODE.NXDOMAIN }],
      is: 'no-use',
      why: 'another code',
    },
    {
      replies: [answers(ONE), { ...answers(ONE), authorities: answers(TWO).answers }],
      is: 'no-use',
      why: 'another authority section',
    },
    {
      replies: [answers(ONE), { ...answers(ONE), additionals: answers(TWO).answers }],
      is: 'no-use',
      why: 'another glue',
    },
    {
      replies: [answers(ONE, TWO), answers(TWO, ONE), answers(ONE, TWO)],
      is: 'agreed',
      why: 'servers turn records round',
    },
    {
      replies: [answers(ONE), answers(ONE.replace('300', '299')), answers(ONE)],
      is: 'agreed',
      why: 'a resolver counts down',
    },
  ])('$is: $why', ({ replies, is }) => {
    let send: Send = { ...SEND, agreement: { asks: 1 } };
    let last: ReturnType<typeof confirm> = send;
    for (const reply of replies) {
      last = confirm(send, reply);
      if (typeof last === 'object') send = last;
    }
    const agreed = last === undefined ? 'agreed' : last;
    expect(typeof agreed === 'object' ? 'more' : agreed).toBe(is);
  });

  test.each<{ sent: Partial<Send>; why: string }>([
    { sent: {}, why: 'letters were random' },
    { sent: { ...TCP, agreement: { asks: 0 } }, why: 'over TCP nobody forges' },
  ])('not where $why', ({ sent }) => {
    expect(confirm({ ...SEND, ...sent }, answers(ONE))).toBeUndefined();
  });
});
