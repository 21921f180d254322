/** Numbers and times as people read them. */

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const full = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
const grouped = new Intl.NumberFormat('en');

const UNITS = [
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const;

/** '3 hours ago'; under a minute 'just now'. */
export function ago(at: number, now: number): string {
  const difference = at - now;
  for (const [unit, length] of UNITS) {
    if (Math.abs(difference) >= length)
      return relative.format(Math.round(difference / length), unit);
  }
  return 'just now';
}

/** '1 day 2 h': the two largest units that matter. */
export function duration(seconds: number): string {
  const minutes = Math.max(0, Math.floor(seconds / 60));
  const days = Math.floor(minutes / 1440);
  const parts = [
    days === 0 ? '' : plural(days, 'day'),
    `${Math.floor(minutes / 60) % 24} h`,
    `${minutes % 60} min`,
  ];
  const told = parts.filter((part) => part !== '' && !part.startsWith('0 ')).slice(0, 2);
  return told.length === 0 ? 'under 1 min' : told.join(' ');
}

/** '46.2 MB', in powers of ten as networks count. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** '9:05', for a countdown. */
export function countdown(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** '1,204'. */
export function number(value: number): string {
  return grouped.format(value);
}

/** '14:05:09'. */
export function timeOfDay(at: number): string {
  return clock.format(at * 1000);
}

/** '20 Nov 2026, 14:05'. */
export function dateAndTime(at: number): string {
  return full.format(at * 1000);
}

/** 'Switched off.' for the 'switched off' of a table or a program. */
export function sentence(text: string): string {
  const capital = `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

/** The first line of a commit's message, as git has it. */
export function subjectOf(message: string): string {
  return message.split('\n', 1)[0] ?? '';
}

/** The doors through which changes come. */
const DOORS: Readonly<Record<string, string>> = {
  genesis: 'first start',
  cli: 'command line',
  web: 'web admin',
  token: 'program',
  ubus: 'LuCI',
  enrolment: 'joining',
  endpoints: 'by itself',
};

/** 'web admin'. */
export function doorOf(via: string): string {
  return DOORS[via] ?? via;
}

/** '1 h' for 3600, '30 s' for what is shorter than a minute. */
export function ttlOf(seconds: number): string {
  return seconds < 60 ? `${seconds} s` : duration(seconds);
}

/** '2 devices'. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}
