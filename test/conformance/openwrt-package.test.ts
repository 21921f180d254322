/**
 * `npm run package` with a stand-in for the executable: what is in the packages, read by GNU tar and
 * by a reader of apk's format that shares nothing with the writer.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { expectFlawless } from './shells.ts';

const PROJECT = join(import.meta.dirname, '../..');
const directory = mkdtempSync(join(tmpdir(), 'nymote-package-'));
afterAll(() => rmSync(directory, { recursive: true }));

const executable = join(directory, 'stand-in');
writeFileSync(executable, '#!/bin/sh\necho stand-in\n'.repeat(1_000));

/** What the package installs, with the rights it gives. */
const INSTALLED = [
  '-rw-r--r-- etc/capabilities/nymote.json',
  '-rw------- etc/config/nymote',
  '-rwxr-xr-x etc/init.d/nymote',
  '-rwxr-xr-x etc/init.d/nymote-guard',
  '-rw-r--r-- etc/profile.d/nymote.sh',
  '-rwxr-xr-x etc/uci-defaults/90-nymote',
  '-rw-r--r-- lib/upgrade/keep.d/nymote',
  'lrwxrwxrwx usr/bin/nymote -> ../lib/nymote/nymote',
  '-rw-r--r-- usr/lib/nymote/dnsmasq.sh',
  '-rwxr-xr-x usr/lib/nymote/nymote',
  '-rwxr-xr-x usr/libexec/nymote-guard',
  'lrwxrwxrwx usr/sbin/nymote-guard -> ../libexec/nymote-guard',
  '-rw-r--r-- usr/share/acl.d/nymote.json',
  '-rw-r--r-- usr/share/luci/menu.d/luci-app-nymote.json',
  '-rw-r--r-- usr/share/rpcd/acl.d/luci-app-nymote.json',
  '-rw-r--r-- www/luci-static/resources/view/nymote/overview.js',
];

function build(name: string, ...options: string[]): string {
  const out = join(directory, name);
  const script = join(PROJECT, 'openwrt/package/build.ts');
  const version = ['--version', '1.2.3-r4'];
  const args = [script, '--executable', executable, '--out', out, ...version, ...options];
  const env = { ...process.env, SOURCE_DATE_EPOCH: '1700000000' };
  execFileSync(process.execPath, args, { cwd: directory, env, stdio: 'pipe' });
  return out;
}

const built = build('first');
const ipk = readFileSync(join(built, 'nymote_1.2.3-r4_x86_64.ipk'));
const apk = readFileSync(join(built, 'nymote_1.2.3-r4_x86_64.apk'));

/** Runs GNU tar over an archive. */
function tar(args: readonly string[], input: Uint8Array): Buffer {
  const result = spawnSync('tar', args, { input, maxBuffer: 2 ** 26, env: { TZ: 'UTC' } });
  if (result.error !== undefined) throw new Error('tar is missing: apt-get install tar');
  expect(result.stderr.toString()).toBe('');
  return result.stdout;
}

const member = (archive: Uint8Array, name: string) => tar(['xzO', name], archive);
const names = (archive: Uint8Array) => tar(['tz'], archive).toString().trim().split('\n');

test('every architecture has both packages, and SHA256SUMS is right', () => {
  const architectures = ['cortex-a53', 'cortex-a72', 'cortex-a76', 'generic']
    .map((core) => `aarch64_${core}`)
    .concat('x86_64');
  const packages = architectures.flatMap((arch) =>
    ['apk', 'ipk'].map((format) => `nymote_1.2.3-r4_${arch}.${format}`),
  );
  expect(new Set(readdirSync(built))).toEqual(new Set(['SHA256SUMS', ...packages]));
  const sums = packages
    .sort(byBytes)
    .map((name) => `${sha256(readFileSync(join(built, name))).toString('hex')}  ${name}\n`);
  expect(readFileSync(join(built, 'SHA256SUMS'), 'utf8')).toBe(sums.join(''));
});

test('a second build gives the same bytes', () => {
  const second = build('second', '--arch', 'x86_64');
  for (const name of readdirSync(second).filter((found) => found !== 'SHA256SUMS')) {
    expect(readFileSync(join(second, name)).equals(readFileSync(join(built, name)))).toBe(true);
  }
});

test.each([
  { options: ['--arch', 'mips_24kc'], says: 'no such architecture', why: 'Bun has no MIPS' },
  {
    options: ['--version', '1.2-beta'],
    says: 'no version apk can sort',
    why: 'not of its grammar',
  },
])('refuses $options: $why', ({ options, says }) => {
  expect(() => build('refused', ...options)).toThrow(says);
});

