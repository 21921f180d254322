/**
 * How a person or a program comes in: one-time links, sessions, tokens. None of it is configuration,
 * none outlives the process.
 */

import { createCodes, createSessions } from '#identity';
import type { Endpoint, Runtime } from '#runtime';
import { type Backend, type SignInLink, type TokenView, WebAdminError } from '#web-admin';
import { encodeBase64 } from '../base64.ts';
import { type Config, isAddress, printEndpoint } from '../config.ts';

export type Doors = Pick<Backend, 'signIn' | 'tokens'> & {
  /** A one-time link; `host` is how a browser on another machine names this device, if it does. */
  readonly issueLink: (host?: string) => SignInLink;
};

const PURPOSE = 'sign-in';
const LINK_SECONDS = 600;
const TOKEN_BYTES = 32;
const TOKEN_PREFIX = 'nym_';
const ID_DIGITS = 12;
const DAY_SECONDS = 86_400;
const MAX_TOKENS = 100;

/** Makes the doors. */
export function createDoors(
  { crypto, random, clock }: Pick<Runtime, 'crypto' | 'random' | 'clock'>,
  config: Pick<Config, 'admin'>,
  user: string,
): Doors {
  const codes = createCodes<undefined>(crypto, random);
  const sessions = createSessions(crypto, random);
  const issueLink = (host?: string): SignInLink => {
    const wanted = { purpose: PURPOSE, ttlSeconds: LINK_SECONDS, data: undefined };
    const { code, expiresAt } = codes.issue(wanted, clock.now());
    return { url: `http://${placeFor(config.admin, host)}/sign-in#${code}`, expiresAt };
  };
  return {
    issueLink,
    signIn: {
      redeem(code) {
        const redeemed = codes.redeem({ code, purpose: PURPOSE }, clock.now());
        if (!redeemed.ok) throw new WebAdminError('denied', REASONS[redeemed.reason]);
        return sessions.create(user, clock.now());
      },
      check: (secret, options) => sessions.check(secret, clock.now(), options),
      end: (secret) => sessions.end(secret),
      link: () => issueLink(),
    },
    tokens: createTokens({ crypto, random, clock }),
  };
}

/**
 * Where the page is, for a browser on this machine or, with `host`, on another one that sees us under
 * that name: LuCI's, which is another port of ours, and perhaps a name that we do not answer to.
 */
function placeFor(admin: readonly Endpoint[], host: string | undefined): string {
  const [first] = admin;
  if (first === undefined) return 'localhost';
  if (host === undefined) return printEndpoint(first);
  const wanted = host.replace(/^\[|\]$/g, '');
  const found =
    admin.find(({ address }) => address === wanted) ??
    admin.find(({ address }) => !/^(127\.|::1$)/.test(address)) ??
    first;
  const isEverywhere = ['0.0.0.0', '::'].includes(found.address) && isAddress(wanted);
  return printEndpoint(isEverywhere ? { ...found, address: wanted } : found);
}

const REASONS = {
  mistyped: 'That is not a code; look for a typing mistake.',
  unknown: 'This link is not known; nymote may have been restarted since.',
  used: 'This link was used already. Make a new one with `npx nymote sign-in`.',
  expired: 'This link is too old. Make a new one with `npx nymote sign-in`.',
  'too-many-attempts': 'Too many wrong codes; wait a minute.',
} as const;

/** Bearer tokens, found by their hash, so that comparing takes the same time for all. */
function createTokens({
  crypto,
  random,
  clock,
}: Pick<Runtime, 'crypto' | 'random' | 'clock'>): Backend['tokens'] {
  const tokens = new Map<string, TokenView>();
  const hash = (token: string): string =>
    encodeBase64(crypto.hash('sha256', new TextEncoder().encode(token)));
  const live = (): readonly TokenView[] =>
    [...tokens.values()].filter(({ expiresAt }) => expiresAt > clock.now());
  return {
    list: live,
    issue({ name, days }) {
      if (live().length >= MAX_TOKENS)
        throw new WebAdminError('conflict', 'There are too many tokens.');
      const token = `${TOKEN_PREFIX}${encodeBase64(random(TOKEN_BYTES)).replace(/[+/=]/g, '')}`;
      const key = hash(token);
      const id = key.replace(/[+/=]/g, '').slice(0, ID_DIGITS);
      const view = { id, name, expiresAt: clock.now() + days * DAY_SECONDS };
      tokens.set(key, view);
      return { ...view, token };
    },
    revoke(id) {
      const found = [...tokens].find(([, view]) => view.id === id);
      if (found === undefined) throw new WebAdminError('not-found', 'There is no such token.');
      tokens.delete(found[0]);
    },
    check(token) {
      const view = tokens.get(hash(token));
      return view && view.expiresAt > clock.now() ? view : undefined;
    },
  };
}
