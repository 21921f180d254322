/** A PostgreSQL of our own, on a port of its own, with a user that row security holds for. */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { takePort } from '../suites/ports.ts';
import { until } from '../suites/waiting.ts';

/** Where Debian has the server's programs. */
const ROOT = '/usr/lib/postgresql';

export type Postgres = AsyncDisposable & {
  /** As a user of no privilege. */
  readonly url: string;
  /** As the one who may do everything. */
  readonly adminUrl: string;
  readonly pid: number;
  /** As when it is upgraded: gone, and there again. */
  stop(): Promise<void>;
  start(): Promise<void>;
};

/** Starts it in an empty directory; `prefix` are words before its command (`taskset -c 0`). */
export async function startPostgres(prefix: readonly string[] = []): Promise<Postgres> {
  const [version = ''] = (await readdir(ROOT).catch(() => [])).toSorted();
  if (version === '') throw new Error('postgres is missing: apt-get install postgresql');
  const bin = join(ROOT, version, 'bin');
  const directory = await mkdtemp(join(tmpdir(), 'nymote-postgres-'));
  // The server refuses to be root.
  const owner = process.getuid?.() === 0 ? userIds('postgres') : {};
  if (owner.uid !== undefined) chownSync(directory, owner.uid, owner.gid ?? 0);
  const port = await takePort();
  const data = join(directory, 'data');
  execFileSync(join(bin, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'admin', '-N'], {
    ...owner,
    cwd: directory,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const settings = [
    `listen_addresses=127.0.0.1`,
    `port=${port}`,
    `unix_socket_directories=${directory}`,
    'fsync=off',
  ];
  const words = [...prefix, join(bin, 'postgres'), '-D', data];
  const [file = '', ...args] = [...words, ...settings.flatMap((each) => ['-c', each])];
  const run = () => spawn(file, args, { ...owner, cwd: directory, stdio: 'ignore' });
  let child = run();
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    // Immediate: nothing of it is wanted.
    child.kill('SIGQUIT');
    await exited;
  };
  const remove = async (): Promise<void> => {
    await stop();
    // Its other processes may still be on their way out.
    await rm(directory, { recursive: true, force: true, maxRetries: 20 });
  };
  try {
    const adminUrl = `postgres://admin@127.0.0.1:${port}/postgres`;
    await prepare(adminUrl);
    return {
      url: `postgres://nymote@127.0.0.1:${port}/nymote`,
      adminUrl,
      pid: child.pid ?? 0,
      stop,
      async start() {
        child = run();
        await prepare(adminUrl, []);
      },
      [Symbol.asyncDispose]: remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

const OURS = ['CREATE ROLE nymote LOGIN', 'CREATE DATABASE nymote OWNER nymote'];

/** Waits until it answers, and does these. */
async function prepare(url: string, commands = OURS): Promise<void> {
  const options = { max: 1, onnotice: () => undefined };
  await until('PostgreSQL answers', async () => {
    const sql = postgres(url, options);
    const isUp = await sql`SELECT 1`.then(
      () => true,
      () => false,
    );
    await sql.end();
    return isUp;
  });
  const sql = postgres(url, options);
  for (const command of commands) await sql.unsafe(command);
  await sql.end();
}

function userIds(name: string): { uid?: number; gid?: number } {
  const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
