/**
 * A router in a folder: UCI's files, a `uci` over them, the real guard, and the real service.
 *
 * Power is cut by killing all of it and giving the machine another boot id.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  findPorts,
  makeRoom,
  type Place,
  runProgram,
  type Service,
  startService,
} from './service-stand.ts';

const GUARD = join(import.meta.dirname, '../../openwrt/package/files/usr/libexec/nymote-guard');

/** `uci`, as far as we use it: options and lists of named sections, changes staged until a commit. */
const UCI = `#!${process.execPath}
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
const words = process.argv.slice(2).filter((word) => word !== '-q');
if (words[0] === '-t') words.splice(0, 2);
const [verb, what = ''] = words;
const [key] = what.split('=', 1);
const value = what.slice(key.length + 1);
const name = key.split('.', 1)[0];
const file = process.env.UCI_ROOT + '/etc/config/' + name;
const stage = process.env.UCI_ROOT + '/tmp/uci-' + name;
const path = existsSync(stage) ? stage : file;
if (!existsSync(path)) process.exit(1);
const values = new Map();
let section = '';
for (const line of readFileSync(path, 'utf8').split('\\n')) {
  const [, kind, first, , second = ''] = /^\\s*(\\w+) (?:'?([^']*?)'?)( '(.*)')?$/.exec(line) ?? [];
  if (kind === 'config') values.set(section = name + '.' + second, first);
  if (kind === 'option') values.set(section + '.' + first, second);
  if (kind === 'list') values.set(section + '.' + first, [...(values.get(section + '.' + first) ?? []), second]);
}
const quote = (text) => "'" + text + "'";
const print = () => [...values].map(([key, value]) => {
  const [, part, option] = key.split('.');
  if (option === undefined) return 'config ' + value + ' ' + quote(part) + '\\n';
  if (typeof value === 'string') return '\\toption ' + option + ' ' + quote(value) + '\\n';
  return value.map((item) => '\\tlist ' + option + ' ' + quote(item) + '\\n').join('');
}).join('');
const save = () => { mkdirSync(process.env.UCI_ROOT + '/tmp', { recursive: true }); writeFileSync(stage, print()); };
const insert = (key, value) => {
  if (values.has(key)) return values.set(key, value);
  const all = [...values];
  const owner = key.split('.').slice(0, 2).join('.');
  const at = all.findLastIndex(([each]) => each === owner || each.startsWith(owner + '.'));
  all.splice(at < 0 ? all.length : at + 1, 0, [key, value]);
  values.clear();
  for (const [each, item] of all) values.set(each, item);
};
if (verb === 'show') for (const [each, item] of values) {
  const isSection = each.split('.').length === 2;
  console.log(each + '=' + (isSection ? item : [item].flat().map(quote).join(' ')));
}
else if (verb === 'set') { insert(key, value); save(); }
else if (verb === 'add_list') { insert(key, [...[values.get(key) ?? []].flat(), value]); save(); }
else if (verb === 'delete') {
  if (!values.has(key)) process.exit(1);
  for (const each of [...values.keys()]) if (each === key || each.startsWith(key + '.')) values.delete(each);
  save();
}
else if (verb === 'changes') process.exit(0);
else if (verb === 'revert') rmSync(stage, { force: true });
else if (verb === 'commit') { writeFileSync(file, print()); rmSync(stage, { force: true }); }
else process.exit(1);
`;

export const NETWORK = `config interface 'lan'
	option device 'lo'
	option ipaddr '192.168.1.1'
`;
export const SYSTEM = `config system 'main'
	option zonename 'UTC'
`;

