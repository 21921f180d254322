import { expect, test } from 'vitest';
import { typeNumber } from '../message/type.ts';
import { nameOf } from './reply.fixture.ts';
import { findRoute, type Route } from './route.ts';

const routeFor = (zone: string): Route => ({ zone: nameOf(zone), kind: 'stub', servers: [] });
const ROUTES = ['lab.', 'deep.lab.', '.'].map(routeFor);
const SOME = ROUTES.slice(0, 2);

test.each([
  { routes: ROUTES, name: 'www.lab.', type: 'A', zone: 'lab.', why: 'below the zone' },
  { routes: ROUTES, name: 'LAB.', type: 'A', zone: 'lab.', why: 'its apex, in any case' },
  { routes: ROUTES, name: 'a.deep.lab.', type: 'A', zone: 'deep.lab.', why: 'the longest match' },
  { routes: ROUTES, name: 'xlab.', type: 'A', zone: '.', why: 'labels, not letters' },
  { routes: ROUTES, name: 'deep.lab.', type: 'DS', zone: 'lab.', why: 'DS is the parent’s' },
  { routes: SOME, name: 'lab.', type: 'DS', zone: undefined, why: 'also at the top' },
  { routes: SOME, name: 'example.', type: 'A', zone: undefined, why: 'no route' },
  { routes: ROUTES, name: '.', type: 'DS', zone: '.', why: 'the root has no parent' },
])('$name $type → $zone: $why', ({ routes, name, type, zone }) => {
  const found = findRoute(routes, nameOf(name), typeNumber(type) ?? 0);
  expect(found?.zone.key).toBe(zone === undefined ? undefined : nameOf(zone).key);
});
