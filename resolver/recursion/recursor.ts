/**
 * The recursor: from a question to its answer, as a state machine without I/O.
 *
 *             ┌──────────────── referral, name exists ──────────────┐
 *             ▼                                                     │
 *   start ─► look in cache ─► choose a server ─► send ═► (event) ─► read the reply
 *             │ known          │ no address          ▲   timeout,        │ answer, alias, denial
 *             ▼                ▼ left                └── truncated ──────┤
 *           finish ◄──── look its name up in a new frame                 ▼
 *             │                                                        finish
 *             └► last frame: outcome; else the frame below goes on with the addresses found
 *
 * `step(state, event, now, world)` is deterministic: time and randomness come in, sends and the
 * outcome go out; the cache and the memory of servers in `world` are the only things it changes.
 * At most one send is under way for a question. Everything is paid from one budget (I6).
 *
 * @see RFC 1034 §5.3.3, RFC 9156 (minimisation), RFC 2308 and 8020 (denials), RFC 9520 (failures)
 * Does not validate: that is for a pure validator between `finish` and the outcome.
 */

import { TRUST } from '../cache/worth.ts';
import type { Reason } from '../message/ede.ts';
import type { Message } from '../message/message.ts';
import { countLabels, type Name, ROOT } from '../message/name.ts';
import { TYPE } from '../message/type.ts';
import { afterForgery, confirm, withoutTcp } from './agreement.ts';
import {
  type Budget,
  isAmple,
  isExhausted,
  MAX_DEPTH,
  MAX_REFERRALS,
  MAX_SENDS_PER_NAME,
  MAX_TIMEOUTS_IN_A_ROW,
  millisecondsLeft,
  spend,
} from './budget.ts';
import { chooseServer, endpointsOf } from './choose.ts';
import { type Cut, closestCut, routeCut } from './delegation.ts';
import {
  countLoss,
  countTry,
  type Event,
  type Frame,
  frameFor,
  isForwarded,
  type Outcome,
  replaceTop,
  type Send,
  type State,
  type Step,
  top,
  type World,
  withCut,
} from './frame.ts';
import { aliasOutcome, fromCache } from './known.ts';
import { learn } from './learn.ts';
import { lastLabels, nextLabels } from './minimise.ts';
import { overTcp, resendFor } from './resend.ts';
import { findRoute, isFromAbove, type Route, withoutFallback } from './route.ts';
import { type Reply, scrub } from './scrub.ts';
import { EDNS_REFUSALS } from './servers.ts';

/**
 * Starts a question; feed the state to `step` with `{ kind: 'start' }`.
 *
 * With `avoid` the cache is passed over, and those servers too while there are others.
 */
export function begin(
  name: Name,
  type: number,
  budget: Budget,
  avoid?: ReadonlySet<string>,
): State {
  return { frames: [frameFor(name, type)], budget, timeouts: 0, avoid };
}

type Progress =
  | { readonly kind: 'go'; readonly state: State }
  | { readonly kind: 'send'; readonly state: State; readonly send: Send }
  | { readonly kind: 'done'; readonly state: State; readonly outcome: Outcome };

/** Every turn sends, finishes a frame, or spends something limited; this catches what we overlooked. */
const MAX_TURNS = 1000;

/** Goes on with a question until it waits for a server or is done. */
export function step(state: State, event: Event, now: number, world: World): Step {
  let progress: Progress =
    event.kind === 'start'
      ? { kind: 'go', state: { ...state, isAmple: isAmple(state.budget, now) } }
      : absorb(state, event, now, world);
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    if (progress.kind === 'send') return { state: progress.state, sends: [progress.send] };
    if (progress.kind === 'done') return { ...progress, sends: [] };
    progress = advance(progress.state, now, world);
  }
  throw new Error('unreachable: a question that never waits');
}

/* Choosing what to do next */

