import { expect, test } from 'vitest';
import { printRecord } from '../authority/zone-file.ts';
import { isWithin } from '../message/name.ts';
import { nameOf } from '../recursion/reply.fixture.ts';
import { ask, knowing, type Said } from '../serving/answered.fixture.ts';
import { parseNat64Prefix } from './nat64.ts';
import { withoutRebinding } from './rebinding.ts';

const NAME = 'www.evil.example.';

async function guarded(name: string, type: string, said: Said) {
  const isOwn = (asked: ReturnType<typeof nameOf>) => isWithin(asked, nameOf('corp.'));
  const prefix = parseNat64Prefix('2001:db8:64::/96');
  const known = knowing(name, { [type]: { ad: true, ...said } });
  const guard = withoutRebinding(known, isOwn, () => prefix);
  const { response, error } = await ask(guard, name, type);
  const options = response.edns?.options.map(({ code }) => code);
  return {
    left: response.answers.map((record) => printRecord(record).split(' ').slice(3).join(' ')),
    ad: response.authenticData,
    error: error?.code,
    options,
  };
}

const TAKEN = { ad: false, error: 15, options: [15] };
const LEFT = { ad: true, error: undefined, options: [] };

test.each([
  { type: 'A', rdata: '192.168.1.1', why: 'a home router' },
  { type: 'A', rdata: '10.1.2.3', why: 'RFC 1918' },
  { type: 'A', rdata: '127.0.0.1', why: 'loopback' },
  { type: 'A', rdata: '0.0.0.0', why: 'this host' },
  { type: 'A', rdata: '169.254.1.1', why: 'link-local' },
  { type: 'A', rdata: '100.100.1.1', why: 'behind the provider’s NAT, and our overlay' },
  { type: 'AAAA', rdata: '::1', why: 'loopback' },
  { type: 'AAAA', rdata: 'fd00::1', why: 'unique local' },
  { type: 'AAAA', rdata: 'fe80::1', why: 'link-local' },
  { type: 'AAAA', rdata: '::ffff:192.168.1.1', why: 'IPv4 inside' },
  { type: 'AAAA', rdata: '64:ff9b::192.168.1.1', why: 'IPv4 behind NAT64' },
  { type: 'AAAA', rdata: '2001:db8:64::10.0.0.1', why: 'and behind the NAT64 that is here' },
  { type: 'HTTPS', rdata: '1 . ipv4hint=198.51.100.1,10.0.0.1', why: 'a hint' },
  { type: 'SVCB', rdata: '1 host.example. alpn=h2 ipv6hint=fd00::1', why: 'an IPv6 hint' },
])('$type $rdata is taken out: $why', async ({ type, rdata }) => {
  const said = { answers: [`${NAME} ${type} ${rdata}`] };
  expect(await guarded(NAME, type, said)).toEqual({ left: [], ...TAKEN });
});

test.each([
  { type: 'A', rdata: '198.51.100.1', why: 'public' },
  { type: 'AAAA', rdata: '2001:db8::1', why: 'public' },
  { type: 'AAAA', rdata: '64:ff9b::c633:6401', why: 'public, behind NAT64' },
  { type: 'AAAA', rdata: '2001:db8:64::c633:6401', why: 'public, behind the NAT64 that is here' },
  { type: 'HTTPS', rdata: '1 . alpn="h2" ipv4hint=198.51.100.1', why: 'a public hint' },
  { type: 'TXT', rdata: '"10.0.0.1"', why: 'no address' },
])('$type $rdata stays: $why', async ({ type, rdata }) => {
  const said = { answers: [`${NAME} ${type} ${rdata}`] };
  expect(await guarded(NAME, type, said)).toEqual({ left: [`${type} ${rdata}`], ...LEFT });
});

test('of several only the private ones go', async () => {
  const answers = [`${NAME} A 10.0.0.1`, `${NAME} A 198.51.100.1`];
  expect(await guarded(NAME, 'A', { answers })).toEqual({ left: ['A 198.51.100.1'], ...TAKEN });
});

test.each([
  { name: 'nas.corp.', said: {}, stays: true, why: 'a zone reached by hand' },
  { name: 'nas.alice.nymote.', said: { authoritative: true }, stays: true, why: 'answered here' },
  { name: 'localhost.', said: { from: 'local' }, stays: true, why: 'made here' },
  { name: NAME, said: {}, stays: false, why: 'anybody else’s' },
] as const)('$name may have a private address ($stays): $why', async ({ name, said, stays }) => {
  const { left } = await guarded(name, 'A', { answers: [`${name} A 10.0.0.1`], ...said });
  expect(left.length === 1).toBe(stays);
});

test.each([
  { to: 'nas.corp.', from: 'forward' },
  { to: 'localhost.', from: 'local' },
  { to: 'nas.alice.nymote.', from: 'zone' },
] as const)('an alias from outside to $to does not help', async ({ to, from }) => {
  const answers = [`${NAME} CNAME ${to}`, `${to} A 10.0.0.1`];
  expect(await guarded(NAME, 'A', { answers, from })).toEqual({ left: [`CNAME ${to}`], ...TAKEN });
});
