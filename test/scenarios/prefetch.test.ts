/**
 * What is asked for again and again is refreshed before it ends.
 */

import { expect, test } from 'vitest';
import { type Internet, openInternet, type Quirk } from './internet.ts';
import { EXAMPLE, SECOND, WORLD } from './world.ts';

/** `www.example.com. A` lives for 300 s. */
const WWW = 'www.example.com.';

const questions = ({ asked }: Internet, name = WWW) =>
  asked.filter((each) => each.name === name && each.type === 'A').length;

async function askAt(internet: Internet, seconds: readonly number[], name = WWW): Promise<string> {
  let line = '';
  for (const second of seconds) {
    await internet.clock.advance(second * 1000 - internet.clock.monotonic());
    line = (await internet.ask(name, 'A')).lines[0] ?? '';
    await internet.clock.settle();
  }
  return line;
}

test.each<{ at: number[]; asks: number; options?: object; why: string }>([
  { at: [1, 100, 260], asks: 1, why: 'not before its last tenth' },
  { at: [1, 280], asks: 2, why: 'in its last tenth' },
  { at: [1, 275, 280, 285, 290], asks: 2, why: 'once' },
  { at: [1, 280, 570], asks: 2, why: 'asked for once since: let go' },
  { at: [1, 280, 400, 570], asks: 3, why: 'and again when it is asked for again' },
  { at: [1, 280], asks: 1, options: { prefetch: false }, why: 'switched off' },
])('asked at $at s, the servers are asked $asks times: $why', async ({ at, asks, options }) => {
  await using internet = await openInternet(WORLD, options);
  await askAt(internet, at);
  expect(questions(internet)).toBe(asks);
});

test('the answer is at hand, with the TTL it has left; the next one is new', async () => {
  await using internet = await openInternet(WORLD);
  expect(await askAt(internet, [1, 281])).toMatch(/^www\.example\.com\. (19|20) /);
  expect(internet.events.at(-1)?.from).toBe('cache');
  expect(await askAt(internet, [500])).toMatch(/^www\.example\.com\. (80|81) /);
  expect(internet.events.at(-1)?.from).toBe('cache');
});

test('an alias is refreshed, too', async () => {
  await using internet = await openInternet(WORLD);
  await askAt(internet, [1, 280], 'inside.example.com.');
  expect(questions(internet, 'inside.example.com.')).toBe(2);
});

test('when the servers are down, the answer stays until its end', async () => {
  let isDown = false;
  const quirk: Quirk = (_query, right) => (isDown ? undefined : right);
  const quirks = { [EXAMPLE]: quirk, [SECOND]: quirk };
  await using internet = await openInternet(WORLD, { quirks });
  await askAt(internet, [1, 100]);
  isDown = true;
  expect(await askAt(internet, [275, 290])).toMatch(/^www\.example\.com\. (10|11) /);
  await internet.clock.advance(20_000);
  isDown = false;
  expect(await askAt(internet, [400])).toMatch(/^www\.example\.com\. 300 /);
});
