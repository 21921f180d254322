/**
 * What an honest client still gets while somebody attacks: its share of answers within two seconds,
 * next to that without an attack, at fixed rates. Names are asked for the first time and validated.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { encodeMessage } from '#resolver';
import { findPorts } from '../conformance/service-stand.ts';
import { LAB, LEAVES, queryFor, ROOT, startNsd, waitFor } from '../conformance/validation-stand.ts';
import { takePort } from '../suites/ports.ts';
import { DEEP, LEAF_ZONES, signAll, TWINS, WRONG_SIGNATURES } from './attack-zones.ts';
import { HOST, stop } from './house.ts';
import { progress } from './progress.ts';
import type { Row } from './row.ts';

const EVIL = '127.53.0.7';
/** An attacker has an address of its own: what one address may have under way is limited. */
const ATTACKER = '127.53.0.8';
const HONEST_RATE = 100;
const ATTACK_RATE = 200;
const SECONDS = 4;
const SLOW_READERS = 200;
const SLOW_ADDRESSES = 8;
/** Megabytes, and kilobytes a second. */
const SMALL_CACHE = 2;
const FLOOD_RATE = 2_000;

const HONEST = { suffix: 'z0.lab', type: 'AAAA' };

type Attack = {
  readonly name: string;
  readonly suffix: string;
  readonly type: string;
  /** Labels above the suffix. */
  readonly depth?: number;
};

const ATTACKS: readonly Attack[] = [
  {
    name: `KeyTrap: ${WRONG_SIGNATURES} wrong signatures each`,
    ...{ suffix: 'wild.keytrap.lab', type: 'TXT' },
  },
  {
    name: `KeyTrap: ${TWINS} keys of one tag, ${WRONG_SIGNATURES} signatures`,
    ...{ suffix: 'wild.twins.lab', type: 'TXT' },
  },
  { name: 'NSEC3: 150 iterations, 60 labels', suffix: 'nsec3.lab', type: 'A', depth: 60 },
  { name: 'NSEC3: 150 iterations, deep zone', suffix: `${DEEP}.nsec3.lab`, type: 'A' },
  { name: 'NXNS: 20 servers without address', suffix: 'nxns.evil.lab', type: 'A' },
  { name: 'CAMP: aliases without end', suffix: 'camp.evil.lab', type: 'A' },
  { name: 'CacheFlush: a kilobyte each', suffix: 'flush.evil.lab', type: 'TXT' },
  { name: 'DNSBomb: answers held back', suffix: 'bomb.evil.lab', type: 'TXT' },
];

const RESOLVER = fileURLToPath(new URL('./cold-resolver.ts', import.meta.url));
const EVIL_SERVER = fileURLToPath(new URL('./attack-server.ts', import.meta.url));
const ASKER = fileURLToPath(new URL('./attack-client.ts', import.meta.url));

const isPinned = availableParallelism() > 1;
const SERVER = isPinned ? ['taskset', '-c', '0'] : [];
const CLIENT = isPinned ? ['taskset', '-c', '1'] : [];

type Asked = {
  readonly asked: number;
  readonly answered: number;
  readonly p50: number;
  readonly p99: number;
};

/** Where our resolver asks, and what it believes. */
type Stand = { readonly upstream: number; readonly anchor: string };

/** One attack after the other on the same resolver; one that floods, on another with less memory. */
export async function run(): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'nymote-bench-'));
  await using opened = new AsyncDisposableStack();
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const stand = await openStand(folder, opened);
  const ours = await startResolver(stand);
  opened.defer(ours.stop);

  let first = 0;
  const honest = async (transport: Transport = 'udp') => {
    first += HONEST_RATE * SECONDS;
    return ask(ours.port, HONEST_RATE, HONEST, { first, source: HOST, transport });
  };
  await honest();
  const normal = await honest();
  const rows: Row[] = [rowOf('no attack', normal, normal)];
  for (const attack of ATTACKS) {
    progress(`attack: ${attack.name}`);
    const [meanwhile] = await Promise.all([
      honest(),
      ask(ours.port, ATTACK_RATE, attack, { first: 0, source: ATTACKER }),
    ]);
    rows.push(rowOf(attack.name, meanwhile, normal));
  }
  progress('attack: slow readers');
  for (const transport of ['udp', 'tcp'] as const) {
    const close = await readSlowly(ours.port);
    const name = `TCP: ${SLOW_READERS} that never read; asked over ${transport.toUpperCase()}`;
    rows.push(rowOf(name, await honest(transport), normal));
    close();
  }
  await ours.stop();
  return [...rows, ...(await flood(stand))];
}

