/**
 * A hub under a community: 10,000 realms of one router and one laptop each, ten commits a day that
 * each of the two gives, a poll every half an hour; as it is, and all of it twenty times as fast.
 * Hub and PostgreSQL have one core together, the load another.
 */

import { spawn } from 'node:child_process';
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { availableParallelism } from 'node:os';
import postgres from 'postgres';
import { deviceId } from '#identity';
import type { Signer } from '#runtime';
import { nodeRuntime } from '#runtime/node';
import { openDatabase, signRequest } from '#service';
import { realmKey, sealFrame } from '#storage';
import { startPostgres } from '../conformance/hub-stand.ts';
import { takePort } from '../suites/ports.ts';
import { stop } from './house.ts';
import { cpuSeconds, residentMegabytes } from './process.ts';
import { NODE } from './programs.ts';
import { progress } from './progress.ts';
import { percentile, type Row } from './row.ts';

const REALMS = 10_000;
const COMMITS_A_DAY = 10;
const POLL_SECONDS = 1_800;
const DEVICES = 2;
const FASTER = 20;
const SECONDS = 30;
/** Of the load as it is, which is a dozen requests a second. */
const REAL_SECONDS = 20;
const STREAMS = 1_000;
/** What a core is to be used for, with room for a bad hour. */
const SHARE = 0.5;
/** What a commit of one changed field takes, sealed. */
const COMMIT_BYTES = 900;
/** Commits that are there already. */
const HISTORY = 4;

const DAY = 86_400;
const PUSHES = (REALMS * COMMITS_A_DAY) / DAY;
const POLLS = (REALMS * DEVICES) / POLL_SECONDS;

const { crypto } = nodeRuntime({ log: () => undefined });
const KEY = realmKey(crypto, new Uint8Array(32).fill(1));
const SERVER = availableParallelism() > 1 ? ['taskset', '-c', '0'] : [];
const NOTHING = new Uint8Array(0);
const DER = Buffer.from('302e020100300506032b657004220420', 'hex');

type Device = { readonly id: string; readonly signer: Signer; seq: number };
type Realm = { readonly name: string; readonly devices: readonly Device[] };

export async function run(): Promise<readonly Row[]> {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await startPostgres(SERVER));
  const realms = Array.from({ length: REALMS }, (_, index) => realmOf(index));
  await fill(database.url, realms);
  const port = await takePort();
  const [file = '', ...words] = [
    ...SERVER,
    ...NODE.command,
    'hub',
    '--listen',
    `127.0.0.1:${port}`,
  ];
  const env = { ...process.env, NYMOTE_DATABASE: database.url };
  const child = spawn(file, words, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  stack.defer(() => stop(child));
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`the hub ended with ${code}`)));
  });
  const url = `http://127.0.0.1:${port}`;
  const pids = [child.pid ?? 0, database.pid] as const;
  progress('hub: warming up');
  await load(url, realms, 5, FASTER);
  progress(`hub: ${REAL_SECONDS} seconds of the load`);
  const real = await load(url, realms, REAL_SECONDS, 1);
  progress(`hub: ${SECONDS} seconds of ${FASTER} times the load`);
  const before = await Promise.all(pids.map(cpuSeconds));
  const fast = await load(url, realms, SECONDS, FASTER);
  const after = await Promise.all(pids.map(cpuSeconds));
  const used = after.map((seconds, index) => seconds - (before[index] ?? 0));
  const resident = await residentMegabytes(pids[0]);
  const listening = await listen(url, realms, async () => residentMegabytes(pids[0]));
  return [
    ...timeRows('as it is', real),
    ...timeRows(`${FASTER} times`, fast),
    ...cpuRows(used, fast),
    { name: 'resident memory of the hub', value: resident, unit: 'MB' },
    {
      name: 'more for each device that listens',
      value: ((listening - resident) * 1_024) / STREAMS,
      unit: 'KB',
      note: `${STREAMS} of them`,
    },
  ];
}

function timeRows(pace: string, { polls, pushes }: Times): readonly Row[] {
  return (
    [
      ['poll', polls],
      ['push', pushes],
    ] as const
  ).flatMap(([name, times]) => [
    {
      name: `${name} ${pace}, p50`,
      value: percentile(times, 0.5),
      unit: 'ms',
      note: `${times.length}`,
    },
    { name: `${name} ${pace}, p99 (budget 50)`, value: percentile(times, 0.99), unit: 'ms' },
  ]);
}

function cpuRows([hub = 0, database = 0]: readonly number[], { polls, pushes }: Times): Row[] {
  const cpu = hub + database;
  const requests = polls.length + pushes.length;
  const share = cpu / SECONDS / FASTER;
  return [
    { name: 'CPU for a request', value: (cpu / requests) * 1e3, unit: 'ms', note: `${requests}` },
    { name: 'of it PostgreSQL', value: (database / cpu) * 100, unit: '%' },
    { name: 'a core, at the real load', value: share * 100, unit: '%' },
    { name: 'households on half a core', value: (REALMS * SHARE) / share, unit: '' },
  ];
}

/** Runs `measure` while devices wait to hear of something. */
async function listen(
  url: string,
  realms: readonly Realm[],
  measure: () => Promise<number>,
): Promise<number> {
  progress(`hub: ${STREAMS} devices listen`);
  const streams = await Promise.all(
    realms.slice(0, STREAMS).map(async ({ name, devices }) => {
      const [, { signer }] = devices as [Device, Device];
      const target = { method: 'GET', url: `${url}/sync/v1/${name}/watch`, body: NOTHING };
      const { body } = await fetch(await signRequest(crypto, signer, target));
      const reader = (body as ReadableStream<Uint8Array>).getReader();
      await reader.read();
      return reader;
    }),
  );
  const measured = await measure();
  await Promise.all(streams.map((reader) => reader.cancel()));
  return measured;
}

