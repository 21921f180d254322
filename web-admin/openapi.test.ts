/** The committed description is what the routes say; `npx vitest -u` writes it. */

import { expect, test } from 'vitest';
import { createHousehold } from '../test/browser/household.ts';
import { createRoutes } from './app.ts';
import { createEventHub } from './events.ts';

const clock = {
  now: () => 0,
  monotonic: () => 0,
  isSet: () => true,
  sleep: () => new Promise<void>(() => {}),
  after: () => () => {},
};

type Operation = {
  readonly summary?: string;
  readonly responses: Readonly<Record<string, unknown>>;
};

test('docs/openapi.json is up to date, and every route is described', async () => {
  const hub = createEventHub(clock, () => () => {});
  const app = createRoutes(createHousehold(clock.now), hub, {
    clock,
    trust: 'web',
    hosts: () => ['localhost'],
    assets: new Map(),
    log: () => {},
  });
  const response = await app.request(
    'http://localhost/api/v1/openapi.json',
    { headers: { host: 'localhost' } },
    { from: { address: '::1', port: 1 } },
  );
  const document = (await response.json()) as {
    readonly openapi: string;
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  };
  expect(document.openapi).toBe('3.1.0');
  const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => {
      expect(operation.summary, path).toBeTypeOf('string');
      return `${method.toUpperCase()} ${path}`;
    }),
  );
  const routed = app.routes
    .filter(({ method, path }) => method !== 'ALL' && path.startsWith('/api/'))
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
  expect(new Set(documented)).toEqual(new Set(routed));
  await expect(`${JSON.stringify(document, null, 2)}\n`).toMatchFileSnapshot(
    '../docs/openapi.json',
  );
});
