/**
 * Scenario files: our own in rpl/, and those provided beside the repository, where they are.
 *
 * The provided ones are Unbound's, re-signed (see ../../../shared/data/README.md); their verdicts
 * say what four other resolvers made of them. At the end the figures are printed.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { parseScenario, type Scenario } from './rpl-file.ts';
import { type Outcome, playScenario } from './rpl-run.ts';

const OWN = new URL('rpl/', import.meta.url);
const PROVIDED = new URL('../../../shared/data/rpl/', import.meta.url);

function load(directory: URL, file: string): Scenario {
  const parsed = parseScenario(readFileSync(new URL(file, directory), 'utf8'));
  if (parsed.ok) return parsed.scenario;
  const problems = parsed.problems.map(({ line, reason }) => `${file}:${line}: ${reason}`);
  throw new Error(problems.join('\n'));
}

function describe({ differences, unknown }: Outcome): string {
  const parts = differences.map(
    ({ line, expected, got }) => `line ${line}: expected\n${expected}\n— got\n${got}\n`,
  );
  return [...parts, ...unknown.map((question) => `not foreseen: ${question}`)].join('\n');
}

/* Our own */

const own = readdirSync(OWN)
  .filter((file) => file.endsWith('.rpl'))
  .flatMap((file) => {
    const fixed = load(OWN, file).head.minimise;
    const ways = fixed === undefined ? [true, false] : [fixed];
    return ways.map((minimise) => ({ file, minimise, way: minimise ? 'on' : 'off' }));
  });

const figures = { own: 0, expected: 0, validated: 0, other: 0 };

test.each(own)('$file, minimisation $way', async ({ file, minimise }) => {
  const outcome = await playScenario(load(OWN, file), { minimise });
  expect(outcome.differences, describe(outcome)).toEqual([]);
  figures.own++;
});

/* The provided ones */

type Verdict = {
  readonly scenario: string;
  readonly qmin: 'on' | 'off';
  readonly expected: boolean;
  readonly needsValidation: boolean;
};

/** Expected runs that we fail, and why that is right or not worth it. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  'iter_cycle_noh off':
    'wants glue from outside the zone of the server that gives it (harden-glue: no); ' +
    'RFC 5452 §6 and RFC 2181 §5.4.1 have it ignored, and no setting of ours brings it back',
  'val_anchor_nx_nosig off':
    'the zone above the anchor has none itself: its word is no proof (RFC 4035 §5), and would ' +
    'switch validation off for whatever has an anchor',
};

const hasProvided = existsSync(PROVIDED);
const verdicts: readonly Verdict[] = hasProvided
  ? JSON.parse(readFileSync(new URL('verdicts.json', PROVIDED), 'utf8'))
  : [];

test.each(verdicts)('provided $scenario, minimisation $qmin', async (verdict) => {
  const { scenario, qmin, expected, needsValidation } = verdict;
  const outcome = await playScenario(load(PROVIDED, `${scenario}.rpl`), {
    minimise: qmin === 'on',
  });
  const isRight = outcome.differences.length === 0;
  if (isRight) figures[expected ? (needsValidation ? 'validated' : 'expected') : 'other']++;
  if (!expected) return;
  const reason = EXCEPTIONS[`${scenario} ${qmin}`];
  const shown = reason === undefined ? describe(outcome) : `passes, but is excepted: ${reason}`;
  expect(isRight, shown).toBe(reason === undefined);
});

afterAll(() => {
  const count = (wanted: (verdict: Verdict) => boolean) => verdicts.filter(wanted).length;
  const validated = count(({ needsValidation }) => needsValidation);
  const expected = count((verdict) => verdict.expected);
  const provided = hasProvided
    ? `provided: ${figures.expected + figures.validated} of ${expected} expected, ` +
      `${figures.validated} of ${validated} that need validation, ` +
      `${figures.other} of ${verdicts.length - expected} others`
    : 'provided: none, ../shared/data/rpl is not there';
  console.log(`scenario files: own: ${figures.own} of ${own.length}; ${provided}`);
});
