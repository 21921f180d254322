/**
 * Making a backup: what is new goes into files of its own, and the list that names them goes last.
 *
 * Until the new list is there, and read back, the old one holds with all that it names (I7).
 * Everything that is written is read back. What nobody names any more is removed at the end.
 */

import type { DeviceKeys } from '#identity';
import type { Runtime } from '#runtime';
import {
  type BackupFile,
  continueAfter,
  gather,
  type Manifest,
  manifestNames,
  manifestNumbers,
  type Reach,
  retained,
  type Store,
  signManifest,
} from '#storage';
import { encodeBase64 } from '../base64.ts';
import { sha256 as digestOf } from './digest.ts';
import { BackupError } from './error.ts';
import type { Memory } from './ledger.ts';
import { type Found, findNewest, type Report } from './read.ts';
import { seal } from './seal.ts';
import { encodeSecrets, type Secrets } from './secrets.ts';
import { putVerified, type Target } from './target.ts';

export type Making = {
  readonly runtime: Pick<Runtime, 'crypto' | 'clock' | 'random'>;
  readonly store: Store;
  readonly keys: DeviceKeys;
  readonly target: Target;
  readonly recipients: Recipients;
  readonly secrets: Secrets;
  readonly memory: Memory | undefined;
  readonly report: Report;
};

/** Who can open the history, and who the keys. */
export type Recipients = { readonly history: readonly string[]; readonly keys: readonly string[] };

export type Made = {
  readonly memory: Memory;
  /** Files written; none when nothing was new. */
  readonly written: readonly BackupFile[];
  /** Whether a full history was written. */
  readonly isFull: boolean;
  /** What was not as this device had left it. */
  readonly problem: string | undefined;
};

/** Makes a backup, or finds that the last one has everything. */
export async function makeBackup(making: Making): Promise<Made> {
  const { runtime, store, target, memory } = making;
  const { crypto, clock } = runtime;
  const names = await target.list();
  const { base, problem } = await findBase(making, names);
  const now = Math.floor(clock.now());
  const isHeld = (id: string): boolean => store.holds(id);
  const after = continueAfter(base, now, isHeld);
  const isFull = after.heads.length === 0;
  const history = await writeHistory(making, after, now);
  const digest = digestOf(crypto, encodeSecrets(making.secrets));
  if (history.length === 0 && memory !== undefined && memory.secrets === digest) {
    return { memory, written: [], isFull, problem };
  }
  const written = [...history, await writeKeys(making, now)];
  const number = Math.max(manifestNumbers(names)[0] ?? 0, memory?.number ?? 0) + 1;
  const files = retained([...(base?.files ?? []), ...written]);
  const manifest = {
    realm: store.realm,
    number,
    at: now,
    device: making.keys.id,
    files,
  };
  const sha256 = await writeList(making, manifest);
  await clearOut(target, base, manifest, names);
  const heads = history.at(-1)?.reach.heads ?? after.heads;
  return {
    memory: { number, sha256, secrets: digest, at: now, heads },
    written,
    isFull,
    problem,
  };
}

/** The list to go on from; none when it cannot be trusted with what comes next. */
async function findBase(
  { runtime, store, keys, target, memory }: Making,
  names: readonly string[],
): Promise<{ readonly base: Manifest | undefined; readonly problem: string | undefined }> {
  let found: Found | undefined;
  try {
    found = await findNewest(runtime.crypto, target);
  } catch (thrown) {
    if (!(thrown instanceof BackupError) || thrown.code !== 'damaged') throw thrown;
    return { base: undefined, problem: thrown.message };
  }
  if (found === undefined) {
    const problem = memory && `${target.name} has lost the backup number ${memory.number}`;
    return { base: undefined, problem };
  }
  const { manifest, signedBy, sha256 } = found;
  if (manifest.realm !== store.realm || manifest.device !== keys.id) {
    throw new BackupError(
      'not-ours',
      `${target.name} holds the backup of another ${manifest.realm === store.realm ? 'device' : 'realm'}; give each a place of its own`,
    );
  }
  const problem = whatIsWrong(target, manifest, names, {
    isOwn: encodeBase64(signedBy) === encodeBase64(keys.signing.publicKey),
    memory,
    sha256,
  });
  return { base: problem === undefined ? manifest : undefined, problem };
}

