import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { createHealth } from './health.ts';
import { createUci } from './uci.ts';

const WELL = {
  'ip route show default': { stdout: 'default via 192.0.2.1 dev wan\n' },
  'ip -6 route show default': {},
  'ip addr show dev br-lan': { stdout: '3: br-lan\n    inet 192.168.1.1/24\n' },
  uci: { stdout: "network.lan=interface\nnetwork.lan.device='br-lan'\n" },
  'ping -c 1 -W 2 fd00::2': {},
  mine: {},
};
const UP = [{ id: 'nas', state: 'up' }];
const GOOD = { rcode: 3, answers: [], authenticData: true };
const BOGUS = { rcode: 2, answers: [], authenticData: false };

type Scene = {
  readonly programs?: object;
  readonly peers?: readonly object[];
  readonly good?: object | 'never';
  readonly bogus?: object;
};

test.each([
  { scene: {}, failing: [], why: 'all is well' },
  {
    scene: { programs: { 'ip route show default': {} } },
    failing: ['default route'],
    why: 'no way out',
  },
  {
    scene: {
      programs: {
        'ip route show default': {},
        'ip -6 route show default': { stdout: 'default via fe80::1' },
      },
    },
    failing: [],
    why: 'IPv6 alone is a way out',
  },
  {
    scene: { programs: { 'ip addr show dev br-lan': { stdout: '3: br-lan\n' } } },
    failing: ['LAN address'],
    why: 'the LAN has no address',
  },
  { scene: { programs: { uci: {} } }, failing: ['LAN address'], why: 'there is no LAN' },
  {
    scene: { programs: { 'ping -c 1 -W 2 fd00::2': { exitCode: 1 } } },
    failing: ['tunnels'],
    why: 'no peer answers',
  },
  { scene: { peers: [] }, failing: ['tunnels'], why: 'there is no peer' },
  {
    scene: { good: { ...GOOD, authenticData: false } },
    failing: ['resolving good.example', 'refusing bogus.example'],
    why: 'an answer without its proof is none, and says nothing of the other',
  },
  {
    scene: { good: 'never' },
    failing: ['resolving good.example', 'refusing bogus.example'],
    why: 'no answer in time',
  },
  {
    scene: { good: BOGUS },
    failing: ['resolving good.example', 'refusing bogus.example'],
    why: 'without the internet everything is refused, before a change and after it',
  },
  { scene: { bogus: GOOD }, failing: ['refusing bogus.example'], why: 'what is bogus is believed' },
  { scene: { programs: { mine: { exitCode: 1 } } }, failing: ['mine -x'], why: "the person's own" },
  { scene: { programs: { mine: 'not-found' } }, failing: ['mine -x'], why: 'it is not there' },
  {
    scene: {
      programs: { 'ip route show default': 'not-found', 'ip -6 route show default': 'not-found' },
    },
    failing: ['default route'],
    why: 'no ip here',
  },
] as { scene: Scene; failing: string[]; why: string }[])('$why', async ({ scene, failing }) => {
  const { programs = {}, peers = UP, good = GOOD, bogus = BOGUS } = scene;
  const runtime = fakeRuntime({ exec: { ...WELL, ...programs } });
  const answers = [good, bogus];
  const health = createHealth({
    runtime,
    uci: createUci(runtime.exec),
    tunnels: { status: async () => ({ peers }) as never },
    resolver: {
      resolve: () => {
        const answer = answers.shift();
        return answer === 'never' ? new Promise<never>(() => {}) : Promise.resolve(answer as never);
      },
    },
    addressOf: () => 'fd00::2',
    names: ['good.example', 'bogus.example'],
    checks: ['mine -x'],
  });
  const found = health.failing();
  await runtime.clock.advance(10_000);
  expect(await found).toEqual(failing);
});

test('without names of the person nothing is asked', async () => {
  const runtime = fakeRuntime({ exec: WELL });
  const health = createHealth({
    runtime,
    uci: createUci(runtime.exec),
    tunnels: { status: async () => ({ peers: UP }) as never },
    resolver: { resolve: () => Promise.reject(new Error('asked')) },
    addressOf: () => 'fd00::2',
    names: [],
    checks: [],
  });
  expect(await health.failing()).toEqual([]);
});
