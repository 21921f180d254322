/**
 * Files in memory: a store that a restore drill fills leaves nothing on the flash, not even briefly.
 */

import { type AppendFile, type Files, RuntimeError } from '#runtime';

/** An empty place. Secret files are not had here. */
export function memoryFiles(): Files {
  const held = new Map<string, Uint8Array>();
  return {
    read: async (path) => held.get(path)?.slice(),
    async replace(path, data) {
      held.set(path, data.slice());
    },
    openAppend: async (path) => appendTo(held, path),
    async list(directory) {
      const names = [...held.keys()]
        .filter((path) => path.startsWith(`${directory}/`))
        .map((path) => path.slice(directory.length + 1).split('/')[0] ?? '');
      return [...new Set(names)].sort((a, b) => (a < b ? -1 : 1));
    },
    async remove(path) {
      held.delete(path);
    },
    makeDirectory: async () => undefined,
    withSecretFile() {
      throw new RuntimeError('denied', 'no secret files in memory');
    },
  };
}

/** Grows by doubling, so that a log of many small commits is not copied for each. */
function appendTo(held: Map<string, Uint8Array>, path: string): AppendFile {
  const initial = held.get(path) ?? new Uint8Array(0);
  let room = initial.slice();
  let { length } = initial;
  const settle = () => held.set(path, room.subarray(0, length));
  settle();
  return {
    get size() {
      return length;
    },
    read: async (offset, count) => room.slice(offset, Math.min(length, offset + count)),
    async append(data) {
      if (length + data.length > room.length) {
        const grown = new Uint8Array(Math.max(2 * room.length, length + data.length));
        grown.set(room.subarray(0, length));
        room = grown;
      }
      room.set(data, length);
      length += data.length;
      settle();
    },
    async truncate(size) {
      length = Math.min(size, length);
      settle();
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}
