/**
 * What ended is served when its servers do not answer, and only then (RFC 8767).
 */

import { expect, test } from 'vitest';
import { openInternet, type Quirk } from './internet.ts';
import { COM, EXAMPLE, NET, OTHER, SECOND, WORLD } from './world.ts';

const SERVFAIL = 2;
const STALE_ANSWER = 3;
const STALE_NXDOMAIN = 19;
const LINE = 'www.example.com. 30 IN A 198.51.100.1';

type Trouble = 'none' | 'silent' | 'failing' | 'denying';

/** All servers below the root; what troubles them can change. */
function troubled(): { quirks: Record<string, Quirk>; set(trouble: Trouble): void } {
  let trouble: Trouble = 'none';
  const quirk: Quirk = (_query, right) => {
    switch (trouble) {
      case 'none':
        return right;
      case 'silent':
        return undefined;
      case 'failing':
        return { ...right, rcode: SERVFAIL, answers: [] };
      case 'denying':
        return { ...right, rcode: 3, answers: [] };
    }
  };
  const servers = [COM, NET, EXAMPLE, SECOND, OTHER];
  const quirks = Object.fromEntries(servers.map((server) => [server, quirk]));
  return {
    quirks,
    set: (next) => {
      trouble = next;
    },
  };
}

test('servers are down: after 1.8 s the old answer with a TTL of 30 s and EDE 3', async () => {
  const { quirks, set } = troubled();
  await using internet = await openInternet(WORLD, { quirks });
  // So far away that the search is patient.
  internet.network.setPath('*', '*', { loss: 0, delayMs: 200 });
  internet.network.setPath('203.0.113.2', '*', { loss: 0, delayMs: 0 });
  await internet.ask('www.example.com.', 'A');
  set('silent');
  await internet.clock.advance(301_000);
  const began = internet.clock.monotonic();
  const answer = await internet.ask('www.example.com.', 'A');
  const took = internet.clock.monotonic() - began;
  expect(answer).toMatchObject({ rcode: 0, lines: [LINE], ede: STALE_ANSWER });
  expect(answer.message.authenticData).toBe(false);
  expect(took).toBeGreaterThanOrEqual(1800);
  expect(took).toBeLessThan(2000);
  const asked = internet.asked.length;
  const again = internet.clock.monotonic();
  expect((await internet.ask('www.example.com.', 'A')).ede).toBe(STALE_ANSWER);
  expect(internet.clock.monotonic() - again, 'nobody waits for the same search twice').toBeLessThan(
    200,
  );
  expect(internet.asked.length - asked).toBeLessThan(3);
});

test('servers that fail are not waited for, and not asked again at once', async () => {
  const { quirks, set } = troubled();
  await using internet = await openInternet(WORLD, { quirks });
  await internet.ask('www.example.com.', 'A');
  set('failing');
  await internet.clock.advance(301_000);
  expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ lines: [LINE], ede: 3 });
  expect(internet.clock.monotonic()).toBeLessThan(301_000 + 1800);
  const asked = internet.asked.length;
  expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ lines: [LINE], ede: 3 });
  expect(internet.asked).toHaveLength(asked);
  await internet.clock.advance(31_000);
  await internet.ask('www.example.com.', 'A');
  expect(internet.asked.length, 'tried again after 5 to 30 s').toBeGreaterThan(asked);
});

test('once the servers are back, their answer is given', async () => {
  const { quirks, set } = troubled();
  await using internet = await openInternet(WORLD, { quirks });
  await internet.ask('www.example.com.', 'A');
  set('silent');
  await internet.clock.advance(301_000);
  await internet.ask('www.example.com.', 'A');
  // The search behind the answer has ended.
  await internet.clock.advance(10_000);
  set('none');
  await internet.clock.advance(60_000);
  const fresh = { ede: undefined, lines: ['www.example.com. 300 IN A 198.51.100.1'] };
  expect(await internet.ask('www.example.com.', 'A')).toMatchObject(fresh);
});

test('what a server says now is true, also that the name is gone', async () => {
  const { quirks, set } = troubled();
  await using internet = await openInternet(WORLD, { quirks });
  await internet.ask('www.example.com.', 'A');
  set('denying');
  await internet.clock.advance(301_000);
  expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ rcode: 3, lines: [] });
});

test.each([
  { name: 'no.example.com.', type: 'A', rcode: 3, ede: STALE_NXDOMAIN, why: 'a name that is not' },
  { name: 'www.example.com.', type: 'MX', rcode: 0, ede: STALE_ANSWER, why: 'a type that is not' },
])('old denials, too: $why', async ({ name, type, rcode, ede }) => {
  const { quirks, set } = troubled();
  await using internet = await openInternet(WORLD, { quirks });
  await internet.ask(name, type);
  set('failing');
  await internet.clock.advance(3_601_000);
  expect(await internet.ask(name, type)).toMatchObject({ rcode, ede, lines: [] });
});

test('a chain of aliases waits 1.8 s in all', async () => {
  const { quirks, set } = troubled();
  await using internet = await openInternet(WORLD, { quirks });
  await internet.ask('outside.example.com.', 'A');
  set('silent');
  await internet.clock.advance(3_601_000);
  const began = internet.clock.monotonic();
  const answer = await internet.ask('outside.example.com.', 'A');
  expect(answer).toMatchObject({ rcode: 0, ede: STALE_ANSWER });
  expect(answer.lines.length).toBeGreaterThan(1);
  expect(internet.clock.monotonic() - began).toBeLessThan(2000);
});

test.each([
  { options: { serveStale: false }, after: 301, why: 'switched off' },
  { options: { maxStale: 3600 }, after: 3900, why: 'longer ago than the cap' },
  { options: {}, after: 86_700, why: 'longer ago than a day' },
])('no old answer: $why', async ({ options, after }) => {
  const { quirks, set } = troubled();
  await using internet = await openInternet(WORLD, { quirks, ...options });
  await internet.ask('www.example.com.', 'A');
  set('failing');
  await internet.clock.advance(after * 1000);
  expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ rcode: SERVFAIL, lines: [] });
});
