/** The object `nymote` on the router's message bus: LuCI's page and `ubus call nymote …`. */

import { type Backend, createUbus, publishNymote } from '#openwrt';
import type { Runtime } from '#runtime';
import { WebAdminError } from '#web-admin';
import type { House } from '../house.ts';
import { VERSION } from '../version.ts';
import { inApiWords, requireWriter } from './refusal.ts';
import { viewDevices, viewStatus } from './views.ts';

/** Publishes it, and again after ubusd restarts, until disposed. */
export function publishOnUbus(runtime: Runtime, path: string, house: House): AsyncDisposable {
  const ubus = createUbus(runtime, { path });
  publishNymote(ubus, createRouterBackend(runtime, house));
  return ubus;
}

/** What the object does. */
export function createRouterBackend({ clock }: Pick<Runtime, 'clock'>, house: House): Backend {
  const { store, devices, doors } = house;
  return {
    status: () => routerStatus(house),
    async devices() {
      const all = await viewDevices(house);
      return all.map(({ id, name, kind, ipv6, ipv4, self }) => ({
        ...{ id, name, kind },
        addresses: [ipv6, ...(ipv4 === undefined ? [] : [ipv4])],
        isSelf: self,
      }));
    },
    async log(limit) {
      const commits = await store.log({ limit });
      return commits.map(({ id, at, name, message }) => ({ id, at, device: name, message }));
    },
    async doctor() {
      const checks = await house.doctor();
      return checks.map(({ name, ok, detail, fix }) => ({
        check: name,
        state: ok ? 'ok' : 'failed',
        sentence: fix === undefined ? detail : `${detail}; ${fix}`,
      }));
    },
    async signInLink({ host = '' }) {
      const { url, expiresAt } = doors.issueLink(host);
      return { ok: true, value: { url, expiresInSeconds: Math.round(expiresAt - clock.now()) } };
    },
    addDevice: ({ name, kind, via }) =>
      refusing(house, () => invite(house, clock.now, name, kind, via)),
    removeDevice: ({ id, via }) => refusing(house, () => devices.remove(id, via)),
  };
}

async function routerStatus(house: House): Promise<Awaited<ReturnType<Backend['status']>>> {
  const { device, apex, tunnels, warnings, uptimeSeconds } = await viewStatus(house);
  const up = tunnels.peers.filter(({ state }) => state === 'up').length;
  const words =
    tunnels.state === 'up'
      ? `${up} of ${tunnels.peers.length} tunnels are up`
      : `tunnels are off (${tunnels.reason ?? 'unknown reason'})`;
  return {
    state: warnings.length === 0 ? 'up' : 'degraded',
    sentence: `This is ${device.name}.${apex}; ${words}.`,
    version: VERSION,
    apex,
    deviceName: device.name,
    uptimeSeconds: Math.floor(uptimeSeconds),
    peers: tunnels.peers.map(({ name, state, why }) => ({ name, state, why })),
    warnings: [...warnings],
  };
}

type Invited = Extract<Awaited<ReturnType<Backend['addDevice']>>, { ok: true }>['value'];

/** A phone's private key never crosses the bus: its QR code is shown by the admin page (I2). */
async function invite(
  { devices, doors }: House,
  now: () => number,
  name: string,
  kind: 'node' | 'plain',
  via: string,
): Promise<Invited> {
  if (kind === 'plain') {
    const { url, expiresAt } = doors.issueLink('');
    return { code: '', url, expiresInSeconds: Math.round(expiresAt - now()) };
  }
  const added = await devices.add({ name, kind }, via);
  if (added.kind !== 'node') throw new Error('unreachable: a node was asked for');
  return { code: added.code, url: '', expiresInSeconds: Math.round(added.expiresAt - now()) };
}

/** The API's refusals in the bus's words. */
const REFUSALS = {
  'not-found': 'not-found',
  conflict: 'already-exists',
  invalid: 'bad-request',
  denied: 'denied',
  'read-only': 'denied',
  unavailable: 'not-ready',
  'no-space': 'storage-failed',
} as const satisfies Record<WebAdminError['code'], string>;

async function refusing<T>(
  house: House,
  action: () => Promise<T>,
): Promise<
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: (typeof REFUSALS)[keyof typeof REFUSALS] }
> {
  try {
    requireWriter(house);
    return { ok: true, value: await inApiWords(action) };
  } catch (error) {
    if (error instanceof WebAdminError) return { ok: false, reason: REFUSALS[error.code] };
    throw error;
  }
}
