/**
 * Delegations: which servers to ask about a name.
 *
 * @see RFC 1034 §5.3.3: ask the servers of the closest known zone
 * @see RFC 4035 §4.2: DS is the parent's, so its question goes above the cut
 */

import { type Name, parentOf, parseName, ROOT } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import { TYPE } from '../message/type.ts';
import type { RootHint } from '../roots/root-hints.ts';
import type { Route } from './route.ts';

/** A name server and the addresses its delegation gave for it (glue, RFC 9471). */
export type NameServer = { readonly name: Name; readonly addresses: readonly string[] };

/** A zone's delegation as its parent gave it. */
export type Cut = {
  readonly zone: Name;
  readonly servers: readonly NameServer[];
  /** When it ends, in monotonic seconds: never after the delegations above it (ghost domains). */
  readonly until: number;
  /** What the parent gave in place of a DS: NSEC or NSEC3 with signatures (RFC 4035 §3.1.4.1). */
  readonly noDs?: readonly ResourceRecord[];
  /** The servers are set by hand, and the delegation is not looked at. */
  readonly route?: Route;
};

/** The delegation nearest above the question, at the last `top`: the root's hints, or a route's. */
export function closestCut(
  name: Name,
  type: number,
  find: (zone: Name) => Cut | undefined,
  top: Cut,
): Cut {
  const start = type === TYPE.DS ? parentOf(name) : name;
  for (let zone = start; zone !== undefined && zone.key !== top.zone.key; zone = parentOf(zone)) {
    const cut = find(zone);
    if (cut !== undefined) return cut;
  }
  return top;
}

/** A cut that leads to a route's servers. */
export function routeCut(route: Route): Cut {
  return { zone: route.zone, servers: [], until: Number.POSITIVE_INFINITY, route };
}

/** The root's delegation from hints; a hint that is no name is a mistake in the settings. */
export function rootCut(hints: readonly RootHint[]): Cut {
  const servers = hints.map(({ name, addresses }) => {
    const parsed = parseName(name);
    if (parsed === undefined) throw new Error(`root hint is not a name: ${name}`);
    return { name: parsed, addresses };
  });
  return { zone: ROOT, servers, until: Number.POSITIVE_INFINITY };
}
