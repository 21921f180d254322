/**
 * What the engine remembers from one life to the next: `<data>/apply.json`. A file that is missing or
 * damaged says nothing; what is pending, the guard knows anyway.
 */

import * as v from 'valibot';
import { type Runtime, RuntimeError } from '#runtime';
import type { OptionLine } from './option.ts';
import { type Apply, NOTHING_APPLIED, type Pending, type Settled } from './plan.ts';

const Text = v.string();
const Value = v.union([Text, v.array(Text)]);
const Originals = v.record(Text, v.nullable(Value));
const Part = { commit: Text, part: Text };

const LineSchema = v.object({ option: Text, value: v.nullable(Value) });

const PendingSchema = v.object({
  ...Part,
  options: v.array(Text),
  changes: v.array(LineSchema),
  kind: v.picklist(['plain', 'slow', 'risky']),
  seconds: v.number(),
  id: Text,
  phase: v.picklist(['arming', 'writing', 'watching', 'confirming', 'restoring']),
  lame: v.array(Text),
  failing: v.array(Text),
  person: v.exactOptional(Text),
  reason: v.exactOptional(Text),
  originals: Originals,
});

const SettledSchema = v.object({
  ...Part,
  outcome: v.picklist(['confirmed', 'rolled-back', 'failed']),
  reason: Text,
  id: v.exactOptional(Text),
  refused: v.exactOptional(v.array(LineSchema)),
});

const JournalSchema = v.object({
  originals: Originals,
  applied: v.exactOptional(v.object(Part)),
  settled: v.exactOptional(SettledSchema),
  pending: v.exactOptional(PendingSchema),
  adopting: v.exactOptional(v.array(Text)),
});

/** Reads what `printJournal` wrote; undefined for anything else. */
export function parseJournal(text: string): Apply | undefined {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), JournalSchema), text);
  if (!parsed.success) return undefined;
  const { pending, settled, ...rest } = parsed.output;
  return {
    ...rest,
    ...(settled === undefined ? {} : { settled: readEnd(settled) }),
    ...(pending === undefined
      ? {}
      : { pending: { ...pending, changes: pending.changes.map(fromJson) } }),
    isForced: false,
  };
}

type Line = v.InferOutput<typeof LineSchema>;

const fromJson = ({ option, value }: Line): OptionLine => ({ option, value: value ?? undefined });
const toJson = ({ option, value }: OptionLine): object => ({ option, value: value ?? null });

function readEnd({ refused, ...settled }: v.InferOutput<typeof SettledSchema>): Settled {
  return refused === undefined ? settled : { ...settled, refused: refused.map(fromJson) };
}

/** The state as text, without what a new life finds out by itself. */
export function printJournal(state: Apply): string {
  const { wanted: _, isForced: __, isBusy: ___, pending, settled, ...kept } = state;
  return `${JSON.stringify({
    ...kept,
    ...(settled === undefined ? {} : { settled: printableEnd(settled) }),
    ...(pending === undefined ? {} : { pending: printable(pending) }),
  })}\n`;
}

function printable({ greenSince: _, changes, ...pending }: Pending): object {
  return { ...pending, changes: changes.map(toJson) };
}

function printableEnd({ refused, ...settled }: Settled): object {
  return refused === undefined ? settled : { ...settled, refused: refused.map(toJson) };
}

type Disk = Pick<Runtime, 'files' | 'log'>;

const pathIn = (directory: string): string => `${directory}/apply.json`;

/** What an earlier life left. */
export async function readJournal({ files, log }: Disk, directory: string): Promise<Apply> {
  const bytes = await files.read(pathIn(directory));
  if (bytes === undefined) return NOTHING_APPLIED;
  const state = parseJournal(new TextDecoder().decode(bytes));
  if (state === undefined) log('warn', 'apply-journal-damaged');
  return state ?? NOTHING_APPLIED;
}

/** Writes it; tells whether that worked. */
export async function writeJournal(
  { files, log }: Disk,
  directory: string,
  text: string,
): Promise<boolean> {
  try {
    await files.replace(pathIn(directory), new TextEncoder().encode(text), 0o600);
    return true;
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    log('warn', 'apply-journal-not-saved', { error: error.message });
    return false;
  }
}
