/**
 * The realm's own keys: what commits are sealed with on their way, and how every full device gets them.
 *
 *     keys/<id of the key>   { after?, <device>: { sealed }, … }
 *
 * A copy lies in the store for each full device, sealed for its WireGuard key by whoever admitted it.
 * When a device is removed a new key comes after the old one, and what is written from then on is
 * nothing to it.
 */

import type { Crypto, Random } from '#runtime';
import {
  type Commit,
  type RealmKey,
  readEnvelopes,
  realmKey,
  type State,
  type Store,
  sealPage,
} from '#storage';
import { decodeBase64, encodeBase64 } from '../base64.ts';
import { encodeHex } from '../hex.ts';
import type { Sealing } from '../peers/sealed.ts';
import type { RealmDevice } from '../project.ts';

/** What opens envelopes, the one to seal with first. */
export type RealmKeys = readonly RealmKey[];

/** An op that gives keys away. */
export type KeyOp = {
  readonly op: 'set';
  readonly path: string;
  readonly value: { readonly [field: string]: string | { readonly sealed: string } };
};

type Needs = { readonly crypto: Pick<Crypto, 'hash'>; readonly sealing: Sealing };
type Holder = Pick<RealmDevice, 'id' | 'publicKey'>;

const PURPOSE = 'realm key';
const KEY_BYTES = 32;
const COLLECTION = 'keys';
/** As many as a log gives at a time. */
const MAX_LOG = 1_000;

/** The keys that this device was given, the newest first. */
export function readRealmKeys({ crypto, sealing }: Needs, state: State, self: string): RealmKeys {
  const found: (RealmKey & { readonly depth: number })[] = [];
  for (const [name, record] of state.get(COLLECTION) ?? []) {
    const copy = record[self];
    const secret = isCopy(copy) ? openCopy(sealing, copy.sealed) : undefined;
    if (secret?.length !== KEY_BYTES) continue;
    const key = realmKey(crypto, secret);
    // A copy under a wrong name would split the realm in two that do not understand each other.
    if (encodeHex(key.id) === name) found.push({ ...key, depth: depthOf(state, name) });
  }
  return found.sort((a, b) => b.depth - a.depth || (encodeHex(a.id) < encodeHex(b.id) ? -1 : 1));
}

/** The keys of this device, as a store that changes has them and as others hand them over. */
export type KeyRing = {
  readonly keys: () => RealmKeys;
  /** Copies for this device of keys that the store here does not have yet; others are passed over. */
  readonly learn: (copies: Readonly<Record<string, string>>) => void;
};

/** Keys handed over and not in the store yet: of a removal or two. */
const MAX_LEARNT = 8;

/** Copies are opened again only when keys were written. */
export function createKeyRing(needs: Needs, state: () => State, self: string): KeyRing {
  let seen: unknown;
  let stored: RealmKeys = [];
  let learnt: RealmKeys = [];
  const isNew = (name: string): boolean =>
    ![...stored, ...learnt].some(({ id }) => encodeHex(id) === name);
  return {
    keys() {
      const now = state();
      const records = now.get(COLLECTION);
      if (records !== seen) {
        stored = readRealmKeys(needs, now, self);
        learnt = learnt.filter(({ id }) => !now.get(COLLECTION)?.get(encodeHex(id))?.[self]);
      }
      seen = records;
      // They open what comes; what is written here is sealed with what the store knows.
      return learnt.length === 0 ? stored : [...stored, ...learnt];
    },
    learn(copies) {
      for (const [name, text] of Object.entries(copies)) {
        const secret = isNew(name) ? openCopy(needs.sealing, text) : undefined;
        if (secret?.length !== KEY_BYTES) continue;
        const key = realmKey(needs.crypto, secret);
        if (encodeHex(key.id) === name) learnt = [...learnt, key].slice(-MAX_LEARNT);
      }
    },
  };
}

/**
 * Copies that lie in the store for a device, the newest keys' first: whoever was let in while somebody
 * else was removed cannot open the commits that bring them.
 */
export function copiesFor(state: State, device: string): Readonly<Record<string, string>> {
  const copies = [...(state.get(COLLECTION) ?? [])].flatMap(([name, record]) => {
    const copy = record[device];
    return isCopy(copy) ? [[name, copy.sealed] as const] : [];
  });
  const newestFirst = copies.sort(([a], [b]) => depthOf(state, b) - depthOf(state, a));
  return Object.fromEntries(newestFirst.slice(0, MAX_LEARNT));
}