function advance(state: State, now: number, world: World): Progress {
  const frame = top(state);
  if (frame.cut === undefined) return consultCache(state, frame, now, world);
  const choice = chooseServer(frame, state, now, world);
  switch (choice.kind) {
    case 'server': {
      const { server } = choice;
      const { name, type } = nextQuestion(frame, now, world);
      const { servers } = world;
      const recursionDesired = isForwarded(frame);
      const edns = servers.speaksEdns(server, now);
      const timeout = servers.timeout(server, now);
      const send: Send = { server, transport: 'udp', name, type, edns, recursionDesired, timeout };
      return transmit(state, server.secure === undefined ? send : overTcp(send), now, world);
    }
    case 'fall-back':
      return fallBack(state);
    case 'look-up': {
      if (state.frames.length >= MAX_DEPTH) return fail(state, 'too-deep', now, world);
      const paid = spend(state.budget, 'names', 1);
      if (!paid.ok) return giveUp(state, paid.reason, now, world);
      const followed = [...frame.followed, `${choice.type} ${choice.name.key}`];
      const below = replaceTop(state, { ...frame, followed });
      const frames = [...below.frames, frameFor(choice.name, choice.type)];
      return { kind: 'go', state: { ...state, frames, budget: paid.budget } };
    }
    case 'none': {
      const { hearsay } = frame;
      if (hearsay === undefined) return fail(state, choice.reason ?? frame.problem, now, world);
      learn(hearsay.reply, hearsay.sent, TRUST.answer, now, world.cache);
      const heard = replaceTop(state, { ...frame, hearsay: undefined });
      return interpret(heard, hearsay.sent, hearsay.reply, now, world);
    }
  }
}

function consultCache(state: State, frame: Frame, now: number, world: World): Progress {
  const { cache, settings } = world;
  const { name, type } = frame;
  if (cache.findFailure(name, type, now) !== undefined) {
    return finish(state, { kind: 'failure', reason: 'failure-cached' }, world);
  }
  // What is asked again is asked because what is cached was of no use.
  const isAgain = state.avoid !== undefined && state.frames.length === 1;
  const routes = state.fellBack ? withoutFallback(settings.routes) : settings.routes;
  const route = findRoute(routes, name, type);
  const outcome = isAgain ? undefined : fromCache(name, type, now, cache);
  if (outcome !== undefined && !isFromAbove(outcome, route)) return finish(state, outcome, world);
  return { kind: 'go', state: replaceTop(state, withCut(frame, cutFor(frame, route, now, world))) };
}

/** Begins with the topmost name again, in the tree: what forwarders did counts no more. */
function fallBack(state: State): Progress {
  const { name, type } = top(state);
  const afresh = replaceTop(state, frameFor(name, type));
  return { kind: 'go', state: { ...afresh, timeouts: 0, fellBack: true } };
}

function cutFor(
  { name, type }: Frame,
  route: Route | undefined,
  now: number,
  { cache, settings }: World,
): Cut {
  const top = route === undefined ? settings.root : routeCut(route);
  // Forwarders know where a zone's servers are; we only know of a stub's.
  if (route?.kind === 'forward') return top;
  return closestCut(name, type, (zone) => cache.findCut(zone, now), top);
}

/** The whole question, or as much of its name as this zone's servers need (RFC 9156 §2.3). */
function nextQuestion(frame: Frame, now: number, world: World): { name: Name; type: number } {
  const { name, type, minimised } = frame;
  const { settings, cache } = world;
  const whole = { name, type };
  const isWanted = settings.minimise || frame.stepwise;
  if (!frame.minimise || !isWanted || isForwarded(frame)) return whole;
  const total = countLabels(name);
  let known = frame.known;
  for (;;) {
    known = nextLabels(name, known, minimised);
    if (known >= total) return whole;
    const part = { name: lastLabels(name, known), type: TYPE.A };
    if (cache.find(part.name, part.type, now) === undefined) return part;
  }
}

function transmit(state: State, send: Send, now: number, world: World): Progress {
  const frame = top(state);
  if (frame.sends >= MAX_SENDS_PER_NAME) return fail(state, frame.problem, now, world);
  const paid = spend(state.budget, 'sends', 1);
  if (!paid.ok) return giveUp(state, paid.reason, now, world);
  const left = Math.floor(millisecondsLeft(state.budget, now));
  if (left <= 0) return giveUp(state, 'out-of-time', now, world);
  const pending = { ...send, timeout: Math.min(send.timeout, left) };
  const waiting = replaceTop(state, { ...frame, sends: frame.sends + 1, pending });
  return { kind: 'send', state: { ...waiting, budget: paid.budget }, send: pending };
}

/* Events */

