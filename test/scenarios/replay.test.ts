/**
 * Scenario files: our own beside this file, and a larger set where it is found.
 *
 * The larger set is Unbound's, converted and re-signed; its `verdicts.json` says which runs other
 * resolvers agree on. `NYMOTE_RPL` names its folder.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseScenario, replay } from './replay.ts';

const own = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.rpl'));

test.each(own)('%s', async (file) => {
  const scenario = parseScenario(readFileSync(join(import.meta.dirname, file), 'utf8'));
  expect(scenario.steps.some(({ kind }) => kind === 'CHECK_ANSWER')).toBe(true);
  expect(await replay(scenario)).toEqual([]);
});

const folder = process.env['NYMOTE_RPL'] ?? join(import.meta.dirname, '../../../shared/data/rpl');
const isThere = existsSync(join(folder, 'verdicts.json'));

type Verdict = {
  readonly scenario: string;
  readonly qmin: 'on' | 'off';
  readonly expected: boolean;
  readonly needsValidation: boolean;
};

/** Runs that other resolvers pass and we do not mean to. */
const REFUSED: Readonly<Record<string, string>> = {
  iter_cycle_noh: 'wants glue believed that lies outside the parent zone',
};

describe.skipIf(!isThere)('what several resolvers agree on, without validation', () => {
  const verdicts: readonly Verdict[] = isThere
    ? JSON.parse(readFileSync(join(folder, 'verdicts.json'), 'utf8'))
    : [];
  const wanted = verdicts.filter(
    ({ scenario, expected, needsValidation }) =>
      expected && !needsValidation && REFUSED[scenario] === undefined,
  );
  test.each(wanted)('$scenario, minimisation $qmin', async ({ scenario, qmin }) => {
    const text = readFileSync(join(folder, `${scenario}.rpl`), 'utf8');
    const { settings, ...rest } = parseScenario(text);
    const chosen = new Map(settings).set('query-minimization', qmin);
    expect(await replay({ ...rest, settings: chosen })).toEqual([]);
  });
});
