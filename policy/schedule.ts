/**
 * Weekly windows of wall-clock time in an IANA zone.
 *
 * A window is a statement about the clock on the wall, so it is asked of the wall clock: whether
 * an instant is inside depends only on the weekday and the time of day that its zone shows. Counting
 * hours since midnight instead is an hour wrong on the two days a year the clocks change.
 *
 * Asking Intl costs microseconds, so a schedule is evaluated at its boundaries and remembered
 * between them: `createTimetable(schedule).at(now)`. Nothing here reads a clock (I8).
 */

export const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** From `from` on each of `days` until `to`, of the next day when `to` is earlier. Times are HH:MM. */
export type Window = {
  readonly days: readonly Weekday[];
  readonly from: string;
  readonly to: string;
};

export type Schedule = { readonly windows: readonly Window[]; readonly tz: string };

/** Whether a schedule is on, and until when that is known to hold (undefined: for over a week). */
export type Phase = { readonly active: boolean; readonly until: number | undefined };

export type Timetable = { at(now: number): Phase };

const MINUTE = 60;
const DAY = 1_440 * MINUTE;
const WEEK = 7 * DAY;
/** A schedule repeats weekly, and a change of clocks moves its boundaries by hours at most. */
const HORIZON = WEEK + DAY;

/** Tells whether this machine knows the time zone. */
export function isKnownZone(tz: string): boolean {
  try {
    wallClock(tz);
    return tz !== '';
  } catch {
    return false;
  }
}

/** Prepares a schedule for many questions; the zone must be known. */
export function createTimetable(schedule: Schedule): Timetable {
  const spans = schedule.windows.flatMap(toSpans);
  const wall = wallClock(schedule.tz);
  let known: (Phase & { readonly from: number }) | undefined;
  return {
    at(now) {
      if (known === undefined || now < known.from || now >= (known.until ?? known.from + DAY)) {
        known = { from: now, ...evaluate(spans, wall, now) };
      }
      return known;
    },
  };
}

/** Shows an instant as people of the zone read it: `Fri 21:30`. */
export function printInstant(instant: number, tz: string): string {
  const wall = instant + wallClock(tz)(instant);
  const minutes = Math.floor((((wall % DAY) + DAY) % DAY) / MINUTE);
  const day = WEEKDAYS[Math.floor(secondOfWeek(wall) / DAY)] ?? 'sun';
  const two = (value: number) => String(value).padStart(2, '0');
  return `${day[0]?.toUpperCase()}${day.slice(1)} ${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** A stretch of the local week in seconds since Sunday 00:00; `to` may lie in the next week. */
type Span = { readonly from: number; readonly to: number };

/** Seconds to add to an instant to get what the wall shows. */
type Wall = (instant: number) => number;

function toSpans(window: Window): Span[] {
  const from = secondOfDay(window.from);
  const to = secondOfDay(window.to);
  return window.days.map((day) => {
    const midnight = WEEKDAYS.indexOf(day) * DAY;
    return { from: midnight + from, to: midnight + to + (to <= from ? DAY : 0) };
  });
}

function secondOfDay(time: string): number {
  const [hours = '0', minutes = '0'] = time.split(':');
  return (Number(hours) * 60 + Number(minutes)) * MINUTE;
}

function evaluate(spans: readonly Span[], wall: Wall, now: number): Phase {
  const active = isInside(spans, now + wall(now));
  let instant = now;
  while (instant < now + HORIZON) {
    instant = nextCandidate(spans, wall, instant);
    if (isInside(spans, instant + wall(instant)) !== active) {
      return { active, until: instant };
    }
  }
  return { active, until: undefined };
}

/** The next instant at which anything can change: a boundary on the wall, or a change of clocks. */
function nextCandidate(spans: readonly Span[], wall: Wall, instant: number): number {
  const offset = wall(instant);
  const second = secondOfWeek(instant + offset);
  const distances = spans
    .flatMap(({ from, to }) => [from, to])
    .map((edge) => (edge - second + 2 * WEEK) % WEEK || WEEK);
  const next = instant + Math.min(DAY, ...distances);
  return wall(next) === offset ? next : clockChange(wall, instant, next);
}

/** Clocks change on a full minute; two changes within a day do not happen. */
function clockChange(wall: Wall, before: number, after: number): number {
  const offset = wall(before);
  let low = Math.floor(before / MINUTE);
  let high = Math.ceil(after / MINUTE);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (wall(middle * MINUTE) === offset) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return Math.min(high * MINUTE, after);
}

function isInside(spans: readonly Span[], wallTime: number): boolean {
  const second = secondOfWeek(wallTime);
  return spans.some(
    ({ from, to }) =>
      (second >= from && second < to) || (second + WEEK >= from && second + WEEK < to),
  );
}

function secondOfWeek(wallTime: number): number {
  // 1970-01-01 was a Thursday.
  const sinceSunday = wallTime + 4 * DAY;
  return ((sinceSunday % WEEK) + WEEK) % WEEK;
}

function wallClock(tz: string): Wall {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: tz,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (instant) => {
    const whole = Math.floor(instant);
    const parts = new Map(
      format.formatToParts(whole * 1_000).map(({ type, value }) => [type, Number(value)]),
    );
    const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
    const days = daysSinceEpoch(part('year'), part('month'), part('day'));
    const shown = days * DAY + (part('hour') * 60 + part('minute')) * MINUTE + part('second');
    return shown - whole;
  };
}

/** Days from 1970-01-01 in the proleptic Gregorian calendar, with years that begin in March. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1;
  const monthFromMarch = (month + 9) % 12;
  const leapDays = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  const dayOfYear = Math.floor((153 * monthFromMarch + 2) / 5) + day - 1;
  return shifted * 365 + leapDays + dayOfYear - 719_468;
}
