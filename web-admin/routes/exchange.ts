/** `/api/v1/exchange`: how changes travel between devices, and the hub they may travel through. */

import { Hono } from 'hono';
import type { Backend } from '../backend.ts';
import { body, describe } from '../describe.ts';
import { exchangeSchema, newHubSchema } from '../exchange-schema.ts';
import { authorOf, type Environment } from '../guard.ts';

/** Look, use a hub, use none. */
export function exchangeRoutes({ exchange }: Backend) {
  return new Hono<Environment>()
    .get(
      '/',
      describe({ tag: 'devices', summary: 'With whom changes are exchanged', ok: exchangeSchema }),
      (c) => c.json(exchange.view()),
    )
    .put(
      '/hub',
      describe({
        tag: 'devices',
        summary: 'Exchange changes through a hub, on all devices',
        ok: 'empty',
        problems: ['invalid', 'denied', 'read-only', 'unavailable', 'no-space'],
      }),
      body(newHubSchema),
      async (c) => {
        await exchange.joinHub(c.req.valid('json'), authorOf(c));
        return c.body(null, 204);
      },
    )
    .delete(
      '/hub',
      describe({
        tag: 'devices',
        summary: 'Use no hub any more',
        ok: 'empty',
        problems: ['not-found', 'read-only', 'no-space'],
      }),
      async (c) => {
        await exchange.leaveHub(authorOf(c));
        return c.body(null, 204);
      },
    );
}
