/**
 * `npm run package`: makes nymote's packages for OpenWrt in `dist/`.
 *
 * For each architecture an ipk (24.10, opkg) and an apk (25.12), and SHA256SUMS of all. The same
 * commit gives the same bytes: times come from the commit or SOURCE_DATE_EPOCH. With `--sign` the
 * apk carries an ECDSA signature, which is different each time.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packApkData, withApkLists, writeApk } from './apk.ts';
import { buildAssets, compile, megabytes, type Report } from './executable.ts';
import { packIpkData, writeIpk } from './ipk.ts';
import {
  ARCHITECTURES,
  type Architecture,
  describePackage,
  listEntries,
  type Machine,
} from './payload.ts';

const PROJECT = join(import.meta.dirname, '..', '..');

const USAGE = `usage: npm run package -- [options]
  --arch A          only this architecture (may be repeated): ${Object.keys(ARCHITECTURES).join(' ')}
  --version V       package version (default: package.json's, with -r1)
  --out DIR         where to write (default: dist)
  --sign KEY.pem    sign the apk with this EC P-256 key
  --executable F    package this executable instead of compiling one
  --executable-only write the executable alone, as nymote-<machine>
  --entry F         compile this program (default: service/main.ts)
`;

/** apk's grammar of versions, less its suffixes: what both package managers sort alike. */
const VERSION = /^[0-9]+(?:\.[0-9]+)*(?:-r[0-9]+)?$/;

type Options = {
  readonly architectures: readonly Architecture[];
  readonly version: string;
  readonly out: string;
  readonly entry: string;
  readonly key: string | undefined;
  readonly executable: string | undefined;
  readonly isExecutableOnly: boolean;
};

function main(): void {
  const options = readOptions();
  const report: Report = (line) => console.log(line);
  mkdirSync(options.out, { recursive: true });
  if (options.executable === undefined) buildAssets(report);
  const machines = new Set(options.architectures.map((arch) => ARCHITECTURES[arch]));
  for (const machine of machines) buildMachine(machine, options, report);
  writeSums(options.out);
  report(`done  ${options.out}`);
}

/** Compiles and compresses once, then writes a package for each label of this machine. */
function buildMachine(machine: Machine, options: Options, report: Report): void {
  const executable =
    options.executable === undefined
      ? compile(machine, options.entry, report)
      : readFileSync(options.executable);
  if (options.isExecutableOnly) {
    writeFileSync(join(options.out, `nymote-${machine}`), executable, { mode: 0o755 });
    return;
  }
  const architectures = options.architectures.filter((arch) => ARCHITECTURES[arch] === machine);
  const epoch = readEpoch();
  const entries = listEntries(executable);
  const write = (name: string, bytes: Buffer) => {
    writeFileSync(join(options.out, name), bytes);
    report(`write  ${name}  ${megabytes(bytes.length)}`);
  };
  const ipkData = packIpkData(entries, epoch);
  for (const arch of architectures) {
    const about = describePackage(options.version, arch, epoch);
    write(`nymote_${options.version}_${arch}.ipk`, writeIpk(about, ipkData));
  }
  const [first] = architectures;
  if (first === undefined) return;
  const lists = withApkLists(describePackage(options.version, first, epoch), entries);
  const apkData = packApkData(lists);
  for (const arch of architectures) {
    const about = describePackage(options.version, arch, epoch);
    write(`nymote_${options.version}_${arch}.apk`, writeApk(about, apkData, options.key));
  }
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      arch: { type: 'string', multiple: true },
      version: { type: 'string' },
      out: { type: 'string', default: join(PROJECT, 'dist') },
      entry: { type: 'string', default: 'service/main.ts' },
      sign: { type: 'string' },
      executable: { type: 'string' },
      'executable-only': { type: 'boolean', default: false },
    },
  });
  const architectures = values.arch ?? Object.keys(ARCHITECTURES);
  const unknown = architectures.find((arch) => !Object.hasOwn(ARCHITECTURES, arch));
  if (unknown !== undefined) throw new Error(`no such architecture: ${unknown}`);
  const version = values.version ?? `${readVersion()}-r1`;
  if (!VERSION.test(version)) throw new Error(`no version apk can sort: ${version}`);
  return {
    architectures: architectures as Architecture[],
    version,
    out: values.out,
    entry: values.entry,
    key: values.sign === undefined ? undefined : readFileSync(values.sign, 'utf8'),
    executable: values.executable,
    isExecutableOnly: values['executable-only'],
  };
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'));
  return (manifest as { readonly version: string }).version;
}

/** Seconds since 1970 of what is built: told, or the commit's, or none. */
function readEpoch(): number {
  const told = process.env['SOURCE_DATE_EPOCH'];
  if (told !== undefined && /^[0-9]{1,10}$/.test(told)) return Number(told);
  try {
    const args = ['log', '-1', '--format=%ct'];
    return Number(execFileSync('git', args, { cwd: PROJECT, stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    return 0;
  }
}

function writeSums(directory: string): void {
  const names = readdirSync(directory).filter((name) => name.startsWith('nymote'));
  const lines = names.sort().map((name) => {
    const hash = createHash('sha256').update(readFileSync(join(directory, name)));
    return `${hash.digest('hex')}  ${name}\n`;
  });
  writeFileSync(join(directory, 'SHA256SUMS'), lines.join(''));
}

try {
  main();
} catch (thrown) {
  console.error(thrown instanceof Error ? thrown.message : thrown);
  console.error(USAGE);
  process.exitCode = 1;
}
