/**
 * A directory of libraries with which Debian's musl loader runs a C++ program made for musl.
 *
 * OpenWrt has a libstdc++ built for musl; Debian's is built for glibc. musl's loader takes it all
 * the same, as it looks up symbols by name and answers to `libc.so.6` and `libm.so.6` itself; only a
 * few names are missing that musl does not have. The library that would bring them,
 * `ld-linux-x86-64.so.2`, is replaced by one that is written here: an ELF file with these names, a
 * byte of data and a function that fails.
 *
 * @see System V ABI, chapters 4 and 5 (ELF); musl ldso/dynlink.c
 */

import { existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const MUSL_LOADER = '/lib/ld-musl-x86_64.so.1';

const DEBIAN_LIBRARIES = '/usr/lib/x86_64-linux-gnu';

/**
 * What Debian 12's libstdc++ and libgcc want beyond musl. The last two are libgcc's own, under a
 * version that musl's loader, which knows no versions, passes over.
 */
const FUNCTIONS = [
  '__cxa_thread_atexit_impl',
  '__strftime_l',
  '_dl_find_object',
  'arc4random',
  '__cpu_indicator_init',
];
const DATA = ['__libc_single_threaded', '__cpu_model'];

/** Fills `directory`; a program runs in it with `LD_LIBRARY_PATH` set to the directory. */
export function makeMuslLibraries(directory: string): void {
  if (!existsSync(MUSL_LOADER)) {
    throw new Error('musl is missing: apt-get install musl');
  }
  mkdirSync(directory, { recursive: true });
  for (const [name, debianPackage] of [
    ['libstdc++.so.6', 'libstdc++6'],
    ['libgcc_s.so.1', 'libgcc-s1'],
  ] as const) {
    const path = join(DEBIAN_LIBRARIES, name);
    if (!existsSync(path)) throw new Error(`${name} is missing: apt-get install ${debianPackage}`);
    symlinkSync(realpathSync(path), join(directory, name));
  }
  writeFileSync(join(directory, 'ld-linux-x86-64.so.2'), writeSharedObject(), { mode: 0o755 });
}

const HEADER = 64;
const PROGRAM_HEADER = 56;
const SYMBOL = 24;
/** Room for each of DATA; zero says "not single-threaded" and "no features of the CPU known". */
const DATUM = 64;

/** mov eax, -1; ret */
const FAIL = Buffer.from('b8ffffffffc3', 'hex');

function writeSharedObject(): Buffer {
  const soname = 'ld-linux-x86-64.so.2';
  const names = [...FUNCTIONS, ...DATA];
  const strings = Buffer.from(`\0${soname}\0${names.join('\0')}\0`);
  const codeAt = HEADER + 2 * PROGRAM_HEADER;
  const dataAt = codeAt + 8;
  const symbolsAt = dataAt + DATUM * DATA.length;
  const hashAt = symbolsAt + SYMBOL * (names.length + 1);
  const stringsAt = hashAt + 4 * (2 + 1 + names.length + 1) + 4;
  const dynamicAt = (stringsAt + strings.length + 7) & ~7;
  const dynamic = [
    [14, strings.indexOf(soname)], // DT_SONAME
    [4, hashAt], // DT_HASH
    [5, stringsAt], // DT_STRTAB
    [6, symbolsAt], // DT_SYMTAB
    [10, strings.length], // DT_STRSZ
    [11, SYMBOL], // DT_SYMENT
    [0, 0],
  ] as const;
  const bytes = Buffer.alloc(dynamicAt + 16 * dynamic.length);
  writeHeaders(bytes, dynamicAt, 16 * dynamic.length);
  FAIL.copy(bytes, codeAt);
  strings.copy(bytes, stringsAt);
  for (const [index, name] of names.entries()) {
    const isFunction = index < FUNCTIONS.length;
    const at = symbolsAt + SYMBOL * (index + 1);
    bytes.writeUInt32LE(strings.indexOf(`\0${name}\0`) + 1, at);
    bytes.writeUInt8(isFunction ? 0x12 : 0x11, at + 4); // global function or object
    bytes.writeUInt16LE(1, at + 6);
    const address = isFunction ? codeAt : dataAt + DATUM * (index - FUNCTIONS.length);
    bytes.writeBigUInt64LE(BigInt(address), at + 8);
    bytes.writeBigUInt64LE(BigInt(isFunction ? FAIL.length : DATUM), at + 16);
  }
  // One bucket that chains all symbols: 1 → 2 → … → 0.
  const chain = names.map((_, index) => (index + 2) % (names.length + 1));
  const hash = [1, names.length + 1, 1, 0, ...chain];
  for (const [index, word] of hash.entries()) bytes.writeUInt32LE(word, hashAt + 4 * index);
  for (const [index, [tag, value]] of dynamic.entries()) {
    bytes.writeBigUInt64LE(BigInt(tag), dynamicAt + 16 * index);
    bytes.writeBigUInt64LE(BigInt(value), dynamicAt + 16 * index + 8);
  }
  return bytes;
}

/** The ELF header, and two segments: everything, and the dynamic table in it. */
function writeHeaders(bytes: Buffer, dynamicAt: number, dynamicLength: number): void {
  bytes.write('7f454c4602010100', 0, 'hex'); // 64 bits, little-endian, System V
  bytes.writeUInt16LE(3, 16); // ET_DYN
  bytes.writeUInt16LE(62, 18); // EM_X86_64
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BigInt(HEADER), 32);
  bytes.writeUInt16LE(HEADER, 52);
  bytes.writeUInt16LE(PROGRAM_HEADER, 54);
  bytes.writeUInt16LE(2, 56);
  bytes.writeUInt16LE(64, 58);
  segment(bytes, HEADER, { type: 1, flags: 7, at: 0, length: bytes.length, align: 4096 });
  const table = { type: 2, flags: 6, at: dynamicAt, length: dynamicLength, align: 8 };
  segment(bytes, HEADER + PROGRAM_HEADER, table);
}

function segment(
  bytes: Buffer,
  header: number,
  what: { type: number; flags: number; at: number; length: number; align: number },
): void {
  bytes.writeUInt32LE(what.type, header);
  bytes.writeUInt32LE(what.flags, header + 4);
  const words = [what.at, what.at, what.at, what.length, what.length, what.align];
  for (const [index, word] of words.entries()) {
    bytes.writeBigUInt64LE(BigInt(word), header + 8 + 8 * index);
  }
}
