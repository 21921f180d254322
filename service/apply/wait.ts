/** Why the machine of plan.ts does not try what the head asks for. */

import { isSameValue, type OptionLine } from './option.ts';
import type { Apply } from './plan.ts';

export type Wait =
  | { readonly kind: 'newer' | 'busy' }
  | { readonly kind: 'refused'; readonly options: readonly string[] }
  | { readonly kind: 'first'; readonly device: string };

/** Why the newest wish is not being tried, when it will be. */
export function waitOf(state: Apply): Wait | undefined {
  const { wanted, pending, settled, isForced, isBusy } = state;
  if (wanted === undefined || wanted.changes.length === 0) return undefined;
  if (pending !== undefined) return pending.part === wanted.part ? undefined : { kind: 'newer' };
  if (isBusy === true) return { kind: 'busy' };
  const refused = isForced ? [] : refusedIn(state);
  if (refused.length > 0) return { kind: 'refused', options: refused };
  if (!isForced && wanted.part === settled?.part) return undefined;
  return wanted.waitsFor === undefined ? undefined : { kind: 'first', device: wanted.waitsFor };
}

/** What was taken back, if the head still asks for all of it. */
export function refusedIn({
  wanted,
  settled,
}: Pick<Apply, 'wanted' | 'settled'>): readonly string[] {
  const { refused = [] } = settled ?? {};
  const isWanted = (line: OptionLine): boolean =>
    wanted?.changes.some(
      ({ option, value }) => option === line.option && isSameValue(value, line.value),
    ) === true;
  return refused.every(isWanted) ? refused.map(({ option }) => option) : [];
}
