/**
 * What an operator hands out so that others can follow its realm: where it is, which it is, and the
 * keys that its commits are sealed with, as one line of text.
 *
 *     nymote-upstream:<base64url of { url, realm, keys, name }>
 *
 * It is no secret: it is made to be printed on a web page. Who has it can read the realm and nothing
 * else; what counts there is still what the realm's own devices signed (I3, ADR 15). Pure.
 */

import * as v from 'valibot';
import { Key32, Label } from '../records.ts';

const PREFIX = 'nymote-upstream:';
const MAX_TEXT = 8_192;
/** Old commits are sealed with old keys. */
const MAX_KEYS = 64;

/** Where a realm is, and how it is read. */
export const Subscription = v.strictObject({
  url: v.pipe(v.string(), v.url(), v.regex(/^https?:/, 'http:// or https://'), v.maxLength(500)),
  realm: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'a realm')),
  keys: v.pipe(v.array(Key32), v.minLength(1), v.maxLength(MAX_KEYS)),
});
const Printed = v.strictObject({ ...Subscription.entries, name: Label });

export type Subscription = v.InferOutput<typeof Subscription>;

/** The line; `name` is what others may call it. */
export function printSubscription(subscription: Subscription & { readonly name: string }): string {
  const { url, realm, keys, name } = subscription;
  const bytes = new TextEncoder().encode(JSON.stringify({ url, realm, keys, name }));
  return `${PREFIX}${Buffer.from(bytes).toString('base64url')}`;
}

/** Reads the line, with what a person's mail program put around and into it; undefined: it is none. */
export function parseSubscription(
  text: string,
): (Subscription & { readonly name: string }) | undefined {
  const plain = text.replace(/\s+/g, '');
  if (plain.length > MAX_TEXT || !plain.startsWith(PREFIX)) return undefined;
  const json = Buffer.from(plain.slice(PREFIX.length), 'base64url').toString('utf8');
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), Printed), json);
  return parsed.success ? parsed.output : undefined;
}
