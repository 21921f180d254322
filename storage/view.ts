/**
 * What an open store says, without changing anything.
 */

import { type Change, diffStates } from './changes/change.ts';
import { type Conflict, listConflicts } from './changes/conflict.ts';
import { findLate, type Late } from './changes/late.ts';
import type { Acknowledged, Asked } from './disk/horizon.ts';
import type { Held } from './disk/load.ts';
import type { Damage } from './disk/log.ts';
import { type Retention, retention } from './disk/prune.ts';
import { type Problem, StorageError } from './error.ts';
import { type Commit, type CommitId, nameHeads } from './format/commit.ts';
import type { Content } from './format/object.ts';
import type { State } from './format/op.ts';
import { printAllowedSigners } from './format/sshsig.ts';
import { createGitView, type GitFile, type GitView } from './history/git.ts';
import { type LogQuery, listCommits } from './history/listing.ts';
import { countCommits } from './merge/merged.ts';
import type { StoreOptions, StoreRuntime } from './realm.ts';
import { isLeading } from './rights/verify.ts';
import type { Shown } from './shown.ts';
import { exportMissing, type Vector, vectorOf } from './sync/export.ts';

/** The reading half of a store. */
export class StoreView {
  protected readonly runtime: StoreRuntime;
  protected readonly options: StoreOptions;
  protected held: Held;
  protected shown: Shown;
  protected headName: CommitId;
  /** Commits whose authors saw another state than this device, and who those are. */
  protected readonly diverged = new Map<CommitId, string>();
  readonly #git: GitView;

  constructor(runtime: StoreRuntime, options: StoreOptions, held: Held, shown: Shown) {
    this.runtime = runtime;
    this.options = options;
    this.held = held;
    this.shown = shown;
    this.headName = nameHeads(runtime.crypto, held.history.heads);
    this.#git = createGitView(runtime.crypto, () => this.held.history);
  }

  /** The realm's id; empty while a replica holds nothing and expects nothing. */
  get realm(): string {
    return this.held.root?.realm ?? this.options.realm ?? '';
  }

  /**
   * Names what is held: the newest commit, or with several heads a hash of them, which is no commit
   * but can be given to `stateAt`, `diff` and `ifHead`. Empty while nothing is held.
   */
  get head(): CommitId {
    return this.headName;
  }

  /** The commits that no other one follows; the next commit joins them. */
  get heads(): readonly CommitId[] {
    return this.held.history.heads;
  }

  /** How many commits made the state, so that it grows with every one. */
  get seq(): number {
    return countCommits(this.held.merged.vector);
  }

  /** What was found damaged when the store was opened. */
  get problems(): readonly Damage[] {
    return this.held.damage;
  }

  /**
   * Tells whether a device's commit made another state there than here: nothing may be applied. A
   * device that was removed stops nobody.
   */
  get isDiverged(): boolean {
    const { revoked } = this.held.merged;
    return [...this.diverged.values()].some((device) => !revoked.has(device));
  }

  /**
   * Tells whether this device is an owner and no history is missing. Others may write what concerns
   * themselves, and what they were granted: `commit` tells.
   */
  get isWritable(): boolean {
    const { writer } = this.options;
    const { isStuck, root, merged } = this.held;
    if (writer === undefined || isStuck || this.isBehind) return false;
    return root === undefined || isLeading(merged, writer.deviceId, writer.signer.publicKey);
  }

  /** Whether nothing may be written yet: the next number of this device may be taken. */
  get isBehind(): boolean {
    return this.options.isBehind?.() === true;
  }

  /** Everything as of the head, unless a merge broke the rules: then as it was before. */
  state(): State {
    return this.shown.state;
  }

  /** Everything as of the head, whether or not it obeys the rules. */
  merged(): State {
    return this.held.merged.state;
  }

  /** Devices that were removed, each with the last number of its commits that counts. */
  revoked(): ReadonlyMap<string, number> {
    return this.held.merged.revoked;
  }

  /** The rules that the merged state breaks; while there are any, `state` is an older one. */
  invalid(): readonly Problem[] {
    return this.shown.problems;
  }

  /** What devices wrote differently at the same time and nobody has decided. */
  conflicts(): readonly Conflict[] {
    return listConflicts(this.held.merged, this.held.history.entries);
  }

