/**
 * Changes that are collected on this device before they become one commit.
 *
 *     <data>/drafts/<name>.json     0600: { name, base, begun, steps, seen }
 *
 * A draft is no commit and is not in the log: what is signed with this device's numbers and got about
 * would be evidence of a fork. It stays on this device. A file that is damaged is told and left alone.
 */

import * as v from 'valibot';
import type { Files } from '#runtime';

export const MAX_DRAFTS = 32;
export const MAX_DRAFT_OPS = 4_096;
export const MAX_DRAFT_BYTES = 256 * 1_024;

const SECRET_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;

const OpSchema = v.variant('op', [
  v.strictObject({ op: v.literal('set'), path: v.string(), value: v.unknown() }),
  v.strictObject({ op: v.literal('del'), path: v.string() }),
]);

const DraftSchema = v.strictObject({
  name: v.string(),
  /** The head when it was begun. */
  base: v.string(),
  begun: v.number(),
  steps: v.array(
    v.strictObject({
      ops: v.array(OpSchema),
      message: v.string(),
      at: v.number(),
      via: v.string(),
    }),
  ),
  /** What was at a path when the draft first wrote there; without a value: nothing. */
  seen: v.record(v.string(), v.strictObject({ value: v.optional(v.unknown()) })),
});

/** A draft as it is kept. */
export type DraftFile = v.InferOutput<typeof DraftSchema>;

export type DraftFiles = {
  /** Sorted. */
  names(): Promise<readonly string[]>;
  read(name: string): Promise<DraftFile | 'missing' | 'damaged'>;
  /** Replaces it (I7); nothing is written when it is too large. */
  write(draft: DraftFile): Promise<'written' | 'too-large'>;
  remove(name: string): Promise<void>;
};

/** Tells whether a draft may be called so; it is a file's name as well. */
export const isDraftName = (name: string): boolean => NAME.test(name);

/** The drafts in a data directory. */
export function createDraftFiles(
  files: Pick<Files, 'read' | 'replace' | 'list' | 'remove' | 'makeDirectory'>,
  data: string,
): DraftFiles {
  const directory = `${data}/drafts`;
  const pathOf = (name: string): string => {
    if (!isDraftName(name)) throw new Error(`unreachable: ${name} is no name of a draft`);
    return `${directory}/${name}.json`;
  };
  return {
    async names() {
      const found = await files.list(directory);
      return found.flatMap((file) => {
        const name = file.replace(/\.json$/, '');
        return name !== file && isDraftName(name) ? [name] : [];
      });
    },
    async read(name) {
      const bytes = await files.read(pathOf(name));
      return bytes === undefined ? 'missing' : parse(bytes, name);
    },
    async write(draft) {
      const ops = draft.steps.reduce((sum, step) => sum + step.ops.length, 0);
      const bytes = new TextEncoder().encode(`${JSON.stringify(draft)}\n`);
      if (ops > MAX_DRAFT_OPS || bytes.length > MAX_DRAFT_BYTES) return 'too-large';
      await files.makeDirectory(directory, DIRECTORY_MODE);
      await files.replace(pathOf(draft.name), bytes, SECRET_MODE);
      return 'written';
    },
    remove: (name) => files.remove(pathOf(name)),
  };
}

function parse(bytes: Uint8Array, name: string): DraftFile | 'damaged' {
  if (bytes.length > MAX_DRAFT_BYTES) return 'damaged';
  const Text = v.pipe(v.string(), v.parseJson(), DraftSchema);
  const parsed = v.safeParse(Text, new TextDecoder().decode(bytes));
  return parsed.success && parsed.output.name === name ? parsed.output : 'damaged';
}
