/**
 * Conflicts for people: what was written differently at once, by whom, and what counts meanwhile.
 */

import { StorageError } from '../error.ts';
import type { CommitId } from '../format/commit.ts';
import { isObject, type Json } from '../format/json.ts';
import { parsePath } from '../format/path.ts';
import type { Entry } from '../history/entries.ts';
import type { Dot, Merged, Rule } from '../merge/merged.ts';
import type { DraftOp } from './narrow.ts';

/** One conflict. */
export type Conflict = {
  /** `collection/key/field`; without a field it is about whether the record is there. */
  readonly path: string;
  /** What was written; the first value is the effective one. Undefined: deleted. */
  readonly values: readonly {
    readonly value: Json | undefined;
    readonly device: string;
    readonly commit: CommitId;
  }[];
  readonly effective: Json | undefined;
  readonly rule: Rule | undefined;
};

/** All conflicts of a state, sorted by path. */
export function listConflicts({ conflicts }: Merged, entries: Iterable<Entry>): Conflict[] {
  const commits = conflicts.size === 0 ? new Map<string, CommitId>() : nameCommits(entries);
  const nameOf = ({ device, seq, branch }: Dot) => branch ?? commits.get(`${device}:${seq}`) ?? '';
  return [...conflicts]
    .flatMap(([record, list]) =>
      list.map(({ field, rivals, rule }) => ({
        path: field === '' ? record : `${record}/${field}`,
        values: rivals.map(({ dot, value }) => ({
          value,
          device: dot.device,
          commit: nameOf(dot),
        })),
        effective: rivals[0]?.value,
        rule,
      })),
    )
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The draft that decides the conflict at `path`. */
export function toResolution(
  merged: Merged,
  path: string,
  value: Json | undefined,
): { readonly ops: readonly DraftOp[]; readonly message: string } {
  const parsed = parsePath(path);
  const record = parsed && `${parsed.collection}/${parsed.key}`;
  const isOpen = merged.conflicts
    .get(record ?? '')
    ?.some(({ field }) => field === (parsed?.field ?? ''));
  if (isOpen !== true) throw new StorageError('does-not-apply', `${path} is not in conflict`);
  if (parsed?.field === undefined && value !== undefined && !isObject(value)) {
    throw new StorageError('invalid', `a record is an object: ${path}`);
  }
  const entries = merged.collections
    .get(parsed?.collection ?? '')
    ?.get(parsed?.key ?? '')
    ?.fields.get(parsed?.field ?? '');
  const isText = entries?.every(({ kind }) => kind === 'text') === true && entries.length > 0;
  const op: DraftOp =
    value === undefined
      ? { op: 'del', path }
      : isText && typeof value === 'string'
        ? { op: 'text', path, value }
        : { op: 'set', path, value };
  return { ops: [op], message: `Decide ${path}` };
}

function nameCommits(entries: Iterable<Entry>): Map<string, CommitId> {
  return new Map(Array.from(entries, ({ device, seq, id }) => [`${device}:${seq}`, id]));
}
