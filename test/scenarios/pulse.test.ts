/**
 * Answers held back and let go at once: no sender that may be forged gets a pulse of them
 * (DNSBomb, CVE-2024-33655), and who asks honestly meanwhile is served.
 */

import { expect, test } from 'vitest';
import { encodeMessage } from '#resolver';
import { openInternet, queryFor, RESOLVER } from './internet.ts';
import { EXAMPLE, SECOND, WORLD } from './world.ts';

const VICTIM = '198.51.100.77';
const QUESTIONS = 600;

test('a victim gets a trickle, however much was asked in its name', async () => {
  // The attacker's name servers keep everything to themselves until all questions have failed.
  const quirks = { [EXAMPLE]: () => undefined, [SECOND]: () => undefined };
  await using internet = await openInternet(WORLD, { quirks });
  let hits = 0;
  let most = 0;
  const victim = internet.network.join(VICTIM);
  const attacks = victim.udp.bind({ address: VICTIM, port: 4000 }, () => hits++);
  await using socket = await attacks;
  for (let each = 0; each < QUESTIONS; each++) {
    socket.send(encodeMessage(queryFor(`q${each}.example.com.`, 'A')), RESOLVER);
  }
  await internet.clock.settle();
  // Others' names go on being found.
  expect((await internet.ask('a.nic.com.', 'A')).rcode).toBe(3);
  for (let second = 0; second < 20; second++) {
    const before = hits;
    await internet.clock.advance(1_000);
    most = Math.max(most, hits - before);
  }
  expect(most).toBeLessThanOrEqual(32);
  expect(hits).toBeLessThanOrEqual(QUESTIONS / 4);
  expect(internet.resolver.stats().inFlight).toBe(0);
});