function absorb(
  state: State,
  event: Exclude<Event, { kind: 'start' }>,
  now: number,
  world: World,
): Progress {
  const frame = top(state);
  const { pending } = frame;
  if (pending === undefined) throw new Error('unreachable: an event for nothing that was sent');
  const idle = replaceTop(state, { ...frame, pending: undefined });
  if (event.kind === 'timeout' || event.kind === 'unreachable') {
    // Cut short by the end of the question: that says nothing of the server.
    if (millisecondsLeft(state.budget, now) < 1) return giveUp(idle, 'out-of-time', now, world);
    const plain = withoutTcp(pending, world.servers, now);
    if (plain !== undefined) return transmit(idle, plain, now, world);
  }
  switch (event.kind) {
    case 'timeout':
      world.servers.lost(pending.server, now);
      return afterLoss(countLoss(idle, pending), pending, now, world);
    case 'unreachable':
      world.servers.lost(pending.server, now);
      return {
        kind: 'go',
        state: countTry(withProblem(idle, event.reason), pending.server, NEVER_AGAIN),
      };
    case 'forged':
      return sendInstead(
        idle,
        pending,
        afterForgery(pending, event, world.servers, now),
        now,
        world,
      );
    case 'reply': {
      const paid = spend(state.budget, 'bytes', event.bytes);
      if (!paid.ok) return giveUp(idle, paid.reason, now, world);
      world.servers.answered(pending.server, event.milliseconds);
      return read(
        { ...idle, budget: paid.budget, timeouts: 0 },
        pending,
        event.message,
        now,
        world,
      );
    }
  }
}

function withProblem(state: State, reason: Reason | undefined): State {
  return reason === undefined ? state : replaceTop(state, { ...top(state), problem: reason });
}

function afterLoss(state: State, lost: Send, now: number, world: World): Progress {
  // One lost datagram of a quick server is no silence yet, and the whole name is not for everybody.
  if (state.timeouts < 1) return { kind: 'go', state };
  if (state.timeouts < MAX_TIMEOUTS_IN_A_ROW) return { kind: 'go', state: withWhole(state, lost) };
  return top(state).cut?.route?.fallback === true
    ? fallBack(state)
    : giveUp(state, 'no-reachable-authority', now, world);
}

function sendInstead(
  state: State,
  { server }: Send,
  instead: Send | 'no-use',
  now: number,
  world: World,
): Progress {
  return instead === 'no-use'
    ? { kind: 'go', state: countTry(state, server, NEVER_AGAIN) }
    : transmit(state, instead, now, world);
}

/** More tries than any server gets. */
const NEVER_AGAIN = 1000;

function read(state: State, sent: Send, message: Message, now: number, world: World): Progress {
  const { settings } = world;
  const resend = resendFor(sent, message, settings) ?? confirm(sent, message);
  if (resend !== undefined) return sendInstead(state, sent, resend, now, world);
  const wasRefused = !sent.edns && world.servers.speaksEdns(sent.server, now);
  if (wasRefused && !EDNS_REFUSALS.includes(message.rcode)) {
    world.servers.plainWorked(sent.server, now);
  }
  if (sent.edns && message.edns !== undefined) world.servers.ednsWorked(sent.server);
  const frame = top(state);
  const reply = scrub(message, {
    name: sent.name,
    type: sent.type,
    zone: frame.cut?.zone ?? ROOT,
    isForwarder: isForwarded(frame),
    allowsSpecial: settings.allowsSpecial,
  });
  if (isDoubtful(frame, sent) && (reply.kind === 'no-name' || reply.kind === 'lame')) {
    return { kind: 'go', state: withWhole(state, sent) };
  }
  learn(reply, sent, message.authoritative ? TRUST.authoritative : TRUST.answer, now, world.cache);
  return interpret(state, sent, reply, now, world);
}

/**
 * Below root and TLDs some servers deny empty non-terminals, refer us to themselves when asked for
 * one, or say nothing.
 */
function isDoubtful({ name, cut }: Frame, sent: Send): boolean {
  return sent.name.key !== name.key && countLabels(cut?.zone ?? ROOT) > 1;
}

/** From here on the whole name is asked, where a part of it is doubtful (RFC 9156 §3). */
function withWhole(state: State, sent: Send): State {
  const frame = top(state);
  return isDoubtful(frame, sent) ? replaceTop(state, { ...frame, minimise: false }) : state;
}

function interpret(state: State, sent: Send, reply: Reply, now: number, world: World): Progress {
  const frame = top(state);
  const isPart = sent.name.key !== frame.name.key;
  if (isOfChild(reply, frame, world)) {
    return { kind: 'go', state: replaceTop(state, { ...frame, stepwise: true }) };
  }
  return isPart ? conclude(state, sent, reply, now, world) : act(state, sent, reply, now, world);
}

