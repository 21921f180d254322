/**
 * Which askers the resolver's threads may tell apart by address alone, so that what one was told is
 * repeated only to those who would be told the same.
 *
 * A view is what `identify` makes of an address as far as policy can see: this device, one of the
 * devices, or a stranger at home. Strangers elsewhere have none: each of their questions is ruled on.
 */

import { zoneOf } from '#policy';
import type { Askers } from '#resolver';
import type { Endpoint } from '#runtime';
import type { Household } from './ruling.ts';

type Who = Pick<Household, 'devices'>;

const LOOPBACK = 'loopback';
const HOME = 'home';

/** What policy's `zoneOf` calls loopback and home. */
const NETWORKS = [
  { address: '127.0.0.0', bits: 8, view: LOOPBACK },
  { address: '::1', bits: 128, view: LOOPBACK },
  { address: '10.0.0.0', bits: 8, view: HOME },
  { address: '192.168.0.0', bits: 16, view: HOME },
  { address: '172.16.0.0', bits: 12, view: HOME },
  { address: '169.254.0.0', bits: 16, view: HOME },
  { address: 'fc00::', bits: 7, view: HOME },
  { address: 'fe80::', bits: 10, view: HOME },
] as const;

/** The view of who sends from this address; undefined for none. */
export function viewOf({ devices }: Who, from: Pick<Endpoint, 'address'>): string | undefined {
  const zone = zoneOf(from.address);
  if (zone === 'loopback') return LOOPBACK;
  const address = from.address.replace(/^::ffff:(?=\d+\.)/, '');
  const device = devices.find(({ ipv6, ipv4 }) => ipv6 === address || ipv4 === address);
  if (device !== undefined) return `device ${device.id}`;
  return zone === 'home' ? HOME : undefined;
}

/** The same for all addresses, as the threads want it. */
export function askersOf({ devices }: Who): Askers {
  const exact = devices.flatMap(({ id, ipv4, ipv6 }) =>
    [ipv4, ipv6]
      .filter((address) => zoneOf(address) !== 'loopback')
      .map((address) => ({ address, view: `device ${id}` })),
  );
  return { exact, networks: NETWORKS };
}
