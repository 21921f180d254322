import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFAULT_RULES } from './defaults.ts';
import { parseRule } from './rule.ts';

const bedtime = {
  id: 'bedtime-social',
  tier: 'rule',
  effect: 'deny',
  who: { any: ['group:kids'], except: ['device:anna-laptop'] },
  do: ['resolve', 'connect'],
  what: { any: ['name:TikTok.com.'], except: ['name:wikipedia.org'] },
  when: {
    windows: [{ days: ['sun', 'mon'], from: '20:00', to: '06:30' }],
    tz: 'Europe/Berlin',
  },
  note: 'agreed with Anna 2026-11-01',
};

test('a good rule is taken over, names in the form that is compared', () => {
  expect(parseRule(bedtime)).toEqual({
    ok: true,
    rule: {
      ...bedtime,
      what: { any: ['name:tiktok.com'], except: ['name:wikipedia.org'] },
      enabled: true,
    },
  });
});

describe('a bad rule names the key and what is accepted', () => {
  test.each([
    { change: { tier: 'guard' }, key: 'tier', says: 'part of nymote', why: 'not for households' },
    { change: { tier: 'rules' }, key: 'tier', says: 'override, rule', why: 'unknown tier' },
    { change: { who: { any: ['kid:anna'] } }, key: 'who.any.0', says: 'user:…', why: 'subject' },
    { change: { who: { any: ['user:'] } }, key: 'who.any.0', says: 'user:…', why: 'nothing named' },
    { change: { who: { all: ['*'] } }, key: 'who.all', says: 'any, except', why: 'wrong key' },
    { change: { what: { any: ['cat:x'] } }, key: 'what.any.0', says: 'record:…', why: 'resource' },
    { change: { what: { any: [] } }, key: 'what.any', says: '1 to', why: 'an empty list' },
    { change: { do: ['look'] }, key: 'do.0', says: 'administer', why: 'unknown verb' },
    {
      change: { when: { tz: 'UTC' } },
      key: 'when.windows',
      says: 'missing',
      why: 'half a schedule',
    },
    {
      change: { tier: 'override' },
      key: 'when.until',
      says: 'when it ends',
      why: 'endless override',
    },
    { change: { id: 'a b' }, key: 'id', says: 'a-z', why: 'an id that is no path' },
    { change: { color: 'red' }, key: 'color', says: 'effect', why: 'unknown key' },
    {
      change: { enabled: 'no' },
      key: 'enabled',
      says: 'true or false',
      why: 'a word, not a boolean',
    },
    {
      change: { when: { windows: [{ days: ['mon'], from: '8:00', to: '09:00' }], tz: 'UTC' } },
      key: 'when.windows.0.from',
      says: '06:30',
      why: 'an hour of one digit',
    },
    {
      change: { when: { windows: [{ days: ['mon'], from: '08:00', to: '09:00' }], tz: 'Mars' } },
      key: 'when.tz',
      says: 'Europe/Berlin',
      why: 'unknown zone',
    },
  ])('$why', ({ change, key, says }) => {
    const parsed = parseRule({ ...bedtime, ...change });
    const problems = parsed.ok ? [] : parsed.problems;
    expect(problems.find((problem) => problem.key === key)?.problem).toContain(says);
  });
});

test('whatever comes in, the answer is a value', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.jsonValue(), fc.record({ ...constants(), when: fc.jsonValue() })),
      (json) => {
        expect(typeof parseRule(json).ok).toBe('boolean');
      },
    ),
  );
});

test('the shipped rules, guard aside, pass the check that households pass', () => {
  for (const rule of DEFAULT_RULES.filter(({ tier }) => tier !== 'guard')) {
    expect(parseRule(rule)).toEqual({ ok: true, rule });
  }
});

function constants() {
  return Object.fromEntries(
    Object.entries(bedtime).map(([key, value]) => [
      key,
      fc.oneof(fc.constant(value), fc.jsonValue()),
    ]),
  );
}
