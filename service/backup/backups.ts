/**
 * The backups of the running house: made when asked and every day, tried every month.
 *
 * One thing is done at a time. What fails is remembered and said by the doctor, and tried again in
 * an hour.
 */

import type { DeviceKeys } from '#identity';
import { type Cancel, type Runtime, RuntimeError } from '#runtime';
import { chainOf, openStore, StorageError, type Store } from '#storage';
import { decodeBase64 } from '../base64.ts';
import { createSerially, type Serially } from '../serially.ts';
import { BackupError } from './error.ts';
import { requireLine } from './keep/line.ts';
import { amendLedger, type Memory, type Outcome, readLedger } from './ledger.ts';
import { type Made, makeBackup, type Recipients } from './make.ts';
import { memoryFiles } from './memory-files.ts';
import { openLine, openTarget } from './open-target.ts';
import { bringBack, type Found, findNewest, type Report } from './read.ts';
import { recoveryOf } from './recovery.ts';
import { forgetLine, readLine, saveLine } from './saved-line.ts';
import { identityOf, recipientOf } from './seal.ts';
import { collectSecrets } from './secrets.ts';
import type { BackupSettings } from './settings.ts';
import type { Target } from './target.ts';

/** What is asked beyond the settings. */
export type Wish = {
  readonly target?: string | undefined;
  readonly credentials?: string | undefined;
  readonly recipients?: readonly string[] | undefined;
};

/** How backups are, for the doctor and for people. */
export type BackupStatus = {
  readonly target: string;
  readonly backup: Outcome | undefined;
  readonly drill: Outcome | undefined;
  /** Seconds since 1970; undefined where nothing is planned. */
  readonly nextBackup: number | undefined;
  readonly nextDrill: number | undefined;
};

export type Backups = Disposable & {
  run(wish: Wish, report: Report): Promise<Made>;
  /** Makes one at the keeper whose line that is, and every day from now on. */
  goTo(line: string, report: Report): Promise<Made>;
  /** Forgets that line; whether there was one. What lies there stays. */
  stay(): Promise<boolean>;
  /** Reads everything back into a scratch store. */
  drill(wish: Wish, report: Report): Promise<Outcome>;
  list(wish: Wish): Promise<Found | undefined>;
  status(): Promise<BackupStatus>;
  /** Whether the last one is young and good, or none is planned. */
  isCurrent(): Promise<boolean>;
  /** Does something while no backup is made or tried. */
  whileIdle: Serially;
};

type Settings = Omit<BackupSettings, 'keepPort'> & { readonly data: string };

type House = {
  readonly runtime: Runtime;
  readonly settings: Settings;
  readonly store: Store;
  readonly keys: DeviceKeys;
};

const DAY = 86_400;
const DRILL_EVERY = 30 * DAY;
/** Not in the minutes in which a router has most to do. */
const FIRST_LOOK_MS = 5 * 60_000;
const LOOK_EVERY_MS = 3_600_000;

/** Prepares backups of an open realm; with a place to go to they are made by themselves. */
export function createBackups(
  runtime: Runtime,
  settings: Settings,
  { store, keys }: { readonly store: Store; readonly keys: DeviceKeys },
): Backups {
  const house: House = { runtime, settings, store, keys };
  const { clock, log } = runtime;
  const serially = createSerially();
  let cancel: Cancel = () => undefined;
  const lookAfter = (milliseconds: number): void => {
    cancel = clock.after(milliseconds, () => {
      serially(() => doWhatIsDue(house))
        .catch((error: unknown) => log('warn', 'backup-failed', { reason: reasonOf(error) }))
        .finally(() => lookAfter(LOOK_EVERY_MS))
        .catch(() => undefined);
    });
  };
  lookAfter(FIRST_LOOK_MS);
  return {
    run: (wish, report) => serially(() => run(house, wish, report)),
    goTo: (line, report) => serially(() => goTo(house, line, report)),
    stay: () => serially(() => forgetLine(runtime.files, settings.data)),
    drill: (wish, report) => serially(() => drill(house, wish, report)),
    list: async (wish) => findNewest(runtime.crypto, await open(house, wish)),
    status: () => statusOf(house),
    isCurrent: () => isCurrent(house),
    whileIdle: serially,
    [Symbol.dispose]: () => cancel(),
  };
}

