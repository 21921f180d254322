/**
 * A small signed internet on loopback for `nymote resolver`: the root on BIND, `lab.` on NSD, the
 * zones below it, sound and broken, on Knot, all signed by dnssec-signzone; and the real process.
 * All three give DNS cookies, and the root answers no datagram that does not show its own.
 *
 * Unprivileged: each program has an address of its own and all share one free port.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { takePort } from '../suites/ports.ts';
import { until } from '../suites/waiting.ts';
import { DIG_PATIENTLY, makeRoom, runProgram } from './service-stand.ts';

/** BIND listens on addresses that an interface has, and lo has only this one. */
export const ROOT = '127.0.0.1';
export const LAB = '127.54.0.3';
export const LEAVES = '127.54.0.4';

const MAIN = join(import.meta.dirname, '../../service/main.ts');

type Leaf = {
  readonly name: string;
  /** Signed from and until, if not around today. */
  readonly times?: readonly string[];
  readonly isPlain?: boolean;
  readonly spoil?: (zone: string) => string;
  readonly spoilDs?: (ds: string) => string;
};

/** One zone of each kind. */
const ZONES: readonly Leaf[] = [
  { name: 'good' },
  { name: 'plain', isPlain: true },
  { name: 'expired', times: ['-s', '20200101000000', '-e', '20200201000000'] },
  { name: 'later', times: ['-s', '20380101000000', '-e', '20380102000000'] },
  { name: 'wrongds', spoilDs: (ds) => ds.replace(/[0-9A-F]{8}$/, 'DEADBEEF') },
  { name: 'changed', spoil: (zone) => zone.replaceAll('192.0.2.80', '192.0.2.66') },
  { name: 'unsigned', spoil: (zone) => zone.replace(/^.*\sRRSIG\s.*$/gm, '') },
  { name: 'nonsec', spoil: (zone) => zone.replace(/^.*\sNSEC\s.*$/gm, '') },
];

export type Internet = AsyncDisposable & {
  readonly folder: string;
  /** Of all its servers. */
  readonly port: number;
  /** The root's DS, and the one of `good.lab.`. */
  readonly anchor: string;
  readonly goodAnchor: string;
  /** Settings that lead to it. */
  readonly settings: Readonly<Record<string, unknown>>;
};

