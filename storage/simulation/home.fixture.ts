/**
 * One device of a simulated household: a disk that fails as planned, a clock of its own, real keys.
 *
 * Every commit is really signed; a signature that several devices look at is verified once.
 */

import type { Files } from '#runtime';
import {
  type FakeFiles,
  fakeFiles,
  fakeRuntime,
  type ManualClock,
  manualClock,
  PowerCut,
} from '#runtime/fake';
import type { Writer } from '../changes/draft.ts';
import type { Acknowledged } from '../disk/horizon.ts';
import { StorageError } from '../error.ts';
import { encodeHex } from '../format/bytes.ts';
import type { CommitId } from '../format/commit.ts';
import { type Someone, someone } from '../members.fixture.ts';
import { DIRECTORY, founderOf, openFounder, signerOf } from '../realm.fixture.ts';
import type { StoreRuntime } from '../realm.ts';
import { openStore, type Store } from '../store.ts';

const verified = new Map<string, boolean>();

/** The machine's cryptography; what was verified once is known. */
export const crypto: StoreRuntime['crypto'] = rememberingCrypto();

/** A device and what it was told is safe. */
export type Home = {
  readonly name: string;
  readonly writer: Writer | undefined;
  readonly clock: ManualClock;
  readonly realm: string;
  files: FakeFiles;
  store: Store;
  /** Commits that its disk was said to hold. */
  readonly acknowledged: Set<CommitId>;
  /** What other devices said that they hold. */
  readonly heard: Map<string, Acknowledged[string]>;
  isAsleep: boolean;
  /** An old copy of its disk. */
  backup: FakeFiles | undefined;
  /** Something is planned to go wrong with the disk. */
  isFaulty: boolean;
  /** It refused what the phrase said, beside where history begins, and goes on saying so. */
  isAlarmed: boolean;
};

/** Whose phrase it is. */
const RECOVERY = someone(9);
const OWNERS = [someone(2), someone(3)];
const GRANTED = someone(4);
const PLAIN = someone(5);

/** Devices that can be let in during a run; nobody has their keys. */
export const SPARES: readonly Someone[] = [someone(11), someone(12)];

/** The disk on which the founder began the realm and let the others in. */
const template = begin();

async function begin(): Promise<{ files: FakeFiles; realm: string }> {
  const files = fakeFiles();
  const recovery = { id: RECOVERY.id, signingKey: RECOVERY.signingKey };
  const store = await openFounder(runtimeOn(files), {
    genesis: { ops: [{ op: 'set', path: 'realm/recovery', value: recovery }] },
  });
  const grants = [{ prefix: 'names', may: ['write'] }];
  await store.commit({
    ops: [
      ...OWNERS.map(({ path, signingKey }, index) => ({
        op: 'set' as const,
        path,
        value: { role: 'owner', rank: index + 2, signingKey },
      })),
      { op: 'set', path: GRANTED.path, value: { signingKey: GRANTED.signingKey, grants } },
      { op: 'set', path: PLAIN.path, value: { role: 'device', signingKey: PLAIN.signingKey } },
      { op: 'set', path: 'names/a', value: { f: 1, g: 2 } },
    ],
    message: 'Let everybody in',
    via: 'test',
  });
  return { files, realm: store.realm };
}

const PEOPLE: readonly (Writer | undefined)[] = [
  founderOf(crypto),
  writerOf(OWNERS[0] as Someone, 2),
  writerOf(OWNERS[1] as Someone, 3),
  writerOf(GRANTED, 4),
  undefined,
  writerOf(PLAIN, 5),
];

/** The household's devices, all of which hold its beginning. */
export async function beginHomes(count: number): Promise<Home[]> {
  const { files, realm } = await template;
  const homes: Home[] = [];
  for (const writer of PEOPLE.slice(0, count)) {
    homes.push(await openHome(`home ${homes.length}`, writer, await copyDisk(files), realm));
  }
  return homes;
}

/** Opens the store of the first owner after the founder on any disk. */
export async function openOwner(files: Files): Promise<Store> {
  return open(files, PEOPLE[1], (await template).realm, manualClock());
}

/** Another machine with the same keys and the same disk. */
export async function copyHome({ name, writer, files, realm }: Home): Promise<Home> {
  return openHome(`${name}'`, writer, await copyDisk(files), realm);
}

