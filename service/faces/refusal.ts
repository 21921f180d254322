/** What the store refuses, in the API's words. */

import { StorageError, type StorageErrorCode } from '#storage';
import { type BackendProblem, WebAdminError } from '#web-admin';
import type { House } from '../house.ts';
import { readOnlyReason } from './views.ts';

/** Refuses changes where they cannot be made, and says where they can. */
export function requireWriter({
  store,
  projection,
  household,
}: Pick<House, 'store' | 'projection' | 'household'>): void {
  if (store.isWritable) return;
  throw new WebAdminError(
    'read-only',
    readOnlyReason(store, projection().devices, household().self),
  );
}

/** The store's words as the API's; a new code does not compile until it has a row. */
const REFUSALS = {
  invalid: 'invalid',
  'not-writer': 'read-only',
  'needs-second-owner': 'denied',
  conflict: 'conflict',
  'does-not-apply': 'conflict',
  'no-space': 'no-space',
  io: 'unavailable',
  corrupt: 'unavailable',
  'too-large': 'invalid',
  'bad-signature': 'unavailable',
  'unknown-parent': 'unavailable',
  'unknown-commit': 'not-found',
  'other-realm': 'invalid',
  fork: 'unavailable',
  'too-old': 'conflict',
  'wrong-tree': 'unavailable',
  'newer-format': 'unavailable',
} as const satisfies Record<StorageErrorCode, BackendProblem>;

/** What the store refuses, in the API's words. */
export async function inApiWords<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    const details = error.problems.map(({ path, message }) => `${path}: ${message}`);
    const isFull = error.code === 'no-space';
    const words = [isFull ? 'The disk is full, nothing was changed' : error.message, ...details];
    throw new WebAdminError(REFUSALS[error.code], `${[...new Set(words)].join('; ')}.`, error);
  }
}