async function doWhatIsDue(house: House): Promise<void> {
  const { clock } = house.runtime;
  // Without a date nobody knows what is due.
  if (!clock.isSet()) return;
  const { nextBackup, nextDrill } = await statusOf(house);
  if (nextBackup !== undefined && nextBackup <= clock.now()) await run(house, {}, () => undefined);
  if (nextDrill !== undefined && nextDrill <= clock.now()) await drill(house, {}, () => undefined);
}

async function statusOf(house: House): Promise<BackupStatus> {
  const { runtime, settings } = house;
  const { backup, drill: tried } = await readLedger(runtime.files, settings.data);
  const isMade = backup !== undefined && backup.problem === undefined;
  const target = await plannedTarget(house);
  const isWanted = target !== '';
  const now = runtime.clock.now();
  // What was done at a time to come was done under a wrong clock: nobody waits until then.
  const dueAfter = (at: number, wait: number): number => (at > now ? now : at + wait);
  // The first backup is tried soon, and one that could not be restored again the next day.
  const drillDue = tried && dueAfter(tried.at, tried.problem === undefined ? DRILL_EVERY : DAY);
  return {
    target,
    ...{ backup, drill: tried },
    nextBackup: isWanted ? (isMade ? dueAfter(backup.at, DAY) : now) : undefined,
    nextDrill: isWanted && isMade ? (drillDue ?? now) : undefined,
  };
}

async function isCurrent(house: House): Promise<boolean> {
  const { target, backup, drill: tried } = await statusOf(house);
  if (target === '') return true;
  const isGood = backup !== undefined && backup.problem === undefined;
  const isYoung = isGood && house.runtime.clock.now() - backup.at < 2 * DAY;
  return isYoung && tried?.problem === undefined;
}

