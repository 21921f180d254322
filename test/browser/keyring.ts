/** How people sign in, in memory. */

import { randomBytes } from 'node:crypto';
import { type Backend, type TokenView, WebAdminError } from '#web-admin';

type Expiring = { readonly name: string; readonly expiresAt: number };

export type Keyring = Pick<Backend, 'signIn' | 'tokens'> & {
  /** Makes a sign-in code without the link around it. */
  code(): string;
};

/** Codes, sessions and tokens, as Maps. */
export function createKeyring(now: () => number): Keyring {
  const codes = new Map<string, Expiring>();
  const sessions = new Map<string, Expiring>();
  const tokens = new Map<string, TokenView>();

  function code(): string {
    const made = randomBytes(16).toString('base64url');
    codes.set(made, { name: 'browser', expiresAt: now() + 600 });
    return made;
  }

  return {
    code,
    signIn: {
      redeem(wanted) {
        const found = codes.get(wanted);
        if (found === undefined || found.expiresAt < now()) {
          throw new WebAdminError('denied', 'This link was used already, or it is too old.');
        }
        codes.delete(wanted);
        const secret = randomBytes(32).toString('base64url');
        const session = { name: found.name, expiresAt: now() + 1800 };
        sessions.set(secret, session);
        return { ...session, secret };
      },
      check(secret, { touch }) {
        const found = sessions.get(secret);
        if (found === undefined || found.expiresAt < now()) return undefined;
        if (touch) sessions.set(secret, { ...found, expiresAt: now() + 1800 });
        return found;
      },
      end: (secret) => void sessions.delete(secret),
      link: () => ({ url: `http://127.0.0.1:8053/sign-in#${code()}`, expiresAt: now() + 600 }),
    },
    tokens: {
      list: () => [...tokens.values()],
      issue({ name, days }) {
        const token = `nym_${randomBytes(32).toString('base64url')}`;
        const view = { id: String(tokens.size + 1), name, expiresAt: now() + days * 86_400 };
        tokens.set(token, view);
        return { ...view, token };
      },
      revoke(id) {
        const found = [...tokens].find(([, view]) => view.id === id);
        if (found === undefined) throw new WebAdminError('not-found', 'There is no such token.');
        tokens.delete(found[0]);
      },
      check: (token) => tokens.get(token),
    },
  };
}
