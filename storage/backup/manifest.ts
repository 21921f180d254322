/**
 * The list of a backup: what belongs to it, in which order, and how far it goes.
 *
 *     00000012.json        the list, numbered; the newest one holds
 *     00000012.json.sig    its SSH signature by the device that wrote it
 *     <random>.age         what it lists
 *
 * Whoever keeps the copies can lose them or hand out old ones, but cannot change one or mix them:
 * the list names each by its SHA-256, and the number only grows. The list holds no secret. Stock
 * tools check it: `ssh-keygen -Y verify -n nymote-backup -s 00000012.json.sig … < 00000012.json`.
 */

import * as v from 'valibot';
import type { Crypto, Signer } from '#runtime';
import { decodeText, encodeText } from '../format/bytes.ts';
import { parseSignature, signMessage, verifyMessage } from '../format/sshsig.ts';
import { BEGINNING, type Reach } from './gather.ts';

const MAX_FILES = 4096;
/** One commit joins 64; somebody who lost a key may have made more. */
const MAX_HEADS = 1024;

const Hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const DeviceId = v.pipe(v.string(), v.maxLength(100));

const FileSchema = v.strictObject({
  name: v.pipe(v.string(), v.regex(/^[0-9a-z]{26}\.age$/)),
  /** A full history up to `reach`, what came after the file before, or the keys of the realm. */
  kind: v.picklist(['full', 'increment', 'keys']),
  sha256: Hash,
  size: Count,
  at: v.number(),
  commits: Count,
  reach: v.strictObject({
    vector: v.record(
      DeviceId,
      v.pipe(v.array(v.pipe(v.tuple([Count, Hash]), v.readonly())), v.readonly()),
    ),
    heads: v.pipe(v.array(Hash), v.maxLength(MAX_HEADS), v.readonly()),
  }),
});

const ManifestSchema = v.strictObject({
  format: v.literal('nymote backup 1'),
  realm: Hash,
  /** Grows by one with each list of this realm on this target. */
  number: v.pipe(Count, v.minValue(1)),
  /** Seconds since 1970, as the device believed. */
  at: v.number(),
  device: DeviceId,
  files: v.pipe(v.array(FileSchema), v.maxLength(MAX_FILES), v.readonly()),
});

/** One file of a backup. */
export type BackupFile = v.InferOutput<typeof FileSchema>;
/** A numbered list. */
export type Manifest = v.InferOutput<typeof ManifestSchema>;

/** A list larger than this is none. */
export const MAX_MANIFEST = 1024 * 1024;

/** A full history so often: whoever restores reads all that came after it. */
const FULL_AFTER_SECONDS = 7 * 86_400;
/** Where no clock is set, or many changes are made, the number of files decides. */
const MAX_INCREMENTS = 30;
/** Full histories that are kept, with what came after each. */
const KEPT_FULLS = 4;

/** The names of a list and of its signature. */
export function manifestNames(number: number): { readonly list: string; readonly sig: string } {
  const list = `${String(number).padStart(8, '0')}.json`;
  return { list, sig: `${list}.sig` };
}

/** The numbers of the lists among the names on a target, the newest first. */
export function manifestNumbers(names: readonly string[]): number[] {
  return names
    .map((name) => Number(/^(\d{8,15})\.json$/.exec(name)?.[1] ?? Number.NaN))
    .filter((number) => Number.isSafeInteger(number))
    .sort((a, b) => b - a);
}

/** The bytes of a list, one file a line, and its signature. */
export function signManifest(
  crypto: Pick<Crypto, 'hash'>,
  signer: Signer,
  manifest: Omit<Manifest, 'format'>,
): { readonly list: Uint8Array; readonly sig: Uint8Array } {
  const { files, ...head } = manifest;
  const start = JSON.stringify({ format: 'nymote backup 1', ...head }).slice(0, -1);
  const lines = files.map((file) => JSON.stringify(file)).join(',\n');
  const list = encodeText(`${start},"files":[\n${lines}\n]}\n`);
  return { list, sig: encodeText(`${signMessage(crypto, signer, list, 'nymote-backup')}\n`) };
}

/**
 * Reads a list that is signed by the key it comes with. Whose key that is, only the history tells:
 * `signedBy` has to be held against it. Undefined for anything else.
 */
export function readManifest(
  crypto: Pick<Crypto, 'hash' | 'verify'>,
  list: Uint8Array,
  sig: Uint8Array,
): { readonly manifest: Manifest; readonly signedBy: Uint8Array } | undefined {
  const signature = parseSignature(decodeText(sig)?.trimEnd() ?? '', 'nymote-backup');
  if (list.length > MAX_MANIFEST || signature === undefined) return undefined;
  if (!verifyMessage(crypto, list, signature, 'nymote-backup')) return undefined;
  const Text = v.pipe(v.string(), v.parseJson(), ManifestSchema);
  const parsed = v.safeParse(Text, decodeText(list));
  if (!parsed.success) return undefined;
  return { manifest: parsed.output, signedBy: signature.publicKey };
}

/** The newest full history and what came after it, in the order in which they are read. */
export function chainOf({ files }: Pick<Manifest, 'files'>): readonly BackupFile[] {
  const history = files.filter(({ kind }) => kind !== 'keys');
  const start = history.findLastIndex(({ kind }) => kind === 'full');
  return start < 0 ? [] : history.slice(start);
}

/** Where the next backup goes on: after the last one, or from the beginning when that is due. */
export function continueAfter(
  manifest: Pick<Manifest, 'files'> | undefined,
  now: number,
  isHeld: (id: string) => boolean,
): Reach {
  const chain = manifest === undefined ? [] : chainOf(manifest);
  const [full, last] = [chain[0], chain.at(-1)];
  if (full === undefined || last === undefined) return BEGINNING;
  const isDue = now - full.at >= FULL_AFTER_SECONDS || chain.length > MAX_INCREMENTS;
  // A history that does not know where the backup ended is another one, restored perhaps.
  return isDue || !last.reach.heads.every(isHeld) ? BEGINNING : last.reach;
}

/** What stays in the next list: some full histories with all that came after them. */
export function retained(files: readonly BackupFile[]): readonly BackupFile[] {
  const fulls = files.flatMap(({ kind }, index) => (kind === 'full' ? [index] : []));
  const first = fulls.at(-KEPT_FULLS) ?? 0;
  const keys = files.findLast(({ kind }) => kind === 'keys');
  return files.filter((file, index) => (file.kind === 'keys' ? file === keys : index >= first));
}
