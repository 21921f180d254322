/**
 * CPU for an answer that threads repeat from shared memory, on each runtime, beside servers in C and
 * beside a C program that only sends back what it gets: less than that the kernel does not take.
 *
 * Ten thousand names in the cache. The load is in C too, to keep every server busy. One core for the
 * server, another for the load; rounds go round all servers, so that what disturbs one disturbs the
 * others.
 */

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { takePort } from '../suites/ports.ts';
import { type House, startHouse, stop } from './house.ts';
import { askInBatches, compile } from './load-run.ts';
import {
  type Peer,
  startDnsdist,
  startDnsmasq,
  startNsd,
  startPowerDns,
  startUnbound,
} from './name-servers.ts';
import { cpuSeconds } from './process.ts';
import { NODE, openPrograms, type Program } from './programs.ts';
import { progress } from './progress.ts';
import { beside, percentile, type Row } from './row.ts';

const ROUNDS = 5;
const QUESTIONS = 300_000;
const WARM_UP = 40_000;
const HOSTS = 10_000;

const APEX = 'alice.nymote';
const FOREIGN = 'leaf.example';

const isPinned = availableParallelism() > 1;
const SERVER = isPinned ? ['taskset', '-c', '0'] : [];
const CLIENT = isPinned ? ['taskset', '-c', '1'] : [];

const CACHES = [
  ['Unbound', startUnbound],
  ['dnsmasq', startDnsmasq],
  ['dnsdist', startDnsdist],
  ['PowerDNS Recursor', startPowerDns],
] as const;

type Runner = {
  readonly name: string;
  readonly server: { readonly pid: number; readonly port: number };
  readonly names: readonly string[];
};

/** Each of ours beside each of theirs. */
export async function run(): Promise<readonly Row[]> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'nymote-bench-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const { programs } = stack.use(await openPrograms());
  const names = Array.from({ length: HOSTS }, (_, index) => `host${index}.${FOREIGN}`);
  const file = await writeZone(directory, FOREIGN, names);
  const nsd = stack.use(await startNsd(directory, [{ apex: FOREIGN, file }], SERVER));
  const theirs: Runner[] = [{ name: 'NSD', server: nsd, names }];
  for (const [name, start] of CACHES) {
    theirs.push({ name, server: stack.use(await start(directory, nsd.port, SERVER)), names });
  }
  const echo = stack.use(await startEcho(compile(directory, 'echo')));
  theirs.push({ name: 'echo in C', server: echo, names });
  const load = compile(directory, 'load');
  const ours: Runner[] = [];
  for (const program of [NODE, ...programs.filter(({ name }) => name !== NODE.name)]) {
    const house = stack.use(await openHouse(directory, program, nsd.port));
    ours.push({ name: `${program.name}, cache`, server: house, names });
    ours.push({
      name: `${program.name}, own zone`,
      server: house,
      names: [`laptop.${APEX}`, APEX],
    });
  }
  return await compare(load, ours, theirs);
}

function openHouse(directory: string, program: Program, forward: number): Promise<House> {
  // With roots of one's own there is no anchor, and nothing to validate.
  const upstream = ['--forward', `127.0.0.1:${forward}`, '--root-hints', 'ns.example=127.0.0.1'];
  return startHouse({
    program,
    directory: join(directory, program.name),
    prefix: SERVER,
    settings: ['--datapath', 'on', ...upstream],
  });
}

async function writeZone(
  directory: string,
  apex: string,
  hosts: readonly string[],
): Promise<string> {
  const file = join(directory, `${apex}.zone`);
  const lines = [
    `${apex}. 3600 IN SOA ns.${apex}. hostmaster.${apex}. 1 7200 3600 1209600 300`,
    `${apex}. 3600 IN NS ns.${apex}.`,
    `ns.${apex}. 3600 IN A 127.0.0.1`,
    ...hosts.map((host, index) => `${host}. 3600 IN AAAA 2001:db8::${(index + 1).toString(16)}`),
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

async function startEcho(program: string): Promise<Peer> {
  const port = await takePort();
  const [file = '', ...args] = [...SERVER, program, String(port)];
  const child = spawn(file, args, { stdio: 'ignore' });
  const shown = `:${port.toString(16).toUpperCase().padStart(4, '0')} `;
  while (!(await readFile('/proc/net/udp', 'utf8')).includes(shown)) {
    if (child.exitCode !== null) throw new Error('the echo ended');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { pid: child.pid ?? 0, port, [Symbol.asyncDispose]: () => stop(child) };
}

async function compare(
  load: string,
  ours: readonly Runner[],
  theirs: readonly Runner[],
): Promise<readonly Row[]> {
  const all = [...ours, ...theirs];
  for (const { name, server, names } of all) {
    progress(`datapath: warming up ${name}`);
    await askInBatches(load, { port: server.port, count: WARM_UP, names, prefix: CLIENT });
  }
  const used = new Map<Runner, number[]>(all.map((runner) => [runner, []]));
  for (let round = 1; round <= ROUNDS; round++) {
    progress(`datapath: round ${round} of ${ROUNDS}`);
    for (const runner of all) used.get(runner)?.push(await microseconds(load, runner));
  }
  const median = (runner: Runner): number => percentile(used.get(runner) ?? [], 0.5);
  return ours.flatMap((own) =>
    theirs.map((other) => {
      const name = `${own.name}: CPU for an answer`;
      return beside(name, median(own), 'µs', { name: other.name, value: median(other) });
    }),
  );
}

async function microseconds(load: string, { name, server, names }: Runner): Promise<number> {
  const before = await cpuSeconds(server.pid);
  const asked = { port: server.port, count: QUESTIONS, names, prefix: CLIENT };
  const { answered, lost } = await askInBatches(load, asked);
  if (lost > QUESTIONS / 100) throw new Error(`${name}: ${lost} questions were lost`);
  return (((await cpuSeconds(server.pid)) - before) / answered) * 1e6;
}
