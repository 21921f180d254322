import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { readEndpoint } from '../config.ts';
import { createDoors, type Doors } from './sign-in.ts';

function doorsAt(...admin: readonly string[]): Doors {
  const endpoints = admin.flatMap((text) => readEndpoint(text) ?? []);
  return createDoors(fakeRuntime(), { admin: endpoints }, 'alice');
}

const ROUTER = ['127.0.0.1:8053', '192.168.1.1:8053', '[fd00::1]:8053'];

test.each([
  { admin: ROUTER, host: undefined, place: '127.0.0.1:8053', why: 'this machine asks' },
  { admin: ROUTER, host: '192.168.1.1', place: '192.168.1.1:8053', why: 'our port, not LuCI’s' },
  { admin: ROUTER, host: '[fd00::1]', place: '[fd00::1]:8053', why: 'IPv6, as in a URL' },
  { admin: ROUTER, host: 'openwrt.lan', place: '192.168.1.1:8053', why: 'not a name of ours' },
  { admin: ROUTER, host: '', place: '192.168.1.1:8053', why: 'somewhere in the network' },
  { admin: ROUTER.slice(0, 1), host: '', place: '127.0.0.1:8053', why: 'nothing else there is' },
  { admin: ['0.0.0.0:80'], host: '10.0.0.1', place: '10.0.0.1:80', why: 'every address' },
  { admin: [], host: undefined, place: 'localhost', why: 'no page at all' },
])('a link for $host leads to $place: $why', ({ admin, host, place }) => {
  const { url } = doorsAt(...admin).issueLink(host);
  expect(url).toMatch(/^http:\/\/[^/]+\/sign-in#[0-9A-Z-]{35}$/);
  expect(new URL(url).host).toBe(new URL(`http://${place}`).host);
});

test('a session bears the name of the person whose realm it is', async () => {
  const doors = doorsAt(...ROUTER);
  const [, code = ''] = doors.issueLink().url.split('#');
  expect(await doors.signIn.redeem(code)).toMatchObject({ name: 'alice' });
});

test('strangers who guess do not keep the owner out', async () => {
  const doors = doorsAt(...ROUTER);
  const [, code = ''] = doors.issueLink().url.split('#');
  for (let guess = 0; guess < 100; guess++)
    expect(() => doors.signIn.redeem('x')).toThrow(/typing/);
  expect(await doors.signIn.redeem(code)).toMatchObject({ name: 'alice' });
});
