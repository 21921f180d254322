import { expect, test } from 'vitest';
import { RuntimeError } from '#runtime';
import { fakeRuntime, manualClock } from '#runtime/fake';
import { followEndpoints, ownAddresses, readAddresses } from './endpoints.ts';

const link = (ifname: string, addresses: object[], flags: string[] = ['UP']) => ({
  ifname,
  flags,
  addr_info: addresses,
});
const global = (local: string, more: object = {}) => ({ scope: 'global', local, ...more });

test.each([
  {
    links: [link('eth0', [global('192.168.1.5'), global('203.0.113.7')])],
    found: ['203.0.113.7', '192.168.1.5'],
    why: 'public ones first',
  },
  {
    links: [link('lo', [global('127.0.0.1')], ['LOOPBACK', 'UP'])],
    found: [],
    why: 'not loopback',
  },
  { links: [link('nymote0', [global('fd00::1')])], found: [], why: 'not our own tunnel' },
  {
    links: [link('eth0', [{ scope: 'link', local: 'fe80::1' }])],
    found: [],
    why: 'not link-local',
  },
  {
    links: [
      link('eth0', [
        global('2001:db8::1', { temporary: true }),
        global('2001:db8::2', { deprecated: true }),
      ]),
    ],
    found: [],
    why: 'none that goes soon',
  },
  {
    links: [
      link(
        'eth0',
        Array.from({ length: 20 }, (_, i) => global(`203.0.113.${i}`)),
      ),
    ],
    found: Array.from({ length: 8 }, (_, i) => `203.0.113.${i}`),
    why: 'not too many',
  },
  { links: [{}, { addr_info: [{}] }], found: [], why: 'fields may be missing' },
])('$why', ({ links, found }) => {
  expect(readAddresses(JSON.stringify(links), 'nymote0')).toEqual(found);
});

test.each(['', '{', '{}', '7', 'Usage: ip …'])('output %j gives no address', (text) => {
  expect(readAddresses(text, 'nymote0')).toEqual([]);
});

test('without `ip` there is no address, and no failure', async () => {
  const { exec } = fakeRuntime({ exec: { ip: 'not-found' } });
  expect(await ownAddresses(exec, 'nymote0')).toEqual([]);
  const broken = () => Promise.reject(new RuntimeError('timeout', 'slow'));
  expect(await ownAddresses(broken, 'nymote0')).toEqual([]);
});

test.each([
  { looks: ['a', 'a', 'a'], moves: [], why: 'nothing changed' },
  { looks: ['b', 'b', 'b'], moves: ['b'], why: 'another address, told once' },
  { looks: ['b', 'a', 'b', 'a'], moves: [], why: 'a line that comes and goes' },
  { looks: ['', '', ''], moves: [], why: 'no address at all is no news' },
  { looks: ['b', '', 'b', 'b'], moves: ['b'], why: 'a move with a gap' },
  { looks: ['b', 'b', 'a', 'a'], moves: ['b', 'a'], why: 'there and back' },
])('endpoints looked at again, $looks: $why', async ({ looks, moves }) => {
  const clock = manualClock();
  const left = [...looks];
  const find = async () => [left.shift() ?? 'a'].filter((text) => text !== '');
  const told: string[] = [];
  const following = followEndpoints(clock, find, ['a'], (moved) => told.push(...moved));
  await clock.advance(looks.length * 60_000);
  following.stop();
  await clock.advance(600_000);
  expect(told).toEqual(moves);
  expect(following.endpoints()).toEqual([moves.at(-1) ?? 'a']);
});
