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

export function blame(problems: readonly ConfigProblem[]): number {
  const lines = problems.map(({ source, message }) => `nymote: ${source}: ${message}\n`);
  return say({ exitCode: EXIT.usage, stdout: '', stderr: lines.join('') });
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
