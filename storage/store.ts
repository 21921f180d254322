/**
 * The store: one realm's configuration as signed commits, and the door through which it changes.
 *
 * Calls that write are done one after the other. A commit is acknowledged when it is on the disk;
 * whatever fails before leaves the store as it was, and usable (I7). Several devices write; what
 * they wrote at the same time is joined when it meets. A directory belongs to one process at a time.
 */

import type { Cancel } from '#runtime';
import { type Change, diffStates } from './change.ts';
import { type Checkpoints, createCheckpoints } from './checkpoint.ts';
import { type Commit, type CommitId, nameHeads, peekCommit, showCommit } from './commit.ts';
import { type Conflict, listConflicts, toResolution } from './conflict.ts';
import { type Draft, type Prepared, prepare } from './draft.ts';
import { type Problem, StorageError } from './error.ts';
import { exportMissing, type Vector, vectorOf } from './export.ts';
import { createGitView, type GitFile, type GitView } from './git.ts';
import type { Json } from './json.ts';
import { type Decided, decideLate, findLate, type Late } from './late.ts';
import { type LogQuery, listCommits } from './listing.ts';
import { type Held, load } from './load.ts';
import type { Damage, Place } from './log.ts';
import { countCommits } from './merge/merged.ts';
import type { Content } from './object.ts';
import type { State } from './op.ts';
import { begin, type StoreOptions, type StoreRuntime } from './realm.ts';
import { type Arrival, type Imported, receive } from './receive.ts';
import { findShown, type Shown } from './shown.ts';
import { printAllowedSigners } from './sshsig.ts';
import { draftRestore, draftRevert, type Range } from './undo.ts';
import { isLeading } from './verify.ts';

/** How a way back is bounded: by the head that was looked at, and to what is at a path. */
type UndoOptions = Pick<Draft, 'ifHead'> & { readonly path?: string };

/** The head moved. */
export type Moved = {
  readonly head: CommitId;
  readonly state: State;
  readonly previous: State;
  /** The commits that are new, oldest first. */
  readonly commits: readonly CommitId[];
};

