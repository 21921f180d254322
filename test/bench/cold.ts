/**
 * What a name costs that nobody asked for before: resolved from a signed root through a signed
 * top-level domain into 100 signed zones, and validated, beside Unbound in the same run.
 *
 * One NSD each for root, `lab.` and the zones, all ECDSA P-256; 10,000 distinct names.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import {
  LAB,
  LEAVES,
  ROOT,
  startNsd,
  startUnbound,
  UNBOUND,
  waitFor,
  writeZone,
} from '../conformance/validation-stand.ts';
import { takePort } from '../suites/ports.ts';
import { HOST, stop } from './house.ts';
import { cpuSeconds, residentMegabytes } from './process.ts';
import { HEAP } from './programs.ts';
import { progress } from './progress.ts';
import { beside, type Row } from './row.ts';

const ZONES = 100;
const NAMES = 10_000;
const IN_FLIGHT = 32;

const NAMES_EACH = NAMES / ZONES;

/**
 * Asked about first, until everything is compiled: V8 counts 3,000 calls of a function before it
 * compiles it for good, and goes on with that in the background for a while.
 */
const WARM_ZONES = 50;
const WARM_NAMES_EACH = 300;

const P256 = { algorithm: 'ECDSAP256SHA256' };

const isPinned = availableParallelism() > 1;
const SERVER = isPinned ? ['taskset', '-c', '0'] : [];
const CLIENT = isPinned ? ['taskset', '-c', '1'] : [];

const RESOLVER = fileURLToPath(new URL('./cold-resolver.ts', import.meta.url));
const LOAD = fileURLToPath(new URL('./cold-load.ts', import.meta.url));

/** Ours and Unbound, one after the other, on the same servers. */
export async function run(): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'nymote-bench-'));
  await using opened = new AsyncDisposableStack();
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  progress(`cold: signing ${ALL_ZONES.length} zones`);
  const anchor = await signAll(folder);
  const port = await takePort();
  const zones = ALL_ZONES.map((zone) => `${zone}.lab.`);
  opened.defer(await startNsd(folder, port, ROOT, ['.']));
  opened.defer(await startNsd(folder, port, LAB, ['lab.']));
  opened.defer(await startNsd(folder, port, LEAVES, zones));
  for (const address of [ROOT, LAB, LEAVES]) await waitFor({ address, port });

  const ours = await measureOurs(port, anchor);
  const theirs = await measureUnbound(folder, port, anchor, zones);
  const peer = (value: number) => ({ name: 'Unbound', value });
  return [
    beside('CPU for a question, once compiled', ours.microseconds, 'µs', peer(theirs.microseconds)),
    beside('CPU for each of the first 15,000', ours.whileWarming, 'µs', peer(theirs.whileWarming)),
    beside('latency, half of all', ours.p50, 'ms', peer(theirs.p50)),
    beside('latency, 99 of 100', ours.p99, 'ms', peer(theirs.p99)),
    beside('resident memory afterwards', ours.megabytes, 'MB', peer(theirs.megabytes)),
  ];
}

const ALL_ZONES: readonly string[] = [
  ...Array.from({ length: ZONES }, (_, zone) => `z${zone}`),
  ...Array.from({ length: WARM_ZONES }, (_, zone) => `w${zone}`),
];

const namesIn = (zone: string) => (zone.startsWith('w') ? WARM_NAMES_EACH : NAMES_EACH);

type Measured = {
  readonly microseconds: number;
  readonly whileWarming: number;
  readonly p50: number;
  readonly p99: number;
  readonly megabytes: number;
};

async function measureOurs(upstream: number, anchor: string): Promise<Measured> {
  const port = await takePort();
  const words = [RESOLVER, HOST, String(port), ROOT, String(upstream), anchor];
  const flags = [...HEAP, ...profiled()];
  const [file = '', ...args] = [...SERVER, process.execPath, ...flags, ...words];
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await using _ = { [Symbol.asyncDispose]: () => stop(child) };
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('our resolver ended')));
  await Promise.race([once(createInterface(child.stdout), 'line'), ended]);
  ended.catch(() => undefined);
  return await measure(child.pid ?? 0, HOST, port, 'ours');
}

/** `NYMOTE_PROFILE=folder` leaves a CPU profile there. */
function profiled(): readonly string[] {
  const folder = process.env['NYMOTE_PROFILE'];
  return folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`];
}

async function measureUnbound(
  folder: string,
  upstream: number,
  anchor: string,
  zones: readonly string[],
): Promise<Measured> {
  const port = await takePort();
  const served = [['.', ROOT] as const, ['lab.', LAB] as const];
  const leaves = zones.map((zone) => [zone, LEAVES] as const);
  const pids: number[] = [];
  const end = await startUnbound(folder, upstream, port, anchor, [...served, ...leaves], (pid) =>
    pids.push(pid),
  );
  await using _ = { [Symbol.asyncDispose]: end };
  await waitFor({ address: UNBOUND, port });
  return await measure(pids[0] ?? 0, UNBOUND, port, 'Unbound');
}

async function measure(pid: number, address: string, port: number, who: string): Promise<Measured> {
  progress(`cold: ${NAMES} names, ${who}`);
  const start = await cpuSeconds(pid);
  const warming = await load(address, port, 'w', WARM_ZONES, WARM_NAMES_EACH);
  const before = await cpuSeconds(pid);
  const { answered, secure, failed, p50, p99 } = await load(address, port, 'z', ZONES, NAMES_EACH);
  const cpu = (await cpuSeconds(pid)) - before;
  if (secure !== answered || failed > 0) {
    throw new Error(`${who}: of ${answered} answers ${secure} secure, ${failed} failed`);
  }
  return {
    microseconds: (cpu / answered) * 1e6,
    whileWarming: ((before - start) / warming.answered) * 1e6,
    p50,
    p99,
    megabytes: await residentMegabytes(pid),
  };
}

type Loaded = Pick<Measured, 'p50' | 'p99'> & {
  readonly answered: number;
  readonly secure: number;
  readonly failed: number;
};

async function load(
  address: string,
  port: number,
  prefix: string,
  zones: number,
  each: number,
): Promise<Loaded> {
  const words = [LOAD, address, port, IN_FLIGHT, zones, zones * each, prefix];
  const [file = '', ...args] = [...CLIENT, process.execPath, ...words.map(String)];
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the load ended with ${code}`);
  return JSON.parse(output);
}

/** Writes and signs all zones; the root's DS. */
async function signAll(folder: string): Promise<string> {
  const delegations: string[] = [];
  for (const zone of ALL_ZONES) {
    const apex = `${zone}.lab.`;
    const hosts = Array.from(
      { length: namesIn(zone) },
      (_, host) => `h${host} AAAA 2001:db8::${host}`,
    );
    const ds = await writeZone(folder, apex, [`@ NS ns`, `ns A ${LEAVES}`, ...hosts], P256);
    delegations.push(`${zone} NS ns.${zone}`, `ns.${zone} A ${LEAVES}`, ds ?? '');
  }
  const lab = await writeZone(folder, 'lab.', ['@ NS ns', `ns A ${LAB}`, ...delegations], P256);
  const root = ['@ NS ns', `ns A ${ROOT}`, 'lab NS ns.lab', `ns.lab A ${LAB}`, lab ?? ''];
  return (await writeZone(folder, '.', root, P256)) ?? '';
}
