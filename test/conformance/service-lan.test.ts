/**
 * Names of the LAN's hosts from files, and the way back from addresses, as dig sees them.
 */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { takePort } from '../suites/ports.ts';
import { PATIENCE } from '../suites/waiting.ts';
import {
  DIG_PATIENTLY,
  findPorts,
  makeRoom,
  runProgram,
  type Service,
  startService,
} from './service-stand.ts';

let room: Awaited<ReturnType<typeof makeRoom>>;
let service: Service;
let guests: number;
let leases: string;

beforeAll(async () => {
  room = await makeRoom();
  const hosts = join(room.path, 'hosts');
  leases = join(room.path, 'dhcp.leases');
  await writeFile(hosts, '127.0.0.1 localhost\n192.168.77.2 nas\n');
  await writeFile(leases, '0 aa:bb:cc:dd:ee:01 192.168.77.7 phone 01:aa:bb:cc:dd:ee:01\n');
  guests = await takePort();
  service = await startService({
    data: join(room.path, 'data'),
    ports: await findPorts(),
    flags: [
      ...['--lan-hosts', hosts, '--lan-leases', leases],
      ...['--dns-forwarded', `127.0.0.1:${guests}`, '--nat64', '64:ff9b::/96'],
    ],
  });
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await room?.[Symbol.asyncDispose]();
});

/** As a guest of the LAN asks, through the router's forwarder. */
const asGuest = async (...words: readonly string[]) => {
  const at = ['@127.0.0.1', '-p', String(guests), ...DIG_PATIENTLY];
  return (await runProgram('dig', [...at, ...words])).stdout;
};

test.each([
  { words: ['nas.lan', 'A'], says: '192.168.77.2', why: 'from a hosts file' },
  { words: ['phone.lan', 'A'], says: '192.168.77.7', why: 'from a lease' },
  { words: ['-x', '192.168.77.7'], says: 'phone.lan.', why: 'the way back' },
  { words: ['phone.lan', 'AAAA'], says: 'ANSWER: 0', why: 'no NAT64 leads into the LAN' },
  { words: ['-x', '64:ff9b::c0a8:4d07'], says: 'phone.lan.', why: 'the way back through it' },
  { words: ['phone.lan', 'HTTPS'], says: 'status: NOERROR', why: 'what browsers ask beside' },
  { words: ['tv.lan', 'A'], says: 'status: NXDOMAIN', why: 'no such host' },
  { words: ['-x', '192.168.77.99'], says: 'status: NXDOMAIN', why: 'RFC 6303' },
])('$words: $why', async ({ words, says }) => {
  expect(await service.dig(...words)).toContain(says);
  expect(await asGuest(...words)).toContain(says);
});

test('the way back to a device is for who may know its name, the others learn nothing', async () => {
  const own = (await service.dig('laptop.alice.nymote', 'AAAA', '+short')).trim();
  expect(await service.dig('-x', own)).toContain('laptop.alice.nymote.');
  const asked = await asGuest('-x', own);
  expect(asked).toContain('status: NXDOMAIN');
  expect(asked).not.toContain('laptop');
});

test('a new lease is known within seconds', async () => {
  await writeFile(leases, '0 aa:bb:cc:dd:ee:02 192.168.77.8 tablet 01:aa\n');
  const tablet = () => service.dig('tablet.lan', 'A', '+short');
  await expect.poll(tablet, PATIENCE).toBe('192.168.77.8\n');
  expect(await service.dig('phone.lan', 'A')).toContain('status: NXDOMAIN');
});