function whatIsWrong(
  { name }: Target,
  { number, files }: Manifest,
  names: readonly string[],
  {
    isOwn,
    memory,
    sha256,
  }: { readonly isOwn: boolean; readonly memory: Memory | undefined; readonly sha256: string },
): string | undefined {
  if (!isOwn) return `${name}: somebody else signed the list ${number}`;
  if (memory !== undefined && number < memory.number) {
    return `${name} shows the old list ${number}, though ${memory.number} was written there`;
  }
  if (memory?.number === number && memory.sha256 !== sha256) {
    return `${name} shows another list ${number} than was written there`;
  }
  const lost = files.filter((file) => !names.includes(file.name));
  return lost.length === 0
    ? undefined
    : `${name} has lost ${lost.map((file) => file.name).join(', ')}`;
}

async function writeHistory(making: Making, after: Reach, at: number): Promise<BackupFile[]> {
  const { runtime, store, recipients, report } = making;
  const written: BackupFile[] = [];
  let reach = after;
  for (;;) {
    report({ step: 'pack', done: written.length, of: written.length + 1 });
    const stretch = await gather(runtime.crypto, store, reach);
    if (stretch === undefined) return written;
    const kind = reach.heads.length === 0 ? 'full' : 'increment';
    reach = stretch.reach;
    const { name, sha256, size } = await writeSealed(making, recipients.history, stretch.bundle);
    written.push({
      ...{ name, kind, sha256, size, at, commits: stretch.commits },
      reach,
    });
  }
}

async function writeKeys(making: Making, at: number): Promise<BackupFile> {
  const plain = encodeSecrets(making.secrets);
  const { name, sha256, size } = await writeSealed(making, making.recipients.keys, plain);
  const reach = { vector: {}, heads: [] };
  return { name, kind: 'keys', sha256, size, at, commits: 0, reach };
}

async function writeSealed(
  { runtime, target, report }: Making,
  recipients: readonly string[],
  plain: Uint8Array,
): Promise<Pick<BackupFile, 'name' | 'sha256' | 'size'>> {
  const sealed = await seal(recipients, plain);
  const name = `${randomName(runtime.random)}.age`;
  report({ step: 'write', done: 0, of: sealed.length });
  await putVerified(target, name, sealed);
  report({ step: 'write', done: sealed.length, of: sealed.length });
  const sha256 = digestOf(runtime.crypto, sealed);
  return { name, sha256, size: sealed.length };
}

/** The signature first: a list without one is none. */
async function writeList(
  { runtime, keys, target }: Making,
  manifest: Omit<Manifest, 'format'>,
): Promise<string> {
  const { crypto } = runtime;
  const signer = crypto.signer('ed25519', keys.signing.privateKey);
  const { list, sig } = signManifest(crypto, signer, manifest);
  const names = manifestNames(manifest.number);
  await putVerified(target, names.sig, sig);
  await putVerified(target, names.list, list);
  return digestOf(crypto, list);
}

/**
 * Removes what neither this list nor the one before names, attempts that were cut short among it, and
 * older lists: if this list is damaged one day, the one before still brings everything back that it
 * names. Where that was not right nothing is removed: somebody may want to look at it.
 */
async function clearOut(
  target: Target,
  base: Manifest | undefined,
  { number, files }: Omit<Manifest, 'format'>,
  names: readonly string[],
): Promise<void> {
  const kept = new Set([...files, ...(base?.files ?? [])].map(({ name }) => name));
  const old = manifestNumbers(names).filter((each) => each < number - 1);
  const gone =
    base === undefined
      ? []
      : [
          ...names.filter((name) => RANDOM_NAME.test(name) && !kept.has(name)),
          ...old.flatMap((each) => Object.values(manifestNames(each))),
        ];
  for (const name of gone) {
    try {
      await target.remove(name);
    } catch (thrown) {
      // The backup is made; what is too much is tried again next time.
      if (!(thrown instanceof BackupError)) throw thrown;
    }
  }
}

const RANDOM_NAME = /^[0-9a-v]{26}\.age$/;
const LETTERS = '0123456789abcdefghijklmnopqrstuv';

function randomName(random: Runtime['random']): string {
  return Array.from(random(26), (byte) => LETTERS[byte & 31]).join('');
}
