/**
 * Names of the LAN's hosts, and the way back from their addresses: what hosts files and dnsmasq's
 * leases say, read again as they change.
 *
 * Who gets a lease chooses its own name, so that is only ever a name below the LAN's domain, never
 * one that somebody else has already, and never one that programs trust blindly (WPAD, VU#598349).
 *
 * @see dnsmasq(8) `--dhcp-leasefile`; hosts(5)
 */

import { type Hosts, readHosts } from '#resolver';
import type { Cancel, Runtime } from '#runtime';

/** Milliseconds between two looks at the files. */
export const LOOK_MS = 5_000;
/** Hosts of one household, generously; what is beyond is passed over. */
const MAX_HOSTS = 4_096;
const MAX_FILE_BYTES = 1 << 20;

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Names that programs ask for by themselves and believe. */
const REFUSED = new Set(['wpad', 'isatap', 'localhost', 'ipv4only']);

/** Loopback, and what is one link's only. */
const NOBODY_ELSES = /^(127\.|169\.254\.|::1$|fe80:)/;

export type Lan = Disposable & {
  /** What is known now. */
  readonly hosts: () => Hosts;
  /** Names end in this; what is below and unknown does not exist. Undefined: nobody told us. */
  readonly domain: string | undefined;
};

export type LanFiles = {
  readonly hosts: readonly string[];
  readonly leases: readonly string[];
  readonly domain: string;
};

/** Reads the files, now and whenever they have changed. */
export async function watchLan(
  { clock, files }: Pick<Runtime, 'clock' | 'files'>,
  { hosts, leases, domain }: LanFiles,
): Promise<Lan> {
  let text = '';
  let known = hostsFrom('');
  const written = writtenOf(domain);
  let cancel: Cancel = () => {};
  let isOver = false;

  async function look(): Promise<void> {
    const read = (paths: readonly string[]) =>
      Promise.all(paths.map((path) => readText(files, path)));
    const next = withLeases(written(await read(hosts)), await read(leases), domain, nowOf(clock));
    if (next !== text) known = hostsFrom(next);
    text = next;
    if (!isOver) cancel = clock.after(LOOK_MS, () => void look());
  }
  const isTold = hosts.length + leases.length > 0;
  if (isTold) await look();

  return {
    domain: isTold ? domain : undefined,
    hosts: () => known,
    [Symbol.dispose]() {
      isOver = true;
      cancel();
    },
  };
}

/** Without a date no lease has ended (I9). */
const nowOf = (clock: Runtime['clock']) => (clock.isSet() ? clock.now() : 0);

/** A file that is not there, or is none of these, says nothing. */
async function readText(files: Runtime['files'], path: string): Promise<string> {
  const bytes = await files.read(path).catch(() => undefined);
  return bytes === undefined || bytes.length > MAX_FILE_BYTES
    ? ''
    : new TextDecoder().decode(bytes);
}

function hostsFrom(text: string): Hosts {
  const read = readHosts(text);
  if (!read.ok) throw new Error(`unreachable: ${read.problem}`);
  return read.hosts;
}

/** One hosts file of all: what somebody wrote down first, then what hosts say of themselves. */
export function lanHosts(
  hosts: readonly string[],
  leases: readonly string[],
  domain: string,
  now: number,
): string {
  return withLeases(writtenOf(domain)(hosts), leases, domain, now);
}

/** Reads hosts files, which may be long and hardly ever change: the last ones are remembered. */
function writtenOf(domain: string): (files: readonly string[]) => readonly Host[] {
  let before = '';
  let known: Host[] = [];
  return (files) => {
    const text = files.join('\n');
    if (text === before) return known;
    before = text;
    known = [];
    for (const line of text.split('\n')) {
      if (known.length === MAX_HOSTS) break;
      known.push(...fromHosts(line, domain));
    }
    return known;
  };
}

function withLeases(
  written: readonly Host[],
  leases: readonly string[],
  domain: string,
  now: number,
): string {
  const taken = new Set(written.flatMap(({ names }) => names));
  const leased = leases
    .flatMap((text) => text.split('\n'))
    .flatMap((line) => fromLease(line, domain, now));
  const owners = new Map<string, string>();
  const own = leased.filter(({ names: [name = ''], owner }) => {
    const first = owners.get(name) ?? owner;
    owners.set(name, first);
    return !taken.has(name) && first === owner;
  });
  return [...written, ...own]
    .slice(0, MAX_HOSTS)
    .map(({ address, names }) => `${address} ${names.join(' ')}`)
    .join('\n');
}

type Host = { readonly address: string; readonly names: readonly string[]; readonly owner: string };

function fromHosts(line: string, domain: string): Host[] {
  const [address = '', ...words] = line
    .replace(/#.*/, '')
    .toLowerCase()
    .split(/\s+/)
    .filter(Boolean);
  const names = words.flatMap((word) => (LABEL.test(word) ? [`${word}.${domain}`, word] : [word]));
  const host = { address, names, owner: '' };
  return names.length > 0 && !NOBODY_ELSES.test(address) && isReadable(host) ? [host] : [];
}

/** `expires hardware address name client`; a star stands for no name. */
function fromLease(line: string, domain: string, now: number): Host[] {
  const [expires = '', owner = '', address = '', name = ''] = line.toLowerCase().split(/\s+/);
  if (!/^\d+$/.test(expires) || !LABEL.test(name) || REFUSED.has(name)) return [];
  if (Number(expires) !== 0 && Number(expires) <= now) return [];
  const host = { address, names: [`${name}.${domain}`], owner };
  return isReadable(host) ? [host] : [];
}

const isReadable = ({ address, names }: Host) => readHosts(`${address} ${names.join(' ')}`).ok;
