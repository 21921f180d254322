/**
 * Times and durations as zone files write them.
 *
 * @see RFC 4034 §3.2: a signature's time is YYYYMMDDHHmmSS in UTC, or seconds since 1970
 *
 * Seconds are the plain 32-bit number; which century is meant (RFC 4034 §3.1.5) is not decided here.
 */

const DAY = 86_400;

/** Seconds since 1970 as YYYYMMDDHHmmSS. */
export function printTime(seconds: number): string {
  const { year, month, day } = dateOf(Math.floor(seconds / DAY));
  const rest = seconds % DAY;
  const parts = [month, day, Math.floor(rest / 3600), Math.floor(rest / 60) % 60, rest % 60];
  return year + parts.map((part) => String(part).padStart(2, '0')).join('');
}

/** Seconds since 1970 below 2^32 from either form of RFC 4034 §3.2. */
export function parseTime(text: string): number | undefined {
  if (/^\d{1,10}$/.test(text)) return Number(text) <= 0xffffffff ? Number(text) : undefined;
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined) return undefined;
  const [year, month, day, hour, minute, second] = parts as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (year < 1970 || hour > 23 || minute > 59 || second > 59) return undefined;
  const days = daysBefore(year, month, day);
  const back = dateOf(days);
  // 31 February is no date: it comes back as another one.
  if (back.year !== year || back.month !== month || back.day !== day) return undefined;
  const seconds = days * DAY + hour * 3600 + minute * 60 + second;
  return seconds <= 0xffffffff ? seconds : undefined;
}

// Years run from March here, so that a leap day is the last; 719 468 days lie before 1970.
function dateOf(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted % 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1,
  };
}

function daysBefore(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: DAY, w: 7 * DAY };

/** Seconds from a number, or from parts like `1h30m` as most name servers take them. */
export function parseDuration(text: string): number | undefined {
  const isPlain = /^\d{1,10}$/.test(text);
  if (!isPlain && !/^(\d{1,10}[smhdw]){1,5}$/i.test(text)) return undefined;
  let seconds = isPlain ? Number(text) : 0;
  if (!isPlain) {
    for (const [, count, unit] of text.toLowerCase().matchAll(/(\d+)([smhdw])/g)) {
      seconds += Number(count) * (UNITS[unit as string] as number);
    }
  }
  return seconds <= 0xffffffff ? seconds : undefined;
}
