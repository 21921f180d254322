/** What a command leaves behind: words on the two streams, and an exit code. */

import { RuntimeError } from '#runtime';
import { StorageError } from '#storage';
import { EXIT, type Outcome } from '../cli/verbs.ts';
import type { ConfigProblem } from '../config.ts';

export function say({ exitCode, stdout, stderr }: Outcome): number {
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  return exitCode;
}

/** A file that is all mistakes is not told back. */
const MOST_PROBLEMS = 20;
const LONGEST = 1_000;

export function blame(problems: readonly ConfigProblem[]): number {
  return say({ exitCode: EXIT.usage, stdout: '', stderr: printProblems(problems) });
}

/** One line for each, without what would move a terminal's cursor. */
export function printProblems(problems: readonly ConfigProblem[]): string {
  const lines = problems
    .slice(0, MOST_PROBLEMS)
    .map(({ source, message }) => `nymote: ${onOneLine(`${source}: ${message}`)}\n`);
  const more = problems.length - MOST_PROBLEMS;
  return [...lines, ...(more > 0 ? [`nymote: and ${more} more\n`] : [])].join('');
}

function onOneLine(text: string): string {
  const cut = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  const escaped = (letter: string) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return cut.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, escaped);
}

/** What to do about a failure, by its code. */
export type Hints = Readonly<Record<string, string>>;

/** The world said no: a sentence. Anything else is our own bug and keeps its stack. */
export function explainFailure(error: unknown, hints: Hints = HINTS): number {
  if (!(error instanceof RuntimeError || error instanceof StorageError)) throw error;
  const hint = hints[error.code];
  const stderr = `nymote: ${error.message}${hint === undefined ? '' : `\n        ${hint}`}\n`;
  return say({ exitCode: error.code === 'denied' ? EXIT.denied : EXIT.failed, stdout: '', stderr });
}

const HINTS: Hints = {
  'address-in-use':
    'Stop the other program, or choose another port: --dns, --admin or --control-port.',
  denied:
    'Run it as the user whose data this is. Ports below 1024 and tunnels need root, or CAP_NET_BIND_SERVICE and CAP_NET_ADMIN.',
  'no-space': 'The disk is full; nothing was changed.',
};
