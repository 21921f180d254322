/**
 * Git bundles (version 3, SHA-256): a pack with the names of its ends, and of what it builds on.
 *
 *     # v3 git bundle
 *     @object-format=sha256
 *     -<commit> …               what the reader must have; none: a full bundle
 *     <commit> HEAD
 *     <commit> refs/heads/main
 *
 *     PACK…
 *
 * Not read: version 2 (which is SHA-1), filters (partial clones).
 *
 * @see Documentation/gitformat-bundle of Git
 */

import { StorageError } from '../error.ts';
import { concat, decodeText, encodeText } from '../format/bytes.ts';
import type { CommitId } from '../format/commit.ts';

/** What a bundle says before its pack. */
export type BundleHeader = {
  readonly prerequisites: readonly CommitId[];
  readonly refs: readonly { readonly name: string; readonly id: CommitId }[];
};

/** A bundle as it was read. */
export type Bundle = BundleHeader & { readonly pack: Uint8Array };

const SIGNATURE = '# v3 git bundle\n';
const FORMAT = '@object-format=sha256';
const REF = /^([0-9a-f]{64}) (\S{1,1000})$/;
const PREREQUISITE = /^-([0-9a-f]{64})(?: .*)?$/;
/** A realm has few ends; somebody else's repository may have thousands. */
const MAX_HEADER = 1024 * 1024;

/** The branch of a head; the history as a repository (git.ts) has the same. */
const branchOf = (index: number): string =>
  `refs/heads/${index === 0 ? 'main' : `head-${index + 1}`}`;

/** Where a pruned history's base is: a blob, which git neither clones nor checks out. */
export const BASE_REF = 'refs/nymote/base';

/** The text before the pack. The first of `heads` is what a clone checks out. */
export function encodeBundleHeader(
  heads: readonly CommitId[],
  prerequisites: readonly CommitId[],
  base?: string,
): Uint8Array {
  const lines = [
    FORMAT,
    ...prerequisites.map((id) => `-${id} earlier`),
    ...heads.slice(0, 1).map((id) => `${id} HEAD`),
    ...heads.map((id, index) => `${id} ${branchOf(index)}`),
    ...(base === undefined ? [] : [`${base} ${BASE_REF}`]),
  ];
  return encodeText(`${SIGNATURE}${lines.join('\n')}\n\n`);
}

/** Reads a bundle; the pack is looked at by whoever reads it. Throws 'corrupt'. */
export function parseBundle(bytes: Uint8Array): Bundle {
  const text = decodeText(bytes.subarray(0, headerLength(bytes)));
  if (text?.startsWith(SIGNATURE) !== true) throw corrupt('no git bundle of version 3');
  const prerequisites: CommitId[] = [];
  const refs: { name: string; id: CommitId }[] = [];
  const lines = text.slice(SIGNATURE.length).split('\n').slice(0, -1);
  for (const line of lines) {
    const [, prerequisite] = PREREQUISITE.exec(line) ?? [];
    const [, id, name] = REF.exec(line) ?? [];
    if (prerequisite !== undefined) prerequisites.push(prerequisite);
    else if (id !== undefined && name !== undefined) refs.push({ id, name });
    else if (line !== FORMAT) throw corrupt(`a bundle with the line ${JSON.stringify(line)}`);
  }
  if (!lines.includes(FORMAT)) throw corrupt('the bundle is not of a SHA-256 repository');
  const pack = bytes.subarray(concat([encodeText(text), encodeText('\n')]).length);
  return { prerequisites, refs, pack };
}

/** Tells whether bytes begin as a bundle does. */
export function isBundle(bytes: Uint8Array): boolean {
  return decodeText(bytes.subarray(0, SIGNATURE.length)) === SIGNATURE;
}

/** Up to the newline before the empty line. */
function headerLength(bytes: Uint8Array): number {
  const end = Math.min(bytes.length, MAX_HEADER);
  for (let at = 1; at < end; at++) {
    if (bytes[at] === 10 && bytes[at - 1] === 10) return at;
  }
  throw corrupt('a bundle without an end of its header');
}

function corrupt(message: string): StorageError {
  return new StorageError('corrupt', message);
}
