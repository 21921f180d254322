/**
 * The store: one realm's configuration as signed commits, and the door through which it changes.
 *
 * Calls that write are done one after the other. A commit is acknowledged when it is on the disk;
 * whatever fails before leaves the store as it was, and usable (I7). Several devices write; what
 * they wrote at the same time is joined when it meets. A directory belongs to one process at a time.
 */

import type { Cancel } from '#runtime';
import { toResolution } from './changes/conflict.ts';
import {
  type Draft,
  type Position,
  type Prepared,
  type Preview,
  prepare,
  preview,
  previewNothing,
  type Writer,
} from './changes/draft.ts';
import { type Decided, decideLate } from './changes/late.ts';
import { draftRestore, draftRevert, type Range } from './changes/undo.ts';
import { checkBase } from './disk/base.ts';
import { splitBase } from './disk/base-pages.ts';
import { type Checkpoints, createCheckpoints } from './disk/checkpoint.ts';
import { type Held, load } from './disk/load.ts';
import type { Place } from './disk/log.ts';
import { beginAt, dropBefore, nextStep, type Pruned, type PruneOptions } from './disk/prune.ts';
import { StorageError } from './error.ts';
import { type Commit, type CommitId, nameHeads, peekCommit, showCommit } from './format/commit.ts';
import type { Json } from './format/json.ts';
import type { State } from './format/op.ts';
import { begin, type StoreOptions, type StoreRuntime } from './realm.ts';
import { findShown, type Shown } from './shown.ts';
import { type Arrival, type Imported, receive } from './sync/receive.ts';
import { StoreView } from './view.ts';

/** How a change that is worked out here is written. */
type ChangeOptions = Pick<Draft, 'ifHead'> & {
  /** What is committed in its stead: a proposal of it, say. */
  readonly instead?: (draft: Draft) => Draft;
};
/** A way back may be bounded to what is at a path. */
type UndoOptions = ChangeOptions & { readonly path?: string };

/** One is an alarm; a device that somebody stole may write any number of them. */
const MAX_DIVERGED = 64;

const NOT_WRITER = 'this device may not write';

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
  const { root, base } = held;
  if (root !== undefined && options.realm !== undefined && root.realm !== options.realm) {
    await held.log[Symbol.asyncDispose]();
    throw new StorageError('other-realm', `the directory holds the realm ${root.realm}`);
  }
  const store = new Store(runtime, options, held, await findShown(options, held));
  if (base !== undefined && held.isCutShort) await store.finishPruning(base.bytes);
  const isNew = root === undefined && !held.isStuck && options.realm === undefined;
  if (isNew && options.writer !== undefined) await store.commit(begin(options, options.writer));
  return store;
}

/** An open store. */
export class Store extends StoreView implements AsyncDisposable {
  readonly #listeners = new Set<(moved: Moved) => void>();
  #waiting: readonly Arrival[] = [];
  #queue: Promise<unknown> = Promise.resolve();
  #checkpoints: Checkpoints;

  constructor(runtime: StoreRuntime, options: StoreOptions, held: Held, shown: Shown) {
    super(runtime, options, held, shown);
    this.#checkpoints = createCheckpoints(runtime, options.directory, held.grown);
  }

