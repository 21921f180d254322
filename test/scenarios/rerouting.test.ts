/**
 * Servers of zones that change while we run: a contact comes, moves, goes.
 */

import { expect, test } from 'vitest';
import type { Message, RouteOption } from '#resolver';
import { nameOf, openInternet, recordOf } from './internet.ts';
import { WORLD } from './world.ts';

const FIRST = '198.51.100.31';
const SECOND = '198.51.100.32';
const zoneAt = (server: string, address: string) => ({
  apex: 'bob.nymote.',
  at: [server],
  lines: [`bob.nymote. NS ns.bob.nymote.`, `tv.bob.nymote. 3600 A ${address}`],
});
const to = (address: string): RouteOption => ({
  ...{ zone: 'bob.nymote.', kind: 'stub' },
  servers: [{ address, port: 53 }],
});

test('a zone is reached, moves, and is gone, without a restart', async () => {
  const zones = [...WORLD, zoneAt(FIRST, '198.51.100.1'), zoneAt(SECOND, '198.51.100.2')];
  await using internet = await openInternet(zones, { localZones: true });
  const { resolver } = internet;
  const tv = async () => {
    const { rcode, lines } = await internet.ask('tv.bob.nymote.', 'A');
    return [rcode, lines[0]?.split(' ').at(-1)];
  };
  expect(await tv()).toEqual([3, undefined]);
  resolver.setRoutes([to(FIRST)]);
  expect(await tv()).toEqual([0, '198.51.100.1']);
  resolver.setRoutes([to(SECOND)]);
  expect(await tv()).toEqual([0, '198.51.100.2']);
  resolver.setRoutes([]);
  expect(await tv()).toEqual([3, undefined]);
});

test('what was under way when the routes changed is not kept', async () => {
  const zones = [...WORLD, zoneAt(SECOND, '198.51.100.2')];
  // The old server answers late: its first reply is lost.
  let isFirst = true;
  const quirks = {
    [FIRST]: (_: Message, right: Message) => {
      if (!isFirst) return answer(right);
      isFirst = false;
      return undefined;
    },
  };
  const answer = (right: Message): Message => ({
    ...{ ...right, rcode: 0, authoritative: true, authorities: [], additionals: [] },
    answers: [recordOf('tv.bob.nymote. 3600 A 198.51.100.1')],
  });
  await using internet = await openInternet(zones, { quirks });
  const { resolver } = internet;
  resolver.setRoutes([to(FIRST)]);
  const early = resolver.resolve(nameOf('tv.bob.nymote.'), 1);
  await internet.clock.advance(10);
  resolver.setRoutes([to(SECOND)]);
  await internet.clock.advance(11_000);
  await early;
  expect((await internet.ask('tv.bob.nymote.', 'A')).lines[0]).toContain('198.51.100.2');
});
