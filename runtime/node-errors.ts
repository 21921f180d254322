/**
 * From errno to RuntimeError: the one table that says what each failure of the machine means to us.
 */

import { RuntimeError, type RuntimeErrorCode } from './index.ts';

const CODES: Readonly<Record<string, RuntimeErrorCode>> = {
  EADDRINUSE: 'address-in-use',
  EACCES: 'denied',
  EPERM: 'denied',
  ECONNREFUSED: 'refused',
  EADDRNOTAVAIL: 'unreachable',
  EAFNOSUPPORT: 'unreachable',
  EHOSTDOWN: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  EINVAL: 'unreachable',
  ENETDOWN: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENOTFOUND: 'unreachable',
  ETIMEDOUT: 'timeout',
  ENOENT: 'not-found',
  EDQUOT: 'no-space',
  EFBIG: 'no-space',
  ENOSPC: 'no-space',
};

/** Reads the errno name of something thrown, e.g. 'ENOENT'; undefined when it has none. */
export function errnoOf(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** Makes the RuntimeError of something thrown by a socket or a program. */
export function translate(thrown: unknown, doing: string): RuntimeError {
  if (thrown instanceof RuntimeError) return thrown;
  const code = CODES[errnoOf(thrown) ?? ''] ?? 'io';
  return new RuntimeError(code, `${doing}: ${wordsOf(thrown)}`, thrown);
}

/** The same for files, where EINVAL is no matter of reach. */
export function translateFile(thrown: unknown, doing: string): RuntimeError {
  if (errnoOf(thrown) !== 'EINVAL') return translate(thrown, doing);
  return new RuntimeError('io', `${doing}: ${wordsOf(thrown)}`, thrown);
}

function wordsOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
