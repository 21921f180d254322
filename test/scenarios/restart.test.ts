/**
 * What was cached before a restart is answered after it, for as long as it lasts.
 */

import { expect, test } from 'vitest';
import { openInternet, type Quirk, ROOT_ADDRESS } from './internet.ts';
import { COM, EXAMPLE, NET, OTHER, SECOND, WORLD } from './world.ts';

const silent: Quirk = () => undefined;
const quirks = Object.fromEntries(
  [ROOT_ADDRESS, COM, NET, EXAMPLE, SECOND, OTHER].map((server) => [server, silent]),
);

test.each([
  { after: 100, lines: ['www.example.com. 200 IN A 198.51.100.1'], why: 'it still holds' },
  { after: 301, lines: [], why: 'it has ended, and so it is not served as old either' },
])('after $after s without any server: $why', async ({ after, lines }) => {
  await using before = await openInternet(WORLD);
  await before.ask('www.example.com.', 'A');
  const bytes = before.resolver.saveCache();
  if (bytes === undefined) throw new Error('no snapshot');
  await using internet = await openInternet(WORLD, { quirks });
  await internet.clock.advance(after * 1000);
  expect(internet.resolver.restoreCache(bytes)).toMatchObject({ ok: true });
  expect((await internet.ask('www.example.com.', 'A')).lines).toEqual(lines);
});

test('who asks others now gets none of it', async () => {
  await using before = await openInternet(WORLD);
  await before.ask('www.example.com.', 'A');
  const bytes = before.resolver.saveCache() ?? new Uint8Array(0);
  const forward = [{ address: EXAMPLE, port: 53 }];
  await using internet = await openInternet(WORLD, { quirks, forward });
  const refused = { ok: false, reason: 'other-scope' };
  expect(internet.resolver.restoreCache(bytes)).toEqual(refused);
});
