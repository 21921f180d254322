/** The realm's own rules: each is one record of the store, and each change one commit. */

import { DEFAULT_RULES, parseRule } from '#policy';
import type { Store } from '#storage';
import { type Author, type RulesView, WebAdminError } from '#web-admin';
import type { House } from '../house.ts';
import { commitOrPropose } from './propose.ts';

/** What is in the store, readable here or not, and what holds without any. */
export function viewRules(store: Store): RulesView {
  const own = [...(store.state().get('rules')?.values() ?? [])];
  return { rules: own, shipped: DEFAULT_RULES };
}

/** Writes a rule under its name. */
export async function setRule(
  { store, household }: Pick<House, 'store' | 'household'>,
  id: string,
  rule: Readonly<Record<string, unknown>>,
  { via, ifHead }: Author,
): Promise<void> {
  const value = { enabled: true, ...rule, id };
  const parsed = parseRule(value);
  if (!parsed.ok) {
    const words = parsed.problems.map(({ key, problem }) => `${key || 'the rule'} ${problem}`);
    throw new WebAdminError('invalid', `${words.join('; ')}.`);
  }
  await commitOrPropose(store, household().self, {
    // As JSON has it: without what is undefined.
    ops: [{ op: 'set', path: `rules/${id}`, value: JSON.parse(JSON.stringify(parsed.rule)) }],
    message: `Rule ${id}${parsed.rule.note === undefined ? '' : `: ${parsed.rule.note}`}`,
    via,
    ...(ifHead === undefined ? {} : { ifHead }),
  });
}

/** Removes a rule of the realm; shipped ones stay. */
export async function removeRule(
  { store, household }: Pick<House, 'store' | 'household'>,
  id: string,
  { via, ifHead }: Author,
): Promise<void> {
  if (store.state().get('rules')?.get(id) === undefined) {
    throw new WebAdminError('not-found', `There is no rule ${id} of yours.`);
  }
  const ops = [{ op: 'del', path: `rules/${id}` }] as const;
  const message = `Remove rule ${id}`;
  const seen = ifHead === undefined ? {} : { ifHead };
  await commitOrPropose(store, household().self, { ...seen, ops, message, via });
}
