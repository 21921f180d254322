/**
 * A disk in memory that can lose power or run full at any single operation (I7).
 *
 * It counts the steps that the real adapter takes: `replace` is write, sync, rename, sync of the
 * directory; `append` is write, sync. A crash at a step leaves what a real disk may leave: what was
 * synced stays, what was not is lost, kept, or half there.
 */

import { type AppendFile, type Files, RuntimeError, type RuntimeErrorCode } from './index.ts';

/** What becomes of bytes and names that were written but not synced. */
export type Unsynced = 'lost' | 'kept' | 'torn';

/** Files of a test. */
export type FakeFiles = Files & {
  /** Steps taken so far. */
  readonly steps: number;
  /** Cuts the power instead of taking step `step` (the first is 1). */
  crashAt(step: number, unsynced: Unsynced): void;
  /** Fails step `step` with `code`. */
  failAt(step: number, code: RuntimeErrorCode): void;
  /** The same disk after a reboot: what survived, no faults planned. */
  restart(): FakeFiles;
};

/** The machine is off: nothing that waits for the disk goes on. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut';
}

type Inode = { data: Uint8Array; synced: Uint8Array };
type Names = Map<string, Inode>;
type Disk = { names: Names; syncedNames: Names; readonly directories: Set<string> };

const SECRET_DIRECTORY = '/dev/shm';

/** Makes an empty disk with the directories `/` and `directories`. */
export function fakeFiles(directories: readonly string[] = ['/data']): FakeFiles {
  const made = new Set(['/', SECRET_DIRECTORY, ...directories.flatMap(withParents)]);
  return filesOn({ names: new Map(), syncedNames: new Map(), directories: made });
}

function filesOn(disk: Disk): FakeFiles {
  const faults = planFaults(disk);
  const { step } = faults;
  let temporaries = 0;
  return {
    ...faults.controls,
    get steps() {
      return faults.count();
    },
    restart: () => filesOn(disk),
    async read(path) {
      faults.assertPower();
      return disk.names.get(path)?.data.slice();
    },
    async replace(path, data) {
      assertParent(disk, path);
      temporaries += 1;
      await replaceBySteps(disk, step, path, `${path}.1-${temporaries}.new`, data);
    },
    async openAppend(path) {
      assertParent(disk, path);
      step();
      const inode = disk.names.get(path) ?? emptyInode();
      disk.names.set(path, inode);
      step();
      disk.syncedNames.set(path, inode);
      return appendFile(inode, step, faults.assertPower);
    },
    async list(directory) {
      faults.assertPower();
      return namesIn(disk, directory);
    },
    async remove(path) {
      if (disk.directories.has(path)) throw new RuntimeError('io', `${path} is a directory`);
      if (!disk.names.has(path)) return;
      step();
      disk.names.delete(path);
      step();
      disk.syncedNames.delete(path);
    },
    async makeDirectory(path) {
      step();
      for (const each of withParents(path)) disk.directories.add(each);
    },
    async withSecretFile(data, use) {
      faults.assertPower();
      temporaries += 1;
      const path = `${SECRET_DIRECTORY}/secret-${temporaries}`;
      disk.names.set(path, { data: data.slice(), synced: data.slice() });
      try {
        return await use(path);
      } finally {
        disk.names.delete(path);
      }
    },
  };
}

function planFaults(disk: Disk) {
  let steps = 0;
  let hasPower = true;
  let crash: { readonly at: number; readonly unsynced: Unsynced } | undefined;
  let failure: { readonly at: number; readonly code: RuntimeErrorCode } | undefined;
  const assertPower = () => {
    if (!hasPower) throw new PowerCut('the power is off');
  };
  return {
    assertPower,
    count: () => steps,
    /** Counts one step, and lets it fail where that was planned. */
    step() {
      assertPower();
      steps += 1;
      if (steps === crash?.at) {
        hasPower = false;
        losePower(disk, crash.unsynced);
        assertPower();
      }
      if (steps === failure?.at) throw new RuntimeError(failure.code, `step ${steps} was to fail`);
    },
    controls: {
      crashAt(at: number, unsynced: Unsynced) {
        crash = { at, unsynced };
      },
      failAt(at: number, code: RuntimeErrorCode) {
        failure = { at, code };
      },
    },
  };
}

function losePower(disk: Disk, unsynced: Unsynced): void {
  if (unsynced === 'lost') disk.names = new Map(disk.syncedNames);
  for (const [path, inode] of disk.names) {
    if (path.startsWith(`${SECRET_DIRECTORY}/`)) disk.names.delete(path);
    if (unsynced === 'lost') inode.data = inode.synced;
    if (unsynced === 'torn') inode.data = halfway(inode.synced, inode.data);
    inode.synced = inode.data;
  }
  disk.syncedNames = new Map(disk.names);
}

function halfway(synced: Uint8Array, data: Uint8Array): Uint8Array {
  if (data.length <= synced.length) return synced;
  return data.slice(0, synced.length + Math.ceil((data.length - synced.length) / 2));
}

async function replaceBySteps(
  disk: Disk,
  step: () => void,
  path: string,
  temporary: string,
  data: Uint8Array,
): Promise<void> {
  const inode = emptyInode();
  try {
    disk.names.set(temporary, inode);
    inode.data = data.slice();
    step();
    inode.synced = inode.data;
    step();
    disk.names.delete(temporary);
    disk.names.set(path, inode);
    step();
    disk.syncedNames.set(path, inode);
    step();
  } catch (thrown) {
    if (!(thrown instanceof PowerCut)) disk.names.delete(temporary);
    throw thrown;
  }
}

function appendFile(inode: Inode, step: () => void, assertPower: () => void): AppendFile {
  return {
    get size() {
      return inode.data.length;
    },
    async read(offset, length) {
      assertPower();
      return inode.data.slice(offset, offset + length);
    },
    async append(data) {
      const before = inode.data;
      const whole = new Uint8Array(before.length + data.length);
      whole.set(before);
      whole.set(data, before.length);
      inode.data = whole;
      try {
        step();
        step();
      } catch (thrown) {
        if (!(thrown instanceof PowerCut)) inode.data = before;
        throw thrown;
      }
      inode.synced = inode.data;
    },
    async truncate(size) {
      step();
      inode.data = inode.data.slice(0, size);
      step();
      inode.synced = inode.data;
    },
    async [Symbol.asyncDispose]() {
      // Nothing is held.
    },
  };
}

function emptyInode(): Inode {
  return { data: new Uint8Array(0), synced: new Uint8Array(0) };
}

function assertParent(disk: Disk, path: string): void {
  const parent = path.slice(0, path.lastIndexOf('/')) || '/';
  if (!disk.directories.has(parent)) throw new RuntimeError('not-found', `no directory ${parent}`);
}

function withParents(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`);
}

function namesIn(disk: Disk, directory: string): readonly string[] {
  const prefix = directory.endsWith('/') ? directory : `${directory}/`;
  const names = [...disk.names.keys(), ...disk.directories]
    .filter((path) => path.startsWith(prefix) && path !== prefix)
    .map((path) => path.slice(prefix.length))
    .filter((rest) => !rest.includes('/'));
  return [...new Set(names)].sort((one, other) => (one < other ? -1 : 1));
}
