/**
 * What the keeper of a backup hands to whose backup it is, as one line of text: where, as whom, and
 * how the keeper is known.
 *
 *     nymote-backup:https://alice:<token>@home.example:51822/kept/alice/#sha256=<pin>
 *
 * The token in it is a secret: whoever has the line can delete the backup, and still not read it.
 * The first word keeps chat programs from following the address to draw a preview. Pure.
 */

import { BackupError } from '../error.ts';
import type { Credentials } from '../target.ts';

const PREFIX = 'nymote-backup:';
const MAX_TEXT = 1_024;
/** Where everything that is kept for others is found. */
export const KEPT_PATH = '/kept/';
/** Whom something is kept for: a directory, a user of HTTP Basic, a part of a path. */
const GUEST = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const TOKEN = /^[A-Za-z0-9_-]{43}$/;
const PIN = /^#sha256=[A-Za-z0-9+/]{43}=$/;

/** What a line says. */
export type Line = {
  /** For webdav.ts: without user and secret. */
  readonly place: string;
  readonly credentials: Credentials;
};

/** Tells whether a text can be the name of somebody whose backups are kept. */
export const isGuest = (text: string): boolean => GUEST.test(text);

/** The line; without a pin an authority vouches for `host`, which is `name` or `name:port`. */
export function printLine({
  host,
  guest,
  token,
  pin,
}: {
  readonly host: string;
  readonly guest: string;
  readonly token: string;
  readonly pin: string | undefined;
}): string {
  const known = pin === undefined ? '' : `#sha256=${pin}`;
  return `${PREFIX}https://${guest}:${token}@${host}${KEPT_PATH}${guest}/${known}`;
}

/** Reads the line, with what a mail program put around and into it; undefined: it is none. */
export function parseLine(text: string): Line | undefined {
  const plain = text.replace(/\s+/g, '');
  if (plain.length > MAX_TEXT || !plain.startsWith(PREFIX)) return undefined;
  const address = plain.slice(PREFIX.length);
  if (!URL.canParse(address)) return undefined;
  const url = new URL(address);
  const { username: user, password: secret, hash } = url;
  const isLine =
    url.protocol === 'https:' &&
    isGuest(user) &&
    TOKEN.test(secret) &&
    url.pathname === `${KEPT_PATH}${user}/` &&
    url.search === '' &&
    (hash === '' || PIN.test(hash));
  if (!isLine) return undefined;
  url.username = '';
  url.password = '';
  return { place: url.href, credentials: { user, secret } };
}

/** The same of text that has to be a line; what it says is not repeated. */
export function requireLine(text: string): Line {
  const line = parseLine(text);
  if (line !== undefined) return line;
  throw new BackupError(
    'bad-setting',
    `that is no whole line of a keeper's: ${PREFIX}https://…, as \`nymote backup keep\` prints it`,
  );
}
