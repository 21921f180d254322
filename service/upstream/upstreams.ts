/**
 * The upstreams of a household: realms of others whose rules count here, before or after one's own.
 *
 *     upstreams/<name>                      which, and how (record.ts), in our store
 *     <data>/upstream/<name>.<realm>/       what was last read of it: a replica of its own
 *
 * Only rules are used; names of others are asked for where they are published. What was read last
 * holds until there is something newer, however long its operator is away.
 */

import * as v from 'valibot';
import { type Rule, upstreamRules } from '#policy';
import type { Runtime } from '#runtime';
import type { Store } from '#storage';
import type { Check } from '#web-admin';
import type { Current } from '../current.ts';
import { type Following, follow, forget, isSpoilt, type Standing } from './follow.ts';
import { UpstreamRecord } from './record.ts';

export type Upstream = Standing & {
  readonly name: string;
  readonly record: UpstreamRecord;
  readonly rules: number;
};

export type Upstreams = AsyncDisposable & {
  list(): readonly Upstream[];
  /** Asks one at once; false when it is not followed. */
  pull(name: string): Promise<boolean>;
  checks(): readonly Check[];
  /** Sentences about those that are not well. */
  warnings(): readonly string[];
};

/** Somebody who was not heard of for so long is worth a word. */
const STALE_MS = 86_400_000;

type Room = {
  readonly runtime: Runtime;
  readonly directory: string;
  readonly store: Store;
  readonly followed: Map<string, Following>;
  readonly failed: Map<string, string>;
  renew: () => void;
};

/** Follows what the store names, from now on. */
export async function openUpstreams(
  runtime: Runtime,
  data: string,
  store: Store,
  current: Pick<Current, 'mount'>,
): Promise<Upstreams> {
  const room: Room = {
    ...{ runtime, store, directory: `${data}/upstream` },
    ...{ followed: new Map(), failed: new Map(), renew: () => undefined },
  };
  let turn = reconcile(room);
  await turn;
  room.renew = current.mount(() => rulesOf(room));
  room.renew();
  const stopWatching = store.watch(() => {
    turn = turn
      .then(() => reconcile(room))
      .catch((error: unknown) =>
        runtime.log('error', 'upstreams-failed', { error: String(error) }),
      );
  });
  return {
    list: () => listOf(room),
    async pull(name) {
      // It may have been added a moment ago.
      await turn;
      const following = room.followed.get(name);
      await following?.pull();
      return following !== undefined;
    },
    checks: () => checksOf(room),
    warnings: () =>
      checksOf(room).flatMap(({ ok, name, detail }) => (ok ? [] : [`The ${name}: ${detail}.`])),
    async [Symbol.asyncDispose]() {
      stopWatching();
      await turn;
      for (const following of room.followed.values()) await following[Symbol.asyncDispose]();
    },
  };
}

function recordsOf({ store }: Room): ReadonlyMap<string, UpstreamRecord> {
  const records = new Map<string, UpstreamRecord>();
  for (const [name, record] of store.state().get('upstreams') ?? []) {
    // What a later version wrote may have a field that we do not know.
    const parsed = v.safeParse(v.object(UpstreamRecord.entries), record);
    if (parsed.success) records.set(name, parsed.output);
  }
  return records;
}

/** Makes what is followed what the store says. */
async function reconcile(room: Room): Promise<void> {
  const { runtime, followed, failed } = room;
  const records = recordsOf(room);
  for (const [name, following] of followed) {
    const record = records.get(name);
    if (record?.enabled === true && isSamePlace(record, following.record)) {
      if (record.precedence === following.record.precedence) continue;
      followed.set(name, { ...following, record });
      room.renew();
      continue;
    }
    followed.delete(name);
    await following[Symbol.asyncDispose]();
    room.renew();
  }
  await sweep(room, records);
  for (const [name, record] of records) {
    if (!record.enabled || followed.has(name)) continue;
    failed.delete(name);
    try {
      followed.set(name, await open(room, name, record));
    } catch (error) {
      failed.set(name, (error as Error).message);
      runtime.log('error', 'upstream-not-opened', { error: String(error) });
    }
    room.renew();
  }
}

/** Deletes what is kept of upstreams that are none any more. */
async function sweep(
  { runtime, directory }: Room,
  records: ReadonlyMap<string, UpstreamRecord>,
): Promise<void> {
  const kept = new Set([...records].map(([name, record]) => placeOf(name, record)));
  for (const place of await runtime.files.list(directory)) {
    if (!kept.has(place)) await forget(runtime, `${directory}/${place}`);
  }
}

/** What is read stays the same, however it counts. */
const isSamePlace = (a: UpstreamRecord, b: UpstreamRecord): boolean =>
  a.url === b.url && a.realm === b.realm && String(a.keys) === String(b.keys);

const placeOf = (name: string, { realm }: UpstreamRecord): string =>
  `${name}.${realm.slice(0, 16)}`;

/** What is damaged is fetched again: there is nothing of ours in it. */
async function open(room: Room, name: string, record: UpstreamRecord): Promise<Following> {
  const { runtime } = room;
  const directory = `${room.directory}/${placeOf(name, record)}`;
  const begin = () => follow(runtime, directory, record, () => room.renew());
  try {
    return await begin();
  } catch (error) {
    if (!isSpoilt(error)) throw error;
    await forget(runtime, directory);
    return begin();
  }
}

function rulesOf({ followed }: Room): readonly Rule[] {
  return [...followed].flatMap(([name, following]) => mounted(name, following));
}

const known = new WeakMap<Following, { readonly head: string; readonly rules: readonly Rule[] }>();

/** Each change of ours asks for them; they change seldom. */
function mounted(name: string, following: Following): readonly Rule[] {
  const { store, record } = following;
  const last = known.get(following);
  if (last !== undefined && last.head === store.head) return last.rules;
  const { rules } = upstreamRules(name, record.precedence, store.state().get('rules') ?? []);
  known.set(following, { head: store.head, rules });
  return rules;
}

function listOf(room: Room): readonly Upstream[] {
  return [...recordsOf(room)].map(([name, record]) => {
    const following = room.followed.get(name);
    const standing = following?.standing() ?? {
      ...{ ago: undefined, problem: room.failed.get(name), isAway: true },
    };
    const rules = following === undefined ? 0 : mounted(name, following).length;
    return { name, record, rules, ...standing };
  });
}

const checksOf = (room: Room): readonly Check[] =>
  listOf(room)
    .filter(({ record }) => record.enabled)
    .map(checkOf);

function checkOf(upstream: Upstream): Check {
  const { ago, problem, isAway, rules } = upstream;
  const name = `upstream ${upstream.name}`;
  if (problem === undefined) return { name, ok: true, detail: `${rules} rules of theirs` };
  if (!isAway) return { name, ok: false, detail: problem, fix: FIX };
  const isStale = ago === undefined || ago > STALE_MS;
  if (!isStale) return { name, ok: true, detail: `${rules} rules of theirs; lately: ${problem}` };
  const last = ago === undefined ? 'not heard of since the start' : 'not heard of for a day';
  return {
    ...{ name, ok: false, fix: FIX },
    detail: `${last}: ${problem}; ${rules} rules of before hold`,
  };
}

const FIX = 'ask its operator, or `nymote upstream remove` it';
