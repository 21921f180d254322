/** `upstreams/<name>`: a realm of somebody else's that this household follows. */

import * as v from 'valibot';
import { Subscription } from './subscription.ts';

export const UpstreamRecord = v.strictObject({
  ...Subscription.entries,
  /** What of it counts here. */
  use: v.picklist(['rules']),
  precedence: v.picklist(['mine-first', 'theirs-first']),
  enabled: v.boolean(),
});

export type UpstreamRecord = v.InferOutput<typeof UpstreamRecord>;
