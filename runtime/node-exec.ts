/**
 * Programs by execa: no shell, output as text, never without a time limit.
 */

import { constants } from 'node:os';
import { type Exec, RuntimeError } from './index.ts';
import { translate } from './node-errors.ts';

const TIMEOUT_MS = 30_000;

/** What one program may print; `wg show all dump` of a thousand peers is 200 KB. */
const MAX_OUTPUT_CHARACTERS = 16 * 1024 * 1024;

/** SIGKILL comes this long after SIGTERM. */
const KILL_AFTER_MS = 1_000;

/** And this long after SIGKILL we stop listening to what is left. */
const LET_GO_MS = 200;

/** The machine's programs. */
export function nodeExec(): Exec {
  return async (file, args, options = {}) => {
    // Loaded on first use: a resolver without tunnels runs no program.
    const { execa } = await import('execa');
    const timeout = options.timeoutMs ?? TIMEOUT_MS;
    const running = execa(file, args, {
      reject: false,
      stripFinalNewline: false,
      ...(options.stdin === undefined ? { stdin: 'ignore' } : { input: options.stdin }),
      // We read what programs print: in English.
      env: { LC_ALL: 'C', ...options.env },
      timeout,
      forceKillAfterDelay: KILL_AFTER_MS,
      // In a group of its own: Ctrl-C at a terminal is for us, and must not end a wireguard-go that
      // we are about to stop in order.
      detached: true,
      maxBuffer: MAX_OUTPUT_CHARACTERS,
    });
    // A killed program's own children may hold its output open; we do not wait for them.
    const letGo = setTimeout(
      () => {
        running.stdout.destroy();
        running.stderr.destroy();
      },
      timeout + KILL_AFTER_MS + LET_GO_MS,
    );
    const result = await running;
    clearTimeout(letGo);
    // Arguments stay out of the words: they may name people's devices.
    if (result.timedOut) throw new RuntimeError('timeout', `${file} took too long`);
    if (result.isMaxBuffer) throw new RuntimeError('io', `${file} printed too much`);
    const exitCode = result.exitCode ?? codeOfSignal(result.signal);
    if (exitCode === undefined) throw translate(result.cause, `cannot run ${file}`);
    return { exitCode, stdout: result.stdout, stderr: result.stderr };
  };
}

/** As shells count: 128 and the signal's number. */
function codeOfSignal(signal: string | undefined): number | undefined {
  const number = Object.entries(constants.signals).find(([name]) => name === signal)?.[1];
  return number === undefined ? undefined : 128 + number;
}
