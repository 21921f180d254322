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
import {
  freePort,
  LAB,
  LEAVES,
  queryFor,
  ROOT,
  startNsd,
  waitFor,
  writeZone,
} from '../conformance/validation-stand.ts';
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

const P256 = { algorithm: 'ECDSAP256SHA256' };

/** Fifty labels that exist. */
const DEEP = Array.from({ length: 50 }, () => 'a').join('.');

type Attack = {
  readonly name: string;
  readonly suffix: string;
  readonly type: string;
  /** Labels above the suffix. */
  readonly depth?: number;
};

const ATTACKS: readonly Attack[] = [
  { name: 'KeyTrap: 64 wrong signatures each', suffix: 'wild.keytrap.lab', type: 'TXT' },
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

type Asked = { readonly asked: number; readonly answered: number; readonly p99: number };

/** One attack after the other on the same resolver. */
export async function run(): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'nymote-bench-'));
  await using opened = new AsyncDisposableStack();
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const anchor = await signAll(folder);
  const upstream = await freePort(HOST);
  opened.defer(await startNsd(folder, upstream, ROOT, ['.']));
  opened.defer(await startNsd(folder, upstream, LAB, ['lab.']));
  opened.defer(await startNsd(folder, upstream, LEAVES, ['z0.lab.', 'nsec3.lab.', 'keytrap.lab.']));
  for (const address of [ROOT, LAB, LEAVES]) await waitFor({ address, port: upstream });
  opened.defer(await startScript(CLIENT, EVIL_SERVER, [EVIL, upstream]));
  const port = await freePort(HOST);
  const words = [HOST, port, ROOT, upstream, anchor];
  opened.defer(await startScript(SERVER, RESOLVER, words));

  let first = 0;
  const honest = async () => {
    first += HONEST_RATE * SECONDS;
    return ask(port, HONEST_RATE, { suffix: 'z0.lab', type: 'AAAA' }, { first, source: HOST });
  };
  await honest();
  const normal = await honest();
  const rows: Row[] = [rowOf('no attack', normal, normal)];
  for (const attack of ATTACKS) {
    progress(`attack: ${attack.name}`);
    const [meanwhile] = await Promise.all([
      honest(),
      ask(port, ATTACK_RATE, attack, { first: 0, source: ATTACKER }),
    ]);
    rows.push(rowOf(attack.name, meanwhile, normal));
  }
  progress('attack: slow readers');
  const close = await readSlowly(port);
  rows.push(rowOf(`TCP: ${SLOW_READERS} that never read`, await honest(), normal));
  close();
  return rows;
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

async function ask(
  port: number,
  rate: number,
  { suffix, type, depth = 1 }: Omit<Attack, 'name'>,
  { first, source }: { readonly first: number; readonly source: string },
): Promise<Asked> {
  const words = [HOST, port, rate, SECONDS, type, suffix, depth, first, source];
  const child = spawnScript(CLIENT, ASKER, words);
  let output = '';
  child.stdout?.on('data', (chunk) => (output += chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the client ended with ${code}`);
  return JSON.parse(output);
}

/** Connections that ask for much and read nothing. */
async function readSlowly(port: number): Promise<() => void> {
  const message = encodeMessage(queryFor('big.flush.evil.lab.', 'TXT', false));
  const question = Uint8Array.of(message.length >> 8, message.length & 255, ...message);
  const sockets = Array.from({ length: SLOW_READERS }, () => connect(port, HOST));
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

function spawnScript(prefix: readonly string[], script: string, words: readonly unknown[]) {
  const [program = '', ...args] = [...prefix, process.execPath, script, ...words.map(String)];
  return spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function startScript(prefix: readonly string[], script: string, words: readonly unknown[]) {
  const child: ChildProcess = spawnScript(prefix, script, words);
  if (child.stdout === null) throw new Error('unreachable: its output is piped');
  await once(createInterface(child.stdout), 'line');
  return () => stop(child);
}

async function signAll(folder: string): Promise<string> {
  const hosts = Array.from(
    { length: 5_000 },
    (_, host) => `h${host} AAAA 2001:db8::${host % 9999}`,
  );
  const zone = (name: string, lines: readonly string[], more: object = {}) =>
    writeZone(folder, name, ['@ NS ns', `ns A ${LEAVES}`, ...lines], { ...P256, ...more });
  const delegations = [
    await zone('z0.lab.', hosts),
    await zone('nsec3.lab.', [`${DEEP} A 192.0.2.1`], { sign: ['-3', 'aabbccdd', '-H', '150'] }),
    await zone('keytrap.lab.', ['*.wild TXT "x"'], { spoil: withWrongSignatures }),
    ...['z0', 'nsec3', 'keytrap'].flatMap((name) => [
      `${name} NS ns.${name}`,
      `ns.${name} A ${LEAVES}`,
    ]),
    ...['evil NS ns.evil', `ns.evil A ${EVIL}`],
  ];
  const below = delegations.map((line) => line ?? '');
  const lab = await writeZone(folder, 'lab.', ['@ NS ns', `ns A ${LAB}`, ...below], P256);
  const root = ['@ NS ns', `ns A ${ROOT}`, 'lab NS ns.lab', `ns.lab A ${LAB}`, lab ?? ''];
  return (await writeZone(folder, '.', root, P256)) ?? '';
}

const WRONG_SIGNATURES = 64;

/** In place of the wildcard's signature many that look like it. */
function withWrongSignatures(lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => {
    if (!/^\*.*RRSIG\s+TXT /.test(line)) return [line];
    return Array.from({ length: WRONG_SIGNATURES }, (_, index) =>
      line.replace(/(\S{8})\S{4}(\S*)$/, `$1${(index + 4096).toString(16)}$2`),
    );
  });
}
