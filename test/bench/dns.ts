/**
 * CPU for an answer from memory, beside the fastest there are: our zone beside NSD with the same
 * zone, and answers from the cache beside Unbound. All of them signed, DO set.
 *
 * Server and load have a core each where there are two; rounds alternate, so that what disturbs one
 * disturbs the other.
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type House, startHouse } from './house.ts';
import { load } from './load-run.ts';
import { type Peer, signZone, startNsd, startUnbound } from './name-servers.ts';
import { cpuSeconds } from './process.ts';
import { progress } from './progress.ts';
import { beside, percentile, type Row } from './row.ts';

const ROUNDS = 3;
const QUESTIONS = 50_000;
/** Until everything is compiled and cached. */
const WARM_UP = 20_000;
const DEVICES = 8;

const APEX = 'alice.nymote';
/** Somebody else's names, to be cached. */
const FOREIGN = 'leaf.example';

const isPinned = availableParallelism() > 1;
const SERVER = isPinned ? ['taskset', '-c', '0'] : [];
const CLIENT = isPinned ? ['taskset', '-c', '1'] : [];

type Server = { readonly pid: number; readonly port: number };
type Used = { readonly microseconds: number; readonly perSecond: number };

/** Two comparisons: authority and cache. */
export async function run(): Promise<readonly Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'nymote-bench-'));
  try {
    return await measure(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function measure(directory: string): Promise<readonly Row[]> {
  const foreign = await writeForeign(directory);
  await using names = await startNsd(directory, [{ apex: FOREIGN, file: foreign }], SERVER);
  await using unbound = await startUnbound(directory, names.port, SERVER);
  await using house = await startHouse({
    directory: join(directory, 'data'),
    prefix: SERVER,
    // Neither side validates here: the zone hangs under no root.
    settings: ['--forward', `127.0.0.1:${names.port}`, '--validate', 'off'],
  });
  const own = addDevices(house);
  const zone = await writeOwn(directory, house);
  await using nsd = await startOther(directory, zone);
  const cached = Array.from({ length: DEVICES }, (_, index) => `host${index}.${FOREIGN}`);
  return [
    ...(await compare('own zone', own, house, { name: 'NSD', server: nsd })),
    ...(await compare('own zone, no such name', ['missing.alice.nymote'], house, {
      name: 'NSD',
      server: nsd,
    })),
    ...(await compare('cache', cached, house, { name: 'Unbound', server: unbound })),
  ];
}

function addDevices({ nymote }: House): readonly string[] {
  const names = Array.from({ length: DEVICES - 1 }, (_, index) => `device${index}`);
  for (const name of names) nymote('device', 'add', name);
  return [`laptop.${APEX}`, ...names.map((name) => `${name}.${APEX}`)];
}

async function writeOwn(directory: string, { nymote }: House): Promise<string> {
  const file = join(directory, 'own.zone');
  const head = [
    `${APEX}. 300 IN SOA laptop.${APEX}. hostmaster.${APEX}. 1 7200 3600 1209600 300`,
    `${APEX}. 300 IN NS laptop.${APEX}.`,
  ];
  await writeFile(file, `${head.join('\n')}\n${nymote('zone', 'show')}\n`);
  return signZone(directory, APEX, file);
}

async function writeForeign(directory: string): Promise<string> {
  const file = join(directory, 'foreign.zone');
  const hosts = Array.from({ length: DEVICES }, (_, index) => index);
  const lines = [
    `${FOREIGN}. 3600 IN SOA ns.${FOREIGN}. hostmaster.${FOREIGN}. 1 7200 3600 1209600 300`,
    `${FOREIGN}. 3600 IN NS ns.${FOREIGN}.`,
    `ns.${FOREIGN}. 3600 IN A 127.0.0.1`,
    ...hosts.map((host) => `host${host}.${FOREIGN}. 3600 IN AAAA 2001:db8::${host + 1}`),
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  return signZone(directory, FOREIGN, file);
}

/** The peer for our zone, with a directory of its own. */
async function startOther(directory: string, file: string): Promise<Peer> {
  const own = await mkdtemp(join(directory, 'nsd-'));
  return startNsd(own, [{ apex: APEX, file }], SERVER);
}

async function compare(
  what: string,
  names: readonly string[],
  house: Server,
  peer: { readonly name: string; readonly server: Server },
): Promise<readonly Row[]> {
  progress(`dns: ${what}, warming up`);
  for (const { port } of [house, peer.server]) {
    await load({ port, count: WARM_UP, names, prefix: CLIENT });
  }
  const ours: Used[] = [];
  const theirs: Used[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    progress(`dns: ${what}, round ${round} of ${ROUNDS}`);
    ours.push(await use(house, names));
    theirs.push(await use(peer.server, names));
  }
  const medians = (pick: (used: Used) => number) =>
    [ours, theirs].map((all) => percentile(all.map(pick), 0.5)) as [number, number];
  const [cpu, peerCpu] = medians(({ microseconds }) => microseconds);
  const [rate, peerRate] = medians(({ perSecond }) => perSecond);
  return [
    beside(`${what}: CPU for an answer`, cpu, 'µs', { name: peer.name, value: peerCpu }),
    beside(`${what}: answers, load included`, rate, '/s', { name: peer.name, value: peerRate }),
  ];
}

async function use({ pid, port }: Server, names: readonly string[]): Promise<Used> {
  const before = await cpuSeconds(pid);
  const { answered, lost, seconds } = await load({ port, count: QUESTIONS, names, prefix: CLIENT });
  if (lost > QUESTIONS / 100) throw new Error(`port ${port}: ${lost} questions were lost`);
  const cpu = (await cpuSeconds(pid)) - before;
  return { microseconds: (cpu / answered) * 1e6, perSecond: answered / seconds };
}
