/**
 * The apk version 3 package of OpenWrt 25.12.
 *
 * One ADB with the package's description and file list, optional signatures, then the files'
 * contents. `apk add` checks every hash; it takes an unsigned local file only with
 * `--allow-untrusted`, as OpenWrt's own packages are unsigned and only their index is signed.
 *
 * @see apk-tools src/apk_adb.c and src/app_mkpkg.c; OpenWrt include/package-pack.mk
 */

import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import {
  ADB_BLOCK,
  ADB_NULL,
  type AdbValue,
  type AdbWriter,
  block,
  createAdb,
  fileHeader,
  offsetOfBlob8,
  PACKAGE_SCHEMA,
} from './adb.ts';
import type { Package } from './ipk.ts';
import { compareBytes, deflate, type Entry, withParents } from './tar.ts';

/** The contents of the files, packed once and used for every architecture label. */
export type ApkData = {
  readonly entries: readonly Entry[];
  /** The DATA blocks, deflated so that they can follow any flushed stream. */
  readonly blocks: Buffer;
};

/** apk's own default. */
const BEST = 9;
const UNIQUE_ID_LENGTH = 20;
/** Type bits that a link's target begins with (S_IFLNK). */
const SYMBOLIC_LINK = 0o120000;

/** Adds what `default_postinst` on the router looks for: the lists in /lib/apk/packages. */
export function withApkLists(about: Package, entries: readonly Entry[]): Entry[] {
  const { name, user, conffiles } = about;
  const list = (suffix: string, lines: readonly string[]): Entry => ({
    kind: 'file',
    path: `lib/apk/packages/${name}.${suffix}`,
    mode: 0o644,
    data: Buffer.from(lines.map((line) => `${line}\n`).join('')),
  });
  const rusers = list('rusers', [user]);
  const paths = [...entries, rusers].flatMap((entry) =>
    entry.kind === 'directory' ? [] : [`/${entry.path}`],
  );
  const hashes = conffiles.flatMap((path) => {
    const entry = entries.find((candidate) => `/${candidate.path}` === path);
    return entry?.kind === 'file' ? [`${path} ${sha256(entry.data).toString('hex')}`] : [];
  });
  return [
    ...entries,
    rusers,
    list('list', paths.sort(compareBytes)),
    list('conffiles', conffiles),
    list('conffiles_static', hashes),
  ];
}

/** Packs the files' contents. */
export function packApkData(entries: readonly Entry[]): ApkData {
  const blocks = listFiles(withParents(entries)).flatMap(({ data, path, file }) =>
    data.length === 0 ? [] : [dataBlock(path, file, data)],
  );
  return { entries, blocks: deflate(Buffer.concat(blocks), BEST) };
}

/** Writes the package around its data; `key` is an EC P-256 private key in PEM. */
export function writeApk(about: Package, data: ApkData, key?: string): Buffer {
  const head = deflate(headBytes(about, data.entries, key), BEST, false);
  return Buffer.concat([Buffer.from('ADBd'), head, data.blocks]);
}

/** Everything before the contents, uncompressed: header, database, signature. */
export function headBytes(about: Package, entries: readonly Entry[], key?: string): Buffer {
  const database = describe(about, entries);
  const signatures = key === undefined ? [] : [signature(database, createPrivateKey(key))];
  return Buffer.concat([
    fileHeader(PACKAGE_SCHEMA),
    block(ADB_BLOCK.adb, [database]),
    ...signatures,
  ]);
}

/** One file's contents, told which they are by their place in the list, counted from 1. */
export function dataBlock(path: number, file: number, data: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(path, 0);
  head.writeUInt32LE(file, 4);
  return block(ADB_BLOCK.data, [head, data]);
}

type Folder = {
  readonly path: string;
  readonly mode: number;
  readonly files: readonly Exclude<Entry, { kind: 'directory' }>[];
};

/** The directories with what is directly in them: the root first, then by bytes. */
function listFolders(entries: readonly Entry[]): Folder[] {
  const folders = entries.filter((entry) => entry.kind === 'directory');
  const parentOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf('/')));
  return [{ path: '', mode: 0o755 }, ...folders]
    .sort((a, b) => compareBytes(a.path, b.path))
    .map(({ path, mode }) => ({
      path,
      mode,
      files: entries
        .filter((entry) => entry.kind !== 'directory')
        .filter((entry) => parentOf(entry.path) === path)
        .sort((a, b) => compareBytes(a.path, b.path)),
    }));
}

function listFiles(entries: readonly Entry[]) {
  return listFolders(entries).flatMap(({ files }, folder) =>
    files.flatMap((entry, index) =>
      entry.kind === 'file' ? [{ data: entry.data, path: folder + 1, file: index + 1 }] : [],
    ),
  );
}

function describe(about: Package, entries: readonly Entry[]): Buffer {
  const adb = createAdb();
  const all = withParents(entries);
  const paths = listFolders(all).map((folder) => describeFolder(adb, folder, about.epoch));
  const uniqueId: { value: AdbValue } = { value: ADB_NULL };
  const info = describeInfo(adb, about, listFiles(all), uniqueId);
  const pathArray = adb.array(paths);
  const scripts = describeScripts(adb, about);
  const bytes = adb.finish(adb.object([info, pathArray, scripts]));
  // The package's id is the hash of all the rest, taken while its own place is zero.
  sha256(bytes).copy(bytes, offsetOfBlob8(uniqueId.value), 0, UNIQUE_ID_LENGTH);
  return bytes;
}

