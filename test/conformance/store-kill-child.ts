/**
 * A process to be killed: two owners with a store each, who commit as fast as they can, exchange,
 * and fork while they are apart. Prints what each was told is on the disk: `first <id>`.
 *
 * Arguments: a directory for both.
 */

import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { deviceId } from '#identity';
import { openStore, type Store } from '#storage';
import { realRuntime } from '../suites/real.ts';

const runtime = realRuntime();
const directory = process.argv[2] ?? '';

/** RFC 8410 §7: the same Ed25519 keys in every life of this process. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const signerOf = (name: string) =>
  runtime.crypto.signer(
    'ed25519',
    Buffer.concat([PKCS8, createHash('sha256').update(`store-kill ${name}`).digest()]),
  );

const founder = { deviceId: 'router', name: 'Router', signer: signerOf('first') };
const { publicKey } = signerOf('second');
const id = deviceId(runtime.crypto, publicKey);
const owner = { deviceId: id, name: 'Laptop', signer: signerOf('second') };

const first = await openStore(runtime, { directory: `${directory}/first`, writer: founder });
const admission = {
  role: 'owner',
  rank: 2,
  signingKey: Buffer.from(publicKey).toString('base64'),
};
if (first.state().get('devices')?.get(id) === undefined) {
  await change(first, `devices/${id}`, admission);
}
const second = await openStore(runtime, {
  directory: `${directory}/second`,
  writer: owner,
  realm: first.realm,
});
await send(first, second);
tell('first', first);
tell('second', second);
for (let turn = 0; ; turn++) {
  await change(first, `names/n${turn % 20}`, { turn, by: 'first' });
  tell('first', first);
  await change(second, `names/n${turn % 20}`, { turn, by: 'second' });
  tell('second', second);
  if (turn % 3 === 0) await send(first, second);
  if (turn % 3 === 1) await send(second, first);
  // Large enough that segments roll and checkpoints are written.
  if (turn % 7 === 0) await change(first, 'notes/long', { text: 'x'.repeat(40_000), turn });
}

/** Synchronously: what the parent has read was acknowledged. */
function tell(name: string, { heads }: Store): void {
  writeSync(1, heads.map((head) => `${name} ${head}\n`).join(''));
}

async function change(
  store: Store,
  path: string,
  value: Readonly<Record<string, string | number>>,
) {
  const ops = [{ op: 'set', path, value } as const];
  await store.commit({ ops, message: 'Change', via: 'test' });
}

async function send(from: Store, to: Store): Promise<void> {
  const { refused } = await to.importCommits(await from.exportMissing(to.vector()));
  if (refused[0] !== undefined) throw refused[0].reason;
  tell(to === first ? 'first' : 'second', to);
}