/** Where backups go by themselves; empty: nowhere. */
async function plannedTarget({ runtime, settings }: House): Promise<string> {
  if (settings.backup !== '') return settings.backup;
  const line = await readLine(runtime.files, settings.data);
  return line?.place.replace(/#.*$/, '') ?? '';
}

async function open({ runtime, settings }: House, wish: Wish): Promise<Target> {
  const target = wish.target ?? settings.backup;
  if (target === '') {
    const line = await readLine(runtime.files, settings.data);
    if (line !== undefined) return openLine(runtime, line);
    throw new BackupError(
      'bad-setting',
      'say where: --to PLACE, the setting backup, or `nymote backup to` for a friend who keeps it',
    );
  }
  const isOwn = wish.target === undefined || wish.target === settings.backup;
  const credentials = wish.credentials ?? (isOwn ? settings.backupCredentials : '');
  return openTarget(runtime, target, credentials);
}

async function goTo(house: House, text: string, report: Report): Promise<Made> {
  const { runtime, settings } = house;
  const line = requireLine(text);
  if (settings.backup !== '') {
    throw new BackupError(
      'bad-setting',
      `the setting backup names ${settings.backup} already; take it away first`,
    );
  }
  // Where the line is not good, nothing is changed.
  await (await openLine(runtime, line)).list();
  await saveLine(runtime.files, settings.data, text);
  return run(house, {}, report);
}

/** What is made elsewhere as well, by hand, says nothing of the place where they go by themselves. */
async function isPlanned(house: House, { target }: Wish): Promise<boolean> {
  const planned = await plannedTarget(house);
  return planned === '' || target === undefined || target === planned;
}

async function run(house: House, wish: Wish, report: Report): Promise<Made> {
  const { runtime, settings, store, keys } = house;
  const { files, clock } = runtime;
  const target = await open(house, wish);
  const at = Math.floor(clock.now());
  try {
    const secrets = await collectSecrets(files, settings.data, store.realm);
    if (secrets === undefined) throw new BackupError('io', 'a key file of this device is gone');
    const memory = (await readLedger(files, settings.data)).targets[target.name];
    const more = [...settings.backupRecipients, ...(wish.recipients ?? [])];
    const recipients = chooseRecipients(store, keys, more);
    const making = { runtime, store, keys, target, recipients, secrets, memory, report };
    const made = await makeBackup(making);
    const isMain = await isPlanned(house, wish);
    const backup = { at, target: target.name, number: made.memory.number };
    await amendLedger(files, settings.data, (ledger) => ({
      ...ledger,
      ...(isMain ? { backup } : {}),
      targets: { ...ledger.targets, [target.name]: made.memory },
    }));
    return made;
  } catch (thrown) {
    const backup = { at, target: target.name, problem: problemOf(thrown) };
    // A full disk must not hide what went wrong first.
    if (await isPlanned(house, wish)) {
      const note = amendLedger(files, settings.data, (ledger) => ({ ...ledger, backup }));
      await note.catch(ignoreDisk);
    }
    throw thrown;
  }
}

/** The realm's own recovery key, those that were named, and the owner's devices. */
function chooseRecipients(store: Store, keys: DeviceKeys, more: readonly string[]): Recipients {
  const state = store.state();
  const { recipient } = recoveryOf(state);
  const named = [...(recipient === undefined ? [] : [recipient]), ...more];
  if (named.length === 0) {
    throw new BackupError(
      'no-recipient',
      'nobody but your devices could open this backup, and a fire takes them all: name a key that ' +
        'is kept elsewhere with --recipient age1… (age-keygen makes one)',
    );
  }
  const devices = [...(state.get('devices')?.values() ?? [])]
    .filter(({ kind, role }) => kind !== 'plain' && role !== 'guest' && role !== 'hub')
    .map((device) => recipientOf(decodeBase64(String(device['wireguardKey']))));
  const self = recipientOf(keys.agreement.publicKey);
  return { history: [...named, self, ...devices], keys: [...named, self] };
}

async function drill(house: House, wish: Wish, report: Report): Promise<Outcome> {
  const { runtime, settings } = house;
  const { files, clock } = runtime;
  const target = await open(house, wish);
  const began = clock.monotonic();
  const tried = { at: Math.floor(clock.now()), target: target.name };
  let outcome: Outcome;
  try {
    const memory = (await readLedger(files, settings.data)).targets[target.name];
    const read = await tryOut(house, target, memory, report);
    outcome = { ...tried, ...read, seconds: (clock.monotonic() - began) / 1000 };
  } catch (thrown) {
    outcome = { ...tried, problem: problemOf(thrown) };
  }
  if (await isPlanned(house, wish)) {
    await amendLedger(files, settings.data, (ledger) => ({ ...ledger, drill: outcome }));
  }
  return outcome;
}

async function tryOut(
  { runtime, store, keys }: House,
  target: Target,
  memory: Memory | undefined,
  report: Report,
): Promise<{ readonly number: number; readonly commits: number }> {
  const { crypto } = runtime;
  const found = await findNewest(crypto, target);
  if (found === undefined) throw new BackupError('no-backup', `${target.name} holds no backup`);
  const { number, realm } = found.manifest;
  if (realm !== store.realm) throw new BackupError('not-ours', 'it is of another realm');
  if (memory !== undefined && number < memory.number) {
    throw new BackupError(
      'stale',
      `${target.name} shows the old list ${number}, though ${memory.number} was written there`,
    );
  }
  const scratch = { ...runtime, files: memoryFiles(), log: () => undefined };
  await using copy = await openStore(scratch, { directory: '/drill', realm });
  const identities = [identityOf(keys)];
  const reading = { store: copy, identities, withKeys: true, report };
  const { commits, secrets } = await bringBack(crypto, target, found, reading);
  if (secrets === undefined) throw new BackupError('damaged', 'the list names no keys');
  const heads = chainOf(found.manifest).at(-1)?.reach.heads ?? [];
  // Everything was verified on the way; that it is also our own past is the last question.
  if (!heads.every((id) => store.holds(id))) {
    throw new BackupError('not-ours', 'it ends with a commit that this device does not know');
  }
  return { number, commits };
}

/** What the world and the store refuse has a sentence; anything else is a mistake of ours. */
function problemOf(thrown: unknown): string {
  const isSaid =
    thrown instanceof BackupError ||
    thrown instanceof StorageError ||
    thrown instanceof RuntimeError;
  if (!isSaid) throw thrown;
  return thrown.message;
}

function ignoreDisk(thrown: unknown): void {
  if (!(thrown instanceof RuntimeError)) throw thrown;
}

/** Where backups go is no matter of logs. */
function reasonOf(error: unknown): string {
  const isSaid =
    error instanceof BackupError || error instanceof StorageError || error instanceof RuntimeError;
  return isSaid ? error.code : String(error);
}
