/**
 * Programs and a log that only remember.
 */

import { type Exec, type ExecResult, type Log, type LogLevel, RuntimeError } from './index.ts';

/** One program that was run. */
export type ExecCall = {
  readonly file: string;
  readonly args: readonly string[];
  readonly stdin?: Uint8Array;
};

/** What a program does: output, or a function that works it out from the call. */
export type ExecAnswer =
  | Partial<ExecResult>
  | 'not-found'
  | ((call: ExecCall) => Partial<ExecResult> | Promise<Partial<ExecResult>>);

/** Programs of a test. */
export type ScriptedExec = Exec & { readonly calls: readonly ExecCall[] };

/**
 * Answers by the longest row that the command line starts with (`'wg show'`), word by word.
 * A command without a row is a mistake of the test, and says so.
 */
export function scriptedExec(table: Readonly<Record<string, ExecAnswer>> = {}): ScriptedExec {
  const calls: ExecCall[] = [];
  const exec: Exec = async (file, args, options = {}) => {
    const call: ExecCall = {
      file,
      args: [...args],
      ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
    };
    calls.push(call);
    const answer = findAnswer(table, [file, ...args]);
    if (answer === undefined) throw new Error(`no row for: ${[file, ...args].join(' ')}`);
    if (answer === 'not-found') throw new RuntimeError('not-found', `cannot run ${file}`);
    const result = typeof answer === 'function' ? await answer(call) : answer;
    return { exitCode: 0, stdout: '', stderr: '', ...result };
  };
  return Object.assign(exec, { calls });
}

function findAnswer(
  table: Readonly<Record<string, ExecAnswer>>,
  words: readonly string[],
): ExecAnswer | undefined {
  for (let count = words.length; count > 0; count -= 1) {
    const answer = table[words.slice(0, count).join(' ')];
    if (answer !== undefined) return answer;
  }
  return undefined;
}

/** One line that was logged. */
export type LogLine = {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: Readonly<Record<string, string | number | boolean | undefined>>;
};

/** A log that keeps its lines. */
export type ArrayLog = Log & { readonly lines: readonly LogLine[] };

/** Makes an empty log. */
export function arrayLog(): ArrayLog {
  const lines: LogLine[] = [];
  const log: Log = (level, event, fields = {}) => {
    lines.push({ level, event, fields });
  };
  return Object.assign(log, { lines });
}
