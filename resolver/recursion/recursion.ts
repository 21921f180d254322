/**
 * Drives the recursor: carries its sends to the upstream and the events back, joins equal
 * questions, and limits how many are under way.
 *
 * @see RFC 5452 §5: equal questions are asked once (birthday attacks)
 */

import type { Clock, Random, Udp } from '#runtime';
import type { Cache } from '../cache/cache.ts';
import type { Name } from '../message/name.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { type Budget, isExhausted } from './budget.ts';
import { createFlights } from './flights.ts';
import type { Outcome, Settings, Step, World } from './frame.ts';
import { begin, step } from './recursor.ts';
import { createServers, MAX_SERVERS, serverKey, waysOut } from './servers.ts';

/** Different questions under way at once: somewhat more than may wait for an answer (waiting.ts). */
export const MAX_QUESTIONS_IN_FLIGHT = 2500;

/** What became of one name, and what is left for the question it is part of. */
export type Resolved = {
  readonly outcome: Outcome;
  readonly budget: Budget;
  readonly from: 'cache' | 'recursion' | 'forward';
  /** Which server said so. */
  readonly server?: string;
};

export type Recursion = {
  /** Looks a name up; with `avoid` it is asked for again, of other servers if there are any. */
  resolve(name: Name, type: number, budget: Budget, avoid?: ReadonlySet<string>): Promise<Resolved>;
  readonly inFlight: number;
};

/** Puts the recursor to work. */
export function createRecursion(
  runtime: {
    readonly clock: Clock;
    readonly random: Random;
    readonly udp?: Pick<Udp, 'addresses'>;
  },
  settings: Settings,
  cache: Cache,
  upstream: Pick<Upstream, 'ask'>,
): Recursion {
  const ways = () => waysOut(runtime.udp?.addresses?.()?.map(({ address }) => address) ?? []);
  const servers = createServers(MAX_SERVERS, ways);
  const world: World = { settings, cache, servers, random: runtime.random };
  const flights = createFlights<Resolved>();
  const now = () => runtime.clock.monotonic() / 1000;

  async function run(first: Step): Promise<Resolved> {
    let next = first;
    let server = '';
    let from: Resolved['from'] = 'recursion';
    while (next.outcome === undefined) {
      const [send] = next.sends;
      if (send === undefined) throw new Error('unreachable: neither an outcome nor a send');
      server = serverKey(send.server);
      from = send.recursionDesired ? 'forward' : 'recursion';
      const event = await upstream.ask(send);
      next = step(next.state, event, now(), world);
    }
    return { outcome: next.outcome, budget: next.state.budget, from, server };
  }

  const resolve: Recursion['resolve'] = async (name, type, budget, avoid) => {
    const first = step(begin(name, type, budget, avoid), { kind: 'start' }, now(), world);
    if (first.outcome !== undefined) {
      return { outcome: first.outcome, budget: first.state.budget, from: 'cache' };
    }
    const key = [type, name.key, ...(avoid ?? [])].join(' ');
    const flight = flights.find(key);
    if (flight !== undefined) {
      const joined = await flight;
      // Whoever joins pays nothing: the work is done once. Unless the other one could not afford it.
      return isPoor(joined) ? resolve(name, type, budget, avoid) : { ...joined, budget };
    }
    if (flights.size >= MAX_QUESTIONS_IN_FLIGHT) {
      return { outcome: { kind: 'failure', reason: 'overloaded' }, budget, from: 'cache' };
    }
    return flights.start(key, () => run(first));
  };

  return {
    resolve,
    get inFlight() {
      return flights.size;
    },
  };
}

/** Whether a question's budget was used up, which says nothing of the name. */
export function isPoor({ outcome }: Resolved): boolean {
  return outcome.kind === 'failure' && isExhausted(outcome.reason);
}
