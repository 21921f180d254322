/**
 * The commits held, parents before children, and the state at each of them.
 *
 * Only names and places are in memory; commits are read from the log and states are replayed from
 * marks that earlier replays left. After damage the history may have a hole whose other side is
 * known from a checkpoint: states inside the hole cannot be told, those after it can.
 */

import type { Crypto } from '#runtime';
import type { Base } from '../disk/base.ts';
import type { CommitLog } from '../disk/log.ts';
import { StorageError } from '../error.ts';
import {
  type Commit,
  type CommitId,
  MAX_PARENTS,
  type ParsedCommit,
  parseCommit,
  showCommit,
} from '../format/commit.ts';
import { parseOps } from '../format/op.ts';
import { applyOps } from '../merge/apply.ts';
import { joinAll } from '../merge/join.ts';
import { type Merged, NOTHING } from '../merge/merged.ts';
import type { VoidNode } from '../rights/judge.ts';
import { factsOf, memberFacts } from '../rights/rights.ts';
import type { Entries, Entry, EntryList } from './entries.ts';
import { orderCausally, type Step } from './fold.ts';
import { isSettled, type Known, refold } from './refold.ts';

/** A commit before which nothing is held, and what it leaves. */
type Beginning = Pick<Base, 'id' | 'merged' | 'bytes' | 'proof'>;

/** What the judgement over void commits knows of one, besides its place. */
type Facts = Pick<VoidNode, 'rank' | 'revokes' | 'admits'>;

type Staged = { readonly step: Step; readonly state: Merged };

/** States kept for neighbours; also the distance of marks. */
const WINDOW = 256;

/** The history of one realm as far as it is held. */
export class History {
  /** How many entries come before a hole; undefined when nothing is missing. */
  readonly hole: number | undefined;
  /** Where a pruned history begins. Its first entry is this commit, without parents. */
  readonly base: Beginning | undefined;
  readonly #crypto: Pick<Crypto, 'hash'>;
  readonly #log: CommitLog;
  readonly #entries: EntryList;
  readonly #heads = new Map<CommitId, Merged | undefined>();
  readonly #marks = new Map<number, Merged>();
  readonly #window = new Map<number, Merged>();
  readonly #staged = new Map<CommitId, Staged>();
  readonly #facts = new Map<CommitId, Facts>();
  /** First sequence number that a device wrote twice, and the highest one of each. */
  readonly #forks = new Map<string, number>();
  readonly #highest = new Map<string, number>();
  #order = new Uint32Array(0);

  /**
   * Makes the history of `entries`, which is its own from here on; `known` are states that need no
   * replay: of all heads, at least.
   */
  constructor(
    crypto: Pick<Crypto, 'hash'>,
    log: CommitLog,
    entries: EntryList,
    known: ReadonlyMap<CommitId, Merged>,
    hole: number | undefined,
    base?: Beginning,
  ) {
    this.#crypto = crypto;
    this.#log = log;
    this.hole = hole;
    this.base = base;
    this.#entries = entries;
    for (const number of entries.numbers()) this.#noteNumber(number);
    for (const [id, state] of known) {
      const index = entries.find(id);
      if (index !== undefined) this.#marks.set(index, state);
    }
    // The near side of a hole is no head: what follows it is only not held.
    const isNoHead = new Uint8Array(entries.length).fill(1, 0, hole ?? 0);
    for (let index = 0; index < entries.length; index++) {
      for (const parent of entries.above(index)) if (parent >= 0) isNoHead[parent] = 1;
    }
    isNoHead.forEach((mark, index) => {
      const id = mark === 0 ? entries.at(index)?.id : undefined;
      if (id !== undefined) this.#heads.set(id, this.#marks.get(index));
    });
    const first = entries.at(0);
    if (base !== undefined && first?.id === base.id) {
      this.#facts.set(base.id, memberFacts(base.merged.state, first.device));
    }
  }

  get entries(): Entries {
    return this.#entries;
  }

