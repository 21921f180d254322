/**
 * What can go wrong with the store, as one error with a closed code.
 *
 * Refusals by the store's own rules and failures of the disk share the class, because a caller
 * handles both the same way: nothing was written, the store is as it was.
 */

/** Every reason for which the store refuses or fails. */
export type StorageErrorCode =
  /** The ops, a value, a path or the resulting state break a rule. */
  | 'invalid'
  /** The author may not write here, or this store has no writer. */
  | 'not-writer'
  /** Another owner has to agree to what was proposed (second-owner.ts). */
  | 'needs-second-owner'
  /** `ifHead` names another commit than the head. */
  | 'conflict'
  /** The commit to revert was overwritten since, or changes nothing any more; no such conflict. */
  | 'does-not-apply'
  | 'no-space'
  | 'io'
  /** The disk holds less than was written, or the bytes are no commits. */
  | 'corrupt'
  | 'too-large'
  | 'bad-signature'
  | 'unknown-parent'
  /** No commit with this id is held. */
  | 'unknown-commit'
  /** A commit (or a whole store) of another realm. */
  | 'other-realm'
  /** Two different commits with the same device and sequence number. */
  | 'fork'
  /** The commit's tree is not what its ops make of the state of its past. */
  | 'wrong-tree'
  /** A commit from before what the realm keeps. */
  | 'too-old'
  /** Written by a later version. */
  | 'newer-format';

/** A rule that a state or a value breaks, for people: `path` is where. */
export type Problem = { readonly path: string; readonly message: string };

/** The store refused, or the disk failed. Nothing was changed. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly code: StorageErrorCode;
  readonly problems: readonly Problem[];

  constructor(
    code: StorageErrorCode,
    message: string,
    more: { readonly problems?: readonly Problem[]; readonly cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.problems = more.problems ?? [];
  }
}
