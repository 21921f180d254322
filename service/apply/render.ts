/**
 * From the head to lines on a system: what this device is to hold, line by line, each with the place
 * in the store that it comes from. Pure; applying, drift and provenance all read the same lines.
 *
 * WireGuard peers and names are kept by tunnels/ and resolver/ themselves; UCI options by engine.ts.
 * nymote makes no nft table of its own yet (fw4 opens its ports), so one called `nymote…` is drift.
 */

import { buildZone, printRecord, TYPE, typeName } from '#resolver';
import type { Crypto } from '#runtime';
import type { State } from '#storage';
import { allowedIps, type Desired, isAtHome, printKey } from '#tunnels';
import { encodeHex } from '../hex.ts';
import { DEVICE_TTL, type Projection } from '../project.ts';
import type { OptionRecord } from '../records.ts';
import type { OptionLine, UciValue } from './option.ts';
import type { Originals } from './plan.ts';

export type Target = 'uci' | 'wg' | 'nft' | 'dns';

/** One line that is to be so, and why. */
export type Rendered = {
  readonly target: Target;
  /** How people call it: `network.lan.ipaddr`, `nymote0.peer.phone`, `laptop.alice.nymote AAAA`. */
  readonly line: string;
  readonly value: UciValue | undefined;
  /** Path in the store. */
  readonly source: string;
  /** A peer's public key. */
  readonly key?: string;
  /** A peer that comes only when it is asked for. */
  readonly isOnDemand?: boolean;
};

export type RenderContext = {
  readonly self: string;
  readonly interface: string;
  readonly projection: Projection;
  readonly desired: Desired;
};

/** All lines of this device. */
export function render(state: State, context: RenderContext): readonly Rendered[] {
  return [
    ...optionsOf(state, context.self).map(
      ({ id, option, value }): Rendered => ({
        target: 'uci',
        line: option,
        value,
        source: `options/${id}`,
      }),
    ),
    ...renderPeers(context),
    ...renderNames(state, context.projection),
    ...renderApex(context.projection),
  ];
}

/** This device's options, in order. */
export function optionsOf(
  state: State,
  device: string,
): readonly (OptionRecord & { readonly id: string })[] {
  return [...(state.get('options') ?? [])]
    .filter(([, record]) => record['device'] === device)
    .map(([id, record]) => ({ ...(record as OptionRecord), id }))
    .sort((a, b) => (a.option < b.option ? -1 : 1));
}

/** What is to be written: the head's options, and what was there before for those it let go. */
export function optionLines(
  state: State,
  device: string,
  originals: Originals,
): readonly OptionLine[] {
  const wanted = optionsOf(state, device).map(({ option, value }) => ({ option, value }));
  const isWanted = new Set(wanted.map(({ option }) => option));
  const givenBack = Object.entries(originals)
    .filter(([option]) => !isWanted.has(option))
    .map(([option, value]) => ({ option, value: value ?? undefined }));
  return [...wanted, ...givenBack];
}

/** A digest of a device's options; the same digest is the same wish. */
export function partOf(crypto: Pick<Crypto, 'hash'>, state: State, device: string): string {
  const wish = optionsOf(state, device).map(({ option, value }) => [option, value]);
  const hash = crypto.hash('sha256', new TextEncoder().encode(JSON.stringify(wish)));
  return encodeHex(hash.subarray(0, 16));
}

/** The device that this one waits for: it tries the change first and has not confirmed it yet. */
export function waitsFor(
  crypto: Pick<Crypto, 'hash'>,
  state: State,
  device: string,
): string | undefined {
  const firsts = optionsOf(state, device).map(({ firstOn }) => firstOn);
  return firsts.find((first) => {
    if (first === undefined || first === device || optionsOf(state, first).length === 0) {
      return false;
    }
    const status = state.get('status')?.get(first);
    const isThere = status?.['part'] === partOf(crypto, state, first);
    return !isThere || status?.['pending'] !== undefined;
  });
}

function renderPeers({ desired, interface: name }: RenderContext): readonly Rendered[] {
  return desired.devices
    .filter((device) => device.mayConnect && device.id !== desired.self.id)
    .filter((device) => device.kind === 'node' || isAtHome(device, desired))
    .map((device) => ({
      target: 'wg',
      line: `${name}.peer.${device.name}`,
      value: allowedIps(device, desired),
      source: `devices/${device.id}`,
      key: printKey(device.publicKey),
      isOnDemand: device.kind === 'node',
    }));
}

function renderNames(state: State, { devices, settings }: Projection): readonly Rendered[] {
  const own = devices.flatMap(({ id, fqdn, ipv6, ipv4 }): Rendered[] => [
    nameLine(fqdn, 'AAAA', [`${DEVICE_TTL} ${ipv6}`], `devices/${id}`),
    nameLine(fqdn, 'A', [`${DEVICE_TTL} ${ipv4}`], `devices/${id}`),
  ]);
  const further = [...(state.get('names') ?? [])].flatMap(([owner, record]) => {
    const fqdn = owner === '@' ? settings.apex : `${owner}.${settings.apex}`;
    const byType = new Map<string, string[]>();
    const records = record['records'];
    for (const item of Array.isArray(records) ? records : []) {
      const { type, ttl, data } = item as { type: string; ttl: number; data: string };
      byType.set(type, [...(byType.get(type) ?? []), `${ttl} ${data}`]);
    }
    return [...byType].map(([type, data]) => nameLine(fqdn, type, data, `names/${owner}`));
  });
  return [...own, ...further];
}

const IN = 1;

/** What the zone makes itself; its serial moves with every commit. */
function renderApex({ zone, settings }: Projection): readonly Rendered[] {
  const built = buildZone({ ...zone, records: [] });
  const sets = built.ok ? built.zone.nodes.get(zone.apex.key)?.sets : undefined;
  return [...(sets?.values() ?? [])].map(({ owner, type, ttl, rdatas }) => {
    const records = rdatas.map((rdata) => printRecord({ owner, type, class: IN, ttl, rdata }));
    const values = records.map((record) => [ttl, ...record.split(' ').slice(4)].join(' '));
    const source = type === TYPE.NS ? 'devices' : 'realm/settings';
    return nameLine(settings.apex, typeName(type), values, source);
  });
}

function nameLine(fqdn: string, type: string, value: string[], source: string): Rendered {
  return { target: 'dns', line: `${fqdn} ${type}`, value, source };
}
