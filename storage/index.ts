/**
 * Storage: the realm's configuration as a chain of signed git commits in an append-only log.
 */

export type { Change } from './change.ts';
export type { Commit, CommitId } from './commit.ts';
export type { Draft, Writer } from './draft.ts';
export { type Problem, StorageError, type StorageErrorCode } from './error.ts';
export type { GitFile } from './git.ts';
export type { Json, JsonObject } from './json.ts';
export type { Damage } from './log.ts';
export { type Op, readRecord, type State } from './op.ts';
export type { StoreOptions } from './realm.ts';
export { type LogQuery, type Moved, openStore, type Store } from './store.ts';