describe('the ipk', () => {
  const control = member(ipk, './control.tar.gz');
  const data = member(ipk, './data.tar.gz');

  test('is a gzipped tar of three, without name or time in the gzip header', () => {
    expect(names(ipk)).toEqual(['./debian-binary', './data.tar.gz', './control.tar.gz']);
    expect(member(ipk, './debian-binary').toString()).toBe('2.0\n');
    for (const zipped of [ipk, control, data]) {
      expect(zipped.subarray(0, 10).toString('hex')).toBe('1f8b0800000000000003');
    }
  });

  test('installs what it should, owned by root, dated by the commit', () => {
    const lines = tar(['tzv', '--numeric-owner', '--full-time'], data)
      .toString()
      .trim()
      .split('\n');
    const pattern = /^(\S{10}) 0\/0\s+\d+ 2023-11-14 22:13:20 \.\/(.*)$/;
    const entries = lines.map((line) => pattern.exec(line)?.slice(1) ?? [line]);
    const files = entries.filter(([mode]) => !mode?.startsWith('d'));
    expect(files.map((entry) => entry.join(' '))).toEqual(INSTALLED);
    const folders = entries.filter(([mode]) => mode?.startsWith('d'));
    expect(folders.every(([mode]) => mode === 'drwxr-xr-x')).toBe(true);
    expect(member(data, './usr/lib/nymote/nymote')).toEqual(readFileSync(executable));
  });

  test('lists each directory before what is in it', () => {
    const seen = new Set<string>();
    for (const name of names(data)) {
      const parent = name.replace(/[^/]*\/?$/, '');
      if (name !== './') expect(seen).toContain(parent);
      seen.add(name);
    }
  });

  test('is described in the order OpenWrt has, without empty fields', () => {
    const text = member(control, './control').toString();
    const fields = text.split('\n').flatMap((line) => /^([\w-]+): \S/.exec(line)?.[1] ?? []);
    expect(fields).toEqual([
      'Package',
      'Version',
      'Depends',
      'Source',
      'SourceName',
      'License',
      'Section',
      'Require-User',
      'SourceDateEpoch',
      'Maintainer',
      'Architecture',
      'Installed-Size',
      'Description',
    ]);
    expect(text).toContain('\nDepends: ip-full, kmod-wireguard, libstdcpp6, wireguard-tools\n');
    expect(text).toMatch(/\nArchitecture: x86_64\n/);
    expect(text).not.toMatch(/: *\n/);
  });

  test('has its scripts, and they are right', () => {
    expect(names(control)).toEqual([
      './',
      './conffiles',
      './control',
      './postinst',
      './postinst-pkg',
      './prerm',
      './prerm-pkg',
    ]);
    expect(member(control, './conffiles').toString()).toBe('/etc/config/nymote\n');
    const removal = member(control, './prerm-pkg').toString();
    expect(removal).toMatch(/nymote-guard\}" restore\n.*\n\tnymote_dnsmasq_undo\n/);
    for (const name of names(control).slice(3)) {
      expectFlawless(member(control, name).toString());
    }
  });
});

/** A value of apk's database: bytes, a number, a list of slots (index 0 unused), or nothing. */
type Value = Buffer | number | Value[] | undefined;

function readValue(database: Buffer, word: number): Value {
  const at = word & 0x0fff_ffff;
  switch (word >>> 28) {
    case 0:
      return undefined;
    case 1:
      return at;
    case 2:
      return database.readUInt32LE(at);
    case 8:
      return database.subarray(at + 1, at + 1 + database.readUInt8(at));
    case 9:
      return database.subarray(at + 2, at + 2 + database.readUInt16LE(at));
    case 13:
    case 14: {
      const count = database.readUInt32LE(at);
      const slots = Array.from({ length: count - 1 }, (_, slot) => at + 4 * (slot + 1));
      return [undefined, ...slots.map((slot) => readValue(database, database.readUInt32LE(slot)))];
    }
    default:
      throw new Error(`type ${word >>> 28}`);
  }
}

const list = (value: Value): Value[] => (Array.isArray(value) ? value : []);
const text = (value: Value): string => (Buffer.isBuffer(value) ? value.toString() : '');
const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

function readBlocks(file: Buffer): { type: number; payload: Buffer }[] {
  expect(file.toString('latin1', 0, 8)).toBe('ADB.pckg');
  const blocks = [];
  let at = 8;
  while (at < file.length) {
    const word = file.readUInt32LE(at);
    const length = word & 0x3fff_ffff;
    blocks.push({ type: word >>> 30, payload: file.subarray(at + 4, at + length) });
    at += (length + 7) & ~7;
  }
  expect(at).toBe(file.length);
  return blocks;
}