/** A reply to a minimised question tells how the tree goes on, not what the answer is. */
function conclude(state: State, sent: Send, reply: Reply, now: number, world: World): Progress {
  const frame = top(state);
  switch (reply.kind) {
    case 'answer':
    case 'alias':
    case 'no-data': {
      const known = countLabels(sent.name);
      const next = { ...frame, known, minimised: frame.minimised + 1 };
      return { kind: 'go', state: replaceTop(state, next) };
    }
    case 'referral':
    case 'no-name':
    case 'lame':
      return act(state, sent, reply, now, world);
    case 'failure':
    case 'alias-loop':
    case 'alias-too-long':
      return { kind: 'go', state: replaceTop(state, { ...frame, minimise: false }) };
  }
}

function act(state: State, sent: Send, reply: Reply, now: number, world: World): Progress {
  const frame = top(state);
  switch (reply.kind) {
    case 'answer':
    case 'alias': {
      const [first, second] = reply.aliases;
      if (first === undefined) {
        return reply.kind === 'answer'
          ? finish(state, { kind: 'answer', rrset: reply.rrset, proof: reply.proof }, world)
          : fail(state, 'no-reachable-authority', now, world);
      }
      const isDname = first.type === TYPE.DNAME && second !== undefined;
      return finish(state, aliasOutcome(isDname ? [first, second] : [first], reply.proof), world);
    }
    case 'no-name':
    case 'no-data':
      return finish(state, reply, world);
    case 'referral': {
      const referrals = frame.referrals + 1;
      if (referrals > MAX_REFERRALS) return fail(state, 'too-many-referrals', now, world);
      const until = Math.min(now + reply.ttl, frame.cut?.until ?? now);
      const cut = { ...reply.cut, until };
      world.cache.putCut(cut, now);
      const next = { ...withCut(frame, cut), referrals };
      return { kind: 'go', state: replaceTop(state, next) };
    }
    case 'lame': {
      world.servers.markLame(sent.server, frame.cut?.zone.key ?? ROOT.key, now);
      const hearsay = reply.hearsay && { sent, reply: reply.hearsay };
      const changes = { problem: 'lame-delegation', hearsay: frame.hearsay ?? hearsay } as const;
      const next = replaceTop(state, { ...frame, ...changes });
      return { kind: 'go', state: countTry(next, sent.server, NEVER_AGAIN) };
    }
    case 'failure':
      return { kind: 'go', state: countTry(state, sent.server, NEVER_AGAIN) };
    case 'alias-too-long':
      return finish(state, { kind: 'failure', reason: reply.kind, dname: reply.dname }, world);
    case 'alias-loop':
      return fail(state, reply.kind, now, world);
  }
}

/**
 * Tells whether an alias in place of a DS may be that of the zone that begins there: a server of
 * that zone and of one above its parent answers so. The parent is then found label by label
 * (RFC 4035 §4.2).
 */
function isOfChild(reply: Reply, frame: Frame, { settings }: World): boolean {
  if (reply.kind !== 'alias' || frame.type !== TYPE.DS) return false;
  const isFoundOut = settings.minimise || frame.stepwise || isForwarded(frame);
  return !isFoundOut && countLabels(frame.name) > countLabels(frame.cut?.zone ?? ROOT) + 1;
}

/* Endings */

/** Failures that say something about the name itself and not about the way we came to it. */
const OWN_FAILURES: readonly Reason[] = ['no-reachable-authority', 'lame-delegation'];

/** Ends the topmost frame without an answer. */
function fail(state: State, reason: Reason, now: number, world: World): Progress {
  const { name, type } = top(state);
  const isAgain = state.avoid !== undefined && state.frames.length === 1;
  const isPoor = state.isAmple !== true && isExhausted(reason);
  if (!isAgain && !isPoor && (state.frames.length === 1 || OWN_FAILURES.includes(reason))) {
    world.cache.putFailure(name, type, reason, now);
  }
  return finish(state, { kind: 'failure', reason }, world);
}

/** Ends the whole question: what it shares among all its frames is used up. */
function giveUp(state: State, reason: Reason, now: number, world: World): Progress {
  const [first] = state.frames;
  if (first === undefined) throw new Error('unreachable: no frame');
  return fail({ ...state, frames: [first] }, reason, now, world);
}

/** Ends the topmost frame; the one below goes on with the addresses, if any were found. */
function finish(state: State, outcome: Outcome, world: World): Progress {
  const frames = state.frames.slice(0, -1);
  const below = frames.at(-1);
  if (below === undefined) return { kind: 'done', state, outcome };
  // An alias is no address: a name server's name must not be one (RFC 2181 §10.3).
  const found = outcome.kind === 'answer' ? endpointsOf([outcome.rrset], world.settings) : [];
  const next = { ...below, found: [...below.found, ...found] };
  return { kind: 'go', state: replaceTop({ ...state, frames }, next) };
}