/** Which keys a device was given, whether or not it is still one of ours. */
export function wasGiven(state: State, device: string): readonly string[] {
  const keys = [...(state.get(COLLECTION) ?? [])];
  return keys.flatMap(([name, record]) => (isCopy(record[device]) ? [name] : []));
}

/** The first key of a realm, or the next one, for these devices. */
export function giveNewKey(
  { crypto, sealing }: Needs,
  random: Random,
  state: State,
  holders: readonly Holder[],
): KeyOp {
  const secret = random(KEY_BYTES);
  const last = newest(state);
  const copies = holders.flatMap(({ id, publicKey }) => {
    const sealed = sealing.seal(publicKey, PURPOSE, secret);
    return sealed ? [[id, { sealed: pack(sealing.publicKey, sealed) }] as const] : [];
  });
  const after = last === undefined ? {} : { after: last };
  const path = `${COLLECTION}/${encodeHex(realmKey(crypto, secret).id)}`;
  return { op: 'set', path, value: { ...after, ...Object.fromEntries(copies) } };
}

/** Copies of all our keys for a device that has none yet. */
export function shareKeys(
  sealing: Sealing,
  keys: RealmKeys,
  { id, publicKey }: Holder,
): readonly {
  readonly op: 'set';
  readonly path: string;
  readonly value: { readonly sealed: string };
}[] {
  return keys.flatMap((key) => {
    const sealed = sealing.seal(publicKey, PURPOSE, key.secret);
    if (sealed === undefined) return [];
    const path = `${COLLECTION}/${encodeHex(key.id)}/${id}`;
    return [{ op: 'set' as const, path, value: { sealed: pack(sealing.publicKey, sealed) } }];
  });
}

/** Copies of our keys for full devices that have none, because who removed one did not know another. */
export function missingCopies(
  { crypto, sealing }: Needs,
  state: State,
  self: string,
  holders: readonly Holder[],
): ReturnType<typeof shareKeys> {
  const keys = readRealmKeys({ crypto, sealing }, state, self);
  return holders.flatMap((holder) => {
    const given = wasGiven(state, holder.id);
    return shareKeys(
      sealing,
      keys.filter(({ id }) => !given.includes(encodeHex(id))),
      holder,
    );
  });
}

/**
 * The next key, when somebody who is no full device any more was given the one that is sealed with:
 * two may have removed a device each, or one was removed without a new key.
 */
export function replaceKnownKey(
  needs: Needs,
  random: Random,
  state: State,
  holders: readonly Holder[],
): KeyOp | undefined {
  const last = newest(state);
  const copies = Object.entries((last && state.get(COLLECTION)?.get(last)) ?? {});
  const isOutside = ([id, copy]: [string, unknown]) =>
    isCopy(copy) && holders.every((holder) => holder.id !== id);
  return copies.some(isOutside) ? giveNewKey(needs, random, state, holders) : undefined;
}

/** Seals frames of the store for whoever may read them; undefined without a key. */
export type SealFrames = (frames: Uint8Array) => Promise<Uint8Array | undefined>;

/**
 * Seals each commit with the newest key that its author knew. So whoever holds what was before a
 * commit can read it, and whoever was shut out before it cannot; and it is the same whoever seals it.
 */
export function createFrameSealing(
  crypto: Pick<Crypto, 'hash' | 'hmac' | 'seal'>,
  store: () => Pick<Store, 'realm' | 'log' | 'read' | 'holds' | 'merged'>,
  keys: () => RealmKeys,
): SealFrames {
  const pasts = new Map<string, Past>();
  const given = new Set<string>();

  /** 'before': it was given before all of the history that is kept; undefined: not here yet. */
  async function pastOf(name: string): Promise<Past | 'before' | undefined> {
    if (given.has(name)) return 'before';
    const known = pasts.get(name);
    if (known !== undefined && store().holds(known.origin)) return known;
    const found = await findOrigin(store(), `${COLLECTION}/${name}`);
    if (found !== undefined) pasts.set(name, found);
    else if (store().merged().get(COLLECTION)?.has(name)) given.add(name);
    return given.has(name) ? 'before' : found;
  }

  async function keyOf(commit: string, all: RealmKeys): Promise<RealmKey | undefined> {
    for (const key of all.slice(0, -1)) {
      const past = await pastOf(encodeHex(key.id));
      if (past === 'before') return key;
      if (past === undefined) continue;
      if (await isAfter(store(), commit, past)) return key;
    }
    return all.at(-1);
  }

  return async (frames) => {
    const all = keys();
    const oldest = all.at(-1);
    if (oldest === undefined) return undefined;
    const sealed = sealPage(crypto, oldest, store().realm, frames);
    const read = all.length > 1 ? readEnvelopes(sealed) : undefined;
    if (read?.ok !== true) return sealed;
    const own = new Map<string, RealmKey>();
    for (const { id } of read.envelopes) own.set(id, (await keyOf(id, all)) ?? oldest);
    return sealPage(crypto, (id) => own.get(id) ?? oldest, store().realm, frames);
  };
}