describe('the apk', () => {
  expect(apk.toString('latin1', 0, 4)).toBe('ADBd');
  const [head, ...rest] = readBlocks(inflateRawSync(apk.subarray(4)));
  const database = head?.payload ?? Buffer.alloc(0);
  const [, info, paths, scripts] = list(readValue(database, database.readUInt32LE(4)));

  /** Each file's path with its slots, in the order of the DATA blocks' numbers. */
  const files = list(paths).flatMap((folder, path) =>
    list(list(folder)[3]).flatMap((slots, file) =>
      file === 0 ? [] : [{ path, file, slots: list(slots), folder: text(list(folder)[1]) }],
    ),
  );
  const dataOf = (path: number, file: number) =>
    rest
      .find(({ payload }) => payload.readUInt32LE(0) === path && payload.readUInt32LE(4) === file)
      ?.payload.subarray(8);
  const content = (name: string) => {
    const found = files.find(({ folder, slots }) => `${folder}/${text(slots[1])}` === name);
    return dataOf(found?.path ?? 0, found?.file ?? 0)?.toString();
  };

  test('is one database, then the contents', () => {
    expect(head?.type).toBe(0);
    expect(rest.every(({ type }) => type === 2)).toBe(true);
  });

  test('is described', () => {
    const [, name, version, , description, arch, license] = list(info);
    expect([name, version, arch, license].map(text)).toEqual([
      'nymote',
      '1.2.3-r4',
      'x86_64',
      'Apache-2.0',
    ]);
    // A second line would break the text of apk's installed database.
    expect(text(description)).not.toContain('\n');
    const depends = list(list(info)[15]).slice(1);
    expect(depends.map((dependency) => text(list(dependency)[1]))).toEqual([
      'ip-full',
      'kmod-wireguard',
      'libstdcpp6',
      'wireguard-tools',
    ]);
  });

  test('is named by the hash of its database', () => {
    const id = list(info)[3];
    if (!Buffer.isBuffer(id)) expect.fail('no unique id');
    const at = database.indexOf(id);
    const blank = Buffer.from(database);
    blank.fill(0, at, at + 20);
    expect(sha256(blank).subarray(0, 20)).toEqual(id);
  });

  test('installs the same files with the same rights, and hashes that are right', () => {
    const letters = ['---', '--x', '-w-', '-wx', 'r--', 'r-x', 'rw-', 'rwx'];
    const lines = files.map(
      ({ folder, path, file, slots: [, name, acl, size, , hash, target] }) => {
        const mode = Number(list(acl)[1]);
        const rights = [6, 3, 0].map((shift) => letters[(mode >> shift) & 7]).join('');
        expect([list(acl)[2], list(acl)[3]].map(text)).toEqual(['root', 'root']);
        if (Buffer.isBuffer(target)) {
          expect(target.readUInt16LE(0)).toBe(0o120000);
          return `l${rights} ${folder}/${text(name)} -> ${target.subarray(2)}`;
        }
        const data = dataOf(path, file) ?? Buffer.alloc(0);
        expect(size).toBe(data.length);
        expect(hash).toEqual(sha256(data));
        return `-${rights} ${folder}/${text(name)}`;
      },
    );
    expect(lines.filter((line) => !line.includes(' lib/apk/'))).toEqual(INSTALLED);
  });

  test('lists every parent directory, by bytes, the root first', () => {
    const folders = list(paths)
      .slice(1)
      .map((folder) => text(list(folder)[1]));
    expect(folders).toEqual([...folders].sort(byBytes));
    expect(folders[0]).toBe('');
    for (const folder of folders) expect(folders).toContain(folder.replace(/\/?[^/]*$/, ''));
  });

  test("has the lists OpenWrt's own scripts look for", () => {
    expect(content('lib/apk/packages/nymote.rusers')).toBe('nymote=5380:nymote=5380\n');
    expect(content('lib/apk/packages/nymote.conffiles')).toBe('/etc/config/nymote\n');
    const hash = sha256(Buffer.from(content('etc/config/nymote') ?? '')).toString('hex');
    expect(content('lib/apk/packages/nymote.conffiles_static')).toBe(
      `/etc/config/nymote ${hash}\n`,
    );
    const listed = content('lib/apk/packages/nymote.list')?.trim().split('\n');
    const installed = INSTALLED.map((line) => `/${line.split(' ')[1]}`);
    expect(listed).toEqual([...installed, '/lib/apk/packages/nymote.rusers'].sort(byBytes));
  });

  test('has its scripts, and they are right', () => {
    const texts = list(scripts).map(text);
    expect(texts.flatMap((script, slot) => (script === '' ? [] : [slot]))).toEqual([3, 4, 7]);
    for (const script of texts) expectFlawless(script);
    expect(texts[3]).toContain('\nadd_group_and_user\ndefault_postinst\n');
    expect(texts[4]).toContain('\ndefault_prerm\n');
    expect(texts[7]).toContain('\nexport PKG_UPGRADE=1\n');
  });
});
