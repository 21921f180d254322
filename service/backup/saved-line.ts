/**
 * The line of the keeper to whom this device's backups go, if there is one.
 *
 *     <data>/backup-line     0600: it has the token
 */

import type { Files } from '#runtime';
import { type Line, parseLine } from './keep/line.ts';

const SECRET_MODE = 0o600;

const pathIn = (data: string): string => `${data}/backup-line`;

/** The line that was saved. */
export async function readLine(
  files: Pick<Files, 'read'>,
  data: string,
): Promise<Line | undefined> {
  const bytes = await files.read(pathIn(data));
  return bytes && parseLine(new TextDecoder().decode(bytes));
}

/** Saves one instead of any other. */
export async function saveLine(
  files: Pick<Files, 'replace'>,
  data: string,
  text: string,
): Promise<void> {
  await files.replace(pathIn(data), new TextEncoder().encode(text), SECRET_MODE);
}

/** Forgets it; whether there was one. */
export async function forgetLine(
  files: Pick<Files, 'read' | 'remove'>,
  data: string,
): Promise<boolean> {
  const isThere = (await files.read(pathIn(data))) !== undefined;
  await files.remove(pathIn(data));
  return isThere;
}
