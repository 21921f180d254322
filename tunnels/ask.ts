/**
 * Asking: from "this device is wanted" to a tunnel, or to the reason why there is none.
 *
 * Knocks go to all places at once and again, a little later each time, until it is agreed who begins
 * the handshake; then the handshake is waited for. One attempt per device is shared by all who want
 * it. What comes in is handled in knock.ts, which moves the attempt's phase on and wakes it.
 */

import type { Endpoint, Runtime } from '#runtime';
import { rankCandidates } from './candidates.ts';
import type { RefuseReason } from './control.ts';
import type { Driver } from './drive.ts';
import type { Desired, TunnelDevice } from './plan.ts';
import type { Post } from './post.ts';

export type Reach =
  | {
      readonly state: 'up';
      readonly milliseconds: number;
      /** How it came: it was there, we knocked, the other did, or it is this device itself. */
      readonly via: 'already-up' | 'asked' | 'answered' | 'self';
      readonly endpoint?: Endpoint;
    }
  | {
      readonly state: 'refused';
      readonly reason: 'not-allowed-here' | 'not-allowed-there' | 'tunnels-off-there';
    }
  | {
      readonly state: 'unreachable';
      readonly reason:
        | 'unknown-device'
        | 'no-endpoint'
        | 'no-answer'
        | 'no-handshake'
        | 'asleep'
        | 'wg-failed'
        | 'stopped';
    };

/** Says whether a device that knocks may have a tunnel (policy decides). */
export type Accept = (deviceId: string) => boolean | Promise<boolean>;

export type KnockerOptions = {
  readonly publicKey: Uint8Array;
  readonly listenPort: number;
  readonly driver: Driver;
  readonly post: Post;
  readonly desired: () => Desired | undefined;
  readonly accept: Accept;
};

export type Seams = Pick<Runtime, 'clock' | 'random' | 'log'>;
export type Context = KnockerOptions & {
  readonly runtime: Seams;
  readonly attempts: Map<string, Attempt>;
  readonly heard: Map<string, { readonly from: Endpoint; readonly controlPort: number }>;
};

export type Attempt = {
  readonly device: TunnelDevice;
  readonly begunAt: number;
  readonly stamps: Set<number>;
  deadline: number;
  phase: 'knocking' | 'waiting' | 'connecting' | 'refused' | 'stopped';
  refusal: RefuseReason | undefined;
  foreignSince: number | undefined;
  wake: () => void;
  outcome: Promise<Reach>;
};

const FIRST_RESEND_MS = 250;
const LAST_RESEND_MS = 1_000;
const WAIT_MS = 2_000;

/** Makes a device reachable, or joins who is at it already. */
export function reach(context: Context, device: TunnelDevice, deadlineMs: number): Promise<Reach> {
  const { clock } = context.runtime;
  const deadline = clock.monotonic() + deadlineMs;
  const running = context.attempts.get(device.id);
  if (running !== undefined) {
    running.deadline = Math.max(running.deadline, deadline);
    return beforeDeadline(context, running, deadlineMs);
  }
  const attempt: Attempt = {
    device,
    begunAt: clock.monotonic(),
    stamps: new Set(),
    deadline,
    phase: 'knocking',
    refusal: undefined,
    foreignSince: undefined,
    wake: () => undefined,
    outcome: Promise.resolve({ state: 'unreachable', reason: 'stopped' }),
  };
  context.attempts.set(device.id, attempt);
  attempt.outcome = run(context, attempt).finally(() => context.attempts.delete(device.id));
  return beforeDeadline(context, attempt, deadlineMs);
}

/** An attempt may outlive one who asked for it: another may wait longer. */
async function beforeDeadline(
  { runtime }: Context,
  attempt: Attempt,
  deadlineMs: number,
): Promise<Reach> {
  const late = new AbortController();
  const timer = runtime.clock.sleep(deadlineMs + LATE_MS, late.signal).then(
    (): Reach => ({ state: 'unreachable', reason: 'no-answer' }),
    (): Promise<Reach> => attempt.outcome,
  );
  const outcome = attempt.outcome.finally(() => late.abort(new Error('in time')));
  return Promise.race([outcome, timer]);
}

/** An attempt that ends at its deadline knows better why than one who stopped waiting. */
const LATE_MS = 50;

async function run(context: Context, attempt: Attempt): Promise<Reach> {
  const { driver } = context;
  const { device } = attempt;
  // Looking is a program, and this is what happens nearly every time.
  if (await driver.wasSeenUp(device)) {
    return up(context, attempt, 'already-up');
  }
  if (!(await driver.refresh())) {
    return { state: 'unreachable', reason: 'wg-failed' };
  }
  if (driver.state(device) === 'up') {
    return up(context, attempt, 'already-up');
  }
  driver.change(device.id, { isKnocking: true });
  const outcome = await findPath(context, attempt);
  const failures = outcome.state === 'up' ? 0 : driver.pair(device.id).failures + 1;
  driver.change(device.id, {
    isKnocking: false,
    failures,
    lastKnock: context.runtime.clock.monotonic(),
  });
  // The plan has a look at what became of it: a peer to drop, or when to knock again.
  void driver.reconcile();
  return outcome;
}

