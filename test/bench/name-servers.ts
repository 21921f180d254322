/** The peers: NSD with a zone signed by BIND's tools, and Unbound that forwards to it. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts, HOST, stop } from './house.ts';

/** Where each program comes from. */
const PACKAGES = {
  nsd: 'nsd',
  unbound: 'unbound',
  'dnssec-keygen': 'bind9-utils',
  'dnssec-signzone': 'bind9-utils',
  taskset: 'util-linux',
} as const;

type Program = keyof typeof PACKAGES;

export type Peer = AsyncDisposable & { readonly pid: number; readonly port: number };

/** A zone's file, signed with one ECDSA P-256 key as ours are. */
export function signZone(directory: string, apex: string, file: string): string {
  const options = ['-K', directory, '-a', 'ECDSAP256SHA256', '-f', 'KSK', apex];
  runProgram('dnssec-keygen', directory, ['-q', ...options]);
  const signed = `${file}.signed`;
  // -z: the one key signs everything; -S: keys are found in the directory.
  const how = ['-q', '-z', '-S', '-K', directory, '-o', apex, '-f', signed];
  runProgram('dnssec-signzone', directory, [...how, file]);
  return signed;
}

/** NSD with these zones; one process answers, on the cores of `prefix`. */
export async function startNsd(
  directory: string,
  zones: readonly { readonly apex: string; readonly file: string }[],
  prefix: readonly string[],
): Promise<Peer> {
  const [port = 0] = await freePorts(1);
  const file = join(directory, 'nsd.conf');
  const parts = zones.map(
    ({ apex, file: zonefile }) => `zone:
  name: "${apex}"
  zonefile: "${zonefile}"
`,
  );
  await writeFile(
    file,
    `server:
  ip-address: ${HOST}@${port}
  server-count: 1
  username: ""
  database: ""
  zonesdir: "${directory}"
  pidfile: "${directory}/nsd.pid"
  xfrdfile: "${directory}/xfrd.state"
  zonelistfile: "${directory}/zone.list"
  xfrdir: "${directory}"
  # As ours answers: nothing beyond what was asked, and no limit for one asker.
  minimal-responses: yes
  rrl-ratelimit: 0
remote-control:
  control-enable: no
${parts.join('')}`,
  );
  return startPeer('nsd', port, ['-d', '-c', file], prefix);
}

/** Unbound with one thread, which forwards everything and validates nothing, as ours. */
export async function startUnbound(
  directory: string,
  forward: number,
  prefix: readonly string[],
): Promise<Peer> {
  const [port = 0] = await freePorts(1);
  const file = join(directory, 'unbound.conf');
  await writeFile(
    file,
    `server:
  interface: ${HOST}@${port}
  num-threads: 1
  username: ""
  chroot: ""
  directory: "${directory}"
  pidfile: "${directory}/unbound.pid"
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
  minimal-responses: yes
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: ${HOST}@${forward}
`,
  );
  return startPeer('unbound', port, ['-d', '-p', '-c', file], prefix);
}

async function startPeer(
  program: Program,
  port: number,
  words: readonly string[],
  prefix: readonly string[],
): Promise<Peer> {
  const [file = '', ...args] = [...prefix, program, ...words];
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const said: string[] = [];
  child.stderr.on('data', (chunk) => said.push(String(chunk)));
  const failed = new Promise<never>((_, reject) => {
    child.once('error', () => reject(missing(prefix.length > 0 ? 'taskset' : program)));
    child.once('exit', () => reject(new Error(`${program} ended:\n${said.join('')}`)));
  });
  await Promise.race([failed, untilListening(child, port)]);
  failed.catch(() => undefined);
  return { pid: child.pid ?? 0, port, [Symbol.asyncDispose]: () => stop(child) };
}

/** A bound UDP port shows in /proc; both programs bind when they are ready to answer. */
async function untilListening(child: ChildProcess, port: number): Promise<void> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')} `;
  for (;;) {
    if ((await readFile('/proc/net/udp', 'utf8')).includes(wanted)) return;
    if (child.exitCode !== null) throw new Error('it ended');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function runProgram(program: Program, cwd: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (thrown) {
    throw (thrown as NodeJS.ErrnoException).code === 'ENOENT' ? missing(program) : thrown;
  }
}

function missing(program: Program): Error {
  return new Error(`${program} is missing: apt-get install ${PACKAGES[program]}`);
}
