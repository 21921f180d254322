/** The scenario reader: what it says about files that are wrong, and the short forms. */

import { expect, test } from 'vitest';
import { parseScenario } from './rpl-file.ts';

const HEAD = ['stub-addr: 192.0.2.1', 'CONFIG_END'];

const reasons = (...lines: string[]) => {
  const parsed = parseScenario(lines.join('\n'));
  return parsed.ok ? [] : parsed.problems.map(({ line, reason }) => `${line}: ${reason}`);
};

test.each([
  { lines: [...HEAD, 'SCENARIO_END'], said: [], why: 'the least that is a scenario' },
  {
    lines: ['stub-addr: 192.0.2.1'],
    said: ['1: no CONFIG_END', '1: no stub-addr', '1: not understood: stub-addr:'],
    why: 'no end',
  },
  {
    lines: ['stub-addr: 192.0.2.1', 'forward-zone: x', 'CONFIG_END'],
    said: ['2: unknown option: forward-zone'],
    why: 'an option that could matter',
  },
  {
    lines: ['server:', 'target-fetch-policy: "0 0 0"', ...HEAD],
    said: [],
    why: 'options that do not',
  },
  {
    lines: ['key: a house. 8', 'val-override-date: "today"', ...HEAD],
    said: ['1: a key has an id, a zone and algorithm 13 to 16', '2: no date'],
    why: 'options with values that mean nothing',
  },
  {
    lines: [...HEAD, 'STEP 1 QUERY', 'STEP 2 JUMP', 'STEP 3 TIME_PASSES ELAPSE x'],
    said: ['3: QUERY without an entry', '5: not understood: STEP TIME_PASSES ELAPSE x'],
    why: 'steps',
  },
  {
    lines: [...HEAD, 'RANGE_BEGIN 0 9', 'ENTRY_BEGIN', 'MATCH colour', 'ADJUST x', 'REPLY QR OK'],
    said: [
      '5: MATCH does not know colour',
      '6: ADJUST does not know x',
      '7: REPLY does not know OK',
      '4: no ENTRY_END',
      '3: no RANGE_END',
      '3: no ADDRESS',
    ],
    why: 'an entry cut off',
  },
  {
    lines: [...HEAD, 'ASK 1 house. A NOERROR', 'house. IN A 1.2.3', 'ASK 2 a..b A NOERROR'],
    said: ['4: bad-rdata: house. IN A 1.2.3', '5: no question: a..b A'],
    why: 'records and names that are none',
  },
  {
    lines: [...HEAD, 'ZONE_BEGIN house. 192.0.2.3'],
    said: ['3: no ZONE_END'],
    why: 'a zone cut off',
  },
])('$why', ({ lines, said }) => {
  expect(reasons(...lines)).toEqual(said);
});

test('$GENERATE writes a line for each number', () => {
  const lines = [...HEAD, 'ASK 1 a. A NOERROR', '$GENERATE 1-3 n$.a. CNAME n$.b.'];
  const parsed = parseScenario(lines.join('\n'));
  const check = parsed.ok ? parsed.scenario.steps[1] : undefined;
  expect(check).toMatchObject({ kind: 'check-answer', entry: { answers: { length: 3 } } });
});

test.each([
  {
    text: 'H(example.)',
    hash: '3msev9usmd4br9s97v51r2tdvmr9iqo1',
    why: "as BIND's nsec3hash says",
  },
  { text: 'H(example.)+1', hash: '3msev9usmd4br9s97v51r2tdvmr9iqo2', why: 'the next' },
  { text: 'H(example.,10)', hash: 'iqf9lqtlkknfk0kvifelrak4ic4qltmg', why: 'with iterations' },
])('$text is a hash: $why', ({ text, hash }) => {
  const parsed = parseScenario(
    [...HEAD, 'ASK 1 a. A NOERROR', `${text}.a. A 192.0.2.1`].join('\n'),
  );
  const check = parsed.ok ? parsed.scenario.steps[1] : undefined;
  const [line] = check?.kind === 'check-answer' ? check.entry.answers : [];
  expect(line?.kind === 'record' && line.record.owner.key.slice(1, 33)).toBe(hash);
});