  /** Decides a conflict by a commit; `value` undefined deletes what is at `path`. */
  resolve(
    path: string,
    value: Json | undefined,
    via: string,
    options: ChangeOptions = {},
  ): Promise<Commit> {
    return this.#serially(async () => {
      const draft = toResolution(this.held.merged, path, value);
      return this.#commit(written({ ...draft, via }, options));
    });
  }

  /** Takes it over as this owner's own, or lets it go; a device that forked is removed by that. */
  decideLate(device: string, decision: Parameters<typeof decideLate>[3]): Promise<Decided> {
    const held = () => this.held;
    const { writer } = this.options;
    if (writer === undefined) return Promise.reject(new StorageError('not-writer', NOT_WRITER));
    const by = { self: writer.deviceId, commit: (draft: Draft) => this.#commit(draft) };
    return this.#serially(() => decideLate(held, by, device, decision));
  }

  /**
   * Writes one commit and resolves when it is on the disk.
   *
   * Ops that change nothing write nothing: the head is returned as it is.
   */
  commit(draft: Draft): Promise<Commit> {
    return this.#serially(() => this.#commit(draft));
  }

  /** Tells what a commit of these ops would change now, and why it would be refused. */
  async preview(ops: Draft['ops']): Promise<Preview> {
    const { writer } = this.options;
    if (writer === undefined) {
      const problems = [{ path: ops[0]?.path ?? '', message: NOT_WRITER }];
      return previewNothing(this.merged(), problems);
    }
    const needs = { crypto: this.runtime.crypto, writer, rules: this.options };
    return preview(needs, await this.#position(writer), ops);
  }

  /** Takes a commit or a range back by a new one; 'does-not-apply' when it was overwritten since. */
  revert(what: CommitId | Range, via: string, options: UndoOptions = {}): Promise<Commit> {
    return this.#serially(async () => {
      const draft = await draftRevert(this.held.history, what, this.held.merged, options.path);
      return this.#commitChange(written({ ...draft, via }, options));
    });
  }

  /** Makes things as they were at a commit, by a new one: everything of people, or what is at `path`. */
  restore(point: CommitId, via: string, options: UndoOptions = {}): Promise<Commit> {
    return this.#serially(async () => {
      const draft = await draftRestore(this.held.history, point, this.merged(), options.path);
      return this.#commitChange(written({ ...draft, via }, options));
    });
  }

  /**
   * Drops what is older than the horizon and nobody needs any more; an owner says so by a commit,
   * and all who write have to have heard of it first. What goes is gone. The options say whether
   * somebody asked for it (`Occasion`).
   */
  prune(via: string, options: PruneOptions = {}): Promise<Pruned> {
    return this.#serially(async () => {
      let mayDeclare = this.isWritable;
      let dropped = 0;
      for (;;) {
        const asked = this.asked(options.acknowledged);
        const { crypto } = this.runtime;
        const step = await nextStep(crypto, asked, this.held, options, mayDeclare);
        if (step.kind === 'done') return { dropped, ...step.pruned };
        if (step.kind === 'declare') {
          await this.#commit({ ...step.draft, via });
          mayDeclare = false;
        } else dropped += await this.#drop(step);
      }
    });
  }

  /** Does the rest of a pruning that was cut short; a full disk is no reason not to open. */
  async finishPruning(base: Uint8Array): Promise<void> {
    await this.#serially(() => this.#drop({ kind: 'drop', index: 0, base })).catch((cause) => {
      if (!(cause instanceof StorageError)) throw cause;
    });
  }

  /**
   * Begins with a base that another device has: of the realm expected here, declared by an owner
   * that is known here or whose key is among `anchors`. Refused while this device has commits that
   * are not in it. Tells whether there was anything to do.
   */
  takeBase(bytes: Uint8Array, anchors: readonly Uint8Array[] = []): Promise<boolean> {
    return this.#serially(() => this.#takeBase(bytes, anchors));
  }

  /** Calls `listener` after each move of the head, in a microtask. */
  watch(listener: (moved: Moved) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Takes over commits that another device exported, after verifying each (I3, I4).
   *
   * Throws StorageError only for the disk; what is refused is told.
   */
  importCommits(bytes: Uint8Array): Promise<Imported> {
    return this.#serially(() => this.#import(bytes));
  }

  /**
   * Waits for what is being written and closes the files. A checkpoint of the last state makes damage
   * that happens to the log meanwhile cost history, not the ability to write.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#serially(async () => {
      const isWhole = !this.held.isStuck && this.held.history.hole === undefined;
      if (isWhole && this.#checkpoints.hasGrown())
        await this.#checkpoints.write(this.held.root, this.held.history);
      await this.held.log[Symbol.asyncDispose]();
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
    const { crypto, clock } = this.runtime;
    const { writer } = this.options;
    const { isStuck, history } = this.held;
    if (isStuck) throw new StorageError('corrupt', 'commits are missing here');
    if (writer === undefined) {
      throw new StorageError('not-writer', NOT_WRITER);
    }
    // A number that is taken would make a fork, and void what bears it already.
    if (this.isBehind) throw new StorageError('not-writer', 'it has to meet another device first');
    if (draft.ifHead !== undefined && draft.ifHead !== this.head) {
      throw new StorageError('conflict', 'the head has moved');
    }
    const position = await this.#position(writer);
    const needs = { crypto, writer, rules: this.options, extend: history.extend.bind(history) };
    const prepared = await prepare(needs, position, draft, clock.now());
    if (prepared === undefined) return this.read(position.parents[0] ?? '');
    await this.#append([prepared]);
    return showCommit(prepared.commit, prepared.ops);
  }

  /** What the next commit of this device builds on. */
  async #position({ deviceId }: Writer): Promise<Position> {
    const { history, root, merged } = this.held;
    const parents = await history.joinable(deviceId);
    const isAll = parents.length === history.heads.length;
    return { root, parents, merged: isAll ? merged : await history.join(parents) };
  }

  async #takeBase(bytes: Uint8Array, anchors: readonly Uint8Array[]): Promise<boolean> {
    const { crypto, files } = this.runtime;
    const base = checkBase(crypto, bytes, this.realm, anchors, this.held);
    if (base === undefined) return false;
    await this.#replace(() => beginAt(files, this.options.directory, base));
    return true;
  }

  /** A page may begin with a base, for whoever lacks what was dropped. */
  async #import(bytes: Uint8Array): Promise<Imported> {
    const { rest, base } = splitBase(bytes);
    if (base === undefined) return this.#importFrames(rest);
    try {
      const isNew = await this.#takeBase(base, []);
      const imported = await this.#importFrames(rest);
      return { ...imported, added: imported.added + Number(isNew) };
    } catch (cause) {
      if (!(cause instanceof StorageError) || cause.code === 'io' || cause.code === 'no-space') {
        throw cause;
      }
      const imported = await this.#importFrames(rest);
      return { ...imported, refused: [{ id: undefined, reason: cause }, ...imported.refused] };
    }
  }

  async #importFrames(bytes: Uint8Array): Promise<Imported> {
    const { crypto } = this.runtime;
    const { history, root, merged } = this.held;
    const needs = { crypto, history, root, state: merged.state, realm: this.options.realm };
    const { received, waiting, refused } = await receive(needs, bytes, this.#waiting);
    this.#waiting = waiting;
    if (received.length > 0) await this.#append(received);
    for (const { commit } of received) this.diverged.delete(commit.id);
    for (const { id, device, reason } of refused) {
      const isAlarm = reason.code === 'wrong-tree' && this.diverged.size < MAX_DIVERGED;
      if (id !== undefined && device !== undefined && isAlarm) this.diverged.set(id, device);
    }
    const names = waiting.map(({ commit }) => commit.id);
    return { added: received.length, head: this.head, refused, waiting: names };
  }

  async #append(items: readonly Pick<Prepared, 'commit' | 'frame' | 'state'>[]): Promise<void> {
    const { log, history, isStuck, signers } = this.held;
    const before = { head: this.head, state: this.state(), count: history.entries.length };
    const isHealing = isStuck || history.hole !== undefined;
    let written = 0;
    const done = (place: Place, index: number) => {
      written += 1;
      const item = items[index];
      if (item === undefined) throw new Error('unreachable: a place without its commit');
      if (isHealing) return;
      const glimpse = peekCommit(this.runtime.crypto, item.commit.bytes);
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
    if (this.#checkpoints.isDue()) await this.#checkpoints.write(this.held.root, this.held.history);
  }

  /** What is held has changed: what it makes is worked out again. */
  async #settle(isHealing: boolean, first: Prepared['commit'] | undefined): Promise<void> {
    if (isHealing) {
      // What came may have closed a hole: everything is looked at again.
      await this.held.log[Symbol.asyncDispose]();
      const { directory } = this.options;
      this.held = await load(this.runtime, directory);
      this.#checkpoints = createCheckpoints(this.runtime, directory, this.held.grown);
    } else {
      const { history } = this.held;
      const root = this.held.root ?? (first && { realm: first.id, founder: first.device });
      this.held = { ...this.held, root, merged: await history.join(history.heads) };
    }
    const { state } = this.held.merged;
    const problems = this.options.schema?.(state) ?? [];
    this.shown = { state: problems.length === 0 ? state : this.shown.state, problems };
    this.headName = nameHeads(this.runtime.crypto, this.held.history.heads);
  }

  async #drop(step: Parameters<typeof dropBefore>[3]): Promise<number> {
    const { history, isStuck } = this.held;
    if (isStuck || history.hole !== undefined)
      throw new StorageError('corrupt', 'commits are missing here');
    await this.#replace(() =>
      dropBefore(this.runtime.files, this.options.directory, history, step),
    );
    await this.#checkpoints.write(this.held.root, this.held.history);
    return step.index;
  }

  /** Changes what is on the disk, and opens it again whatever came of that. */
  async #replace(change: () => Promise<void>): Promise<void> {
    const before = { head: this.head, state: this.state(), count: 0 };
    try {
      await change();
    } finally {
      await this.#settle(true, undefined);
      if (this.head !== before.head) this.#announce(before);
    }
  }

  #announce(before: { readonly head: CommitId; readonly state: State; count: number }): void {
    const commits = this.held.history.entries.ids(before.count);
    const moved = { head: this.head, state: this.state(), previous: before.state, commits };
    for (const listener of this.#listeners) queueMicrotask(() => listener(moved));
  }
}

function written(draft: Draft, { ifHead, instead }: ChangeOptions): Draft {
  const seen = ifHead === undefined ? draft : { ...draft, ifHead };
  return instead?.(seen) ?? seen;
}
