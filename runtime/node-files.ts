/**
 * Files by node:fs, with every step to the disk that durability needs.
 *
 * @see fsync(2), rename(2): a rename is durable only after its directory was synced
 */

import { constants } from 'node:fs';
import {
  access,
  type FileHandle,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { AppendFile, Files } from './index.ts';
import { errnoOf, translateFile } from './node-errors.ts';

const MEMORY_DIRECTORY = '/dev/shm';
const ORDINARY_MODE = 0o644;
const SECRET_MODE = 0o600;

/** The machine's files. */
export function nodeFiles(): Files {
  return { read, replace, openAppend, list, remove, makeDirectory, withSecretFile };
}

async function read(path: string): Promise<Uint8Array | undefined> {
  try {
    const data = await readFile(path);
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw translateFile(thrown, `cannot read ${path}`);
  }
}

let temporaryFiles = 0;

async function replace(path: string, data: Uint8Array, mode = ORDINARY_MODE): Promise<void> {
  temporaryFiles += 1;
  const temporary = `${path}.${process.pid}-${temporaryFiles}.new`;
  try {
    await writeWhole(temporary, data, mode);
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (thrown) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw translateFile(thrown, `cannot write ${path}`);
  }
}

async function writeWhole(path: string, data: Uint8Array, mode: number): Promise<void> {
  // O_EXCL: never through a link that somebody left under this name.
  await using file = await open(path, 'wx', mode);
  await file.chmod(mode); // The umask may have taken bits away.
  await file.writeFile(data);
  await file.sync();
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}

async function openAppend(path: string): Promise<AppendFile> {
  try {
    const file = await open(
      path,
      constants.O_RDWR | constants.O_CREAT | constants.O_APPEND,
      SECRET_MODE,
    );
    const { size } = await file.stat();
    // An empty file may have been made just now: its name must survive a crash as well.
    if (size === 0) await syncDirectory(dirname(path));
    return appendFile(path, file, size);
  } catch (thrown) {
    throw translateFile(thrown, `cannot open ${path}`);
  }
}

function appendFile(path: string, file: FileHandle, sizeNow: number): AppendFile {
  let size = sizeNow;
  const cutTo = async (length: number) => {
    await file.truncate(length);
    await file.datasync();
    size = length;
  };
  return {
    get size() {
      return size;
    },
    async read(offset, length) {
      const wanted = Math.max(0, Math.min(length, size - offset));
      const buffer = new Uint8Array(wanted);
      const { bytesRead } = await file
        .read(buffer, 0, wanted, offset)
        .catch((thrown) => Promise.reject(translateFile(thrown, `cannot read ${path}`)));
      return buffer.subarray(0, bytesRead);
    },
    async append(data) {
      try {
        await writeAll(file, data);
        await file.datasync();
        size += data.length;
      } catch (thrown) {
        // Half a record must not stay in front of the next one.
        await cutTo(size).catch(() => undefined);
        throw translateFile(thrown, `cannot append to ${path}`);
      }
    },
    async truncate(length) {
      try {
        await cutTo(length);
      } catch (thrown) {
        throw translateFile(thrown, `cannot cut ${path}`);
      }
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/** One write; the kernel takes less only when space runs out, and then the next one says so. */
async function writeAll(file: FileHandle, data: Uint8Array): Promise<void> {
  let rest = data;
  while (rest.length > 0) {
    const { bytesWritten } = await file.write(rest);
    rest = rest.subarray(bytesWritten);
  }
}

async function list(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch (thrown) {
    if (isMissing(thrown)) return [];
    throw translateFile(thrown, `cannot list ${directory}`);
  }
}

async function remove(path: string): Promise<void> {
  try {
    await rm(path);
    await syncDirectory(dirname(path));
  } catch (thrown) {
    if (!isMissing(thrown)) throw translateFile(thrown, `cannot remove ${path}`);
  }
}

async function makeDirectory(path: string, mode = 0o755): Promise<void> {
  try {
    const firstMade = await mkdir(path, { recursive: true, mode });
    if (firstMade !== undefined) await syncDirectory(dirname(firstMade));
  } catch (thrown) {
    throw translateFile(thrown, `cannot make the directory ${path}`);
  }
}

async function withSecretFile<T>(data: Uint8Array, use: (path: string) => Promise<T>): Promise<T> {
  const directory = await makeSecretDirectory();
  try {
    const path = join(directory, 'secret');
    await writeWhole(path, data, SECRET_MODE).catch((thrown) => {
      throw translateFile(thrown, 'cannot write a secret file');
    });
    return await use(path);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function makeSecretDirectory(): Promise<string> {
  try {
    const memory = await access(MEMORY_DIRECTORY, constants.W_OK).then(
      () => MEMORY_DIRECTORY,
      () => tmpdir(), // On OpenWrt /tmp is memory too.
    );
    return await mkdtemp(join(memory, 'nymote-')); // mkdtemp(3) makes it 0700.
  } catch (thrown) {
    throw translateFile(thrown, 'cannot make a place for a secret file');
  }
}

function isMissing(thrown: unknown): boolean {
  const errno = errnoOf(thrown);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}
