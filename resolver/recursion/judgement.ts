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
  | ({
      readonly state: 'secure';
      /** There are no data because there is no name (RFC 9824 §2). */
      readonly isDenial: boolean;
    } & Timed)
  | ({ readonly state: 'insecure'; readonly reason: InsecureReason } & Timed)
  | { readonly state: 'bogus'; readonly reason: BogusReason };

/**
 * Whether the clock was set, so that the times of the signatures it rests on were checked (I9):
 * those of the data, or those of the proof that they need none.
 */
type Timed = { readonly isTimed: boolean };

/** What needs no proof, and so no date: nothing is validated there by our own settings. */
const BY_SETTING: ReadonlySet<InsecureReason> = new Set(['no-anchor', 'negative-anchor']);

/** The judgement that data are not signed, or not checked. */
export function insecure(reason: InsecureReason, clockIsSet: boolean): Judgement {
  return { state: 'insecure', reason, isTimed: clockIsSet || BY_SETTING.has(reason) };
}

/** Whether a judgement still holds: what was found without a date is not kept once there is one. */
export function isCurrent(judgement: Judgement, clockIsSet: boolean): boolean {
  return judgement.state === 'bogus' || judgement.isTimed || !clockIsSet;
}