function describeFolder(adb: AdbWriter, folder: Folder, epoch: number): AdbValue {
  const name = adb.blob(folder.path);
  if (folder.files.length === 0) return adb.object([name, acl(adb, folder.mode)]);
  const files = folder.files.map((entry) => describeFile(adb, entry, epoch));
  return adb.object([name, acl(adb, folder.mode), adb.array(files)]);
}

function describeFile(adb: AdbWriter, entry: Folder['files'][number], epoch: number): AdbValue {
  const name = adb.blob(entry.path.slice(entry.path.lastIndexOf('/') + 1));
  if (entry.kind === 'link') {
    const target = Buffer.alloc(2 + Buffer.byteLength(entry.target));
    target.writeUInt16LE(SYMBOLIC_LINK, 0);
    target.write(entry.target, 2);
    const size = adb.int(Buffer.byteLength(entry.target));
    const rights = acl(adb, 0o777);
    return adb.object([name, rights, size, adb.int(epoch), ADB_NULL, adb.blob(target)]);
  }
  const rights = acl(adb, entry.mode);
  const hash = adb.blob(sha256(entry.data));
  return adb.object([name, rights, adb.int(entry.data.length), adb.int(epoch), hash]);
}

function acl(adb: AdbWriter, mode: number): AdbValue {
  const root = adb.blob('root');
  return adb.object([adb.int(mode), root, root]);
}

/** Slots of `pkginfo`, in the order of the schema. */
function describeInfo(
  adb: AdbWriter,
  about: Package,
  files: readonly { readonly data: Uint8Array }[],
  uniqueId: { value: AdbValue },
): AdbValue {
  const size = files.reduce((sum, { data }) => sum + data.length, 0);
  const name = adb.blob(about.name);
  const version = adb.blob(about.version);
  uniqueId.value = adb.blob(Buffer.alloc(UNIQUE_ID_LENGTH), true);
  const depends = [...about.depends].sort(compareBytes).map((name) => adb.object([adb.blob(name)]));
  return adb.object([
    name,
    version,
    uniqueId.value,
    // One line: apk's installed database is text, and a second line would make it unreadable.
    adb.blob(about.description.replaceAll('\n', ' ')),
    adb.blob(about.arch),
    adb.blob(about.license),
    adb.blob(about.url === '' ? '' : `feeds/nymote/${about.name}`),
    adb.blob(about.maintainer),
    adb.blob(about.url),
    ADB_NULL,
    about.epoch === 0 ? ADB_NULL : adb.int(about.epoch),
    adb.int(Math.max(1, size)),
    ADB_NULL,
    ADB_NULL,
    adb.array(depends),
  ]);
}

function describeScripts(adb: AdbWriter, about: Package): AdbValue {
  if (about.afterInstall === '' && about.beforeRemove === '') return ADB_NULL;
  const head = `[ -s "\${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0
. "\${IPKG_INSTROOT}/lib/functions.sh"
export root="\${IPKG_INSTROOT}"
export pkgname="${about.name}"
`;
  const quiet = `[ "\${IPKG_NO_SCRIPT}" = "1" ] && exit 0\n`;
  const install = `${quiet}${head}add_group_and_user\ndefault_postinst\n${about.afterInstall}`;
  const postInstall = adb.blob(`#!/bin/sh\n${install}`);
  const preDeinstall = adb.blob(`#!/bin/sh\n${head}default_prerm\n${about.beforeRemove}`);
  const postUpgrade = adb.blob(`#!/bin/sh\nexport PKG_UPGRADE=1\n${install}`);
  return adb.object([
    ADB_NULL,
    ADB_NULL,
    postInstall,
    preDeinstall,
    ADB_NULL,
    ADB_NULL,
    postUpgrade,
  ]);
}

/** A SIG block: over the schema, its own head, and the database's SHA-512. */
function signature(database: Buffer, key: KeyObject): Buffer {
  const head = Buffer.concat([Buffer.from([0, 4]), keyId(key)]);
  const schema = Buffer.alloc(4);
  schema.writeUInt32LE(PACKAGE_SCHEMA, 0);
  const signed = Buffer.concat([schema, head, sha512(database)]);
  return block(ADB_BLOCK.signature, [head, sign('sha512', signed, key)]);
}

/** The first 16 bytes of the SHA-512 of the public point, uncompressed. */
function keyId(key: KeyObject): Buffer {
  const { crv, x, y } = createPublicKey(key).export({ format: 'jwk' });
  if (crv !== 'P-256' || x === undefined || y === undefined) {
    throw new Error('the signing key is no EC P-256 key');
  }
  const point = [Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')];
  return sha512(Buffer.concat(point)).subarray(0, 16);
}

function sha256(data: Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}

function sha512(data: Uint8Array): Buffer {
  return createHash('sha512').update(data).digest();
}
