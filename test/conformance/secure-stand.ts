/**
 * A resolver with DoT and DoH on loopback, and Debian's clients pointed at it.
 */

import {
  buildZone,
  createAuthority,
  createResolver,
  generateZoneKey,
  type Name,
  parseName,
  parseRecord,
  type ResolverOptions,
  type SecureListeners,
  startSecureListeners,
} from '#resolver';
import type { Credentials, Endpoint } from '#runtime';
import { makeCredentials } from '../suites/credentials.ts';
import { realRuntime } from '../suites/real.ts';

/** Where each program comes from. */
const PACKAGES = {
  dig: 'bind9-dnsutils',
  kdig: 'knot-dnsutils',
  curl: 'curl',
  openssl: 'openssl',
} as const;

const ZONE = ['www 300 A 192.0.2.80', `large 300 TXT ${`"${'x'.repeat(200)}" `.repeat(8)}`];

const runtime = realRuntime();
const LOCAL: Endpoint = { address: '127.0.0.1', port: 0 };
const LOCAL_IPV6: Endpoint = { address: '::1', port: 0 };

export type SecureStand = AsyncDisposable & {
  readonly port: number;
  readonly dot: number;
  readonly doh: number;
  readonly dohIpv6: number;
  readonly credentials: Credentials;
  readonly listeners: SecureListeners;
  /** Runs a program; its output, both kinds. */
  run(tool: keyof typeof PACKAGES, ...args: string[]): Promise<string>;
};

/** Serves example. with www (A) and large (TXT). */
export async function openSecureStand(
  courtesy?: ResolverOptions['courtesy'],
): Promise<SecureStand> {
  await using opening = new AsyncDisposableStack();
  const authority = await makeAuthority();
  const resolver = opening.use(
    createResolver(runtime, {
      listen: [LOCAL],
      before: () => ({ kind: 'zone', authority }),
      ...(courtesy === undefined ? {} : { courtesy }),
    }),
  );
  const [udp] = await resolver.start();
  const credentials = await makeCredentials('dns.example');
  const listeners = opening.use(
    await startSecureListeners(
      runtime,
      { dot: [LOCAL], doh: [LOCAL, LOCAL_IPV6], credentials },
      resolver.handle,
    ),
  );
  const opened = opening.move();
  return {
    ...{ credentials, listeners, run },
    port: udp?.port ?? 0,
    dot: listeners.dot[0]?.port ?? 0,
    doh: listeners.doh[0]?.port ?? 0,
    dohIpv6: listeners.doh[1]?.port ?? 0,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function makeAuthority() {
  const key = await generateZoneKey(runtime.crypto, 'ecdsa-p256');
  const origin = nameOf('example.');
  const records = ZONE.map((line) => {
    const parsed = parseRecord(line, { origin, ttl: 30 });
    if (!parsed.ok) throw new Error(`${line}: ${parsed.reason}`);
    return parsed.record;
  });
  const nameServers = [nameOf('ns.example.')];
  const built = buildZone({ apex: origin, serial: 1, ttl: 60, nameServers, records });
  if (!built.ok) throw new Error(JSON.stringify(built.problems));
  return createAuthority({ zone: built.zone, keys: [key], crypto: runtime.crypto });
}

function nameOf(text: string): Name {
  const name = parseName(text);
  if (name === undefined) throw new Error(`not a name: ${text}`);
  return name;
}

async function run(tool: keyof typeof PACKAGES, ...args: string[]): Promise<string> {
  try {
    const { stdout, stderr } = await runtime.exec(tool, args, { timeoutMs: 180_000 });
    return stdout + stderr;
  } catch (thrown) {
    throw new Error(`apt-get install ${PACKAGES[tool]} (${String(thrown)})`);
  }
}
