import { beforeAll, expect, test } from 'vitest';
import { type Findings, runLab } from './lab.ts';

/** One run of the lab; every test looks at what it found. */
let found: Findings;

beforeAll(async () => {
  found = await runLab(() => undefined);
  const { coldMilliseconds, warmMilliseconds } = found.nameToFirstPing;
  console.log(
    `name to first ping: ${coldMilliseconds.toFixed(0)} ms cold, ${warmMilliseconds.toFixed(0)} ms warm; ` +
      `iperf3 ${found.iperf.megabitsPerSecond.toFixed(0)} Mbit/s`,
  );
}, 600_000);

test('a name of the internet is resolved from the root, and never with AD (I1)', () => {
  expect(found.internet).toEqual({ answer: '192.0.2.80', alias: '2001:db8::80', hasAd: false });
});

test('delv validates the own zone, positive and negative', () => {
  expect(found.validated).toEqual({
    positive: 'fully validated',
    negative: 'negative response, fully validated',
  });
});

test('there is no tunnel before the name is asked, and one on both ends after', () => {
  expect(found.peersBefore).toEqual({ a: 0, b: 0 });
  expect(found.peersAfter).toEqual({ a: 1, b: 1 });
});

test('the answer carries the stable overlay address with a short TTL', () => {
  expect(found.connect.address).toMatch(/^fd[0-9a-f:]+$/);
  expect(found.connect.ttl).toBeLessThanOrEqual(30);
});

test('the first ping works, and traffic flows', () => {
  expect(found.ping).toMatch(/1 packets transmitted, 1 received/);
  expect(found.iperf.megabitsPerSecond).toBeGreaterThan(1);
});

test('a stranger on the internet is refused, with the reason as EDE', () => {
  expect(found.stranger).toEqual({
    status: 'REFUSED',
    ede: expect.stringContaining('18 (Prohibited)'),
  });
});

test('a guest in the LAN may use the internet, and sees no device', () => {
  expect(found.guest).toEqual({
    status: 'REFUSED',
    ede: expect.stringContaining('18 (Prohibited)'),
    internet: '192.0.2.80',
  });
});

test('a removed device is neither resolvable nor reachable (I10)', () => {
  expect(found.removed).toMatchObject({ status: 'NXDOMAIN', isReachable: false });
});

test('no private key was in any argument list (I2)', () => {
  expect(found.secretsInArguments).toEqual([]);
});
