/**
 * Storage: the realm's configuration as a chain of signed git commits in an append-only log.
 */

export type { Change } from './change.ts';
export type { Commit } from './commit.ts';
export { type Problem, StorageError, type StorageErrorCode } from './error.ts';
export type { Json } from './json.ts';
export type { State } from './op.ts';
export { openStore, type Store } from './store.ts';
