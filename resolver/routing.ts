/**
 * The servers set by hand for zones, which may change while we run, and the anchors that come with
 * them: that is how a contact's zone is reached and believed.
 */

import type { Clock } from '#runtime';
import { readAnchors, type TrustAnchor } from './dnssec/anchors.ts';
import { type Name, ROOT } from './message/name.ts';
import { MAX_MILLISECONDS } from './recursion/budget.ts';
import type { Settings } from './recursion/frame.ts';
import { findRoute, type Route } from './recursion/route.ts';
import type { ResolverOptions, RouteOption } from './resolver.ts';
import { nameFor, routesOf } from './settings.ts';

/** What came in time is still judged then. */
const GRACE_MILLISECONDS = 1_000;

export type Routing = {
  /** As they were set last. */
  readonly given: readonly RouteOption[];
  /** Whether a zone below the root that the name is in has servers set by hand. */
  readonly isRouted: (name: Name, type?: number) => boolean;
  /** The same settings with the routes of the moment. */
  readonly over: (settings: Settings) => Settings;
  /** Sets them anew, with their anchors; false when nothing is different. Throws what is none. */
  readonly set: (given: readonly RouteOption[]) => boolean;
};

/** Begins with the options' routes, whose anchors are put among `positive`. */
export function createRouting(
  { forward = [], forwardFallback = false, routes = [], validate = true }: ResolverOptions,
  positive: Map<string, TrustAnchor>,
): Routing {
  /** What holds where no route says otherwise. */
  const fixed = new Map(positive);
  let given: readonly RouteOption[] = [];
  let current: readonly Route[] = [];
  let own: readonly Route[] = [];
  let anchored: readonly string[] = [];

  function apply(next: readonly RouteOption[]): void {
    const read = routesOf({ forward, forwardFallback, routes: next });
    const anchors = validate ? next.flatMap(anchorOf) : [];
    for (const key of anchored) {
      const before = fixed.get(key);
      if (before === undefined) positive.delete(key);
      else positive.set(key, before);
    }
    for (const [key, anchor] of anchors) positive.set(key, anchor);
    anchored = anchors.map(([key]) => key);
    given = next;
    current = read;
    own = read.filter(({ zone }) => zone.key !== ROOT.key);
  }
  apply(routes);

  return {
    get given() {
      return given;
    },
    isRouted: (name, type = 0) => findRoute(own, name, type) !== undefined,
    over: (settings) => ({
      ...settings,
      get routes() {
        return current;
      },
    }),
    set(next) {
      if (JSON.stringify(next) === JSON.stringify(given)) return false;
      apply(next);
      return true;
    },
  };
}

/** The route's anchor, which is for its zone and no other; the root's are followed, not routed. */
function anchorOf({ zone, trustAnchors = [] }: RouteOption): [string, TrustAnchor][] {
  if (trustAnchors.length === 0) return [];
  const { key } = nameFor(zone);
  const read = readAnchors(trustAnchors);
  if (!read.ok) throw new Error(`trust anchor is none: ${read.line}`);
  const anchor = read.anchors.positive.get(key);
  if (anchor === undefined || read.anchors.positive.size !== 1 || key === ROOT.key) {
    throw new Error(`a trust anchor of the route for ${zone} is for another name`);
  }
  return [[key, anchor]];
}

/** Changes routes, and has `flush` forget what followed from those before. */
export function createRerouting(
  clock: Pick<Clock, 'after'>,
  { set }: Pick<Routing, 'set'>,
  flush: () => void,
): { readonly setRoutes: (routes: readonly RouteOption[]) => void; readonly stop: () => void } {
  let cancel = () => {};
  return {
    setRoutes(routes) {
      if (!set(routes)) return;
      flush();
      // What was asked of others before may still come and be kept, for so long.
      cancel();
      cancel = clock.after(MAX_MILLISECONDS + GRACE_MILLISECONDS, flush);
    },
    stop: () => cancel(),
  };
}
