/**
 * What a device remembers of its backups: what it wrote where, and how the last ones went.
 *
 *     <data>/backup.json     0600: it names places and commits
 *
 * A ledger that is lost costs the memory of what was written, and nothing else.
 */

import * as v from 'valibot';
import type { Files } from '#runtime';

const OutcomeSchema = v.object({
  at: v.number(),
  target: v.string(),
  number: v.optional(v.number()),
  commits: v.optional(v.number()),
  seconds: v.optional(v.number()),
  problem: v.optional(v.string()),
});

const MemorySchema = v.object({
  number: v.number(),
  /** Of the list. */
  sha256: v.string(),
  /** Digest of the secrets, before they were sealed. */
  secrets: v.string(),
  at: v.number(),
  heads: v.pipe(v.array(v.string()), v.readonly()),
});

const LedgerSchema = v.object({
  targets: v.record(v.string(), MemorySchema),
  backup: v.optional(OutcomeSchema),
  drill: v.optional(OutcomeSchema),
});

/** How one ended; without a problem it went well. */
export type Outcome = v.InferOutput<typeof OutcomeSchema>;
/** What was written to a target last, so that an old copy of it is noticed. */
export type Memory = v.InferOutput<typeof MemorySchema>;
export type Ledger = v.InferOutput<typeof LedgerSchema>;

const SECRET_MODE = 0o600;

/** The ledger in a data directory. */
export async function readLedger(files: Files, directory: string): Promise<Ledger> {
  const bytes = await files.read(`${directory}/backup.json`);
  const Text = v.pipe(v.string(), v.parseJson(), LedgerSchema);
  const parsed = v.safeParse(Text, new TextDecoder().decode(bytes));
  return parsed.success ? parsed.output : { targets: {} };
}

/** Writes what changed. */
export async function amendLedger(
  files: Files,
  directory: string,
  change: (ledger: Ledger) => Ledger,
): Promise<void> {
  const text = `${JSON.stringify(change(await readLedger(files, directory)))}\n`;
  await files.replace(`${directory}/backup.json`, new TextEncoder().encode(text), SECRET_MODE);
}
