/**
 * The store: one realm's configuration as signed commits, and the door through which it changes.
 *
 * Calls that write are done one after the other. A commit is acknowledged when it is on the disk;
 * whatever fails before leaves the store as it was, and usable (I7). In this base the founder's
 * device writes and others hold replicas. A directory belongs to one process at a time.
 */

import { type Cancel, RuntimeError } from '#runtime';
import { concat } from './bytes.ts';
import { type Change, diffStates, invert } from './change.ts';
import { isCheckpointDue, writeCheckpoint } from './checkpoint.ts';
import { type Commit, type CommitId, peekCommit, showCommit } from './commit.ts';
import { type Draft, type Prepared, prepare } from './draft.ts';
import { StorageError } from './error.ts';
import { encodeFrame } from './frame.ts';
import { createGitView, type GitFile, type GitView } from './git.ts';
import { type Held, load } from './load.ts';
import type { Damage, Place } from './log.ts';
import { EMPTY, type State } from './op.ts';
import { overlaps } from './path.ts';
import { begin, type StoreOptions, type StoreRuntime } from './realm.ts';
import { receive } from './receive.ts';
import { peekKey, printAllowedSigner } from './sshsig.ts';
import { mayWrite, type Tip } from './verify.ts';

/** The head moved. */
export type Moved = {
  readonly head: CommitId;
  readonly state: State;
  readonly previous: State;
  /** The commits that are new, oldest first. */
  readonly commits: readonly CommitId[];
};

/** Which commits to list, newest first. */
export type LogQuery = {
  /** At most 1,000; 50 when absent. */
  readonly limit?: number;
  /** A collection, record or field. */
  readonly path?: string;
  /** Only older ones than this commit. */
  readonly before?: CommitId;
};

/**
 * Bytes of commits that one `exportSince` gives at most, unless a single frame is larger: so many
 * are verified without a pause for anything else.
 */
const EXPORT_PAGE = 128 * 1024;

const DEFAULT_LOG = 50;
const MAX_LOG = 1000;
const MAX_TITLE = 100;

/** Opens a directory; an empty one becomes a new realm when a writer is given. */
export async function openStore(runtime: StoreRuntime, options: StoreOptions): Promise<Store> {
  const held = await load(runtime, options.directory);
  for (const { code, where, message } of held.damage) {
    runtime.log(code === 'torn-tail' ? 'info' : 'warn', `store-${code}`, { where, message });
  }
  const store = new Store(runtime, options, held);
  if (held.tip !== undefined && options.realm !== undefined && held.tip.realm !== options.realm) {
    await store[Symbol.asyncDispose]();
    throw new StorageError('other-realm', `the directory holds the realm ${held.tip.realm}`);
  }
  const isNew = held.tip === undefined && !held.isStuck && options.realm === undefined;
  if (isNew && options.writer !== undefined) await store.commit(begin(options, options.writer));
  return store;
}

/** An open store. */
export class Store implements AsyncDisposable {
  readonly #runtime: StoreRuntime;
  readonly #options: StoreOptions;
  readonly #listeners = new Set<(moved: Moved) => void>();
  readonly #git: GitView;
  #held: Held;
  #tip: Tip | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  /** Bytes in the log that no checkpoint covers, and the size of the last one. */
  #grown: number;
  #checkpointSize = 0;

  constructor(runtime: StoreRuntime, options: StoreOptions, held: Held) {
    this.#runtime = runtime;
    this.#options = options;
    this.#held = held;
    this.#tip = held.tip;
    this.#grown = held.grown;
    this.#git = createGitView(runtime.crypto, () => this.#held.history);
  }

  /** The realm's id; empty while a replica holds nothing and expects nothing. */
  get realm(): string {
    return this.#tip?.realm ?? this.#options.realm ?? '';
  }

  /** The newest commit; empty while nothing is held. */
  get head(): CommitId {
    return this.#tip?.id ?? '';
  }

  /** The newest commit's sequence number, for `exportSince` of another device. */
  get seq(): number {
    return this.#tip?.seq ?? 0;
  }

  /** What was found damaged when the store was opened. */
  get problems(): readonly Damage[] {
    return this.#held.damage;
  }