async function findPath(context: Context, attempt: Attempt): Promise<Reach> {
  const { driver, runtime } = context;
  for (;;) {
    const failure = await knock(context, attempt);
    if (failure !== undefined) {
      return failure;
    }
    // Who waits for the other to begin does not wait for ever: both may have given way, and the
    // word of it may be lost.
    const patience = runtime.clock.monotonic() + WAIT_MS;
    const until = () =>
      attempt.phase === 'waiting' ? Math.min(attempt.deadline, patience) : attempt.deadline;
    if (await driver.waitForHandshake(attempt.device, until)) {
      // Who began knows the endpoint already; who waited learns it from WireGuard.
      if (attempt.phase !== 'connecting') {
        await driver.refresh();
      }
      return up(context, attempt, attempt.phase === 'connecting' ? 'asked' : 'answered');
    }
    if (runtime.clock.monotonic() >= attempt.deadline) {
      return { state: 'unreachable', reason: 'no-handshake' };
    }
    if (attempt.phase === 'waiting') {
      attempt.phase = 'knocking';
    }
  }
}

/** Knocks until it is agreed who begins; what it returns is why there is no agreement. */
async function knock(context: Context, attempt: Attempt): Promise<Reach | undefined> {
  const { clock } = context.runtime;
  for (let pause = FIRST_RESEND_MS; ; pause = Math.min(LAST_RESEND_MS, pause * 2)) {
    const over = endOfKnocking(attempt);
    if (over !== undefined) {
      return over.failure;
    }
    const remaining = attempt.deadline - clock.monotonic();
    if (remaining <= 0) {
      return { state: 'unreachable', reason: 'no-answer' };
    }
    if (!sendKnocks(context, attempt)) {
      return { state: 'unreachable', reason: 'no-endpoint' };
    }
    await rest(context, attempt, Math.min(remaining, jittered(context, pause)));
  }
}

function endOfKnocking({ phase, refusal }: Attempt): { failure: Reach | undefined } | undefined {
  switch (phase) {
    case 'knocking':
      return undefined;
    case 'waiting':
    case 'connecting':
      return { failure: undefined };
    case 'stopped':
      return { failure: { state: 'unreachable', reason: 'stopped' } };
    case 'refused': {
      const reason = refusal === 'tunnels-off' ? 'tunnels-off-there' : 'not-allowed-there';
      return { failure: { state: 'refused', reason } };
    }
  }
}

function sendKnocks(context: Context, attempt: Attempt): boolean {
  const { post, listenPort } = context;
  const places = candidates(context, attempt.device);
  for (const place of places) {
    const stamp = post.send(attempt.device, place, {
      kind: 'knock',
      listenPort,
      controlPort: post.port,
      callBack: !isStored(attempt.device, place),
    });
    if (stamp !== undefined) {
      attempt.stamps.add(stamp);
    }
  }
  return places.length > 0;
}

/** Sleeps, or less when something comes. */
async function rest({ runtime }: Context, attempt: Attempt, milliseconds: number): Promise<void> {
  const woken = new AbortController();
  attempt.wake = () => woken.abort(new Error('woken'));
  await runtime.clock.sleep(milliseconds, woken.signal).catch(() => undefined);
  attempt.wake = () => undefined;
}

function jittered({ runtime }: Context, milliseconds: number): number {
  return milliseconds * (0.8 + (0.4 * (runtime.random(1)[0] ?? 0)) / 256);
}

function up(
  { driver, runtime }: Context,
  { device, begunAt }: Attempt,
  via: 'already-up' | 'asked' | 'answered',
): Reach {
  const endpoint = driver.peer(device)?.endpoint;
  return {
    state: 'up',
    milliseconds: Math.round(runtime.clock.monotonic() - begunAt),
    via,
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

/**
 * Tells whether a device can be met at this address for all we know. One that was only heard from
 * there is behind a router that lets our answers in, and little else: it has to begin.
 */
export function isStored({ endpoints }: TunnelDevice, { address }: Endpoint): boolean {
  return endpoints.some((endpoint) => endpoint.address === address);
}

/** Where a device may be met, best first. */
export function candidates({ heard, desired }: Context, device: TunnelDevice): readonly Endpoint[] {
  const overlay = desired()?.prefix ?? '';
  return rankCandidates(device.endpoints, heard.get(device.id)?.from, overlay);
}
