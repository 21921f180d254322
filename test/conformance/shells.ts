/**
 * Shell scripts, read by the shells that will run them and by shellcheck, which knows what they forgive.
 *
 * @see https://www.shellcheck.net/wiki/
 */

import { spawnSync } from 'node:child_process';
import { expect } from 'vitest';

/** The shell with the programs it would have: busybox's own on a router, coreutils on a server. */
export const SHELLS = [
  { name: 'busybox ash', command: ['busybox', 'ash'], isBusybox: true, debianPackage: 'busybox' },
  { name: 'dash', command: ['dash'], isBusybox: false, debianPackage: 'dash' },
] as const;

export type Shell = (typeof SHELLS)[number];

/** What a script includes is on the router, and is judged by itself if it is ours. */
const NOT_FOLLOWED = 'SC1091';

/** Nothing is to be said against a script for `sh`, nor against one for bash if it asks for that. */
export function expectFlawless(script: string): void {
  if (/^#!.*\bbash\b/.test(script)) {
    expect(read('bash', ['bash', '-n'], script)).toBe('');
    expect(lint('bash', script)).toBe('');
    return;
  }
  for (const { command, debianPackage } of SHELLS) {
    expect(read(debianPackage, [...command, '-n'], script)).toBe('');
  }
  // Nothing but POSIX: Debian 12's shellcheck does not know busybox.
  expect(lint('sh', script)).toBe('');
}

function lint(dialect: string, script: string): string {
  const options = [`--shell=${dialect}`, `--exclude=${NOT_FOLLOWED}`, '--format=gcc', '-'];
  return read('shellcheck', ['shellcheck', ...options], script);
}

/** What a program says about a script, good or bad. */
function read(debianPackage: string, command: readonly string[], script: string): string {
  const [program = '', ...args] = command;
  const result = spawnSync(program, args, { input: script, encoding: 'utf8' });
  if (result.error !== undefined) {
    throw new Error(`${program} is missing: apt-get install ${debianPackage}`);
  }
  const said = result.stdout + result.stderr;
  return result.status === 0 ? said : `${program} ends with ${result.status}: ${said}`;
}
