/** The whole house twice: what is said on one device, applied on another, confirmed on the first. */

import { expect, test } from 'vitest';
import {
  type FakeRuntime,
  fakeNetwork,
  fakeRuntime,
  manualClock,
  seededRandom,
} from '#runtime/fake';
import { A, configOf, type Home, homeOf, joinHome } from '../homes.fixture.ts';
import { GUARD, Router } from './router.fixture.ts';

const B = '192.0.2.2';
const NOTHING = {
  'ip route': {},
  'ip -6': {},
  'ip addr': {},
  nft: {},
  'ip -json': { stdout: '[]' },
};

/** A router of each; the laptop may be none. */
async function laptopAndRouter(own?: Router): Promise<{ a: Home; b: Home; router: Router }> {
  const clock = manualClock();
  const network = fakeNetwork(clock, seededRandom('network'));
  const router = new Router();
  const shared = { clock, network, exec: NOTHING };
  const laptop = own
    ? await withGuard(own.boot({ ...shared, seed: 'a', addresses: [A] }))
    : fakeRuntime({ seed: 'a', clock, network, addresses: [A] });
  const machine = await withGuard(router.boot({ ...shared, seed: 'b', addresses: [B] }));
  const settings = (name: string, address: string) =>
    configOf({ name, endpoints: address, dns: `127.0.0.1:53,${address}:53`, applyNames: '' });
  return {
    a: homeOf(laptop, settings('laptop', A)),
    b: homeOf(machine, settings('desktop', B)),
    router,
  };
}

async function withGuard(machine: FakeRuntime): Promise<FakeRuntime> {
  await machine.files.makeDirectory('/usr/libexec');
  await machine.files.replace(GUARD, new Uint8Array(1));
  return machine;
}

async function advance(home: Home, milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 500) await home.runtime.clock.advance(500);
}

test('what one device says is applied on the other, and confirmed from the first', async () => {
  const { a, b, router } = await laptopAndRouter();
  await using _a = await a.start();
  await using _b = await joinHome(a, b);
  const pass = (milliseconds: number) => advance(a, milliseconds);
  await a.run('option set network.lan.ipaddr 10.9.9.9 --device desktop');
  await pass(100_000);
  expect(router.values.get('network.lan.ipaddr')).toBe('10.9.9.9');
  expect(await b.json('apply status')).toMatchObject({ pending: { kind: 'risky' } });
  // It answers when the other one has heard of it.
  const confirming = a.run('confirm');
  await pass(20_000);
  expect((await confirming).stdout).toContain('is confirmed');
  expect(await b.json('apply status')).toMatchObject({
    last: { outcome: 'confirmed', reason: 'everything works, and laptop (cli) confirmed it' },
    devices: [{ name: 'desktop', outcome: 'confirmed' }],
  });
});

test('what a change waits for is said on the device that waits', async () => {
  const { a, b, router } = await laptopAndRouter();
  await using _a = await a.start();
  await using _b = await joinHome(a, b);
  const reason = async () => {
    await advance(a, 100_000);
    return (await b.json('apply status'))['reason'];
  };
  router.isBusy = true;
  await a.run('option set system.main.zonename CET --device desktop');
  expect(await reason()).toContain('another change is on trial here');
  router.isBusy = false;
  expect(await reason()).toBeUndefined();
  await a.run('option set system.main.zonename EET');
  await a.run('option set system.main.zonename EET --device desktop --first-on laptop');
  expect(await reason()).toBe('laptop tries it first, and has not confirmed it yet');
  expect((await b.run('status')).stdout).toContain(
    'The newest configuration waits: laptop tries it first',
  );
  expect(router.values.get('system.main.zonename')).toBe('CET');
});

test('whoever was to try it first is removed: that is said, and nothing happens by itself', async () => {
  const { a, b, router } = await laptopAndRouter(new Router());
  await using _a = await a.start();
  await using _b = await joinHome(a, b);
  router.isBusy = true;
  await a.run('option set network.lan.ipaddr 10.9.9.9 --device desktop');
  await a.run('option set network.lan.ipaddr 10.9.9.9 --first-on desktop');
  await advance(a, 20_000);
  await a.run('device remove desktop');
  await advance(a, 100_000);
  expect((await a.json('apply status'))['reason']).toContain('was removed: set it again without');
  await a.run('option set network.lan.ipaddr 10.9.9.9');
  await advance(a, 20_000);
  expect(await a.json('apply status')).toMatchObject({ pending: { kind: 'risky' } });
});

test('what the first one took back is not tried by the next, which says so', async () => {
  const first = new Router();
  const { a, b, router } = await laptopAndRouter(first);
  await using _a = await a.start();
  await using _b = await joinHome(a, b);
  await a.run('option set network.lan.ipaddr 10.9.9.9');
  await a.run('option set network.lan.ipaddr 10.9.9.9 --device desktop --first-on laptop');
  await advance(a, 100_000);
  expect(first.values.get('network.lan.ipaddr')).toBe('10.9.9.9');
  first.end('rolled-back', 'deadline');
  await advance(a, 100_000);
  expect((await b.json('apply status'))['reason']).toBe(
    'laptop was to try it first, and it did not stay there: nobody confirmed it in time; ' +
      'try it there again with `nymote apply retry`, or set it here without --first-on',
  );
  expect(router.values.get('network.lan.ipaddr')).toBe('1');
  // Tried again there, and confirmed, it comes here.
  await a.run('apply retry');
  await advance(a, 20_000);
  const confirming = a.run('confirm');
  await advance(a, 100_000);
  expect((await confirming).stdout).toContain('it stays');
  expect(router.values.get('network.lan.ipaddr')).toBe('10.9.9.9');
});
