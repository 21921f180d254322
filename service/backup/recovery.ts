/** What a realm says of its recovery phrase, as far as backups ask. */

import type { State } from '#storage';

/** Both are public; a realm that was begun without a phrase has neither. */
export type Recovery = { readonly id: string | undefined; readonly recipient: string | undefined };

/** Reads it from `realm/recovery`, the recipient also from `realm/settings`. */
export function recoveryOf(state: State): Recovery {
  const realm = state.get('realm');
  const record = realm?.get('recovery');
  const recipient = record?.['recipient'] ?? realm?.get('settings')?.['recoveryRecipient'];
  return { id: textOf(record?.['id']), recipient: textOf(recipient) };
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;
