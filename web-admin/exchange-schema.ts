/** What goes over the wire about the exchange of changes with other devices and the hub. */

import * as v from 'valibot';
import type { Immutable } from './schema.ts';

export const exchangeSchema = v.object({
  hub: v.optional(v.pipe(v.string(), v.description('Where devices that cannot meet exchange'))),
  parties: v.array(
    v.object({
      name: v.string(),
      ago: v.optional(v.pipe(v.number(), v.description('Seconds since the last exchange'))),
      problem: v.optional(v.string()),
      refused: v.pipe(v.number(), v.description('Changes that do not verify here')),
    }),
  ),
});
export type ExchangeView = Immutable<v.InferOutput<typeof exchangeSchema>>;

export const newHubSchema = v.strictObject({
  url: v.pipe(v.string(), v.url(), v.regex(/^https?:/, 'http:// or https://'), v.maxLength(500)),
  invite: v.pipe(v.string(), v.maxLength(200), v.description('From whoever runs the hub')),
});

/** What the exchange is asked; `Author` is who asks. */
export type ExchangeBackend<Author> = {
  view(): ExchangeView;
  /** Begins the realm on a hub, for all devices. */
  joinHub(hub: Immutable<v.InferOutput<typeof newHubSchema>>, author: Author): Promise<void>;
  leaveHub(author: Author): Promise<void>;
};
