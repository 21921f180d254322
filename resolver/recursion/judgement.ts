/**
 * What validation made of a set or a denial, in the form it is remembered in.
 *
 * @see RFC 4035 §4.3: secure, insecure, bogus
 */

import type { BogusReason, UnsupportedReason } from '../message/ede.ts';

/** Why data is not signed, or not checked. */
export type InsecureReason =
  | UnsupportedReason
  | 'no-anchor'
  | 'negative-anchor'
  | 'unsigned-delegation'
  | 'opt-out';

/** A verdict without what it was about. */
export type Judgement =
  | {
      readonly state: 'secure';
      /** There are no data because there is no name (RFC 9824 §2). */
      readonly isDenial: boolean;
      /** Whether the clock was set, so that the signatures' times were checked (I9). */
      readonly isTimed: boolean;
    }
  | { readonly state: 'insecure'; readonly reason: InsecureReason }
  | { readonly state: 'bogus'; readonly reason: BogusReason };