function realmOf(index: number): Realm {
  const name = createHash('sha256').update(`realm ${index}`).digest('hex');
  const devices = Array.from({ length: DEVICES }, (_, device) => {
    const seed = createHash('sha256').update(`${index} ${device}`).digest();
    const key = createPrivateKey({ key: Buffer.concat([DER, seed]), format: 'der', type: 'pkcs8' });
    const { x = '' } = createPublicKey(key).export({ format: 'jwk' });
    const publicKey = new Uint8Array(Buffer.from(x, 'base64url'));
    const signer = { publicKey, sign: (data: Uint8Array) => sign(null, data, key) };
    return { id: deviceId(crypto, publicKey), signer, seq: HISTORY };
  });
  return { name, devices };
}

function envelope(realm: string, device: string, seq: number): Uint8Array {
  const frame = new Uint8Array(COMMIT_BYTES).fill(seq & 255);
  const id = createHash('sha256').update(`${realm} ${device} ${seq}`).digest('hex');
  return sealFrame(crypto, KEY, realm, { device, seq, id }, frame);
}

/** Realms as they would be after a while, put there in bulk. */
async function fill(url: string, realms: readonly Realm[]): Promise<void> {
  progress(`hub: ${REALMS} realms`);
  const hash = (text: string) => crypto.hash('sha256', new TextEncoder().encode(text));
  await (await openDatabase({ url, quota: 1, daily: 1, hash }))[Symbol.asyncDispose]();
  const sql = postgres(url, { max: 1 });
  // Row security holds for its owner as well; in bulk it would be asked for each realm apart.
  const tables = ['realm', 'member', 'chain', 'commit'].map((name) => `nymote_${name}`);
  for (const table of tables) await sql.unsafe(`ALTER TABLE ${table} NO FORCE ROW LEVEL SECURITY`);
  const bytes = (hex: string) => Buffer.from(hex, 'hex');
  for (let first = 0; first < realms.length; first += 100) {
    const some = realms.slice(first, first + 100);
    await sql`INSERT INTO nymote_realm ${sql(some.map(({ name }) => ({ realm: bytes(name), quota: 1 << 26 })))}`;
    const members = some.flatMap(({ name, devices }) =>
      devices.map(({ id, signer }) => ({
        ...{ realm: bytes(name), device: id, key: signer.publicKey, may_admit: true },
      })),
    );
    await sql`INSERT INTO nymote_member ${sql(members)}`;
    const chains = some.flatMap(({ name, devices }) =>
      devices.map(({ id }) => ({ realm: bytes(name), device: id, seq: HISTORY, id: bytes(name) })),
    );
    await sql`INSERT INTO nymote_chain ${sql(chains)}`;
    const commits = some.flatMap(({ name, devices }) =>
      devices.flatMap(({ id }) =>
        Array.from({ length: HISTORY }, (_, index) => ({
          ...{ realm: bytes(name), device: id, seq: index + 1, id: bytes(name) },
          envelope: envelope(name, id, index + 1),
        })),
      ),
    );
    for (let at = 0; at < commits.length; at += 2_000) {
      await sql`INSERT INTO nymote_commit ${sql(commits.slice(at, at + 2_000))}`;
    }
  }
  for (const table of tables) await sql.unsafe(`ALTER TABLE ${table} FORCE ROW LEVEL SECURITY`);
  for (const table of tables) await sql.unsafe(`ANALYZE ${table}`);
  await sql.end();
}

type Times = { readonly polls: number[]; readonly pushes: number[] };

/** Requests come when they come, whether or not those before were answered. */
async function load(
  url: string,
  realms: readonly Realm[],
  seconds: number,
  faster: number,
): Promise<Times> {
  const times: Times = { polls: [], pushes: [] };
  const running: Promise<void>[] = [];
  const failures: unknown[] = [];
  // One that fails while others run must not end us: what we started would stay.
  const run = (request: Promise<void>) =>
    running.push(request.catch((error: unknown) => void failures.push(error)));
  const began = performance.now();
  let turn = 0;
  let [polled, pushed] = [0, 0];
  while (performance.now() - began < seconds * 1_000) {
    const elapsed = (performance.now() - began) / 1_000;
    for (; polled < elapsed * POLLS * faster; polled++) run(poll(url, pick(realms, turn++), times));
    for (; pushed < elapsed * PUSHES * faster; pushed++)
      run(push(url, pick(realms, turn++), times));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
  return times;
}

/** Another realm each time, in no order that memory would know. */
function pick(realms: readonly Realm[], turn: number): Realm {
  return realms[(turn * 7_919) % realms.length] as Realm;
}

async function poll(url: string, { name, devices }: Realm, { polls }: Times): Promise<void> {
  const vector = devices.map(({ id, seq }) => [id, [[seq, '']]]);
  const body = new TextEncoder().encode(JSON.stringify(Object.fromEntries(vector)));
  polls.push(await ask(`${url}/sync/v1/${name}/pull`, devices[1] as Device, body));
}

/** The author gives its commit, and then so does the other device, as every member does (ADR 18). */
async function push(url: string, { name, devices }: Realm, { pushes }: Times): Promise<void> {
  const [author] = devices as [Device];
  author.seq += 1;
  const body = envelope(name, author.id, author.seq);
  for (const giver of devices) pushes.push(await ask(`${url}/sync/v1/${name}/push`, giver, body));
}

async function ask(url: string, { signer }: Device, body: Uint8Array): Promise<number> {
  const request = await signRequest(crypto, signer, { method: 'POST', url, body });
  const began = performance.now();
  const response = await fetch(request);
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return performance.now() - began;
}
