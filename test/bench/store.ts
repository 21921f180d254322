/**
 * What a commit, an opening and reading what was cost, on the real disk: CPU, written bytes, time;
 * beside others that do the same, but for signing and verifying.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Files } from '#runtime';
import { nodeRuntime } from '#runtime/node';
import { openStore } from '#storage';
import { measureMerge } from './merge.ts';
import { beside, percentile, type Row } from './row.ts';
import { measureMemory } from './store-memory.ts';
import { type Costs, cpuOf, measureAutomerge, measureGit, recordOf, timed } from './store-peers.ts';

const RECORDS = 500;
/** Commits that somebody looks at. */
const SHOWN = 1_000;

/** Measures a store of `commits` commits to 500 records. */
export async function run(commits = 10_000): Promise<readonly Row[]> {
  const root = await mkdtemp(join(tmpdir(), 'nymote-bench-'));
  try {
    return await measure(root, commits);
  } finally {
    await rm(root, { recursive: true });
  }
}

async function measure(root: string, commits: number): Promise<readonly Row[]> {
  const directory = join(root, 'store');
  const machine = nodeRuntime({ log: () => undefined });
  const { files, written } = counting(machine.files);
  const runtime = { ...machine, files };
  const { privateKey } = await runtime.crypto.generateSigningKey('ed25519');
  const signer = runtime.crypto.signer('ed25519', privateKey);
  const writer = { deviceId: 'router', name: 'Router', signer };
  const store = await openStore(runtime, { directory, writer });
  const bytes = written();
  const times: number[] = [];
  const cpu = await cpuOf(async () => {
    for (let number = 0; number < commits; number++) {
      const { key, value } = recordOf(number, RECORDS);
      const path = `names/${key}`;
      const draft = {
        ops: [{ op: 'set', path, value }],
        message: `Set ${path}`,
        via: 'web',
      } as const;
      times.push(await timed(() => store.commit(draft)));
    }
  });
  const bytesEach = (written() - bytes) / commits;
  const { head } = store;
  await store[Symbol.asyncDispose]();
  const size = { commits, records: RECORDS, shown: SHOWN };
  const peers = [await measureAutomerge(root, size), await measureGit(root, size)];
  return [
    ...rowsBeside('commit, CPU', cpu / commits, 'commit', peers, 'budget 1'),
    { name: 'commit, median', value: percentile(times, 0.5), unit: 'ms' },
    { name: 'commit, 99th percentile', value: percentile(times, 0.99), unit: 'ms' },
    { name: 'commit, written', value: bytesEach, unit: 'B', note: 'budget 1500' },
    ...(await measureOpening(runtime, directory, head, { commits, peers })),
    ...(await measureMerge(machine, root)),
    ...(await measureMemory(machine, commits)),
  ];
}

async function measureOpening(
  runtime: Parameters<typeof openStore>[0],
  directory: string,
  head: string,
  { commits, peers }: { readonly commits: number; readonly peers: readonly Costs[] },
): Promise<readonly Row[]> {
  const open = () =>
    timed(async () => {
      await using store = await openStore(runtime, { directory });
      if (store.head !== head) throw new Error('the store lost commits');
    });
  const name = `open with ${commits} commits`;
  const times = [await open(), await open(), await open()];
  const value = percentile(times, 0.5);
  const reading = await measureReading(runtime, directory, commits, peers);
  await runtime.files.remove(`${directory}/checkpoint.json`);
  return [
    ...rowsBeside(name, value, 'open', peers, 'budget 200'),
    { name: `${name}, no checkpoint`, value: await open(), unit: 'ms' },
    ...reading,
  ];
}

async function measureReading(
  runtime: Parameters<typeof openStore>[0],
  directory: string,
  commits: number,
  peers: readonly Costs[],
): Promise<readonly Row[]> {
  await using store = await openStore(runtime, { directory });
  let last: Awaited<ReturnType<typeof store.log>> = [];
  const history = await timed(async () => {
    last = await store.log({ limit: SHOWN });
  });
  let before = last.at(-1)?.id ?? '';
  while (store.seq - last.length > commits / 2 && last.length < commits / 2) {
    const more = await store.log({ limit: SHOWN, before });
    last = [...last, ...more];
    before = more.at(-1)?.id ?? '';
  }
  const past = await timed(() => store.stateAt(before));
  return [
    ...rowsBeside(`list the last ${SHOWN} commits`, history, 'history', peers),
    ...rowsBeside(`the state ${last.length} commits ago`, past, 'past', peers),
  ];
}

/** Ours beside each of the others; the second time under no name of its own. */
function rowsBeside(
  name: string,
  value: number,
  field: Exclude<keyof Costs, 'name'>,
  peers: readonly Costs[],
  note?: string,
): readonly Row[] {
  return peers.map((peer, at) => ({
    ...beside(at === 0 ? name : `${name}: the same`, value, 'ms', {
      name: peer.name,
      value: peer[field],
    }),
    ...(note === undefined || at > 0 ? {} : { note }),
  }));
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
