/**
 * GNU tar archives and gzip, the same bytes every time.
 *
 * What `tar --format=gnu --numeric-owner --owner=0 --group=0 --sort=name` writes, with one time for
 * all members. Names over 100 bytes are refused: nothing we install has one.
 *
 * @see GNU tar manual, "Basic Tar Format"; RFC 1952 (gzip)
 */

import { constants, crc32, deflateRawSync } from 'node:zlib';

/** A file, directory or symbolic link to install; `path` has no leading slash. */
export type Entry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly mode: number;
      readonly data: Uint8Array;
    }
  | { readonly kind: 'link'; readonly path: string; readonly target: string };

const BLOCK = 512;
const MAX_NAME = 100;
const TYPE_FLAG = { file: '0', link: '2', directory: '5' } as const;

/** Writes an archive of `entries` in their order, names prefixed `./` as OpenWrt's are. */
export function writeTar(entries: readonly Entry[], mtime: number): Buffer {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    parts.push(header(entry, mtime));
    if (entry.kind === 'file') {
      parts.push(entry.data, Buffer.alloc(-entry.data.length & (BLOCK - 1)));
    }
  }
  // Two empty blocks end an archive, and GNU tar fills up its record of 20 blocks.
  const length = parts.reduce((sum, part) => sum + part.length, 2 * BLOCK);
  parts.push(Buffer.alloc(2 * BLOCK + ((20 * BLOCK - (length % (20 * BLOCK))) % (20 * BLOCK))));
  return Buffer.concat(parts);
}

/**
 * Compresses into one gzip member without name or time.
 *
 * Deflate's bytes depend on the zlib that makes them; the project pins its Node, and with it zlib.
 */
export function writeGzip(data: Uint8Array, level: number): Buffer {
  // RFC 1952 §2.3: magic, deflate, no flags, no time, no extra flags, OS 3 (Unix).
  const head = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(crc32(data), 0);
  tail.writeUInt32LE(data.length % 2 ** 32, 4);
  return Buffer.concat([head, deflate(data, level), tail]);
}

/** Raw deflate with every parameter that shapes its bytes spelled out. */
export function deflate(data: Uint8Array, level: number, isLast = true): Buffer {
  return deflateRawSync(data, {
    level,
    memLevel: 8,
    windowBits: 15,
    strategy: constants.Z_DEFAULT_STRATEGY,
    // Flushed, a stream ends on a byte and another can follow it (RFC 1951 §3.2.4).
    finishFlush: isLast ? constants.Z_FINISH : constants.Z_FULL_FLUSH,
  });
}

/** Every directory above `entries`, so that they are created with our mode and not the umask's. */
export function withParents(entries: readonly Entry[]): Entry[] {
  const known = new Map(entries.map((entry) => [entry.path, entry]));
  for (const { path } of entries) {
    const labels = path.split('/');
    for (let length = 1; length < labels.length; length += 1) {
      const parent = labels.slice(0, length).join('/');
      if (!known.has(parent)) known.set(parent, { kind: 'directory', path: parent, mode: 0o755 });
    }
  }
  return [...known.values()].sort((a, b) => compareBytes(a.path, b.path));
}

/** Order by bytes, as `LC_ALL=C sort` has it. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function header(entry: Entry, mtime: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const path = entry.path === '' ? './' : `./${entry.path}`;
  const name = entry.kind === 'directory' && !path.endsWith('/') ? `${path}/` : path;
  put(block, name, 0, MAX_NAME);
  number(block, entry.kind === 'link' ? 0o777 : entry.mode, 100, 8);
  number(block, 0, 108, 8);
  number(block, 0, 116, 8);
  number(block, entry.kind === 'file' ? entry.data.length : 0, 124, 12);
  number(block, mtime, 136, 12);
  block.write(TYPE_FLAG[entry.kind], 156);
  if (entry.kind === 'link') put(block, entry.target, 157, MAX_NAME);
  block.write('ustar  \0', 257, 'latin1');
  // The checksum counts its own field as blanks, and ends in NUL and blank.
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function put(block: Buffer, text: string, at: number, length: number): void {
  if (Buffer.byteLength(text) > length) throw new Error(`too long for tar: ${text}`);
  block.write(text, at);
}

function number(block: Buffer, value: number, at: number, length: number): void {
  const digits = value.toString(8).padStart(length - 1, '0');
  if (digits.length >= length) throw new Error(`too large for tar: ${value}`);
  block.write(`${digits}\0`, at, 'latin1');
}
