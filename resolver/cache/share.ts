/**
 * Whose data an entry of the cache is: the domain as somebody registered it.
 *
 * Who can make a household ask for names of a domain can fill the cache with it, so one domain has a
 * share of the cache and no more when others want in. Registries' own zones are nobody's share. There
 * is no list of public suffixes here: below the ones that are not told, all domains count as one,
 * which costs them space and is no way around the limit.
 *
 * @see Afek, Bremler-Barr, Danino, Shavitt: A Flushing Attack on the DNS Cache (USENIX Security 2024)
 */

/** The part of the cache that one registered domain may hold when others want in. */
export const MAX_SHARE = 0.25;

/** Labels below a country under which domains are registered. */
const SECOND_LEVELS: ReadonlySet<string> = new Set(
  ['ac', 'co', 'com', 'edu', 'go', 'gov', 'ne', 'net', 'or', 'org'].map(
    (label) => String.fromCharCode(label.length) + label,
  ),
);

const COUNTRY_LABEL = 2;

/** Where in a name's key the registered domain begins; -1 for registries' names. */
export function shareStart(key: string): number {
  let [first, second, third] = [-1, -1, -1];
  for (let at = 0; key.charCodeAt(at) > 0; at += key.charCodeAt(at) + 1) {
    third = second;
    second = first;
    first = at;
  }
  if (second < 0 || key.charCodeAt(first) !== COUNTRY_LABEL) return second;
  return SECOND_LEVELS.has(key.slice(second, first)) ? third : second;
}
