import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createTimetable, isKnownZone, printInstant, type Schedule, WEEKDAYS } from './schedule.ts';

const everyDay = (from: string, to: string, tz: string): Schedule => ({
  windows: [{ days: WEEKDAYS, from, to }],
  tz,
});
const at = (instant: string) => Date.parse(instant) / 1_000;

describe('inside or outside', () => {
  test.each([
    {
      schedule: everyDay('18:00', '21:30', 'America/Denver'),
      instant: '2025-11-02T21:00:00-07:00',
      inside: true,
      why: 'clocks went back that morning; the wall shows 21:00',
    },
    {
      schedule: everyDay('00:00', '08:00', 'Europe/London'),
      instant: '2025-03-30T08:30:00+01:00',
      inside: false,
      why: 'clocks went forward; 7.5 hours since midnight, but the wall shows 08:30',
    },
    {
      schedule: everyDay('20:00', '06:30', 'Europe/Berlin'),
      instant: '2026-11-21T03:00:00+01:00',
      inside: true,
      why: 'a window crosses midnight',
    },
    {
      schedule: everyDay('20:00', '06:30', 'Europe/Berlin'),
      instant: '2026-11-21T06:30:00+01:00',
      inside: false,
      why: 'the end is not in the window',
    },
    {
      schedule: { windows: [{ days: ['sat'], from: '22:00', to: '02:00' }], tz: 'UTC' },
      instant: '2026-11-22T01:00:00Z',
      inside: true,
      why: 'Saturday night reaches into the next week',
    },
    {
      schedule: { windows: [{ days: ['sat'], from: '22:00', to: '02:00' }], tz: 'UTC' },
      instant: '2026-11-21T01:00:00Z',
      inside: false,
      why: 'the night before belongs to Friday',
    },
    {
      schedule: everyDay('00:00', '24:00', 'Asia/Kathmandu'),
      instant: '2026-11-22T18:15:00Z',
      inside: true,
      why: 'a whole day every day, in a zone of quarter hours',
    },
  ] as const)('$why', ({ schedule, instant, inside }) => {
    expect(createTimetable(schedule).at(at(instant)).active).toBe(inside);
  });
});

describe('the next boundary', () => {
  test.each([
    {
      schedule: everyDay('18:00', '21:30', 'America/Denver'),
      instant: '2025-11-01T22:00:00-06:00',
      next: '2025-11-02T18:00:00-07:00',
      why: 'the night clocks go back is an hour longer',
    },
    {
      schedule: everyDay('00:00', '08:00', 'Europe/London'),
      instant: '2025-03-30T00:10:00Z',
      next: '2025-03-30T08:00:00+01:00',
      why: 'the night clocks go forward is an hour shorter',
    },
    {
      schedule: everyDay('01:30', '02:30', 'Europe/Berlin'),
      instant: '2026-03-29T01:40:00+01:00',
      next: '2026-03-29T03:00:00+02:00',
      why: 'the end lies in the hour that is skipped: it ends with the jump',
    },
    {
      schedule: everyDay('02:15', '02:45', 'Europe/Berlin'),
      instant: '2026-03-29T00:00:00+01:00',
      next: '2026-03-30T02:15:00+02:00',
      why: 'a window inside the skipped hour does not happen',
    },
    {
      schedule: everyDay('00:00', '24:00', 'UTC'),
      instant: '2026-01-01T00:00:00Z',
      next: undefined,
      why: 'always on never changes',
    },
  ])('$why', ({ schedule, instant, next }) => {
    const { until } = createTimetable(schedule).at(at(instant));
    expect(until).toBe(next === undefined ? undefined : at(next));
  });
});

const times = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  .map(([h, m]) => `${String(h).padStart(2, '0')}:${String(m).padStart(2, '0')}`);
const schedules = fc.record({
  windows: fc.array(
    fc
      .record({ days: fc.subarray([...WEEKDAYS], { minLength: 1 }), from: times, to: times })
      .filter(({ from, to }) => from !== to),
    { minLength: 1, maxLength: 3 },
  ),
  tz: fc.constantFrom('Europe/Berlin', 'America/Denver', 'Australia/Lord_Howe', 'UTC'),
});

test('nothing changes before the boundary, everything at it, and memory changes nothing', () => {
  // Around both changes of clocks in three zones.
  const starts = fc.constantFrom(at('2026-03-28T12:00:00Z'), at('2026-10-24T00:00:00Z'));
  fc.assert(
    fc.property(
      schedules,
      starts,
      fc.integer({ min: 0, max: 604_800 }),
      fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { maxLength: 5 }),
      (schedule, start, offset, fractions) => {
        const now = start + offset;
        const remembering = createTimetable(schedule);
        const { active, until } = remembering.at(now);
        const end = until ?? now + 604_800;
        for (const fraction of fractions) {
          const between = Math.floor(now + (end - now) * fraction);
          expect(createTimetable(schedule).at(between).active).toBe(active);
          expect(remembering.at(between).active).toBe(active);
        }
        if (until !== undefined) {
          expect(remembering.at(until).active).toBe(!active);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('zones and instants for people', () => {
  expect(isKnownZone('Europe/Berlin')).toBe(true);
  expect(isKnownZone('Europe/Nowhere')).toBe(false);
  expect(isKnownZone('')).toBe(false);
  expect(printInstant(at('2026-11-20T20:30:00Z'), 'Europe/Berlin')).toBe('Fri 21:30');
});
