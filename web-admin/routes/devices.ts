/** `/api/v1/devices`: who belongs to the realm. */

import { Hono } from 'hono';
import { type Backend, WebAdminError } from '../backend.ts';
import { body, describe } from '../describe.ts';
import { requiresFresh, tagged } from '../freshness.ts';
import { authorOf, type Environment } from '../guard.ts';
import { addedDeviceSchema, deviceSchema, devicesSchema, newDeviceSchema } from '../schema.ts';

/** List, read, add and remove devices. */
export function deviceRoutes(backend: Backend) {
  // State is live, so an unchanged head does not mean an unchanged list.
  const tag = tagged(backend, { isAll: false });
  return new Hono<Environment>()
    .get(
      '/',
      describe({ tag: 'devices', summary: 'All devices', ok: devicesSchema }),
      tag,
      async (c) => c.json({ devices: await backend.devices() }),
    )
    .post(
      '/',
      describe({
        tag: 'devices',
        summary: 'Add a device',
        description:
          'A plain device gets the text for its WireGuard app, once; a node a one-time command.',
        ok: addedDeviceSchema,
        status: 201,
        problems: ['invalid', 'conflict', 'too-large', 'read-only', 'no-space'],
      }),
      tag,
      body(newDeviceSchema),
      async (c) => {
        const added = await backend.addDevice(c.req.valid('json'), authorOf(c));
        if (added.kind === 'plain') c.header('Location', `/api/v1/devices/${added.device.id}`);
        return c.json(added, 201);
      },
    )
    .get(
      '/:device',
      describe({
        tag: 'devices',
        summary: 'One device, by id or name',
        ok: deviceSchema,
        problems: ['not-found'],
      }),
      tag,
      async (c) => {
        const wanted = c.req.param('device');
        const devices = await backend.devices();
        const found = devices.find(({ id, name }) => id === wanted || name === wanted);
        if (found === undefined) throw new WebAdminError('not-found', 'There is no such device.');
        return c.json(found);
      },
    )
    .delete(
      '/:device',
      describe({
        tag: 'devices',
        summary: 'Remove a device, by id or name',
        ok: 'empty',
        problems: ['not-found', 'denied', 'read-only', 'no-space'],
        ifMatch: true,
      }),
      requiresFresh(backend),
      async (c) => {
        await backend.removeDevice(c.req.param('device'), authorOf(c));
        return c.body(null, 204);
      },
    );
}
