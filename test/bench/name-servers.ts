/** The peers: NSD with a zone signed by BIND's tools, and others that forward to it and remember. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { takePort } from '../suites/ports.ts';
import { HOST, stop } from './house.ts';

/** Where each program comes from. */
const PACKAGES = {
  nsd: 'nsd',
  unbound: 'unbound',
  dnsmasq: 'dnsmasq',
  dnsdist: 'dnsdist',
  pdns_recursor: 'pdns-recursor',
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

/** NSD with these zones; so many processes answer, on the cores of `prefix`. */
export async function startNsd(
  directory: string,
  zones: readonly { readonly apex: string; readonly file: string }[],
  prefix: readonly string[],
  processes = 1,
): Promise<Peer> {
  const port = await takePort();
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
  server-count: ${processes}
  reuseport: ${processes > 1 ? 'yes' : 'no'}
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
  const port = await takePort();
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

/** dnsmasq, which every router has, with the largest cache it takes. */
export async function startDnsmasq(
  directory: string,
  forward: number,
  prefix: readonly string[],
): Promise<Peer> {
  const port = await takePort();
  const where = [`--port=${port}`, `--listen-address=${HOST}`, '--bind-interfaces'];
  const upstream = ['--no-resolv', '--no-hosts', `--server=${HOST}#${forward}`];
  const rest = ['--cache-size=10000', '--user=root', `--pid-file=${directory}/dnsmasq.pid`];
  const words = ['--keep-in-foreground', '--conf-file=/dev/null', ...where, ...upstream, ...rest];
  return startPeer('dnsmasq', port, words, prefix);
}

/** dnsdist with a packet cache in front of the name server. */
export async function startDnsdist(
  directory: string,
  forward: number,
  prefix: readonly string[],
): Promise<Peer> {
  const port = await takePort();
  const file = join(directory, 'dnsdist.conf');
  await writeFile(
    file,
    `setLocal('${HOST}:${port}')
setACL({'127.0.0.0/8'})
setSecurityPollSuffix('')
newServer({address='${HOST}:${forward}', healthCheckMode='up'})
getPool(''):setCache(newPacketCache(100000))
`,
  );
  return startPeer('dnsdist', port, ['--supervised', '--config', file], prefix);
}

/** PowerDNS Recursor with one thread, which forwards everything and validates nothing. */
export async function startPowerDns(
  directory: string,
  forward: number,
  prefix: readonly string[],
): Promise<Peer> {
  const port = await takePort();
  const own = join(directory, 'pdns-recursor');
  await mkdir(own, { recursive: true });
  const settings = {
    'local-address': HOST,
    'local-port': port,
    'forward-zones-recurse': `.=${HOST}:${forward}`,
    'socket-dir': own,
    'security-poll-suffix': '',
    loglevel: 3,
    dnssec: 'off',
    threads: 1,
    'pdns-distributes-queries': 'no',
    'dont-query': '',
    daemon: 'no',
  };
  const words = Object.entries({ 'config-dir': own, ...settings }).map(
    ([key, value]) => `--${key}=${value}`,
  );
  return startPeer('pdns_recursor', port, words, prefix);
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
