/**
 * The recovery phrase of a realm that begins here. It signs the first commit and can bring everything
 * back; nymote keeps it in a file only until somebody says that it is written down.
 *
 *     <data>/recovery-phrase    24 words, 0600; gone after `nymote recovery written`
 */

import { generateRecoveryPhrase, openRecoveryPhrase, type RecoveryKeys } from '#identity';
import { type Runtime, RuntimeError } from '#runtime';

const FILE = 'recovery-phrase';
const SECRET_MODE = 0o600;

/** The keys for a realm about to begin; the same ones if a crash came between. */
export async function beginRecovery(
  { files, crypto, random }: Pick<Runtime, 'files' | 'crypto' | 'random'>,
  directory: string,
): Promise<RecoveryKeys> {
  const path = `${directory}/${FILE}`;
  const known = await readPhrase(files, directory);
  const phrase = known ?? (await generateRecoveryPhrase(crypto, random));
  const opened = await openRecoveryPhrase(crypto, phrase);
  if (!opened.ok) throw new RuntimeError('bad-key', `${path} is no recovery phrase; remove it`);
  if (known === undefined) {
    await files.replace(path, new TextEncoder().encode(`${phrase}\n`), SECRET_MODE);
  }
  return opened.keys;
}

/** The words, as long as nobody has said that they are written down. */
export async function readPhrase(
  files: Pick<Runtime['files'], 'read'>,
  directory: string,
): Promise<string | undefined> {
  const bytes = await files.read(`${directory}/${FILE}`);
  return bytes && new TextDecoder().decode(bytes).trim();
}

/** They are written down: this machine forgets them. */
export async function forgetPhrase(
  files: Pick<Runtime['files'], 'remove'>,
  directory: string,
): Promise<void> {
  await files.remove(`${directory}/${FILE}`);
}