  /** Tells whether `commit` can work: this device is the founder and no history is missing. */
  get isWritable(): boolean {
    const { writer } = this.#options;
    if (writer === undefined || this.#held.isStuck) return false;
    return this.#tip === undefined || mayWrite(this.#tip, writer.deviceId, writer.signer.publicKey);
  }

  /** Everything as of the head. */
  state(): State {
    return this.#tip?.state ?? EMPTY;
  }

  /**
   * Writes one commit and resolves when it is on the disk.
   *
   * Ops that change nothing write nothing: the head is returned as it is.
   */
  commit(draft: Draft): Promise<Commit> {
    return this.#serially(() => this.#commit(draft));
  }

  /** Lists commits, newest first. */
  async log(query: LogQuery = {}): Promise<readonly Commit[]> {
    const { history } = this.#held;
    const limit = Math.min(Math.max(query.limit ?? DEFAULT_LOG, 0), MAX_LOG);
    const commits: Commit[] = [];
    let index = query.before === undefined ? history.entries.length : this.#find(query.before);
    while (commits.length < limit && --index >= 0) {
      const commit = await history.show(index);
      const { path } = query;
      if (path === undefined || commit.ops.some((op) => overlaps(op.path, path))) {
        commits.push(commit);
      }
    }
    return commits;
  }

  /** One commit with its ops. */
  async read(id: CommitId): Promise<Commit> {
    return this.#held.history.show(this.#find(id));
  }

  /** The commits whose ids begin with `prefix`. */
  expand(prefix: string): readonly CommitId[] {
    const ids = this.#held.history.entries.map(({ id }) => id);
    return ids.filter((id) => id.startsWith(prefix));
  }

  /** What differs between the states at two commits. */
  async diff(a: CommitId, b: CommitId): Promise<readonly Change[]> {
    return diffStates(await this.stateAt(a), await this.stateAt(b));
  }

  /** Everything as of a commit. */
  async stateAt(id: CommitId): Promise<State> {
    return this.#held.history.stateAt(this.#find(id));
  }

  /** Takes a commit back by a new one; 'does-not-apply' when it was overwritten since. */
  revert(id: CommitId, via: string, options: Pick<Draft, 'ifHead'> = {}): Promise<Commit> {
    return this.#serially(async () => {
      const { history } = this.#held;
      const index = this.#find(id);
      const reverted = await history.show(index);
      const changes = diffStates(await history.stateAt(index - 1), await history.stateAt(index));
      const inverse = invert(changes, reverted.ops, this.state());
      if (!inverse.ok) {
        const problems = inverse.overwritten.map((path) => ({ path, message: 'changed since' }));
        throw new StorageError('does-not-apply', 'what it changed was changed since', { problems });
      }
      const title = reverted.message.split('\n', 1).join('').slice(0, MAX_TITLE).toWellFormed();
      const message = `Revert "${title}"\n\nThis reverts commit ${id}.`;
      const { head } = this;
      const commit = await this.#commit({ ...options, ops: inverse.ops, message, via });
      if (this.head === head) throw new StorageError('does-not-apply', 'it is taken back already');
      return commit;
    });
  }

  /** Calls `listener` after each move of the head, in a microtask. */
  watch(listener: (moved: Moved) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A page of frames of the commits after sequence number `seq`; empty when there are none. */
  async exportSince(seq: number): Promise<Uint8Array> {
    const { history } = this.#held;
    const frames: Uint8Array[] = [];
    let size = 0;
    const first = history.entries.findIndex((entry) => entry.seq > seq);
    for (let i = first; first >= 0 && i < history.entries.length; i++) {
      const { commit, ops } = await history.read(i);
      const frame = encodeFrame({ commit: commit.bytes, ops });
      if (frame === undefined) throw new Error('unreachable: a stored frame is too large');
      size += frame.length;
      if (frames.length > 0 && size > EXPORT_PAGE) break;
      frames.push(frame);
    }
    return concat(frames);
  }

  /**
   * Takes over commits that another device exported, after verifying each (I3, I4).
   *
   * Throws StorageError at the first that is refused; those before it are kept.
   */
  importCommits(bytes: Uint8Array): Promise<{ readonly added: number; readonly head: CommitId }> {
    return this.#serially(() => this.#import(bytes));
  }

  /** A file of the history's git repository, for a plain HTTP server; undefined: not found. */
  git(path: string): Promise<GitFile | undefined> {
    return this.#git(path);
  }

  /** The keys that signed the history, for `gpg.ssh.allowedSignersFile`. */
  allowedSigners(): string {
    const lines = [...this.#held.signers].map((signer) => {
      const [device = '', digits = ''] = signer.split(' ');
      return printAllowedSigner(device, peekKey(digits) ?? new Uint8Array(0));
    });
    return lines.join('');
  }

  /**
   * Waits for what is being written and closes the files. A checkpoint of the last state makes damage
   * that happens to the log meanwhile cost history, not the ability to write.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#serially(async () => {
      const isWhole = !this.#held.isStuck && this.#held.history.hole === undefined;
      if (isWhole && this.#grown > 0) await this.#checkpoint();
      await this.#held.log[Symbol.asyncDispose]();
    });
  }

  /** One after the other, whether or not the one before succeeded. */
  #serially<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(action, action);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async #commit(draft: Draft): Promise<Commit> {
    const { crypto, clock } = this.#runtime;
    const { writer } = this.#options;
    if (this.#held.isStuck) throw new StorageError('corrupt', 'commits are missing here');
    if (writer === undefined || !this.isWritable) {
      throw new StorageError('not-writer', 'this device may not write');
    }
    if (draft.ifHead !== undefined && draft.ifHead !== this.head) {
      throw new StorageError('conflict', 'the head has moved');
    }
    const prepared = prepare(crypto, writer, this.#tip, draft, this.#options, clock.now());
    if (prepared === undefined) return this.read(this.head);
    await this.#append([prepared]);
    return showCommit(prepared.commit, prepared.ops);
  }

  async #import(bytes: Uint8Array): Promise<{ readonly added: number; readonly head: CommitId }> {
    const { hole, entries } = this.#held.history;
    const ends = [this.#tip];
    // The near side of a hole can be built on as well.
    if (hole !== undefined && this.#tip !== undefined) {
      const entry = entries[hole.from - 1];
      const state = await this.#held.history.stateAt(hole.from - 1);
      ends.push(entry && { ...this.#tip, id: entry.id, seq: entry.seq, state });
    }
    const { crypto } = this.#runtime;
    const { received, refused } = receive(crypto, this.#held.history, ends, bytes);
    const first = received[0];
    const { realm } = this.#options;
    if (first !== undefined && realm !== undefined && first.tip.realm !== realm) {
      throw new StorageError('other-realm', 'these commits belong to another realm');
    }
    if (first !== undefined) await this.#append(received);
    if (refused !== undefined) throw refused;
    return { added: received.length, head: this.head };
  }

  async #append(items: readonly Pick<Prepared, 'commit' | 'frame' | 'tip'>[]): Promise<void> {
    const before = { head: this.head, state: this.state() };
    const { log, history, isStuck, signers } = this.#held;
    const isHealing = isStuck || history.hole !== undefined;
    let written = 0;
    const done = (place: Place, index: number) => {
      written += 1;
      if (isHealing) return;
      const item = items[index];
      const glimpse = item && peekCommit(this.#runtime.crypto, item.commit.bytes);
      if (item === undefined || glimpse === undefined) {
        throw new Error('unreachable: a place without its commit');
      }
      const { signer, ...node } = glimpse;
      history.append({ ...node, place }, item.tip.state);
      signers.add(signer);
      this.#tip = item.tip;
    };
    try {
      await log.append(
        items.map(({ frame }) => frame),
        done,
      );
    } finally {
      if (isHealing && written > 0) await this.#reload();
      if (this.head !== before.head) this.#announce(before);
    }
    this.#grown += items.reduce((sum, { frame }) => sum + frame.length, 0);
    if (isCheckpointDue(this.#grown, this.#checkpointSize)) await this.#checkpoint();
  }

  /** What came may have closed a hole: everything is looked at again. */
  async #reload(): Promise<void> {
    await this.#held.log[Symbol.asyncDispose]();
    this.#held = await load(this.#runtime, this.#options.directory);
    this.#tip = this.#held.tip;
    this.#grown = this.#held.grown;
  }

  #announce(before: { readonly head: CommitId; readonly state: State }): void {
    const { entries, find } = this.#held.history;
    const commits = entries.slice((find(before.head) ?? -1) + 1).map(({ id }) => id);
    const moved = { head: this.head, state: this.state(), previous: before.state, commits };
    for (const listener of this.#listeners) queueMicrotask(() => listener(moved));
  }

  /** One that cannot be written costs time at the next opening; later ones are tried again. */
  async #checkpoint(): Promise<void> {
    const { files, log } = this.#runtime;
    this.#grown = 0;
    try {
      this.#checkpointSize = await writeCheckpoint(files, this.#options.directory, {
        head: this.head,
        state: this.state(),
      });
    } catch (cause) {
      if (!(cause instanceof RuntimeError)) throw cause;
      log('warn', 'store-checkpoint-failed', { reason: cause.code });
    }
  }

  #find(id: CommitId): number {
    const index = this.#held.history.find(id);
    if (index === undefined) throw new StorageError('unknown-commit', `no commit ${id}`);
    return index;
  }
}
