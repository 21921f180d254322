import { expect, test } from 'vitest';
import { readAnchors } from './dnssec/anchors.ts';
import { nameOf } from './recursion/reply.fixture.ts';
import type { RouteOption } from './resolver.ts';
import { createRouting } from './routing.ts';

const DIGEST = 'E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D';
const dsOf = (zone: string, tag = 1) => `${zone} DS ${tag} 13 2 ${DIGEST}`;
const contact = (zone: string, tag = 1): RouteOption => ({
  ...{ zone, kind: 'stub', servers: [{ address: '192.0.2.1', port: 53 }] },
  trustAnchors: [dsOf(zone, tag)],
});

function start(anchors: readonly string[] = [dsOf('.')]) {
  const read = readAnchors(anchors);
  if (!read.ok) throw new Error(read.line);
  const positive = new Map(read.anchors.positive);
  const routing = createRouting({ listen: [], before: () => ({ kind: 'recurse' }) }, positive);
  const zones = () => [...positive.keys()].length;
  return { routing, positive, zones };
}

test('routes and their anchors come and go together', () => {
  const { routing, zones } = start();
  expect(routing.set([contact('bob.nymote.'), contact('carol.nymote.')])).toBe(true);
  expect([zones(), routing.isRouted(nameOf('x.bob.nymote.'))]).toEqual([3, true]);
  expect(routing.set([contact('carol.nymote.')])).toBe(true);
  expect([zones(), routing.isRouted(nameOf('x.bob.nymote.'))]).toEqual([2, false]);
  routing.set([]);
  expect(zones()).toBe(1);
});

test('an anchor that was configured holds again when the route’s goes', () => {
  const { routing, positive } = start([dsOf('bob.nymote.', 7)]);
  const before = positive.get(nameOf('bob.nymote.').key);
  routing.set([contact('bob.nymote.', 8)]);
  expect(positive.get(nameOf('bob.nymote.').key)).not.toEqual(before);
  routing.set([]);
  expect(positive.get(nameOf('bob.nymote.').key)).toEqual(before);
});

test('the same again is no change; another key is one', () => {
  const { routing } = start();
  expect(routing.set([contact('bob.nymote.')])).toBe(true);
  expect(routing.set([contact('bob.nymote.')])).toBe(false);
  expect(routing.set([contact('bob.nymote.', 2)])).toBe(true);
});

test.each([
  { route: { ...contact('bob.nymote.'), trustAnchors: ['nonsense'] }, why: 'no anchor' },
  { route: { ...contact('bob.nymote.'), trustAnchors: [dsOf('eve.')] }, why: 'of another zone' },
  { route: contact('.'), why: 'the root’s keys are followed' },
])('refused, and nothing changes: $why', ({ route }) => {
  const { routing, zones } = start();
  routing.set([contact('bob.nymote.')]);
  expect(() => routing.set([route])).toThrow();
  expect([zones(), routing.given.length]).toEqual([2, 1]);
});
