/**
 * A long history as packs for `git clone` over plain HTTP: one request for a thousand commits
 * instead of one for every object.
 *
 * A pack is made when somebody asks for it, and the last one is kept until another is asked for. Its
 * name is its checksum, because git names so what it stored and would keep the index of any other
 * name beside it, without a pack. Names are remembered, so only the first list costs all packs.
 * Commits after the last whole segment are no matter of this file: they are served as loose objects.
 *
 * @see Documentation/gitprotocol-http of Git, "Dumb Clients"; git-update-server-info(1)
 */

import type { Crypto } from '#runtime';
import { encodeHex, encodeText } from '../format/bytes.ts';
import type { History } from '../history/history.ts';
import { NOTHING } from '../merge/merged.ts';
import { addCommit } from './gather.ts';
import { createPack } from './pack.ts';
import { indexPack } from './pack-index.ts';

type Segment = { readonly name: string; readonly pack: Uint8Array; readonly index: Uint8Array };

/** The packs of a history. */
export type Segments = {
  /** How many of the first commits are in packs. */
  packed(): number;
  /** What `objects/info/packs` says. */
  list(): Promise<string>;
  /** A pack or its index, by its name under `objects/pack/`. */
  find(name: string): Promise<Uint8Array | undefined>;
};

/** Some megabytes each. */
const COMMITS = 1024;
const HASH_BYTES = 32;
const FILE = /^pack-([0-9a-f]{64})\.(pack|idx)$/;

/** Makes the packs of a history that may grow. `history` is asked each time: it may be replaced. */
export function createSegments(crypto: Pick<Crypto, 'hash'>, history: () => History): Segments {
  let last: Segment | undefined;
  /** Of the commits of a range, in their order. */
  const names = new Map<string, string>();

  const packed = (): number => {
    const { entries, hole } = history();
    return hole === undefined ? entries.length - (entries.length % COMMITS) : 0;
  };

  const build = async (start: number): Promise<Segment> => {
    const pack = await packRange(crypto, history(), start, start + COMMITS);
    const name = encodeHex(pack.bytes.subarray(-HASH_BYTES));
    last = { name, pack: pack.bytes, index: indexPack(crypto, pack) };
    return last;
  };

  const nameOf = async (start: number): Promise<string> => {
    const ids = history().entries.ids(start, start + COMMITS);
    const commits = encodeHex(crypto.hash('sha256', encodeText(ids.join('\n'))));
    const name = names.get(commits) ?? (await build(start)).name;
    names.set(commits, name);
    return name;
  };

  const find = async (wanted: string): Promise<Segment | undefined> => {
    if (last?.name === wanted) return last;
    for (let start = 0; start < packed(); start += COMMITS) {
      if ((await nameOf(start)) === wanted) return last?.name === wanted ? last : build(start);
    }
    return undefined;
  };

  return {
    packed,
    async list() {
      let lines = '';
      for (let start = 0; start < packed(); start += COMMITS) {
        lines += `P pack-${await nameOf(start)}.pack\n`;
      }
      return lines;
    },
    async find(file) {
      const [, name, kind] = FILE.exec(file) ?? [];
      const segment = name === undefined ? undefined : await find(name);
      return kind === 'pack' ? segment?.pack : segment?.index;
    },
  };
}

async function packRange(
  crypto: Pick<Crypto, 'hash'>,
  history: History,
  start: number,
  end: number,
): Promise<ReturnType<ReturnType<typeof createPack>['finish']>> {
  const pack = createPack(crypto);
  let before = start === 0 ? NOTHING.state : (await history.stateAt(start - 1)).state;
  for (let index = start; index < end; index++) {
    const { commit, ops } = await history.read(index);
    const content = await history.stateAt(index);
    addCommit(crypto, pack, before, { commit, ops, content });
    before = content.state;
  }
  return pack.finish();
}
