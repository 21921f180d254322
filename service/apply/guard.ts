/**
 * The guard of a change, a program of its own that needs neither us nor a network: it keeps the old
 * files, and puts them back when nobody confirms in time or the power goes (ADR 12).
 */

import * as v from 'valibot';
import { type Exec, type ExecResult, RuntimeError } from '#runtime';
import type { GuardStatus } from './plan.ts';

export type Guard = {
  arm(
    id: string,
    seconds: number,
    files: readonly string[],
  ): Promise<'armed' | 'busy' | 'no-space' | 'failed'>;
  /** Gives so many seconds from now. */
  extend(id: string, seconds: number): Promise<boolean>;
  confirm(id: string): Promise<boolean>;
  restore(id: string): Promise<boolean>;
  /** Undefined when it cannot be asked. */
  status(): Promise<GuardStatus | undefined>;
};

/** Copying and reloading on slow flash. */
const TIMEOUT_MS = 60_000;
const ARMED = { 0: 'armed', 3: 'busy', 4: 'no-space' } as const;

const StatusSchema = v.object({
  pending: v.nullable(v.object({ id: v.string(), secondsLeft: v.number() })),
  last: v.object({
    id: v.string(),
    outcome: v.picklist(['confirmed', 'rolled-back', 'none']),
    reason: v.string(),
  }),
});

/** The program at `path`. */
export function createGuard(exec: Exec, path: string): Guard {
  const run = async (...args: readonly string[]): Promise<ExecResult> => {
    try {
      return await exec(path, args, { timeoutMs: TIMEOUT_MS });
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      return { exitCode: -1, stdout: '', stderr: error.message };
    }
  };
  return {
    async arm(id, seconds, files) {
      const { exitCode } = await run('arm', id, String(seconds), ...files);
      return ARMED[exitCode as keyof typeof ARMED] ?? 'failed';
    },
    extend: async (id, seconds) => (await run('extend', id, String(seconds))).exitCode === 0,
    confirm: async (id) => (await run('confirm', id)).exitCode === 0,
    restore: async (id) => (await run('restore', id)).exitCode === 0,
    async status() {
      const { exitCode, stdout } = await run('status');
      return exitCode === 0 ? parseGuardStatus(stdout) : undefined;
    },
  };
}

/** Reads what `nymote-guard status` prints; undefined for anything else. */
export function parseGuardStatus(text: string): GuardStatus | undefined {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), StatusSchema), text);
  return parsed.success ? parsed.output : undefined;
}