  /** What devices wrote that does not count, and nobody decided about. */
  late(): Promise<readonly Late[]> {
    return findLate(this.held.history, this.held.merged);
  }

  /** Lists commits, newest first: children before parents. */
  async log(query: LogQuery = {}): Promise<readonly Commit[]> {
    const { before, ...rest } = query;
    if (before === undefined || this.#isJoinOfHeads(before)) {
      return listCommits(this.held.history, rest);
    }
    this.find(before);
    return listCommits(this.held.history, query);
  }

  /** One commit with its ops. */
  async read(id: CommitId): Promise<Commit> {
    return this.held.history.show(this.find(id));
  }

  /** Tells whether a commit is held. */
  holds(id: CommitId): boolean {
    return this.held.history.find(id) !== undefined;
  }

  /** The commits whose ids begin with `prefix`. */
  expand(prefix: string): readonly CommitId[] {
    return this.held.history.entries.ids().filter((id) => id.startsWith(prefix));
  }

  /** What differs between the states at two commits. */
  async diff(a: CommitId, b: CommitId): Promise<readonly Change[]> {
    return diffStates(await this.stateAt(a), await this.stateAt(b));
  }

  /**
   * What a commit changed itself: against all that it builds on, not what it only joined. Undefined
   * where what it builds on is not held any more.
   */
  async changesIn(id: CommitId): Promise<readonly Change[] | undefined> {
    const { history } = this.held;
    const index = this.find(id);
    const { parents } = await history.show(index);
    const isWhole = parents.every((parent) => history.find(parent) !== undefined);
    if (!isWhole) return undefined;
    const before = await history.join(parents);
    return diffStates(before.state, (await history.stateAt(index)).state);
  }

  /** Everything as of a commit. */
  async stateAt(id: CommitId): Promise<State> {
    if (this.#isJoinOfHeads(id)) return this.merged();
    return (await this.held.history.stateAt(this.find(id))).state;
  }

  /** What the tree of a commit is made of. */
  contentAt(id: CommitId): Promise<Content> {
    return this.held.history.stateAt(this.find(id));
  }

  /** What the history takes on the disk, in bytes. */
  get bytes(): number {
    const { history, base } = this.held;
    return history.entries.bytes + (base?.bytes.length ?? 0);
  }

  /** Says what is kept, and which devices were heard of when. */
  retention(acknowledged: Acknowledged = {}): Promise<Retention> {
    return retention(this.asked(acknowledged));
  }

  /** What a pruned history begins with, for a device that has nothing, or only what was dropped. */
  base(): Uint8Array | undefined {
    return this.held.base?.bytes;
  }

  /** Exactly what is held, for `exportMissing` of another device. */
  vector(): Vector {
    return vectorOf(this.held.history);
  }

  /**
   * A page of frames of commits that somebody with this vector lacks, parents first and those that
   * concern devices as early as that allows; empty when nothing is missing. What was dropped is
   * given as the base, unless the page is to be `isBare`.
   */
  exportMissing(vector: Vector, limit?: number, isBare?: boolean): Promise<Uint8Array> {
    return exportMissing(this.held.history, vector, limit, isBare);
  }

  /** A file of the history's git repository, for a plain HTTP server; undefined: not found. */
  git(path: string): Promise<GitFile | undefined> {
    return this.#git(path);
  }

  /** The keys that signed the history, for `gpg.ssh.allowedSignersFile`. */
  allowedSigners(): string {
    return printAllowedSigners(this.held.signers);
  }

  protected asked(acknowledged: Acknowledged = {}): Asked {
    const { history, merged } = this.held;
    const { clock } = this.runtime;
    const now = clock.isSet() ? clock.now() : undefined;
    return { history, merged, self: this.options.writer?.deviceId, now, acknowledged };
  }

  protected find(id: CommitId): number {
    const index = this.held.history.find(id);
    if (index === undefined) throw new StorageError('unknown-commit', `no commit ${id}`);
    return index;
  }

  /** Tells whether an id is the name of several heads together. */
  #isJoinOfHeads(id: CommitId): boolean {
    return id === this.head && this.heads.length !== 1;
  }
}
