/**
 * The real programs that the tests run against, and the Debian 12 packages that bring them.
 */

import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Program or file, package, and what it is there for. */
const TOOLS = [
  ['wg', 'wireguard-tools', 'tunnels by unmodified WireGuard'],
  ['wireguard-go', 'wireguard-go', 'tunnels where the kernel has no WireGuard'],
  ['nft', 'nftables', 'what a home router lets through'],
  ['ip', 'iproute2', 'networks in namespaces'],
  ['ping', 'iputils-ping', 'whether a tunnel carries anything'],
  ['iperf3', 'iperf3', 'how much a tunnel carries'],
  ['unbound', 'unbound', 'a validator that must agree with ours'],
  ['named', 'bind9', 'name servers to resolve from'],
  ['named-rrchecker', 'bind9', 'a judge over records as text'],
  ['dig', 'bind9-dnsutils', 'questions as people ask them'],
  ['kdig', 'knot-dnsutils', 'questions over TLS and HTTP/2'],
  ['openssl', 'openssl', 'certificates and handshakes of somebody else'],
  ['delv', 'bind9-dnsutils', 'a second validator that must agree'],
  ['dnssec-signzone', 'bind9-utils', 'zones signed by somebody else'],
  ['nsd', 'nsd', 'a third name server, and the yardstick for speed'],
  ['knotd', 'knot', 'a fourth name server'],
  ['dnsmasq', 'dnsmasq', "the router's own forwarder"],
  ['dnsdist', 'dnsdist', 'a yardstick for speed'],
  ['pdns_recursor', 'pdns-recursor', 'a yardstick for speed'],
  ['ldns-verify-zone', 'ldnsutils', 'a judge over our signed zones'],
  ['ldns-walk', 'ldnsutils', 'an attempt to list our devices'],
  ['git', 'git', 'the history as a git repository'],
  ['ssh-keygen', 'openssh-client', 'signatures of commits'],
  ['age', 'age', 'sealed backups'],
  ['lighttpd', 'lighttpd', 'a WebDAV server for backups'],
  ['/usr/lib/lighttpd/mod_webdav.so', 'lighttpd-mod-webdav', 'its WebDAV'],
  ['/usr/lib/postgresql/15/bin/postgres', 'postgresql', 'the database of a hub'],
  ['chromium', 'chromium', 'the web admin in a browser'],
  ['zbarimg', 'zbar-tools', 'QR codes as a camera reads them'],
  ['strace', 'strace', 'what reaches the disk, and when'],
  ['ps', 'procps', 'what appears in the list of processes'],
  ['curl', 'curl', 'the API as scripts use it'],
  ['readelf', 'binutils', 'what an executable for routers is'],
  ['busybox', 'busybox', "the router's shell"],
  ['shellcheck', 'shellcheck', 'what shells forgive in our scripts'],
  ['tar', 'tar', 'packages for routers'],
  [
    '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
    'libfaketime',
    'a clock that was never set',
  ],
  ['/lib/ld-musl-x86_64.so.1', 'musl', 'executables for routers'],
];

/** Where programs are that a user's own PATH may lack. */
const DIRECTORIES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Debian asks this script whether a newly installed service may start; 101 is no. */
const POLICY = '/usr/sbin/policy-rc.d';

/** Makes sure of every tool; ends the process when somebody else must. Returns what is missing. */
export function ensureTools() {
  const missing = findMissing();
  if (missing.length === 0) return [];
  for (const [tool, name, why] of missing) console.log(`missing: ${tool} (${name}): ${why}`);
  const packages = [...new Set(missing.map(([, name]) => name))];
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...packages];
  if (process.getuid?.() !== 0) {
    console.log(`sudo ${install.join(' ')}`);
    process.exit(1);
  }
  withoutServices(() => {
    apt(['apt-get', '-q', 'update']);
    apt(install);
  });
  return findMissing().map(([tool, name]) => `${tool} is missing: apt-get install ${name}`);
}

function findMissing() {
  return TOOLS.filter(([tool]) => {
    if (tool.startsWith('/')) return process.arch === 'x64' && !existsSync(tool);
    const directories = [...(process.env.PATH ?? '').split(':'), ...DIRECTORIES];
    return !directories.some((directory) => isProgram(join(directory, tool)));
  });
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Name servers want port 53 as soon as they are installed; they must not have it. */
function withoutServices(use) {
  if (existsSync(POLICY)) {
    use();
    return;
  }
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    use();
  } finally {
    rmSync(POLICY, { force: true });
  }
}

function apt([program, ...args]) {
  console.log(`${program} ${args.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
  const { status } = spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'], env });
  if (status !== 0) console.log(`${program} ${args[0]} failed (${status})`);
}