/** Opens a directory; an empty one becomes a new realm when a writer is given. */
export async function openStore(runtime: StoreRuntime, options: StoreOptions): Promise<Store> {
  const held = await load(runtime, options.directory);
  for (const { code, where, message } of held.damage) {
    runtime.log(code === 'torn-tail' ? 'info' : 'warn', `store-${code}`, { where, message });
  }
  const { root } = held;
  if (root !== undefined && options.realm !== undefined && root.realm !== options.realm) {
    await held.log[Symbol.asyncDispose]();
    throw new StorageError('other-realm', `the directory holds the realm ${root.realm}`);
  }
  const store = new Store(runtime, options, held, await findShown(options, held));
  const isNew = root === undefined && !held.isStuck && options.realm === undefined;
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
  #shown: Shown;
  #head: CommitId;
  #waiting: readonly Arrival[] = [];
  /** Commits whose authors saw another state than this device. */
  readonly #diverged = new Set<CommitId>();
  #queue: Promise<unknown> = Promise.resolve();
  #checkpoints: Checkpoints;

  constructor(runtime: StoreRuntime, options: StoreOptions, held: Held, shown: Shown) {
    this.#runtime = runtime;
    this.#options = options;
    this.#held = held;
    this.#shown = shown;
    this.#checkpoints = createCheckpoints(runtime, options.directory, held.grown);
    this.#head = nameHeads(runtime.crypto, held.history.heads);
    this.#git = createGitView(runtime.crypto, () => this.#held.history);
  }

  /** The realm's id; empty while a replica holds nothing and expects nothing. */
  get realm(): string {
    return this.#held.root?.realm ?? this.#options.realm ?? '';
  }

  /**
   * Names what is held: the newest commit, or with several heads a hash of them, which is no commit
   * but can be given to `stateAt`, `diff` and `ifHead`. Empty while nothing is held.
   */
  get head(): CommitId {
    return this.#head;
  }

  /** The commits that no other one follows; the next commit joins them. */
  get heads(): readonly CommitId[] {
    return this.#held.history.heads;
  }

  /** How many commits made the state, so that it grows with every one. */
  get seq(): number {
    return countCommits(this.#held.merged.vector);
  }

  /** What was found damaged when the store was opened. */
  get problems(): readonly Damage[] {
    return this.#held.damage;
  }

  /** Tells whether a device's commit made another state there than here: nothing may be applied. */
  get isDiverged(): boolean {
    return this.#diverged.size > 0;
  }

  /**
   * Tells whether this device is an owner and no history is missing. Others may write what concerns
   * themselves, and what they were granted: `commit` tells.
   */
  get isWritable(): boolean {
    const { writer } = this.#options;
    const { isStuck, root, merged } = this.#held;
    if (writer === undefined || isStuck) return false;
    return root === undefined || isLeading(merged, writer.deviceId, writer.signer.publicKey);
  }

  /** Everything as of the head, unless a merge broke the rules: then as it was before. */
  state(): State {
    return this.#shown.state;
  }

  /** Everything as of the head, whether or not it obeys the rules. */
  merged(): State {
    return this.#held.merged.state;
  }

  /** The rules that the merged state breaks; while there are any, `state` is an older one. */
  invalid(): readonly Problem[] {
    return this.#shown.problems;
  }

  /** What devices wrote differently at the same time and nobody has decided. */
  conflicts(): readonly Conflict[] {
    return listConflicts(this.#held.merged, this.#held.history.entries);
  }

  /** Decides a conflict by a commit; `value` undefined deletes what is at `path`. */
  resolve(
    path: string,
    value: Json | undefined,
    via: string,
    options: Pick<Draft, 'ifHead'> = {},
  ): Promise<Commit> {
    return this.#serially(async () =>
      this.#commit({ ...options, ...toResolution(this.#held.merged, path, value), via }),
    );
  }

  /** What devices wrote that does not count, and nobody decided about. */
  late(): Promise<readonly Late[]> {
    return findLate(this.#held.history, this.#held.merged);
  }

  /** Takes it over as this owner's own, or lets it go; a device that forked is removed by that. */
  decideLate(device: string, decision: Parameters<typeof decideLate>[3]): Promise<Decided> {
    const held = () => this.#held;
    return this.#serially(() => decideLate(held, (draft) => this.#commit(draft), device, decision));
  }

  /**
   * Writes one commit and resolves when it is on the disk.
   *
   * Ops that change nothing write nothing: the head is returned as it is.
   */
  commit(draft: Draft): Promise<Commit> {
    return this.#serially(() => this.#commit(draft));
  }

  /** Lists commits, newest first: children before parents. */
  async log(query: LogQuery = {}): Promise<readonly Commit[]> {
    const { before, ...rest } = query;
    if (before === undefined || this.#isJoinOfHeads(before)) {
      return listCommits(this.#held.history, rest);
    }
    this.#find(before);
    return listCommits(this.#held.history, query);
  }

  /** One commit with its ops. */
  async read(id: CommitId): Promise<Commit> {
    return this.#held.history.show(this.#find(id));
  }

  /** Tells whether a commit is held. */
  holds(id: CommitId): boolean {
    return this.#held.history.find(id) !== undefined;
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
    if (this.#isJoinOfHeads(id)) return this.merged();
    return (await this.#held.history.stateAt(this.#find(id))).state;
  }

  /** What the tree of a commit is made of. */
  contentAt(id: CommitId): Promise<Content> {
    return this.#held.history.stateAt(this.#find(id));
  }

  /** Takes a commit or a range back by a new one; 'does-not-apply' when it was overwritten since. */
  revert(what: CommitId | Range, via: string, options: UndoOptions = {}): Promise<Commit> {
    return this.#serially(async () => {
      const draft = await draftRevert(this.#held.history, what, this.merged(), options.path);
      return this.#commitChange({ ...options, ...draft, via });
    });
  }

  /** Makes things as they were at a commit, by a new one: everything of people, or what is at `path`. */
  restore(point: CommitId, via: string, options: UndoOptions = {}): Promise<Commit> {
    return this.#serially(async () => {
      const draft = await draftRestore(this.#held.history, point, this.merged(), options.path);
      return this.#commitChange({ ...options, ...draft, via });
    });
  }

  /** Calls `listener` after each move of the head, in a microtask. */
  watch(listener: (moved: Moved) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Exactly what is held, for `exportMissing` of another device. */
  vector(): Vector {
    return vectorOf(this.#held.history);
  }

  /**
   * A page of frames of commits that somebody with this vector lacks, parents first and those that
   * concern devices as early as that allows; empty when nothing is missing.
   */
  exportMissing(vector: Vector, limit?: number): Promise<Uint8Array> {
    return exportMissing(this.#held.history, vector, limit);
  }

  /**
   * Takes over commits that another device exported, after verifying each (I3, I4).
   *
   * Throws StorageError only for the disk; what is refused is told.
   */
  importCommits(bytes: Uint8Array): Promise<Imported> {
    return this.#serially(() => this.#import(bytes));
  }

  /** A file of the history's git repository, for a plain HTTP server; undefined: not found. */
  git(path: string): Promise<GitFile | undefined> {
    return this.#git(path);
  }

  /** The keys that signed the history, for `gpg.ssh.allowedSignersFile`. */
  allowedSigners(): string {
    return printAllowedSigners(this.#held.signers);
  }

  /**
   * Waits for what is being written and closes the files. A checkpoint of the last state makes damage
   * that happens to the log meanwhile cost history, not the ability to write.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#serially(async () => {
      const isWhole = !this.#held.isStuck && this.#held.history.hole === undefined;
      if (isWhole && this.#checkpoints.hasGrown())
        await this.#checkpoints.write(this.#held.root, this.#held.history);
      await this.#held.log[Symbol.asyncDispose]();
    });
  }

  /** One after the other, whether or not the one before succeeded. */
  #serially<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(action, action);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async #commitChange(draft: Draft): Promise<Commit> {
    const { head } = this;
    const commit = await this.#commit(draft);
    if (this.head === head) throw new StorageError('does-not-apply', 'it is so already');
    return commit;
  }

  async #commit(draft: Draft): Promise<Commit> {
    const { crypto, clock } = this.#runtime;
    const { writer } = this.#options;
    const { isStuck, history, root } = this.#held;
    if (isStuck) throw new StorageError('corrupt', 'commits are missing here');
    if (writer === undefined) {
      throw new StorageError('not-writer', 'this device may not write');
    }
    if (draft.ifHead !== undefined && draft.ifHead !== this.head) {
      throw new StorageError('conflict', 'the head has moved');
    }
    const parents = await history.joinable(writer.deviceId);
    const isAll = parents.length === history.heads.length;
    const merged = isAll ? this.#held.merged : await history.join(parents);
    const needs = { crypto, writer, rules: this.#options, extend: history.extend.bind(history) };
    const prepared = await prepare(needs, { root, parents, merged }, draft, clock.now());
    if (prepared === undefined) return this.read(parents[0] ?? '');
    await this.#append([prepared]);
    return showCommit(prepared.commit, prepared.ops);
  }

  async #import(bytes: Uint8Array): Promise<Imported> {
    const { crypto } = this.#runtime;
    const { history, root } = this.#held;
    const needs = { crypto, history, root, realm: this.#options.realm };
    const { received, waiting, refused } = await receive(needs, bytes, this.#waiting);
    this.#waiting = waiting;
    if (received.length > 0) await this.#append(received);
    for (const { commit } of received) this.#diverged.delete(commit.id);
    for (const { id, reason } of refused) {
      if (id !== undefined && reason.code === 'wrong-tree') this.#diverged.add(id);
    }
    const names = waiting.map(({ commit }) => commit.id);
    return { added: received.length, head: this.head, refused, waiting: names };
  }

  async #append(items: readonly Pick<Prepared, 'commit' | 'frame' | 'state'>[]): Promise<void> {
    const { log, history, isStuck, signers } = this.#held;
    const before = { head: this.head, state: this.state(), count: history.entries.length };
    const isHealing = isStuck || history.hole !== undefined;
    let written = 0;
    const done = (place: Place, index: number) => {
      written += 1;
      const item = items[index];
      if (item === undefined) throw new Error('unreachable: a place without its commit');
      if (isHealing) return;
      const glimpse = peekCommit(this.#runtime.crypto, item.commit.bytes);
      if (glimpse === undefined) throw new Error('unreachable: a commit that is none');
      const { signer, ...node } = glimpse;
      history.append({ ...node, place }, item.state);
      signers.add(signer);
    };
    try {
      await log.append(
        items.map(({ frame }) => frame),
        done,
      );
    } finally {
      history.unstage();
      if (written > 0) await this.#settle(isHealing, items[0]?.commit);
      if (this.head !== before.head) this.#announce(before);
    }
    this.#checkpoints.grow(items.reduce((sum, { frame }) => sum + frame.length, 0));
    if (this.#checkpoints.isDue())
      await this.#checkpoints.write(this.#held.root, this.#held.history);
  }

  /** What is held has changed: what it makes is worked out again. */
  async #settle(isHealing: boolean, first: Prepared['commit'] | undefined): Promise<void> {
    if (isHealing) {
      // What came may have closed a hole: everything is looked at again.
      await this.#held.log[Symbol.asyncDispose]();
      const { directory } = this.#options;
      this.#held = await load(this.#runtime, directory);
      this.#checkpoints = createCheckpoints(this.#runtime, directory, this.#held.grown);
    } else {
      const { history } = this.#held;
      const root = this.#held.root ?? (first && { realm: first.id, founder: first.device });
      this.#held = { ...this.#held, root, merged: await history.join(history.heads) };
    }
    const { state } = this.#held.merged;
    const problems = this.#options.schema?.(state) ?? [];
    this.#shown = { state: problems.length === 0 ? state : this.#shown.state, problems };
    this.#head = nameHeads(this.#runtime.crypto, this.#held.history.heads);
  }

  #announce(before: { readonly head: CommitId; readonly state: State; count: number }): void {
    const { entries } = this.#held.history;
    const commits = entries.slice(before.count).map(({ id }) => id);
    const moved = { head: this.head, state: this.state(), previous: before.state, commits };
    for (const listener of this.#listeners) queueMicrotask(() => listener(moved));
  }

  #find(id: CommitId): number {
    const index = this.#held.history.find(id);
    if (index === undefined) throw new StorageError('unknown-commit', `no commit ${id}`);
    return index;
  }

  /** Tells whether an id is the name of several heads together. */
  #isJoinOfHeads(id: CommitId): boolean {
    return id === this.head && this.heads.length !== 1;
  }
}
