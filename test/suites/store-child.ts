/**
 * A process to be killed: commits as fast as it can and prints each id when it was acknowledged.
 *
 * Arguments: the directory of the store.
 */

import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { openStore } from '#storage';
import { realRuntime } from './real.ts';

const runtime = realRuntime();
const directory = process.argv[2] ?? '';
// RFC 8410 §7: the same Ed25519 key in every life of this process.
const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const seed = createHash('sha256').update('store-child').digest();
const signer = runtime.crypto.signer('ed25519', Buffer.concat([prefix, seed]));

const store = await openStore(runtime, {
  directory,
  writer: { deviceId: 'router', name: 'Router', signer },
});
writeSync(1, `${store.head}\n`);
for (;;) {
  const ops = [{ op: 'set', path: `names/n${store.seq % 50}`, value: { seq: store.seq } } as const];
  const { id } = await store.commit({ ops, message: `Change ${store.seq}`, via: 'test' });
  // Synchronously: what the parent has read was acknowledged.
  writeSync(1, `${id}\n`);
}
