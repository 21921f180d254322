/**
 * The secrets of a realm that the store does not hold, as one small file of a backup.
 *
 *     {"format":"nymote keys 1","realm":"…","files":{"device.json":"…","zone.json":"…"}}
 *
 * Only the recovery phrase and this device open it: another device of yours may read the history,
 * and must not be able to be this one.
 */

import * as v from 'valibot';
import type { Files } from '#runtime';

/** Files in the data directory that hold keys, which a restored realm goes on with. */
const NAMES = ['device.json', 'zone.json'] as const;

const Schema = v.strictObject({
  format: v.literal('nymote keys 1'),
  realm: v.string(),
  files: v.strictObject({ 'device.json': v.string(), 'zone.json': v.string() }),
});

/** The files' texts by name. */
export type Secrets = v.InferOutput<typeof Schema>;

/** Whether a realm has two keys or twelve is nobody's business. */
const PADDED_TO = 8192;

/** Reads the files; undefined when one is missing. */
export async function collectSecrets(
  files: Pick<Files, 'read'>,
  directory: string,
  realm: string,
): Promise<Secrets | undefined> {
  const texts: Record<string, string> = {};
  for (const name of NAMES) {
    const bytes = await files.read(`${directory}/${name}`);
    if (bytes === undefined) return undefined;
    texts[name] = new TextDecoder().decode(bytes);
  }
  return v.parse(Schema, { format: 'nymote keys 1', realm, files: texts });
}

/** As JSON with spaces behind it. */
export function encodeSecrets(secrets: Secrets): Uint8Array {
  const text = JSON.stringify(secrets);
  const length = Math.ceil((text.length + 1) / PADDED_TO) * PADDED_TO;
  return new TextEncoder().encode(`${text.padEnd(length - 1)}\n`);
}

/** Reads what `encodeSecrets` wrote; undefined for anything else. */
export function decodeSecrets(bytes: Uint8Array): Secrets | undefined {
  const Text = v.pipe(v.string(), v.parseJson(), Schema);
  const parsed = v.safeParse(Text, new TextDecoder().decode(bytes));
  return parsed.success ? parsed.output : undefined;
}
