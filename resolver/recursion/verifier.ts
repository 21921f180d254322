/**
 * Has costly signatures verified elsewhere than on the main thread, a few at a time.
 *
 *   unverified ─► the turn of its domain ─► verified elsewhere ─► noted
 *                   │ too many wait, or for too long: says so
 *
 * Equal verifications are made once. Domains take turns, so who sends us to a zone of costly
 * signatures again and again is in his own way. What nobody waits for any more is not made.
 *
 * @see CVE-2023-50387 (KeyTrap) for why nobody else may have to wait
 * Which verifications are costly is in dnssec/algorithms.ts, what they cost a question in budget.ts.
 */

import type { Clock, Crypto } from '#runtime';
import { shareStart } from '../cache/share.ts';
import { learn, type Unverified, type Verification } from '../dnssec/attempt.ts';
import type { Check } from '../dnssec/verify.ts';
import type { Name } from '../message/name.ts';
import { millisecondsLeft } from './budget.ts';
import { createTurns } from './turns.ts';

/** Verifications under way at once: half of the threads that libuv has, as files need some. */
export const MAX_ELSEWHERE = 2;

/** Those that wait for them: twice what one network may wait for (serving/waiting.ts). */
export const MAX_UNVERIFIED = 1024;

/** Why a verification was not made. */
export type NotVerified = 'overloaded' | 'out-of-time';

export type Verifier = Disposable & {
  /** Verifies in the time that is left in the purse, and notes the result; or says why not. */
  settle(
    unverified: Unverified,
    check: Pick<Check, 'purse' | 'tried'>,
  ): Promise<NotVerified | undefined>;
  /** Different ones that wait or are under way. */
  readonly size: number;
};

type Parts = {
  readonly clock: Pick<Clock, 'monotonic' | 'after'>;
  readonly crypto: Pick<Crypto, 'hash' | 'verifyElsewhere'>;
};

type Result = boolean | NotVerified;

type Job = {
  readonly key: string;
  readonly domain: string;
  readonly verify: () => Promise<boolean>;
  readonly askers: Set<(result: Result) => void>;
};

/** Verifies nothing yet. */
export function createVerifier({ clock, crypto }: Parts): Verifier {
  const jobs = new Map<string, Job>();
  const turns = createTurns<Job>(MAX_UNVERIFIED, (job) => end(job, 'overloaded'));
  let busy = 0;
  let isClosed = false;

  function end(job: Job, result: Result): void {
    jobs.delete(job.key);
    for (const tell of job.askers) tell(result);
    job.askers.clear();
  }

  function enter(key: string, { signer, verification }: Unverified): Job | undefined {
    const { algorithm, publicKey, data, signature } = verification;
    const verify = () => crypto.verifyElsewhere(algorithm, publicKey, data, signature);
    const job: Job = { key, domain: domainOf(signer), verify, askers: new Set() };
    if (isClosed || !turns.enter(job.domain, job)) return undefined;
    jobs.set(key, job);
    return job;
  }

  async function run(job: Job): Promise<void> {
    const isGood = await job.verify();
    busy--;
    end(job, isGood);
    start();
  }

  function start(): void {
    while (busy < MAX_ELSEWHERE) {
      const job = turns.next();
      if (job === undefined) return;
      busy++;
      void run(job);
    }
  }

  function join(job: Job, milliseconds: number): Promise<Result> {
    return new Promise((resolve) => {
      const tell = (result: Result) => {
        cancel();
        resolve(result);
      };
      const cancel = clock.after(milliseconds, () => {
        job.askers.delete(tell);
        if (job.askers.size === 0 && turns.leave(job.domain, job)) jobs.delete(job.key);
        resolve('out-of-time');
      });
      job.askers.add(tell);
    });
  }

  return {
    async settle(unverified, check) {
      const key = keyOf(unverified.verification, crypto);
      const job = jobs.get(key) ?? enter(key, unverified);
      if (job === undefined) return 'overloaded';
      const joined = join(job, millisecondsLeft(check.purse.budget, clock.monotonic() / 1000));
      start();
      const result = await joined;
      if (typeof result !== 'boolean') return result;
      learn(unverified.attempt, result, check);
      return undefined;
    },
    get size() {
      return jobs.size;
    },
    [Symbol.dispose]() {
      isClosed = true;
      for (const job of [...jobs.values()]) {
        turns.leave(job.domain, job);
        end(job, 'overloaded');
      }
    },
  };
}

/** Whose turn it is: the domain as registered, so that many zones below it are no way around. */
function domainOf({ key }: Name): string {
  const start = shareStart(key);
  return start < 0 ? key : key.slice(start);
}

/** All that a verification is about. */
function keyOf(
  { algorithm, publicKey, data, signature }: Verification,
  { hash }: Pick<Crypto, 'hash'>,
): string {
  return [algorithm, publicKey, signature, hash('sha256', data)].map(String).join(' ');
}