  /** The commits that no other one follows. */
  get heads(): readonly CommitId[] {
    return [...this.#heads.keys()].sort((a, b) => (a < b ? -1 : 1));
  }

  /**
   * As many heads as one commit may join, with all that `device` wrote in their past: whoever
   * floods the realm with heads must not make it use a number again.
   */
  async joinable(device: string): Promise<readonly CommitId[]> {
    const { heads } = this;
    if (heads.length <= MAX_PARENTS) return heads;
    const last = new Map<CommitId, number>();
    for (const id of heads) last.set(id, (await this.join([id])).vector.get(device) ?? 0);
    const byNewest = heads.toSorted((a, b) => (last.get(b) ?? 0) - (last.get(a) ?? 0));
    return byNewest.slice(0, MAX_PARENTS).sort((a, b) => (a < b ? -1 : 1));
  }

  /** The places of all commits, oldest first, in the order in which every replica lists them. */
  get order(): Uint32Array {
    const entries = this.#entries;
    if (this.#order.length === entries.length) return this.#order;
    const isAsHeld = this.hole !== undefined || entries.isChain();
    const nodes = Array.from(isAsHeld ? [] : entries, ({ id, parents, device }, place) => {
      return { id, parents, device, place };
    });
    this.#order = isAsHeld
      ? Uint32Array.from({ length: entries.length }, (_, place) => place)
      : Uint32Array.from(orderCausally(nodes).ordered, ({ place }) => place);
    return this.#order;
  }

  find(id: CommitId): number | undefined {
    return this.#entries.find(id);
  }

  /** Takes a verified commit into account that is not in the log yet. */
  stage(step: Step, past: Merged, state: Merged): void {
    this.#noteNumber(step);
    this.#facts.set(step.id, factsOf(past.state, step.device, step.ops));
    this.#staged.set(step.id, { step, state });
  }

  /** Forgets what was staged and did not reach the log. */
  unstage(): void {
    if (this.#staged.size === 0) return;
    this.#staged.clear();
    this.#forks.clear();
    this.#highest.clear();
    for (const number of this.#entries.numbers()) this.#noteNumber(number);
  }

  append(entry: Entry, state: Merged): void {
    const { id, parents } = entry;
    if (!this.#staged.delete(id)) this.#noteNumber(entry);
    this.#entries.add(entry);
    for (const parent of parents) this.#heads.delete(parent);
    this.#heads.set(id, state);
  }

  async read(index: number): Promise<{ readonly commit: ParsedCommit; readonly ops: string }> {
    const entry = this.#entries.at(index);
    const frame = entry && (await this.#log.read(entry.place));
    if (entry === undefined || frame === undefined) {
      throw new StorageError('corrupt', `commit ${entry?.id ?? index} cannot be read any more`);
    }
    return { commit: parseCommit(this.#crypto, frame.commit), ops: frame.ops };
  }

  async show(index: number): Promise<Commit> {
    const { commit, ops } = await this.read(index);
    return showCommit(commit, ops);
  }

  /** The state after the commit at `index`. */
  async stateAt(target: number): Promise<Merged> {
    const replay = this.#findReplay(target);
    const states = new Map<number, Merged>();
    const uses = this.#countUses(replay);
    const get = (index: number): Merged | undefined => states.get(index) ?? this.#knownAt(index);
    for (const index of replay) {
      const step = await this.#stepAt(index);
      const parents = this.#entries.above(index);
      const known = parents.map((parent) => get(parent) as Merged);
      const state = await this.extend(await this.#joinStates(known, step.parents), step);
      states.set(index, state);
      this.#keep(index, state);
      for (const parent of parents) {
        const left = (uses.get(parent) ?? 0) - 1;
        uses.set(parent, left);
        if (left <= 0) states.delete(parent);
      }
    }
    const state = get(target);
    if (state === undefined) throw new Error(`unreachable: no state at ${target}`);
    return state;
  }

  /** What commits, held or staged, make together with all of their past. */
  async join(ids: readonly CommitId[]): Promise<Merged> {
    const states: Merged[] = [];
    for (const id of ids) {
      const index = this.#entries.find(id);
      const fresh = this.#staged.get(id)?.state;
      const state = fresh ?? (index === undefined ? undefined : await this.stateAt(index));
      if (state === undefined) throw new StorageError('unknown-parent', `no commit ${id}`);
      states.push(state);
    }
    return this.#joinStates(states, ids);
  }

  /** What a commit makes of `past`, the state of its parents together. */
  async extend(past: Merged, step: Step): Promise<Merged> {
    const state = applyOps(past, step, step.ops);
    const changesWhatCounts =
      past.revoked.has(step.device) ||
      (this.#forks.get(step.device) ?? step.seq + 1) <= step.seq ||
      step.ops.some(({ op }) => op === 'revoke');
    if (!(changesWhatCounts && this.#isSuspect(state))) return state;
    return this.#refold([{ ids: step.parents, state: past }], step);
  }

  /** What the judgement knows of every commit; nothing while none can be void. */
  async judge(revoked: Merged['revoked']): Promise<readonly VoidNode[]> {
    const isLate = ([device, seq]: [string, number]) => seq > (revoked.get(device) ?? seq);
    const isSuspect = this.#forks.size > 0 || [...this.#highest].some(isLate);
    return isSuspect && this.hole === undefined ? this.#nodesBelow(this.heads) : [];
  }

  #noteNumber({ device, seq }: Pick<Entry, 'device' | 'seq'>): void {
    const last = this.#highest.get(device) ?? 0;
    if (seq > last) this.#highest.set(device, seq);
    else this.#forks.set(device, Math.min(seq, this.#forks.get(device) ?? seq));
  }

  #indexOf(id: CommitId): number {
    return this.#entries.find(id) as number;
  }

  async #stepAt(index: number): Promise<Step> {
    const { ops } = await this.read(index);
    return { ...(this.#entries.at(index) as Entry), ops: parseOps(ops) };
  }

  #knownAt(index: number): Merged | undefined {
    const { id } = this.#entries.at(index) ?? {};
    return this.#heads.get(id ?? '') ?? this.#marks.get(index) ?? this.#window.get(index);
  }

  #keep(index: number, state: Merged): void {
    if (index % WINDOW === 0) this.#marks.set(index, state);
    this.#window.set(index, state);
    const [oldest] = this.#window.keys();
    if (this.#window.size > WINDOW && oldest !== undefined) this.#window.delete(oldest);
  }

  /** What has to be replayed for the state at `target`, parents first. */
  #findReplay(target: number): number[] {
    const needed = new Set<number>();
    const stack = [target];
    for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
      if (needed.has(index) || this.#knownAt(index) !== undefined) continue;
      needed.add(index);
      for (const at of this.#entries.above(index)) {
        if (at < 0) throw new StorageError('corrupt', 'commits before it are missing');
        stack.push(at);
      }
    }
    return [...needed].sort((a, b) => a - b);
  }

  #countUses(replay: readonly number[]): Map<number, number> {
    const uses = new Map<number, number>();
    for (const index of replay) {
      for (const at of this.#entries.above(index)) {
        uses.set(at, (uses.get(at) ?? 0) + 1);
      }
    }
    return uses;
  }

  /** Whether a revocation or a fork may make commits of this past count for nothing. */
  #isSuspect({ revoked, vector }: Merged): boolean {
    const reaches = (device: string, seq: number) => (vector.get(device) ?? 0) >= seq;
    return (
      [...revoked].some(([device, last]) => reaches(device, last + 1)) ||
      [...this.#forks].some(([device, seq]) => reaches(device, seq))
    );
  }

  async #joinStates(states: readonly Merged[], ids: readonly CommitId[]): Promise<Merged> {
    const [first = NOTHING] = states;
    if (states.length < 2) return first;
    const joined = joinAll(states);
    if (!this.#isSuspect(joined) || isSettled(joined, states, this.#forks)) return joined;
    return this.#refold(states.map((state, at) => ({ ids: ids.slice(at, at + 1), state })));
  }

  /** Without what counts for nothing; `last` comes after all that is known. */
  async #refold(known: readonly Known[], last?: Step): Promise<Merged> {
    const below = await this.#nodesBelow(known.flatMap(({ ids }) => ids));
    const [first] = known;
    const past = first?.state.state ?? NOTHING.state;
    const tip = last && { ...last, ...factsOf(past, last.device, last.ops) };
    const source = {
      stepOf: async (id: CommitId): Promise<Step> =>
        id === last?.id ? last : (this.#staged.get(id)?.step ?? this.#stepAt(this.#indexOf(id))),
      stateOf: (id: CommitId) => this.join([id]),
    };
    return refold(source, { below, tip }, known);
  }

  /** These and all that they build on, parents first. */
  async #nodesBelow(ids: readonly CommitId[]): Promise<readonly VoidNode[]> {
    const fresh = [...this.#staged.values()].map(({ step }) => step);
    const all = [...this.#entries, ...fresh];
    const past = new Set(ids);
    for (const { id, parents } of all.toReversed()) {
      if (past.has(id)) for (const parent of parents) past.add(parent);
    }
    const below = all.filter(({ id }) => past.has(id));
    if (below.length < past.size) {
      throw new StorageError('corrupt', 'commits before it are missing');
    }
    const nodes: VoidNode[] = [];
    for (const { id, parents, device, seq } of below) {
      const facts =
        this.#facts.get(id) ?? (await this.#learn(await this.#stepAt(this.#indexOf(id))));
      nodes.push({ id, parents, device, seq, ...facts });
    }
    return nodes;
  }

  /** Looks at a commit with the eyes of its own past. */
  async #learn(step: Step): Promise<Facts> {
    const past = await this.join(step.parents);
    const facts = factsOf(past.state, step.device, step.ops);
    if (step.id !== '') this.#facts.set(step.id, facts);
    return facts;
  }
}
