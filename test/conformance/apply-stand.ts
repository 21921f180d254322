/**
 * A router in a folder: UCI's files, a `uci` over them, the real guard, and the real service.
 *
 * Power is cut by killing all of it and giving the machine another boot id. The guard's clock is the
 * machine's until a test moves it past every deadline.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../suites/waiting.ts';
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
  /** Waits until this check of the pending change fails. */
  untilFailing(check: string): Promise<void>;
  /** Waits until a file of /etc/config holds a text; fails when that takes too long. */
  until(name: string, text: string): Promise<void>;
  /** For the guard every deadline is over. */
  passDeadline(): Promise<void>;
  /** The service dies; the guard goes on. */
  kill(): Promise<void>;
  /** Everything dies; what runs before the network on the next boot has run. */
  cutPower(): Promise<void>;
  start(): Promise<void>;
  applied(): Promise<Record<string, unknown>>;
  /** Waits until `nymote apply status` names an outcome and nothing is pending. */
  outcome(): Promise<Record<string, unknown>>;
};

/** As long as the guard allows: no test is over by itself, however slow the machine. */
const DEADLINE_SECONDS = 3_600;

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
  const uptime = join(proc, 'uptime');
  await symlink('/proc/uptime', uptime);
  const guard = join(bin, 'nymote-guard');
  await program(join(bin, 'uci.mjs'), UCI);
  await program(join(bin, 'uci'), `#!/bin/sh\nexec "${process.execPath}" "${bin}/uci.mjs" "$@"\n`);
  await program(join(bin, 'reload_config'), '#!/bin/sh\n');
  await program(join(bin, 'well'), `#!/bin/sh\n! grep -q CET '${root}/etc/config/system'\n`);
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
    flags: [
      ...['--apply-guard', guard, '--apply-names', ''],
      ...['--apply-seconds', String(DEADLINE_SECONDS), ...flags],
    ],
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
      until(`${text} in ${name}`, async () => (await config(name)).includes(text), 100),
    untilFailing: (check) =>
      until(`${check} fails`, async () => {
        const { pending } = (await applied()) as { pending?: { failing: readonly string[] } };
        return pending?.failing.includes(check) === true;
      }),
    async passDeadline() {
      const now = Number.parseFloat(await readFile(uptime, 'utf8'));
      await writeFile(`${uptime}.new`, `${now + DEADLINE_SECONDS + 1} 1.00\n`);
      await rename(`${uptime}.new`, uptime);
    },
    async kill() {
      await service.stop('SIGKILL');
    },
    async cutPower() {
      await end(watch);
      await service.stop('SIGKILL');
      await writeFile(bootId, `${randomUUID()}\n`);
      const { exitCode, stderr } = await runProgram(guard, ['boot']);
      if (exitCode !== 0) throw new Error(`the guard failed at the start: ${stderr}`);
    },
    async start() {
      await end(watch);
      service = await startService(place);
      watch = startWatch(guard);
    },
    async outcome() {
      const isOver = async () => {
        const { pending, last } = await applied();
        return pending === undefined && last !== undefined;
      };
      await until('an outcome', isOver, 200);
      return (await applied())['last'] as Record<string, unknown>;
    },
    async [Symbol.asyncDispose]() {
      await end(watch);
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

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
