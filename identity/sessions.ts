/**
 * Browsers that are signed in: 30 minutes without a click, or 12 hours in all.
 *
 * The cookie is 256 random bits; we keep its hash, so whoever reads our memory dump or log cannot
 * sign in with it. Sessions do not outlive the process.
 */

import type { Crypto, Random } from '#runtime';
import { encodeBase64Url } from './text.ts';

/** One browser that is signed in. Times are seconds since 1970. */
export type Session = {
  readonly name: string;
  readonly startedAt: number;
  readonly expiresAt: number;
};

/** The sessions of this process. */
export type Sessions = {
  /** Starts a session for `name`; the secret is shown to nobody but the browser. */
  create(name: string, now: number): Session & { readonly secret: string };
  /** The session of a cookie, if it still runs. `touch` starts its idle time again. */
  check(secret: string, now: number, options: { readonly touch: boolean }): Session | undefined;
  end(secret: string): void;
};

const IDLE_SECONDS = 30 * 60;
const TOTAL_SECONDS = 12 * 60 * 60;
const SECRET_BYTES = 32;
const SECRET_CHARACTERS = 43;

/** How far NTP may set the clock back under a running session. */
const CLOCK_SLACK_SECONDS = 60;

/** The least recently used one gives way. */
const MAX_SESSIONS = 256;

/** Makes an empty set of sessions. */
export function createSessions(crypto: Pick<Crypto, 'hash'>, random: Random): Sessions {
  const sessions = new Map<string, Session>();
  const keyOf = (secret: string) =>
    encodeBase64Url(crypto.hash('sha256', new TextEncoder().encode(secret)));
  const put = (key: string, session: Session) => {
    sessions.delete(key);
    sessions.set(key, session);
  };
  return {
    create(name, now) {
      makeRoom(sessions, now);
      const secret = encodeBase64Url(random(SECRET_BYTES));
      const session = { name, startedAt: now, expiresAt: now + IDLE_SECONDS };
      put(keyOf(secret), session);
      return { ...session, secret };
    },
    check(secret, now, { touch }) {
      if (secret.length !== SECRET_CHARACTERS) return undefined;
      const key = keyOf(secret);
      const session = sessions.get(key);
      if (session === undefined) return undefined;
      // A clock that was set back must not make sessions last longer.
      if (now >= session.expiresAt || now < session.startedAt - CLOCK_SLACK_SECONDS) {
        sessions.delete(key);
        return undefined;
      }
      if (!touch) return session;
      const expiresAt = Math.min(now + IDLE_SECONDS, session.startedAt + TOTAL_SECONDS);
      const touched = { ...session, expiresAt };
      put(key, touched);
      return touched;
    },
    end(secret) {
      sessions.delete(keyOf(secret));
    },
  };
}

function makeRoom(sessions: Map<string, Session>, now: number): void {
  for (const [key, session] of sessions) {
    if (now >= session.expiresAt) sessions.delete(key);
  }
  for (const oldest of sessions.keys()) {
    if (sessions.size < MAX_SESSIONS) break;
    sessions.delete(oldest);
  }
}
