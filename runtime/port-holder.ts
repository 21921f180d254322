/**
 * Who holds a port: /proc/net says which socket, /proc/<pid>/fd whose it is.
 *
 * Best effort, for the words of an error only: without root, other users' programs stay unnamed.
 */

import { readdir, readFile, readlink } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { basename } from 'node:path';
import type { Endpoint } from './index.ts';
import { parseAddress } from './socket-address.ts';

/** Processes looked at; a router has a hundred. */
const MAX_PROCESSES = 5000;

/** The program on `local`'s port as words (`unbound, process 812`), or undefined. */
export async function findPortHolder(
  kind: 'udp' | 'tcp',
  local: Endpoint,
): Promise<string | undefined> {
  const inodes = new Set<string>();
  for (const table of [kind, `${kind}6`]) {
    const text = await readFile(`/proc/net/${table}`, 'latin1').catch(() => '');
    for (const inode of inodesOn(text, local, kind)) inodes.add(inode);
  }
  if (inodes.size === 0) return undefined;
  const processes = await readdir('/proc').catch(() => []);
  for (const pid of processes.filter((name) => /^\d+$/.test(name)).slice(0, MAX_PROCESSES)) {
    if (await holdsOne(pid, inodes)) return describe(pid);
  }
  return undefined;
}

/** TCP sockets count only while they listen (state 0A). */
function inodesOn(table: string, local: Endpoint, kind: 'udp' | 'tcp'): string[] {
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(
      (fields) => isInTheWay(fields[1] ?? '', local) && (kind === 'udp' || fields[3] === '0A'),
    )
    .map((fields) => fields[9] ?? '')
    .filter((inode) => inode !== '' && inode !== '0');
}

/** Whether a socket at `held`, as the table has it, keeps another one from `local`. */
function isInTheWay(held: string, local: Endpoint): boolean {
  const [address = '', port = ''] = held.split(':');
  if (Number.parseInt(port, 16) !== local.port) return false;
  const wanted = hexOf(local);
  if (isAny(wanted)) return true;
  // Only `::` takes the other family's, too.
  return isAny(address) ? address.length >= wanted.length : address.endsWith(wanted);
}

/** `0.0.0.0` and `::`, which take the port at all addresses. */
const isAny = (address: string): boolean => /^0*$/.test(address);

/** The address as the kernel prints it: in words of its own byte order, of which all ours are little-endian. */
function hexOf(local: Endpoint): string {
  const bytes = parseAddress(local)?.subarray(isIPv4(local.address) ? 4 : 8) ?? [];
  const size = isIPv4(local.address) ? 4 : 16;
  const words = Array.from({ length: size / 4 }, (_, word) =>
    [3, 2, 1, 0].map((at) => bytes[word * 4 + at] ?? 0),
  );
  return words
    .flat()
    .map((byte) => byte.toString(16).toUpperCase().padStart(2, '0'))
    .join('');
}

async function holdsOne(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
  for (const descriptor of descriptors) {
    const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '');
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined && inodes.has(inode)) return true;
  }
  return false;
}

/** Node calls the thread it starts with so, which is what the kernel takes for a program's name. */
const NODE_THREAD = 'MainThread';

async function describe(pid: string): Promise<string> {
  const command = (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim();
  return `${await describeCommand(pid, command)}, process ${pid}`;
}

async function describeCommand(pid: string, command: string): Promise<string> {
  if (command !== '' && command !== NODE_THREAD) return command;
  const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  const [program = '', script = ''] = words.split('\0');
  return `${basename(program)} ${basename(script)}`.trim() || 'a program';
}
