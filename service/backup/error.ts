/** What can go wrong with backups, as one error with a closed code; the message is for people. */

export type BackupErrorCode =
  /** What was said of the target, its credentials or a recipient cannot be read. */
  | 'bad-setting'
  | 'unreachable'
  | 'denied'
  | 'no-space'
  | 'io'
  /** The target said that it took a file and gives back another one, or none. */
  | 'target-lies'
  /** Nobody else could open the backup. */
  | 'no-recipient'
  /** There is none. */
  | 'no-backup'
  /** None of the keys at hand opens it. */
  | 'wrong-key'
  /** A file is there and is not what the list says. */
  | 'damaged'
  /** A file of the list is not there. */
  | 'missing'
  /** An older list than one that was written. */
  | 'stale'
  /** The list is signed by nobody of the realm. */
  | 'untrusted'
  /** A backup of another realm, or of another device. */
  | 'not-ours'
  /** Something is where a restored realm would go. */
  | 'not-blank';

/** A backup was not made, or not read. What was there before is there still. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
  readonly code: BackupErrorCode;

  constructor(code: BackupErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
