/** What changed inside one record, field by field. */

import { dateAndTime } from './words.ts';

export type FieldLine = {
  readonly sign: '-' | '+';
  /** `endpoints/0`; empty for a record that is no object. */
  readonly field: string;
  readonly value: string;
};

/** The lines that tell `before` and `after` apart, in the order of the fields. */
export function fieldChanges(before: unknown, after: unknown): readonly FieldLine[] {
  const old = new Map(leaves(before, ''));
  const now = new Map(leaves(after, ''));
  const lines: FieldLine[] = [];
  for (const field of new Set([...old.keys(), ...now.keys()])) {
    const was = old.get(field);
    const is = now.get(field);
    if (was === is) continue;
    if (was !== undefined) lines.push({ sign: '-', field, value: was });
    if (is !== undefined) lines.push({ sign: '+', field, value: is });
  }
  return lines;
}

function leaves(value: unknown, field: string): readonly (readonly [string, string])[] {
  if (value === undefined) return [];
  if (typeof value !== 'object' || value === null) return [[field, plain(value, field)]];
  const entries = Object.entries(value);
  if (entries.length === 0) return [[field, Array.isArray(value) ? 'none' : 'empty']];
  return entries.flatMap(([key, inner]) => leaves(inner, field === '' ? key : `${field}/${key}`));
}

function plain(value: unknown, field: string): string {
  // Instants are seconds, and called so: `addedAt`.
  if (typeof value === 'number' && field.endsWith('At')) return dateAndTime(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}
