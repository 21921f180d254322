/**
 * Our own signed zone of many names, beside NSD with the same one: CPU for a signed answer, and how
 * many answers both give with every core of the machine, the load's share included.
 */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeKeyFile } from '#identity';
import { nodeRuntime } from '#runtime/node';
import { openStore } from '#storage';
import { type House, startHouse } from './house.ts';
import { askInBatches, compile, type Loaded } from './load-run.ts';
import { type Peer, signZone, startNsd } from './name-servers.ts';
import { cpuSeconds } from './process.ts';
import { progress } from './progress.ts';
import { beside, percentile, type Row } from './row.ts';

const SIZES = [100, 1_000, 10_000];
const ROUNDS = 5;
const QUESTIONS = 300_000;
const APEX = 'alice.nymote';
/** Names of one commit: a commit is a change, not a bulk load. */
const BATCH = 1_000;

const cores = availableParallelism();
const SERVER = cores > 1 ? ['taskset', '-c', '0'] : [];
const CLIENT = cores > 1 ? ['taskset', '-c', '1'] : [];

type Server = { readonly pid: number; readonly port: number };
type Pair = AsyncDisposable & { readonly house: House; readonly nsd: Peer };

/** A zone after the other. */
export async function run(): Promise<readonly Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'nymote-bench-'));
  try {
    const load = compile(directory, 'load');
    const rows: Row[] = [];
    for (const size of SIZES) rows.push(...(await compare(directory, load, size)));
    return rows;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function compare(directory: string, load: string, size: number): Promise<readonly Row[]> {
  const own = await mkdtemp(join(directory, 'zone-'));
  const names = Array.from({ length: size }, (_, index) => `host${index}.${APEX}`);
  await fill(join(own, 'data'), names);
  const zone = signZone(own, APEX, await writeZone(own, names));
  const rows: Row[] = [];
  {
    await using pair = await start(own, zone, SERVER, 1);
    rows.push(await compareCpu(load, pair, names));
  }
  if (size === SIZES.at(-1) && cores > 1) {
    await using pair = await start(own, zone, [], cores);
    rows.push(await compareRate(load, pair, names));
  }
  return rows;
}

/** A realm with these names, before anything is measured. */
async function fill(data: string, names: readonly string[]): Promise<void> {
  progress(`zone: ${names.length} names`);
  await using _founded = await startHouse({ directory: data });
  await _founded[Symbol.asyncDispose]();
  const runtime = nodeRuntime({ log: () => undefined });
  const decoded = decodeKeyFile(runtime.crypto, await readFile(join(data, 'device.json')));
  if (!decoded.ok) throw new Error(`the device's keys: ${decoded.reason}`);
  const { id, signing } = decoded.keys;
  const signer = runtime.crypto.signer('ed25519', signing.privateKey);
  const writer = { deviceId: id, name: 'laptop', signer };
  await using store = await openStore(runtime, { directory: join(data, 'store'), writer });
  for (let first = 0; first < names.length; first += BATCH) {
    const ops = names.slice(first, first + BATCH).map((name, index) => ({
      ...{ op: 'set' as const, path: `names/${name.slice(0, -APEX.length - 1)}` },
      value: { records: [{ type: 'AAAA', ttl: 300, data: addressOf(first + index) }] },
    }));
    await store.commit({ ops, message: 'Name them', via: 'bench' });
  }
}

const addressOf = (index: number): string => `2001:db8::${(index + 1).toString(16)}`;

async function writeZone(directory: string, names: readonly string[]): Promise<string> {
  const file = join(directory, 'own.zone');
  const lines = [
    `${APEX}. 300 IN SOA laptop.${APEX}. hostmaster.${APEX}. 1 7200 3600 1209600 300`,
    `${APEX}. 300 IN NS laptop.${APEX}.`,
    `laptop.${APEX}. 300 IN AAAA 2001:db8::ffff`,
    ...names.map((name, index) => `${name}. 300 IN AAAA ${addressOf(index)}`),
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

async function start(
  directory: string,
  file: string,
  prefix: readonly string[],
  processes: number,
): Promise<Pair> {
  await using stack = new AsyncDisposableStack();
  const own = await mkdtemp(join(directory, 'nsd-'));
  const nsd = stack.use(await startNsd(own, [{ apex: APEX, file }], prefix, processes));
  const settings = ['--datapath', 'on'];
  const data = join(directory, 'data');
  const house = stack.use(await startHouse({ directory: data, prefix, settings }));
  const opened = stack.move();
  return { house, nsd, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function compareCpu(load: string, pair: Pair, names: readonly string[]): Promise<Row> {
  const used = await inTurns(load, pair, names, async (server, ask) => {
    const before = await cpuSeconds(server.pid);
    const { answered } = await ask(CLIENT);
    return (((await cpuSeconds(server.pid)) - before) / answered) * 1e6;
  });
  const name = `${names.length} names: CPU for an answer`;
  return beside(name, used.ours, 'µs', { name: 'NSD', value: used.theirs });
}

/** Sockets share by the asker's port, so it takes several askers to keep all cores busy. */
async function compareRate(load: string, pair: Pair, names: readonly string[]): Promise<Row> {
  const rates = await inTurns(load, pair, names, async (_server, ask) => {
    const loads = await Promise.all(Array.from({ length: 2 * cores }, () => ask([])));
    const seconds = Math.max(...loads.map((each) => each.seconds));
    return loads.reduce((sum, { answered }) => sum + answered, 0) / seconds;
  });
  const name = `${names.length} names, ${cores} cores: answers, load included`;
  return beside(name, rates.ours, '/s', { name: 'NSD', value: rates.theirs });
}

type Ask = (prefix: readonly string[]) => Promise<Loaded>;

/** Rounds alternate, so that what disturbs one disturbs the other; medians. */
async function inTurns(
  load: string,
  { house, nsd }: Pair,
  names: readonly string[],
  measure: (server: Server, ask: Ask) => Promise<number>,
): Promise<{ readonly ours: number; readonly theirs: number }> {
  const rounds: [number[], number[]] = [[], []];
  for (let round = 0; round <= ROUNDS; round++) {
    progress(`zone: ${names.length} names, ${round === 0 ? 'warming up' : `round ${round}`}`);
    for (const [index, server] of [house, nsd].entries()) {
      const ask: Ask = async (prefix) => {
        const asked = { port: server.port, count: QUESTIONS, names, prefix, wantsDnssec: true };
        const loaded = await askInBatches(load, asked);
        if (round > 0 && loaded.lost > QUESTIONS / 100) throw new Error(`${loaded.lost} were lost`);
        return loaded;
      };
      const value = await measure(server, ask);
      if (round > 0) rounds[index]?.push(value);
    }
  }
  return { ours: percentile(rounds[0], 0.5), theirs: percentile(rounds[1], 0.5) };
}
