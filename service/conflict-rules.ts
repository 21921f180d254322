/**
 * Which of several values counts that devices wrote at the same time, until somebody decides.
 *
 * The careful one: what refuses beats what allows, a shorter life beats a longer one. Where neither
 * is more careful, the value of the more senior device stands. Elsewhere the order of the devices'
 * ids decides, which is as good as any. Pure.
 */

/** As the store knows them: a refusal wins, the lower number wins, the senior device wins. */
type Rule = 'deny' | 'lower' | 'rank';

/** The first row that fits; a star stands for any key or field. */
const RULES: readonly (readonly [path: string, rule: Rule])[] = [
  ['rules/*/effect', 'deny'],
  ['rules/*/*', 'rank'],
  ['*/*/ttl', 'lower'],
  ['options/*/*', 'rank'],
  ['devices/*/*', 'rank'],
  ['realm/*/*', 'rank'],
];

/** The rule for `collection/key/field`. */
export function conflictRule(path: string): Rule | undefined {
  const parts = path.split('/');
  return RULES.find(([pattern]) => {
    const wanted = pattern.split('/');
    return (
      wanted.length === parts.length &&
      wanted.every((part, index) => part === '*' || part === parts[index])
    );
  })?.[1];
}
