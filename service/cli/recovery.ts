/**
 * `recovery show` and `recovery written`: the phrase from the file that a new realm leaves. Works with
 * or without a running service, for whoever may read the data.
 */

import type { Runtime } from '#runtime';
import { forgetPhrase, readPhrase } from '../recovery.ts';
import type { Invocation } from './arguments.ts';
import { EXIT, type Outcome } from './verbs.ts';

const WORDS_IN_A_LINE = 6;

/** Shows the words, or forgets them. */
export async function runRecovery(
  { files }: Pick<Runtime, 'files'>,
  directory: string,
  { verb, flags }: Invocation,
): Promise<Outcome> {
  const phrase = await readPhrase(files, directory);
  if (phrase === undefined) {
    const text = `there is no recovery phrase in ${directory}: it was written down, this device joined another one, or no realm is there yet`;
    return { exitCode: EXIT.failed, stdout: '', stderr: `nymote: ${text}\n` };
  }
  if (verb.name === 'recovery written') {
    await forgetPhrase(files, directory);
    const text =
      'This machine has forgotten the phrase. Keep the paper where you keep your passport.';
    return { exitCode: EXIT.ok, stdout: `${text}\n`, stderr: '' };
  }
  const words = phrase.split(' ');
  if (flags['json'] !== undefined) {
    return { exitCode: EXIT.ok, stdout: `${JSON.stringify({ words })}\n`, stderr: '' };
  }
  return { exitCode: EXIT.ok, stdout: `${print(words)}\n`, stderr: '' };
}

function print(words: readonly string[]): string {
  const numbered = words.map((word, index) => `${String(index + 1).padStart(2)} ${word}`);
  const lines = Array.from({ length: Math.ceil(words.length / WORDS_IN_A_LINE) }, (_, line) =>
    numbered
      .slice(line * WORDS_IN_A_LINE, (line + 1) * WORDS_IN_A_LINE)
      .map((text) => text.padEnd(12))
      .join(' ')
      .trimEnd(),
  );
  return [
    'Write these words on paper, with their numbers. Whoever has them has everything that is yours here;',
    'with them alone you get it back when every device is lost.',
    '',
    ...lines.map((line) => `  ${line}`),
    '',
    'Then: nymote recovery written',
  ].join('\n');
}
