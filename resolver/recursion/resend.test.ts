import { expect, test } from 'vitest';
import { RCODE } from '../message/type.ts';
import type { Send } from './frame.ts';
import { nameOf } from './reply.fixture.ts';
import { resendFor } from './resend.ts';

const SEND: Send = {
  server: { address: '198.51.100.1', port: 53 },
  transport: 'udp',
  name: nameOf('www.example.'),
  type: 1,
  edns: true,
  recursionDesired: false,
  timeout: 400,
};

const TCP = { transport: 'tcp', timeout: 3000 } as const;
const again = { cookie: 'again' } as const;
const none = { cookie: 'none' } as const;

test.each<{
  sent: Partial<Send>;
  reply: { truncated?: boolean; rcode?: number };
  cookies?: boolean;
  isJudged?: boolean;
  is: Partial<Send> | 'no-use' | undefined;
  why: string;
}>([
  { sent: {}, reply: {}, is: undefined, why: 'a reply like any other' },
  { sent: {}, reply: { rcode: RCODE.SERVFAIL }, is: undefined, why: 'a failure is a reply' },
  { sent: {}, reply: { truncated: true }, is: TCP, why: 'there is room over TCP' },
  { sent: TCP, reply: { truncated: true }, is: 'no-use', why: 'no more room than there is' },
  { sent: {}, reply: { rcode: RCODE.BADCOOKIE }, is: again, why: 'with the cookie it brought' },
  { sent: again, reply: { rcode: RCODE.BADCOOKIE }, is: TCP, why: 'over TCP none is needed' },
  { sent: TCP, reply: { rcode: RCODE.BADCOOKIE }, is: 'no-use', why: 'nor should be asked for' },
  { sent: {}, reply: { rcode: RCODE.FORMERR }, is: none, why: 'it may be the cookie' },
  { sent: none, reply: { rcode: RCODE.FORMERR }, is: { edns: false }, why: 'then it is EDNS' },
  {
    sent: {},
    reply: { rcode: RCODE.NOTIMP },
    cookies: false,
    is: { edns: false },
    why: 'there was no cookie',
  },
  { sent: { edns: false }, reply: { rcode: RCODE.FORMERR }, is: undefined, why: 'nothing is left' },
  {
    sent: { recursionDesired: true },
    reply: { rcode: RCODE.SERVFAIL },
    isJudged: true,
    is: { checkingDisabled: true },
    why: 'a forwarder may keep back what is bogus: we see why (RFC 6840 §5.9)',
  },
  {
    sent: { recursionDesired: true, checkingDisabled: true },
    reply: { rcode: RCODE.SERVFAIL },
    isJudged: true,
    is: undefined,
    why: 'but once',
  },
  {
    sent: { recursionDesired: true },
    reply: { rcode: RCODE.SERVFAIL },
    is: undefined,
    why: 'nobody here would judge it',
  },
  {
    sent: {},
    reply: { rcode: RCODE.SERVFAIL },
    isJudged: true,
    is: undefined,
    why: 'authoritative servers keep nothing back',
  },
  {
    sent: { recursionDesired: true, edns: false },
    reply: { rcode: RCODE.SERVFAIL },
    isJudged: true,
    is: undefined,
    why: 'without EDNS there are no signatures',
  },
])('$sent $reply: $why', ({ sent, reply, cookies = true, isJudged = false, is }) => {
  const send = { ...SEND, ...sent };
  const settings = { cookies, isJudged: () => isJudged };
  const resend = resendFor(send, { truncated: false, rcode: 0, ...reply }, settings);
  expect(resend).toEqual(typeof is === 'object' ? { ...send, ...is } : is);
});
