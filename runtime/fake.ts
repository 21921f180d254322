/**
 * The outside world of a test: every seam deterministic, nothing real touched.
 *
 * Only the mathematics of `crypto` are the machine's own; its randomness is the seed's, except that
 * two signatures by the same ECDSA key always differ. What is done elsewhere is done here, so that no
 * thread decides what comes first.
 */

import { createECDH, createPrivateKey } from 'node:crypto';
import { type ManualClock, manualClock, seededRandom } from './fake-clock.ts';
import {
  type ArrayLog,
  arrayLog,
  type ExecAnswer,
  type ScriptedExec,
  scriptedExec,
} from './fake-exec.ts';
import { type FakeFiles, fakeFiles } from './fake-files.ts';
import { type FakeNetwork, fakeNetwork } from './fake-network.ts';
import type { Crypto, Random, Runtime } from './index.ts';
import { nodeCrypto } from './node-crypto.ts';

export { type ManualClock, manualClock, seededRandom } from './fake-clock.ts';
export { type FakeFiles, fakeFiles, PowerCut } from './fake-files.ts';
export { type FakeNetwork, fakeNetwork } from './fake-network.ts';

/** More than anything here asks for. */
const PLENTY = 2 ** 30;

/** A runtime whose parts a test can hold. */
export type FakeRuntime = Runtime & {
  readonly clock: ManualClock;
  readonly files: FakeFiles;
  readonly exec: ScriptedExec;
  readonly log: ArrayLog;
  readonly network: FakeNetwork;
};

/**
 * Makes a world of its own, or a host in an existing one: give several the same `network` and
 * `clock` to let them meet.
 */
export function fakeRuntime(
  options: {
    readonly seed?: number | string;
    readonly clock?: ManualClock;
    readonly network?: FakeNetwork;
    readonly addresses?: readonly string[];
    readonly exec?: Readonly<Record<string, ExecAnswer>>;
    readonly files?: FakeFiles;
    readonly memoryBytes?: number;
  } = {},
): FakeRuntime {
  const seed = options.seed ?? 1;
  const clock = options.clock ?? manualClock();
  const random = seededRandom(seed);
  const network = options.network ?? fakeNetwork(clock, seededRandom(`${seed} network`));
  return {
    clock,
    random,
    crypto: seededCrypto(seededRandom(`${seed} crypto`)),
    ...network.join(...(options.addresses ?? ['192.0.2.1', '2001:db8::1'])),
    exec: scriptedExec(options.exec),
    files: options.files ?? fakeFiles(),
    log: arrayLog(),
    memoryBytes: options.memoryBytes ?? PLENTY,
    network,
  };
}

/** RFC 8410 §7: everything before the seed of an Ed25519 private key. */
const ED25519_PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

function seededCrypto(random: Random): Crypto {
  const crypto = nodeCrypto(random);
  return {
    ...crypto,
    verifyElsewhere: async (...args) => crypto.verify(...args),
    async generateSigningKey(algorithm) {
      const privateKey =
        algorithm === 'ed25519'
          ? new Uint8Array(Buffer.concat([ED25519_PKCS8, random(32)]))
          : p256PrivateKey(random(32));
      return { publicKey: crypto.signer(algorithm, privateKey).publicKey, privateKey };
    },
  };
}

function p256PrivateKey(scalar: Uint8Array): Uint8Array {
  const pair = createECDH('prime256v1');
  // Fails for 0 and for numbers beyond the group's order: once in 2³² seeds.
  pair.setPrivateKey(scalar);
  const point = pair.getPublicKey();
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    d: Buffer.from(scalar).toString('base64url'),
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
  };
  const key = createPrivateKey({ key: jwk, format: 'jwk' });
  return new Uint8Array(key.export({ format: 'der', type: 'pkcs8' }));
}