export type Router = AsyncDisposable & {
  readonly service: () => Service;
  /** The text of a file in /etc/config. */
  config(name: string): Promise<string>;
  /** Somebody edits it by hand. */
  edit(name: string, text: string): Promise<void>;
  /** From now on its program `well` fails. */
  sicken(): Promise<void>;
  /** Waits until a file of /etc/config holds a text; fails when that takes too long. */
  until(name: string, text: string): Promise<void>;
  /** The service dies; the guard goes on. */
  kill(): Promise<void>;
  /** Everything dies; what runs before the network on the next boot has run. */
  cutPower(): Promise<void>;
  start(): Promise<void>;
  applied(): Promise<Record<string, unknown>>;
  /** Waits until `nymote apply status` names an outcome and nothing is pending. */
  outcome(): Promise<Record<string, unknown>>;
};

const PATIENCE_MS = 40_000;

/** Makes a router that runs, with these flags. */
export async function startRouter(...flags: readonly string[]): Promise<Router> {
  const room = await makeRoom();
  const root = join(room.path, 'root');
  const bin = join(room.path, 'bin');
  const proc = join(room.path, 'proc');
  for (const folder of [join(root, 'etc/config'), bin, join(proc, 'sys/kernel/random')]) {
    await mkdir(folder, { recursive: true });
  }
  await writeFile(join(root, 'etc/config/network'), NETWORK);
  await writeFile(join(root, 'etc/config/system'), SYSTEM);
  const bootId = join(proc, 'sys/kernel/random/boot_id');
  await writeFile(bootId, `${randomUUID()}\n`);
  await symlink('/proc/uptime', join(proc, 'uptime'));
  const guard = join(bin, 'nymote-guard');
  await program(join(bin, 'uci.mjs'), UCI);
  await program(join(bin, 'uci'), `#!/bin/sh\nexec "${process.execPath}" "${bin}/uci.mjs" "$@"\n`);
  await program(join(bin, 'reload_config'), '#!/bin/sh\n');
  await program(join(bin, 'well'), `#!/bin/sh\n[ ! -e '${root}/ill' ]\n`);
  await program(
    guard,
    `#!/bin/sh
export NYMOTE_GUARD_STATE='${root}/etc/nymote/guard' NYMOTE_GUARD_ROOT='${root}'
export NYMOTE_GUARD_PROC='${proc}' NYMOTE_GUARD_RELOAD=true
exec sh '${GUARD}' "$@"
`,
  );
  const place: Place = {
    data: join(room.path, 'data'),
    ports: await findPorts(),
    flags: ['--apply-guard', guard, '--apply-names', '', ...flags],
    env: { UCI_ROOT: root, PATH: `${bin}:${process.env['PATH'] ?? ''}` },
  };
  let service = await startService(place);
  let watch = startWatch(guard);
  const config = (name: string) => readFile(join(root, 'etc/config', name), 'utf8');
  const applied = () => service.json('apply', 'status');
  return {
    ...{ config, applied, service: () => service },
    edit: (name, text) => writeFile(join(root, 'etc/config', name), text),
    until: (name, text) =>
      waitFor(`${text} in ${name}`, async () => (await config(name)).includes(text)),
    sicken: () => writeFile(join(root, 'ill'), ''),
    async kill() {
      await service.stop('SIGKILL');
    },
    async cutPower() {
      watch.kill('SIGKILL');
      await service.stop('SIGKILL');
      await writeFile(bootId, `${randomUUID()}\n`);
      await runProgram(guard, ['boot']);
    },
    async start() {
      watch.kill('SIGKILL');
      service = await startService(place);
      watch = startWatch(guard);
    },
    async outcome() {
      await waitFor('an outcome', async () => {
        const { pending, last } = await applied();
        return pending === undefined && last !== undefined;
      });
      return (await applied())['last'] as Record<string, unknown>;
    },
    async [Symbol.asyncDispose]() {
      watch.kill('SIGKILL');
      await service.stop('SIGKILL');
      await room[Symbol.asyncDispose]();
    },
  };
}

async function program(path: string, text: string): Promise<void> {
  await writeFile(path, text);
  await chmod(path, 0o755);
}

const startWatch = (guard: string): ChildProcess => spawn(guard, ['watch'], { stdio: 'ignore' });

async function waitFor(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > until) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
