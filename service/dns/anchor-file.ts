/**
 * What is known of the root's keys (RFC 5011) in a file: which wait, which were revoked.
 *
 * Written when a key changes its state, some times a year, and only by us: what is not ours is
 * refused, since it would say whom to trust. A full disk costs the wait, not the answers.
 */

import { type ResolverOptions, readTracked, writeTracked } from '#resolver';
import { type Files, type Runtime, RuntimeError } from '#runtime';
import type { ConfigProblem } from '../config.ts';

type FollowRoot = NonNullable<ResolverOptions['followRoot']>;

/** Whoever writes it decides whom we trust. */
const OURS = 0o600;

/** Reads the file; without one, nothing is known yet. */
export async function readAnchorFile(
  files: Pick<Files, 'read'>,
  path: string,
): Promise<FollowRoot['saved'] | ConfigProblem> {
  const bytes = await files.read(path);
  if (bytes === undefined) return [];
  const saved = readTracked(keysIn(new TextDecoder().decode(bytes)));
  const message = 'is no list of root keys that nymote wrote; remove it to begin anew';
  return saved ?? { source: path, message };
}

function keysIn(text: string): unknown {
  try {
    return (JSON.parse(text) as { readonly keys?: unknown } | null)?.keys;
  } catch {
    return undefined;
  }
}

/** Follows the root's keys with the file as memory. */
export function followWithFile(
  { files, log }: Pick<Runtime, 'files' | 'log'>,
  path: string,
  saved: FollowRoot['saved'],
): FollowRoot {
  let writing = Promise.resolve();
  return {
    saved,
    delay: 0,
    save(keys) {
      const text = `${JSON.stringify({ zone: '.', keys: writeTracked(keys) }, undefined, 2)}\n`;
      const write = () => files.replace(path, new TextEncoder().encode(text), OURS);
      writing = writing.then(write).catch((error: unknown) => {
        if (!(error instanceof RuntimeError)) throw error;
        log('error', 'anchors-not-saved', { path, code: error.code });
      });
    },
  };
}
