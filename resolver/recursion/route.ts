/**
 * Servers set by hand for a zone, in place of those its delegation names: authoritative ones (a
 * stub, which is how a contact's zone is reached) or resolvers (a forwarder).
 */

import type { Endpoint } from '#runtime';
import { isWithin, type Name, parentOf } from '../message/name.ts';
import { TYPE } from '../message/type.ts';
import type { Outcome } from './frame.ts';

/** How a resolver is asked under TLS: who it must be, and its URL where that is over HTTPS. */
export type Secured = {
  readonly name?: string;
  readonly pins?: readonly string[];
  readonly url?: string;
};

/** A server that is set by hand; with `secure` it is never asked in the clear. */
export type RouteServer = Endpoint & { readonly secure?: Secured };

export type Route = {
  readonly zone: Name;
  readonly kind: 'stub' | 'forward';
  readonly servers: readonly RouteServer[];
  /** Whether the tree is asked when these servers fail. */
  readonly fallback?: boolean;
};

/** The route for a question: the one of the longest zone; DS is the parent's (RFC 4035 §4.2). */
export function findRoute(routes: readonly Route[], name: Name, type: number): Route | undefined {
  const start = (type === TYPE.DS ? parentOf(name) : undefined) ?? name;
  let found: Route | undefined;
  for (const route of routes) {
    const isCloser = found === undefined || isWithin(route.zone, found.zone);
    if (isCloser && isWithin(start, route.zone)) found = route;
  }
  return found;
}

/** Zones above may deny a zone that is reached by hand: a contact's has no place in the tree. */
export function isFromAbove(outcome: Outcome, route: Route | undefined): boolean {
  if (outcome.kind !== 'no-name' || route === undefined || outcome.denial === undefined)
    return false;
  return !isWithin(outcome.denial.soa.owner, route.zone);
}

/** What is left once forwarders failed that need not be insisted on. */
export function withoutFallback(routes: readonly Route[]): readonly Route[] {
  return routes.filter(({ fallback }) => fallback !== true);
}
