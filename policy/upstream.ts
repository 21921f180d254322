/**
 * Rules of an upstream: somebody else's realm that the household follows, as far as it chose to.
 *
 * They are about names of the world and nothing else: an upstream can neither reach into the realm,
 * nor see or hide what is in it, nor shut its owner out. What it allows are exceptions to what it
 * denies (decide.ts). Pure.
 */

import { normalizeEntry, parseRule, type Rule } from './rule.ts';

/** Whose rule decides where the household has one as well. */
export type Precedence = 'mine-first' | 'theirs-first';

const TIER = {
  'mine-first': 'upstream',
  // A person's exception for a while holds in any case.
  'theirs-first': 'upstream-first',
} as const satisfies Record<Precedence, Rule['tier']>;

/** The records of an upstream as rules of this household; what has no meaning here is named. */
export function upstreamRules(
  name: string,
  precedence: Precedence,
  records: Iterable<readonly [string, unknown]>,
): { readonly rules: readonly Rule[]; readonly problems: readonly string[] } {
  const rules: Rule[] = [];
  const problems: string[] = [];
  for (const [id, record] of records) {
    const parsed = parseRule(record);
    const named = parsed.ok ? namesOnly(parsed.rule) : undefined;
    if (named === undefined) {
      problems.push(`upstream/${name}/rules/${id}: not about names, or not understood here`);
      continue;
    }
    rules.push({
      ...named,
      id: `upstream.${name}.${id}`,
      tier: TIER[precedence],
      upstream: { name, tier: named.tier },
    });
  }
  return { rules, problems };
}

/** `*` of theirs is every name, not everything of ours. */
function namesOnly(rule: Rule): Rule | undefined {
  const any = rule.what.any
    .map((entry) => (entry === '*' ? 'name:*' : normalizeEntry(entry)))
    .filter((entry) => entry.startsWith('name:'));
  if (!rule.do.includes('resolve') || any.length === 0) return undefined;
  return { ...rule, do: ['resolve'], what: { ...rule.what, any } };
}