/** Signs it and starts its servers. */
export async function openInternet(): Promise<Internet> {
  const room = await makeRoom();
  const folder = room.path;
  const port = await takePort();
  const running: Daemon[] = [];
  const close = async () => {
    for (const daemon of running) await daemon.stop();
    await room[Symbol.asyncDispose]();
  };
  try {
    const { anchor, goodAnchor } = await signAll(folder);
    running.push(await startBind(folder, port), await startNsd(folder, port));
    running.push(await startKnot(folder, port));
    await waitFor(ROOT, port, '.');
    await waitFor(LAB, port, 'lab.');
    await waitFor(LEAVES, port, 'good.lab.');
    const settings = {
      rootHints: [{ name: 'ns.', addresses: [ROOT] }],
      trustAnchors: [anchor],
      upstreamPort: port,
      allowPrivateUpstream: true,
      localZones: false,
    };
    return { folder, port, anchor, goodAnchor, settings, [Symbol.asyncDispose]: close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

export type Bare = AsyncDisposable & {
  /** Only what went to standard output. */
  readonly said: () => string;
  /** Waits until it has said so: what it says comes when it comes. */
  says(what: RegExp): Promise<void>;
  readonly port: number;
  dig(...args: readonly string[]): Promise<string>;
  /** Resolves with the exit code, or the signal's name. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
};

/** Starts `nymote resolver` with these settings and waits until it listens. */
export async function startBare(
  folder: string,
  settings: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string>> = {},
): Promise<Bare> {
  const port = await takePort();
  const file = join(folder, `bare-${port}.json`);
  await writeFile(file, JSON.stringify({ listen: `127.0.0.1:${port}`, ...settings }));
  const child = spawn(process.execPath, [MAIN, 'resolver', '-c', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  let said = '';
  child.stdout.on('data', (data: Buffer) => {
    said += String(data);
  });
  // Only then has all been read that it said.
  const exited = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  const stop: Bare['stop'] = (signal = 'SIGTERM') => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return exited;
  };
  const isUp = () => said.includes('listening');
  try {
    await until('nymote resolver listens', () => isUp() || child.exitCode !== null);
  } finally {
    if (!isUp()) await stop('SIGKILL');
  }
  if (!isUp()) throw new Error(`nymote resolver did not start: ${said}`);
  const at = [...DIG_PATIENTLY, '@127.0.0.1', '-p', String(port)];
  return {
    said: () => said,
    says: (what) => until(`it says ${what}`, () => what.test(said)),
    port,
    dig: async (...args) => (await runProgram('dig', [...at, ...args])).stdout,
    stop,
    async [Symbol.asyncDispose]() {
      await stop('SIGKILL');
    },
  };
}

/* Signing */

async function signAll(folder: string): Promise<{ anchor: string; goodAnchor: string }> {
  const delegations: string[] = [];
  let goodAnchor = '';
  for (const leaf of ZONES) {
    const apex = `${leaf.name}.lab.`;
    const content = [`@ NS ns`, `ns A ${LEAVES}`, 'www A 192.0.2.80', 'inside A 192.168.7.7'];
    const ds = await writeZone(folder, leaf, apex, content);
    if (leaf.name === 'good') goodAnchor = ds;
    delegations.push(`${leaf.name} NS ns.${apex}`, `ns.${leaf.name} A ${LEAVES}`);
    delegations.push(leaf.spoilDs?.(ds) ?? ds);
  }
  const lab = await writeZone(folder, { name: 'lab' }, 'lab.', [
    '@ NS ns',
    `ns A ${LAB}`,
    ...delegations,
  ]);
  const standby = await standbyKey(folder);
  const root = ['@ NS ns', `ns A ${ROOT}`, 'lab NS ns.lab', `ns.lab A ${LAB}`, lab, standby];
  const leaf = { name: 'root', times: ['-e', `now+${ROOT_DAYS * 86_400}`] };
  return { anchor: await writeZone(folder, leaf, '.', root), goodAnchor };
}

/** Days that the root's signatures hold: longer than a new key waits (RFC 5011 §2.4.1). */
const ROOT_DAYS = 45;

/** A key of the root that is published and signs nothing yet. */
async function standbyKey(folder: string): Promise<string> {
  const place = join(folder, 'standby');
  await mkdir(place);
  const keygen = ['-q', '-K', place, '-a', 'ECDSAP256SHA256', '-f', 'KSK', '.'];
  const key = join(place, `${(await check('dnssec-keygen', keygen)).trim()}.key`);
  return readFile(key, 'utf8');
}

/** Writes `<name>.signed`; the DS, or nothing when it is not signed. */
async function writeZone(
  folder: string,
  { name, times = [], isPlain, spoil = (zone) => zone }: Leaf,
  apex: string,
  lines: readonly string[],
): Promise<string> {
  const file = join(folder, name);
  const text = ['$TTL 300', `$ORIGIN ${apex}`, '@ SOA ns host 1 7200 3600 1209600 300', ...lines];
  if (isPlain) {
    await writeFile(`${file}.signed`, `${text.join('\n')}\n`);
    return '';
  }
  const keygen = ['-q', '-K', folder, '-a', 'ECDSAP256SHA256', '-f', 'KSK', apex];
  const key = join(folder, `${(await check('dnssec-keygen', keygen)).trim()}.key`);
  await writeFile(file, `${[...text, await readFile(key, 'utf8')].join('\n')}\n`);
  // -z: the one key signs everything.
  const sign = ['-q', '-z', '-P', '-O', 'full', '-K', folder, '-d', folder, '-o', apex, ...times];
  await check('dnssec-signzone', [...sign, '-f', `${file}.full`, file]);
  await writeFile(`${file}.signed`, spoil(await readFile(`${file}.full`, 'utf8')));
  return (await check('dnssec-dsfromkey', ['-2', key])).trim();
}

async function check(program: string, args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram(program, args).catch(() => {
    throw new Error(`${program} is missing: install the Debian package bind9-utils`);
  });
  if (exitCode !== 0) throw new Error(`${program}: ${stderr}${stdout}`);
  return stdout;
}

/* Servers */

type Daemon = { stop(): Promise<void> };

const PACKAGES = { named: 'bind9', nsd: 'nsd', knotd: 'knot' } as const;

/** Starts a daemon in the foreground; Debian has them in /usr/sbin. */
async function start(tool: keyof typeof PACKAGES, ...args: string[]): Promise<Daemon> {
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` };
  const child: ChildProcess = spawn(tool, args, { stdio: 'ignore', env });
  const failed = once(child, 'error').then(() => {
    throw new Error(`${tool} is missing: install the Debian package ${PACKAGES[tool]}`);
  });
  await Promise.race([once(child, 'spawn'), failed]);
  failed.catch(() => undefined);
  return {
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function startBind(folder: string, port: number): Promise<Daemon> {
  const config = join(folder, 'named.conf');
  await writeFile(
    config,
    `options {
  directory "${folder}";
  pid-file none;
  session-keyfile none;
  listen-on port ${port} { ${ROOT}; };
  listen-on-v6 { none; };
  recursion no;
  dnssec-validation no;
  answer-cookie yes;
  require-server-cookie yes;
};
controls { };
zone "." { type primary; file "root.signed"; };
`,
  );
  return start('named', '-g', '-c', config, '-n', '1');
}

async function startNsd(folder: string, port: number): Promise<Daemon> {
  const config = join(folder, 'nsd.conf');
  await writeFile(
    config,
    `server:
  ip-address: ${LAB}@${port}
  username: ""
  zonesdir: "${folder}"
  pidfile: "${folder}/nsd.pid"
  database: ""
  server-count: 1
  answer-cookie: yes
  xfrdfile: "${folder}/xfrd.state"
  zonelistfile: "${folder}/zone.list"
remote-control:
  control-enable: no
zone:
  name: "lab."
  zonefile: "lab.signed"
`,
  );
  return start('nsd', '-d', '-c', config);
}

async function startKnot(folder: string, port: number): Promise<Daemon> {
  await mkdir(join(folder, 'knot'));
  const config = join(folder, 'knot.conf');
  const zones = ZONES.map(({ name }) => `  - domain: ${name}.lab\n    file: "${name}.signed"\n`);
  await writeFile(
    config,
    `server:
  rundir: "${folder}/knot"
  listen: ${LEAVES}@${port}
database:
  storage: "${folder}/knot"
template:
  - id: default
    storage: "${folder}"
    global-module: mod-cookies
    zonefile-sync: -1
    journal-content: none
zone:
${zones.join('')}`,
  );
  return start('knotd', '-c', config);
}

async function waitFor(address: string, port: number, zone: string): Promise<void> {
  const args = [`@${address}`, '-p', String(port), zone, 'SOA', '+norec', '+time=1', '+tries=1'];
  await until(
    `the server at ${address} answers for ${zone}`,
    async () => (await runProgram('dig', args)).stdout.includes('7200 3600'),
    100,
  );
}
