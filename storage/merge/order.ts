/**
 * Places in an ordered list: texts between which there is always another one.
 *
 * Two devices that insert at the same spot choose the same place; the dots of their ops then decide.
 */

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const PLACE = /^[0-9A-Za-z]{0,199}[1-9A-Za-z]$/;

/** Tells whether a text is a place. It never ends in the lowest digit, or nothing would fit before. */
export function isPlace(text: string): boolean {
  return PLACE.test(text);
}

/**
 * A place after `low` and before `high`; undefined is the end of the list. When the two are one
 * place, because devices inserted there at once, it is the first one after both.
 */
export function placeBetween(low: string | undefined, high: string | undefined): string {
  const below = low ?? '';
  const above = high !== undefined && high > below ? high : undefined;
  let place = '';
  for (let at = 0; ; at++) {
    const a = Math.max(DIGITS.indexOf(below.charAt(at) || '0'), 0);
    const isOpen = above === undefined || !above.startsWith(place);
    const b = isOpen ? DIGITS.length : DIGITS.indexOf(above.charAt(at) || '0');
    const from = below.startsWith(place) ? a : 0;
    if (b - from > 1) return place + DIGITS.charAt(chooseDigit(from, b, low, above));
    place += DIGITS.charAt(from);
  }
}

/** At the ends of a list places grow slowly, because most items are put there. */
function chooseDigit(
  from: number,
  below: number,
  low: string | undefined,
  high: string | undefined,
): number {
  if (high === undefined && low !== undefined) return from + 1;
  if (low === undefined && high !== undefined) return below - 1;
  return from + Math.floor((below - from) / 2);
}
