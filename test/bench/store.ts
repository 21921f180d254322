/** What a commit and an opening cost, on the real disk: CPU, written bytes, time. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Files } from '#runtime';
import { nodeRuntime } from '#runtime/node';
import { openStore } from '#storage';
import { measureMerge } from './merge.ts';
import { percentile, type Row } from './row.ts';

const RECORDS = 500;

/** Measures a store of `commits` commits to 500 records. */
export async function run(commits = 10_000): Promise<readonly Row[]> {
  const root = await mkdtemp(join(tmpdir(), 'nymote-bench-'));
  try {
    return await measure(join(root, 'store'), commits);
  } finally {
    await rm(root, { recursive: true });
  }
}

async function measure(directory: string, commits: number): Promise<readonly Row[]> {
  const machine = nodeRuntime({ log: () => undefined });
  const { files, written } = counting(machine.files);
  const runtime = { ...machine, files };
  const { privateKey } = await runtime.crypto.generateSigningKey('ed25519');
  const signer = runtime.crypto.signer('ed25519', privateKey);
  const writer = { deviceId: 'router', name: 'Router', signer };
  const store = await openStore(runtime, { directory, writer });
  const cpu = process.cpuUsage();
  const bytes = written();
  const times: number[] = [];
  for (let value = 0; value < commits; value++) {
    const records = [{ data: '192.0.2.1', ttl: value, type: 'A' }];
    const path = `names/n${value % RECORDS}`;
    const before = performance.now();
    await store.commit({
      ops: [{ op: 'set', path, value: { records } }],
      message: `Set ${path}`,
      via: 'web',
    });
    times.push(performance.now() - before);
  }
  const { user, system } = process.cpuUsage(cpu);
  const bytesEach = (written() - bytes) / commits;
  const { head } = store;
  await store[Symbol.asyncDispose]();
  return [
    { name: 'commit, CPU', value: (user + system) / 1000 / commits, unit: 'ms', note: 'budget 1' },
    { name: 'commit, median', value: percentile(times, 0.5), unit: 'ms' },
    { name: 'commit, 99th percentile', value: percentile(times, 0.99), unit: 'ms' },
    { name: 'commit, written', value: bytesEach, unit: 'B', note: 'budget 1500' },
    ...(await measureOpening(runtime, directory, commits, head)),
    ...(await measureMerge(machine, dirname(directory))),
  ];
}

async function measureOpening(
  runtime: Parameters<typeof openStore>[0],
  directory: string,
  commits: number,
  head: string,
): Promise<readonly Row[]> {
  const open = async (): Promise<number> => {
    const before = performance.now();
    await using store = await openStore(runtime, { directory });
    if (store.head !== head) throw new Error('the store lost commits');
    return performance.now() - before;
  };
  const name = `open with ${commits} commits`;
  const times = [await open(), await open(), await open()];
  const value = percentile(times, 0.5);
  await runtime.files.remove(`${directory}/checkpoint.json`);
  return [
    { name, value, unit: 'ms', note: 'budget 200' },
    { name: `${name}, no checkpoint`, value: await open(), unit: 'ms' },
  ];
}

/** Counts what is handed to the disk. */
function counting(files: Files): { files: Files; written: () => number } {
  let bytes = 0;
  return {
    written: () => bytes,
    files: {
      ...files,
      async replace(path, data, mode) {
        bytes += data.length;
        await files.replace(path, data, mode);
      },
      async openAppend(path) {
        const file = await files.openAppend(path);
        return {
          get size() {
            return file.size;
          },
          read: (offset, length) => file.read(offset, length),
          truncate: (size) => file.truncate(size),
          async append(data) {
            bytes += data.length;
            await file.append(data);
          },
          [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
        };
      },
    },
  };
}