async function openHome(
  name: string,
  writer: Writer | undefined,
  files: FakeFiles,
  realm: string,
): Promise<Home> {
  const clock = manualClock();
  const store = await open(files, writer, realm, clock);
  const acknowledged = new Set(store.expand(''));
  return {
    ...{ name, writer, clock, realm, files, store, acknowledged, heard: new Map() },
    isAsleep: false,
    backup: undefined,
    isFaulty: false,
    isAlarmed: false,
  };
}

/** Opens the store on a copy of the disk, as it would be found after a clean stop. */
export async function openCopy({ files, realm, clock }: Home): Promise<Store> {
  return open(await copyDisk(files), undefined, realm, clock);
}

/** The power comes back, or the service is started again. */
export async function restart(home: Home): Promise<void> {
  home.files = home.files.restart();
  home.isFaulty = false;
  home.store = await open(home.files, home.writer, home.realm, home.clock);
}

/** Its disk is replaced by an old copy of it: what only it held is gone with it. */
export async function rewind(home: Home): Promise<void> {
  if (home.backup === undefined) return;
  home.files = await copyDisk(home.backup);
  await restart(home);
  home.acknowledged.clear();
  home.heard.clear();
  for (const id of home.store.expand('')) home.acknowledged.add(id);
}

/** It joins again, with nothing of what it had. */
export async function joinAgain(home: Home): Promise<void> {
  home.files = fakeFiles([DIRECTORY, `${DIRECTORY}/log`]);
  home.backup = undefined;
  home.acknowledged.clear();
  home.heard.clear();
  await restart(home);
}

/** All files of its store. */
export async function readDisk({
  files,
}: Home): Promise<readonly (readonly [string, Uint8Array])[]> {
  const alive = files.restart();
  const found: [string, Uint8Array][] = [];
  for (const directory of [DIRECTORY, `${DIRECTORY}/log`, `${DIRECTORY}/quarantine`]) {
    for (const name of await alive.list(directory)) {
      const bytes = await alive.read(`${directory}/${name}`);
      if (bytes !== undefined) found.push([name, bytes]);
    }
  }
  return found;
}

/** The words of the phrase are typed in at this device. */
export async function withPhrase<T>(home: Home, use: (store: Store) => Promise<T>): Promise<T> {
  await restart(home);
  home.store = await open(home.files, writerOf(RECOVERY, 9), home.realm, home.clock);
  const result = await use(home.store);
  await restart(home);
  return result;
}

/** What the disk holds, on another disk. */
export async function copyDisk(from: FakeFiles): Promise<FakeFiles> {
  const alive = from.restart();
  const to = fakeFiles([DIRECTORY, `${DIRECTORY}/log`]);
  for (const directory of [DIRECTORY, `${DIRECTORY}/log`]) {
    for (const name of await alive.list(directory)) {
      const bytes = await alive.read(`${directory}/${name}`);
      if (bytes !== undefined) await to.replace(`${directory}/${name}`, bytes);
    }
  }
  return to;
}

/** The result; 'off' when the power went, the code when the store refused. */
export async function attempt<T>(
  action: () => Promise<T>,
): Promise<{ readonly result: T } | StorageError | 'off'> {
  try {
    return { result: await action() };
  } catch (cause) {
    if (cause instanceof PowerCut) return 'off';
    if (cause instanceof StorageError) return cause;
    throw cause;
  }
}

function writerOf({ id }: Someone, seed: number): Writer {
  return { deviceId: id, name: `Device ${seed}`, signer: signerOf(crypto, seed) };
}

function open(
  files: Files,
  writer: Writer | undefined,
  realm: string,
  clock: ManualClock,
): Promise<Store> {
  const options = { directory: DIRECTORY, realm };
  const runtime = { ...runtimeOn(files), clock };
  return openStore(runtime, writer === undefined ? options : { ...options, writer });
}

function runtimeOn(files: Files): StoreRuntime {
  return { files, crypto, clock: manualClock(), log: () => undefined };
}

function rememberingCrypto(): StoreRuntime['crypto'] {
  const real = fakeRuntime().crypto;
  return {
    ...real,
    verify(algorithm, publicKey, data, signature) {
      const all = new Uint8Array(publicKey.length + signature.length + data.length);
      all.set(publicKey);
      all.set(signature, publicKey.length);
      all.set(data, publicKey.length + signature.length);
      const name = encodeHex(real.hash('sha256', all));
      const known = verified.get(name) ?? real.verify(algorithm, publicKey, data, signature);
      if (verified.size > 20_000) verified.clear();
      verified.set(name, known);
      return known;
    },
  };
}