async function openStand(folder: string, opened: AsyncDisposableStack): Promise<Stand> {
  const anchor = await signAll(folder, EVIL);
  const upstream = await takePort();
  opened.defer(await startNsd(folder, upstream, ROOT, ['.']));
  opened.defer(await startNsd(folder, upstream, LAB, ['lab.']));
  opened.defer(await startNsd(folder, upstream, LEAVES, LEAF_ZONES));
  for (const address of [ROOT, LAB, LEAVES]) await waitFor({ address, port: upstream });
  opened.defer(await startScript(CLIENT, EVIL_SERVER, [EVIL, upstream]));
  return { upstream, anchor };
}

async function startResolver({ upstream, anchor }: Stand, cacheMegabytes = 256) {
  const { dns: port } = await findPorts();
  const words = [HOST, port, ROOT, upstream, anchor, cacheMegabytes];
  const child = spawnScript(SERVER, RESOLVER, words);
  await said(child);
  return { child, port, stop: () => stop(child) };
}

/**
 * What a household asks for every day, of which the cache has all, and a flood of another domain's
 * data several times the size of the cache: how much of the former need not be asked for again.
 */
async function flood(stand: Stand): Promise<readonly Row[]> {
  progress('attack: a flood of the cache');
  const { child, port, stop: end } = await startResolver(stand, SMALL_CACHE);
  try {
    const daily = () => ask(port, HONEST_RATE, HONEST, { first: 0, source: HOST });
    const kept = async () => {
      const before = await sendsOf(child);
      const { asked, answered } = await daily();
      const share = 1 - ((await sendsOf(child)) - before) / asked;
      return { share: Math.max(share, 0) * 100, answered };
    };
    await daily();
    const before = await kept();
    const flooding = { suffix: 'flush.evil.lab', type: 'TXT' };
    const { answered } = await ask(port, FLOOD_RATE, flooding, { first: 0, source: ATTACKER });
    const after = await kept();
    const what = `CacheFlush: ${answered} kB into ${SMALL_CACHE} MB, still in the cache`;
    const note = `${HONEST_RATE * SECONDS} names, ${before.share.toFixed(0)} % before`;
    return [{ name: what, value: after.share, unit: '%', note }];
  } finally {
    await end();
  }
}

/** Questions that our resolver has sent to others until now. */
async function sendsOf(child: ChildProcess): Promise<number> {
  const line = said(child);
  child.kill('SIGUSR2');
  return JSON.parse(await line).upstreamSends;
}

function rowOf(name: string, { answered, p99 }: Asked, normal: Asked): Row {
  const value = (answered / normal.answered) * 100;
  return {
    name,
    value,
    unit: '%',
    note: `${answered} answers, 99 of 100 within ${p99.toFixed(0)} ms`,
  };
}

type Transport = 'udp' | 'tcp';
type From = { readonly first: number; readonly source: string; readonly transport?: Transport };

async function ask(
  port: number,
  rate: number,
  { suffix, type, depth = 1 }: Omit<Attack, 'name'>,
  { first, source, transport = 'udp' }: From,
): Promise<Asked> {
  const words = [HOST, port, rate, SECONDS, type, suffix, depth, first, source, transport];
  const child = spawnScript(CLIENT, ASKER, words);
  let output = '';
  child.stdout?.on('data', (chunk) => (output += chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the client ended with ${code}`);
  return JSON.parse(output);
}

/** Connections that ask for much and read nothing, as many as each of several addresses may have. */
async function readSlowly(port: number): Promise<() => void> {
  const message = encodeMessage(queryFor('big.flush.evil.lab.', 'TXT', false));
  const question = Uint8Array.of(message.length >> 8, message.length & 255, ...message);
  const sockets = Array.from({ length: SLOW_READERS }, (_, index) =>
    connect({ port, host: HOST, localAddress: `127.53.1.${index % SLOW_ADDRESSES}` }),
  );
  for (const socket of sockets) {
    // Being cut off is what the server is right to do.
    socket.on('error', () => undefined);
    socket.pause();
    for (let index = 0; index < 50; index++) socket.write(question);
  }
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}

function spawnScript(
  prefix: readonly string[],
  script: string,
  words: readonly unknown[],
): ChildProcess {
  const [program = '', ...args] = [...prefix, process.execPath, script, ...words.map(String)];
  return spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function startScript(prefix: readonly string[], script: string, words: readonly unknown[]) {
  const child = spawnScript(prefix, script, words);
  await said(child);
  return () => stop(child);
}

/** The next line it prints. */
async function said({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('unreachable: its output is piped');
  const lines = createInterface(stdout);
  const [line] = await Promise.race([once(lines, 'line'), once(lines, 'close')]);
  if (line === undefined) throw new Error('a script ended before it said anything');
  lines.close();
  return line;
}
