/**
 * Where a device might be met, best first.
 *
 * All candidates are tried at once, so the order decides only who is asked first and who is left
 * out when there are too many.
 */

import type { Endpoint } from '#runtime';
import { isInPrefix } from './ip.ts';
import { isEndpoint, printEndpoint } from './wg.ts';

/** A knock goes to no more places than this (I6). */
const MAX_CANDIDATES = 16;

/** Places where nobody else can be met: this host, this link only, groups, the old broadcast. */
const NEVER = ['0.0.0.0/8', '224.0.0.0/3', 'fe80::/10', 'ff00::/8', '::/128', '::ffff:0:0/96'];

/** Nearer first: a private address is the same network or nothing; IPv6 needs no translation. */
const NEARNESS = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  'fc00::/7',
  '2000::/3',
  '0.0.0.0/0',
];

/**
 * Ranks the endpoints of a device.
 *
 * `learnt` is where it was last heard from and comes first. Addresses of the overlay itself are left
 * out: a tunnel cannot run through itself.
 */
export function rankCandidates(
  stored: readonly Endpoint[],
  learnt: Endpoint | undefined,
  overlay: string,
): readonly Endpoint[] {
  const usable = (endpoint: Endpoint) =>
    isEndpoint(endpoint) &&
    !isInPrefix(endpoint.address, overlay) &&
    !NEVER.some((prefix) => isInPrefix(endpoint.address, prefix));
  const ranked = stored.filter(usable).toSorted((a, b) => nearness(a) - nearness(b));
  const all = learnt !== undefined && usable(learnt) ? [learnt, ...ranked] : ranked;
  const unique = new Map(all.map((endpoint) => [printEndpoint(endpoint), endpoint]));
  return [...unique.values()].slice(0, MAX_CANDIDATES);
}

function nearness({ address }: Endpoint): number {
  const index = NEARNESS.findIndex((prefix) => isInPrefix(address, prefix));
  return index === -1 ? NEARNESS.length : index;
}
