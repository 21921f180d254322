/**
 * A process under measurement: `nothing`, `store DIRECTORY` or `automerge MODULE FILE`. It says
 * `ready` when it holds that and no garbage, and waits to be ended.
 *
 * What it needs is loaded when it is known, so that with `nothing` it is the bare runtime. Beside the
 * store it has only what that asks of a machine to open: no sockets, no programs.
 */

import { hash, verify } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';

type Collecting = { readonly gc?: () => void; readonly Bun?: { gc(isNow: boolean): void } };

const ROUNDS = 5;
const PAUSE_MS = 200;
/** RFC 8410 §4: everything before the raw key. */
const ED25519 = Buffer.from('302a300506032b6570032100', 'hex');

const [what, ...words] = process.argv.slice(2);
const held = await hold();
const { gc, Bun } = globalThis as Collecting;
for (let round = 0; round < ROUNDS; round++) {
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  // Node takes an argument for the wish to look at the youngest objects only.
  if (Bun === undefined) gc?.();
  else Bun.gc(true);
}
console.log('ready');
setInterval(() => held, 60_000);

async function hold(): Promise<unknown> {
  const [first = '', second = ''] = words;
  if (what === 'store') return openHeld(first);
  if (what !== 'automerge') return undefined;
  const { load } = await import(first);
  return load(new Uint8Array(await readFile(second)));
}

async function openHeld(directory: string): Promise<unknown> {
  const { openStore } = await import('#storage');
  const machine = {
    files: {
      read: (path: string) => readFile(path).catch(() => undefined),
      list: async (path: string) => (await readdir(path).catch(() => [])).sort(),
      makeDirectory: (path: string) => mkdir(path, { recursive: true }),
    },
    crypto: {
      hash: (algorithm: string, data: Uint8Array) => hash(algorithm, data, 'buffer'),
      verify: (_: string, raw: Uint8Array, data: Uint8Array, signature: Uint8Array) => {
        const key = Buffer.concat([ED25519, raw]);
        return verify(null, data, { key, format: 'der', type: 'spki' }, signature);
      },
    },
    clock: { now: () => Date.now() / 1_000, isSet: () => true },
    log: () => undefined,
  };
  const store = await openStore(machine as unknown as Parameters<typeof openStore>[0], {
    directory,
  });
  if (store.seq === 0 || store.problems.length > 0) throw new Error('the store is not whole');
  return store;
}
