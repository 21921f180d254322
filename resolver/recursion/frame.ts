/**
 * The recursor's values: what it is given, what it waits for, and the stack of names it looks for.
 *
 * A frame looks for one name; the frame on top of it looks for the address of a name server that
 * the one below needs. Values only; what is done with them is in recursor.ts.
 */

import type { Endpoint, Random } from '#runtime';
import type { Cache, Denial } from '../cache/cache.ts';
import type { Reason } from '../message/ede.ts';
import type { Message } from '../message/message.ts';
import { countLabels, type Name } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import type { RRset } from '../message/rrset.ts';
import type { Agreement } from './agreement.ts';
import type { Budget } from './budget.ts';
import type { Cut } from './delegation.ts';
import type { Judgement } from './judgement.ts';
import type { Route, RouteServer } from './route.ts';
import type { Reply } from './scrub.ts';
import { FIRST_TIMEOUT, type Servers, serverKey } from './servers.ts';

/** How recursion is done; fixed for the life of a resolver. */
export type Settings = {
  readonly root: Cut;
  /** Zones whose servers are set by hand. */
  readonly routes: readonly Route[];
  /** Port of authoritative servers: 53, except in tests. */
  readonly port: number;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly minimise: boolean;
  /** Lets delegations lead to private and local addresses. */
  readonly allowsSpecial: boolean;
  /** Whether questions bring DNS cookies along. */
  readonly cookies?: boolean;
  /** Whether what is found about a name is validated here. */
  readonly isJudged?: (name: Name) => boolean;
};

/** What a step reads and learns. */
export type World = {
  readonly settings: Settings;
  readonly cache: Cache;
  readonly servers: Servers;
  readonly random: Random;
};

/** One question for one server; the shell adds id, port and letter case. */
export type Send = {
  readonly server: RouteServer;
  /** Servers under TLS get 'tcp'. */
  readonly transport: 'udp' | 'tcp';
  readonly name: Name;
  readonly type: number;
  readonly edns: boolean;
  /** Once more after BADCOOKIE, or without a cookie after a refusal (RFC 7873 §5.3). */
  readonly cookie?: 'again' | 'none';
  readonly recursionDesired: boolean;
  /** Asks a forwarder for what it thinks is bogus, too. */
  readonly checkingDisabled?: true;
  /** Asked because its server seems to change the case of names. */
  readonly agreement?: Agreement;
  /** Milliseconds to wait. */
  readonly timeout: number;
};

/** What became of a send. Replies that do not match it never come here. */
export type Event =
  | { readonly kind: 'start' }
  | {
      readonly kind: 'reply';
      readonly message: Message;
      readonly bytes: number;
      readonly milliseconds: number;
    }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'unreachable'; readonly reason?: Reason }
  /** Something arrived that looks like a forgery, maybe only for the case of its name: ask again where that is harder. */
  | { readonly kind: 'forged'; readonly isOnlyCase?: true };

/** What became of a question. An alias is for the caller to follow: each name on the way is a question. */
export type Outcome = { readonly judgement?: Judgement } & (
  | { readonly kind: 'answer'; readonly rrset: RRset; readonly proof: readonly ResourceRecord[] }
  | {
      readonly kind: 'alias';
      /** A CNAME, or a DNAME and the CNAME it makes. */
      readonly rrsets: readonly RRset[];
      readonly target: Name;
      readonly proof: readonly ResourceRecord[];
    }
  /** Without grounds (`denial`) it is believed once and not kept. */
  | {
      readonly kind: 'no-data' | 'no-name';
      readonly denial: Denial | undefined;
      /** NSEC and NSEC3 that came without an SOA. */
      readonly proof?: readonly ResourceRecord[];
    }
  /** With the DNAME that makes a name of more than 255 octets (RFC 6672 §2.2), when that is why. */
  | { readonly kind: 'failure'; readonly reason: Reason; readonly dname?: RRset }
);

export type State = {
  /** The forwarders that failed are passed over from now on, and the tree is asked. */
  readonly fellBack?: true;
  /** Servers not to ask again, when the question's cached answer is not to be believed. */
  readonly avoid: ReadonlySet<string> | undefined;
  readonly frames: readonly Frame[];
  readonly budget: Budget;
  /** There was enough left when it began. */
  readonly isAmple?: boolean;
  /** Questions that timed out since the last reply; those waited for shortly count in part. */
  readonly timeouts: number;
};

/** After a step: nothing to send and no outcome never happens. */
export type Step = {
  readonly state: State;
  readonly sends: readonly Send[];
  readonly outcome?: Outcome;
};

/** One name being looked for; the frame above it looks for a name server's address. */
export type Frame = {
  readonly name: Name;
  readonly type: number;
  /** Whose servers are asked; undefined until the cache was consulted for `name`. */
  readonly cut: Cut | undefined;
  /** Labels of `name` known to exist, and minimised questions asked so far. */
  readonly known: number;
  readonly minimised: number;
  readonly minimise: boolean;
  /** Minimises whatever the settings say: whose the name is has to be found out. */
  readonly stepwise: boolean;
  readonly sends: number;
  readonly referrals: number;
  /** For this cut: questions to each server (`countLoss`), addresses looked up, and `type name` of what was looked up. */
  readonly tries: ReadonlyMap<string, number>;
  readonly found: readonly Endpoint[];
  readonly followed: readonly string[];
  readonly pending: Send | undefined;
  readonly problem: Reason;
  /** What a resolver that posed as the zone's server said; used when nobody else answers. */
  readonly hearsay: { readonly sent: Send; readonly reply: Reply } | undefined;
};

/** A frame for a name that nothing is known of yet. */
export function frameFor(name: Name, type: number): Frame {
  return {
    name,
    type,
    cut: undefined,
    known: 0,
    minimised: 0,
    minimise: true,
    stepwise: false,
    sends: 0,
    referrals: 0,
    tries: new Map(),
    found: [],
    followed: [],
    pending: undefined,
    problem: 'no-reachable-authority',
    hearsay: undefined,
  };
}

/** The frame, about to ask the servers of `cut`. */
export function withCut(frame: Frame, cut: Cut): Frame {
  const known = Math.max(frame.known, countLabels(cut.zone));
  return { ...frame, cut, known, tries: new Map(), found: [], followed: [], hearsay: undefined };
}

/** Whether the frame's servers are resolvers, which are asked for the whole answer. */
export function isForwarded({ cut }: Frame): boolean {
  return cut?.route?.kind === 'forward';
}

/** Counts `amount` tries of a server for the topmost frame. */
export function countTry(state: State, server: Endpoint, amount: number): State {
  const frame = top(state);
  const key = serverKey(server);
  const tries = new Map(frame.tries).set(key, (frame.tries.get(key) ?? 0) + amount);
  return replaceTop(state, { ...frame, tries });
}

/**
 * Counts what was waited for in vain, in full or in part: a quick server is waited for shortly, and
 * one that just got slow must not count as dead after that.
 */
export function countLoss(state: State, { server, timeout }: Send): State {
  const loss = Math.min(1, timeout / FIRST_TIMEOUT);
  return countTry({ ...state, timeouts: state.timeouts + loss }, server, loss);
}

/** The frame that is being worked on. */
export function top(state: State): Frame {
  const frame = state.frames.at(-1);
  if (frame === undefined) throw new Error('unreachable: no frame');
  return frame;
}

/** The state with another topmost frame. */
export function replaceTop(state: State, frame: Frame): State {
  return { ...state, frames: [...state.frames.slice(0, -1), frame] };
}