/** The commit that gave a key, and of which commits it is known whether they are after it. */
type Past = {
  readonly device: string;
  readonly seq: number;
  readonly origin: string;
  readonly known: Map<string, boolean>;
};

/** Walks down as far as nobody walked before; in the chain of who gave the key its numbers tell. */
async function isAfter(
  store: Pick<Store, 'read' | 'holds'>,
  commit: string,
  { device, seq, origin, known }: Past,
): Promise<boolean> {
  const open = [commit];
  for (let id = open.at(-1); id !== undefined; id = open.at(-1)) {
    // What was dropped is before everything that is kept.
    if (!store.holds(id)) known.set(id, false);
    const at = known.has(id) ? undefined : await store.read(id);
    const answer = at && (at.device === device ? at.seq >= seq : answerOf(at.parents, known));
    if (at !== undefined && answer === undefined) {
      open.push(at.parents.find((parent) => !known.has(parent)) ?? '');
      continue;
    }
    if (answer !== undefined) known.set(id, answer);
    open.pop();
  }
  return commit !== origin && known.get(commit) === true;
}

/** Undefined while some are not known and none is after. */
function answerOf(
  parents: readonly string[],
  known: ReadonlyMap<string, boolean>,
): boolean | undefined {
  if (parents.some((parent) => known.get(parent) === true)) return true;
  return parents.every((parent) => known.has(parent)) ? false : undefined;
}

/** The commit that gave a key first. */
async function findOrigin(store: Pick<Store, 'log'>, path: string): Promise<Past | undefined> {
  let before: string | undefined;
  let origin: Commit | undefined;
  for (;;) {
    const commits = await store.log({ path, limit: MAX_LOG, ...(before ? { before } : {}) });
    origin = commits.findLast(({ ops }) => ops.some((op) => op.path === path)) ?? origin;
    before = commits.at(-1)?.id;
    if (commits.length < MAX_LOG) break;
  }
  if (origin === undefined) return undefined;
  const { id, device, seq } = origin;
  return { device, seq, origin: id, known: new Map([[id, true]]) };
}

/** How many keys came before; a circle, which nobody writes, ends at its length. */
function depthOf(state: State, name: string): number {
  const keys = state.get(COLLECTION);
  const seen = new Set<string>();
  let at: unknown = name;
  while (typeof at === 'string' && !seen.has(at)) {
    seen.add(at);
    at = keys?.get(at)?.['after'];
  }
  return seen.size;
}

function newest(state: State): string | undefined {
  const names = [...(state.get(COLLECTION)?.keys() ?? [])];
  const depths = new Map(names.map((name) => [name, depthOf(state, name)]));
  const deeper = (a: string, b: string) => (depths.get(b) ?? 0) - (depths.get(a) ?? 0);
  return names.sort((a, b) => deeper(a, b) || (a < b ? -1 : 1))[0];
}

function isCopy(value: unknown): value is { readonly sealed: string } {
  return typeof (value as { sealed?: unknown } | undefined)?.sealed === 'string';
}

/** Who sealed it goes before it. */
function pack(from: Uint8Array, sealed: Uint8Array): string {
  return encodeBase64(Uint8Array.from([...from, ...sealed]));
}

function openCopy(sealing: Sealing, text: string): Uint8Array | undefined {
  let bytes: Uint8Array;
  try {
    bytes = decodeBase64(text);
  } catch {
    return undefined;
  }
  return sealing.open(bytes.subarray(0, KEY_BYTES), PURPOSE, bytes.subarray(KEY_BYTES));
}
