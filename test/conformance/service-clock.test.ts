/**
 * A router that boots in 1970: names are answered and validate for whoever shares its date, and what
 * depends on the date says so (I9).
 */

import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  delv,
  findPorts,
  makeRoom,
  type Service,
  startService,
  startUnbound,
} from './service-stand.ts';

const LIBRARY = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketimeMT.so.1`;

/** A minute after the beginning; only the wall clock, timers go on. */
const IN_1970 = {
  LD_PRELOAD: LIBRARY,
  FAKETIME: '@1970-01-01 00:01:00',
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
  TZ: 'UTC',
};

let room: Awaited<ReturnType<typeof makeRoom>>;
let service: Service;

beforeAll(async () => {
  if (!existsSync(LIBRARY)) throw new Error('install the Debian package libfaketime');
  room = await makeRoom();
  const place = { data: join(room.path, 'data'), ports: await findPorts(), env: IN_1970 };
  service = await startService(place);
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await room?.[Symbol.asyncDispose]();
});

test('names are answered, signed for then and for the years to come', async () => {
  const answer = await service.dig('laptop.alice.nymote', 'A', '+dnssec');
  expect(answer).toMatch(/\sA\s+100\./);
  const [, expires = '', begins = ''] =
    /RRSIG\s+A 13 3 30 (\d{4})\d{10} (\d{4})/.exec(answer) ?? [];
  expect(begins).toBe('1970');
  expect(Number(expires)).toBeGreaterThan(new Date().getFullYear());
});

test('who asks today validates, and who boots beside it in 1970', async () => {
  const anchors = join(room.path, 'anchors');
  await writeFile(anchors, (await service.run('zone', 'anchor')).stdout);
  const at = ['@127.0.0.1', '-p', String(service.place.ports.dns)];
  const args = ['-a', anchors, '+root=alice.nymote', ...at, 'laptop.alice.nymote', 'A'];
  expect(await delv(...args)).toContain('; fully validated');
  // delv and libfaketime do not get along; Unbound brings a clock of its own.
  const then = 'val-override-date: "19700101000200"';
  await using unbound = await startUnbound(service, room.path, [then]);
  expect(await unbound.dig('laptop.alice.nymote', 'A')).toMatch(/flags:[^;]* ad[ ;]/);
});

test('status and doctor say that the clock is not set, and what that means', async () => {
  expect((await service.run('status')).stdout).toMatch(/^Clock {4}NOT SET: /m);
  expect(await service.json('status')).toMatchObject({ clock: { isSet: false } });
  expect((await service.run('doctor')).stdout).toMatch(/^FAIL {2}clock: .+\n {6}→ let NTP /m);
});

test('changes are made, sign-in links work', async () => {
  expect((await service.run('device', 'add', 'phone')).exitCode).toBe(0);
  expect(await service.dig('phone.alice.nymote', 'AAAA', '+short')).toMatch(/^fd/);
  const { admin } = service.place.ports;
  const answer = await fetch(`http://127.0.0.1:${admin}/api/v1/session`, {
    method: 'POST',
    headers: { origin: `http://127.0.0.1:${admin}`, 'content-type': 'application/json' },
    body: JSON.stringify({ code: service.code() }),
  });
  expect(answer.status).toBe(200);
});
