/**
 * Plans, remembered: the same question has the same plan for as long as the zone is the same.
 *
 * Proofs that a name does not exist are computed for each name; what a household's machines ask
 * again and again (search domains, types that are not there) is computed once. Bounded by bytes, and
 * a flood of ever new names pushes out itself (sieve.ts). Who may ask was ruled on before.
 */

import { createSieve } from '../cache/sieve.ts';
import type { Question } from '../message/message.ts';
import { type Plan, planAnswer } from './plan.ts';
import type { Zone } from './zone.ts';

/** `planAnswer` for one zone. */
export type Planner = (question: Question, followAliases?: boolean) => Plan;

/** Room for some five hundred plans. */
const MEMORY_BYTES = 1024 * 1024;
/** What a plan with its proofs and their octets takes, about. */
const PLAN_BYTES = 2_048;

/** Makes the planner of a zone. */
export function createPlanner(zone: Zone): Planner {
  const plans = createSieve<{ readonly asked: Uint8Array; readonly plan: Plan }>(MEMORY_BYTES);
  return (question, followAliases = true) => {
    const { name, type } = question;
    const key = `${type} ${followAliases} ${name.key}`;
    const known = plans.get(key);
    // A plan repeats the name in the letters it was asked in.
    if (known !== undefined && isSame(known.asked, name.wire)) return known.plan;
    const plan = planAnswer(zone, question, followAliases);
    plans.set(key, { asked: name.wire, plan }, PLAN_BYTES + 2 * key.length);
    return plan;
  };
}

/** Equal octets of names that differ in case at most. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}
