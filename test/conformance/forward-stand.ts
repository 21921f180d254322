/**
 * Resolvers of others under TLS on loopback: Unbound and dnsdist with certificates of an authority
 * of ours, good and bad ones.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { takePort } from '../suites/ports.ts';
import { makeRoom, runProgram, untilOpen } from './service-stand.ts';

/** Lets openssl believe in another day (Debian package libfaketime). */
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

export type Served = {
  readonly dot: number;
  readonly doh: number;
  stop(): Promise<void>;
};

export type ForwardStand = AsyncDisposable & {
  readonly folder: string;
  /** The authority's certificate (PEM file). */
  readonly authority: string;
  /** SHA-256 of the good key. */
  readonly pin: string;
  readonly unbound: Served;
  /** The same program with a certificate of last year. */
  readonly expired: Served;
  readonly dnsdist: Served;
  /** Unbound on the same ports again, after `unbound.stop()`. */
  restartUnbound(): Promise<Served>;
};

/** Makes the certificates and starts the programs; each knows www.example. */
export async function openForwardStand(): Promise<ForwardStand> {
  await using opening = new AsyncDisposableStack();
  const room = opening.use(await makeRoom());
  const folder = room.path;
  await makeAuthority(folder);
  await makeCertificate(folder, 'good');
  await makeCertificate(folder, 'expired', 400);
  const started = async (served: Promise<Served>) => {
    const one = await served;
    opening.defer(() => one.stop());
    return one;
  };
  const takeBoth = async () => ({ dot: await takePort(), doh: await takePort() });
  const first = await takeBoth();
  const unbound = await started(startUnbound(folder, 'good', first));
  const expired = await started(startUnbound(folder, 'expired', await takeBoth()));
  const dnsdist = await started(startDnsdist(folder, await takeBoth()));
  const key = new X509Certificate(await readFile(join(folder, 'good.pem'))).publicKey;
  const spki = key.export({ type: 'spki', format: 'der' });
  const opened = opening.move();
  return {
    ...{ folder, unbound, expired, dnsdist },
    authority: join(folder, 'authority.pem'),
    pin: createHash('sha256').update(spki).digest('base64'),
    async restartUnbound() {
      const again = await startUnbound(folder, 'good', first);
      opened.defer(() => again.stop());
      return again;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/* Certificates */

async function openssl(args: readonly string[], env: Record<string, string> = {}): Promise<void> {
  const { exitCode, stderr } = await runProgram('openssl', args, { env });
  if (exitCode !== 0) throw new Error(`openssl: ${stderr}`);
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

async function makeAuthority(folder: string): Promise<void> {
  const [key, certificate] = [join(folder, 'authority.key'), join(folder, 'authority.pem')];
  const made = ['req', '-x509', ...EC, '-keyout', key, '-out', certificate, '-days', '2'];
  await openssl([...made, '-subj', '/CN=An authority of ours']);
}

/** For `dns.example` and 127.0.0.1, good for a day from so many days ago. */
async function makeCertificate(folder: string, name: string, daysAgo = 0): Promise<void> {
  const at = (suffix: string) => join(folder, `${name}.${suffix}`);
  await openssl(['req', ...EC, '-keyout', at('key'), '-out', at('csr'), '-subj', `/CN=${name}`]);
  await writeFile(at('ext'), 'subjectAltName=DNS:dns.example,IP:127.0.0.1\n');
  const authority = ['-CA', join(folder, 'authority.pem'), '-CAkey', join(folder, 'authority.key')];
  const past = daysAgo === 0 ? {} : { LD_PRELOAD: FAKETIME, FAKETIME: `-${daysAgo}d` };
  await openssl(
    [
      ...['x509', '-req', '-in', at('csr'), ...authority, '-CAcreateserial', '-days', '1'],
      ...['-extfile', at('ext'), '-out', at('pem')],
    ],
    past,
  );
}

/* Programs */

const PACKAGES: Readonly<Record<string, string>> = { unbound: 'unbound', dnsdist: 'dnsdist' };

async function start(
  program: string,
  args: readonly string[],
  ports: { readonly dot: number; readonly doh: number },
): Promise<Served> {
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` };
  const child: ChildProcess = spawn(program, args, { stdio: 'ignore', env });
  const failed = once(child, 'error').then(() => {
    throw new Error(`${program} is missing: install the Debian package ${PACKAGES[program]}`);
  });
  await Promise.race([once(child, 'spawn'), failed]);
  failed.catch(() => undefined);
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
  };
  try {
    for (const port of [ports.dot, ports.doh]) await untilOpen(port);
  } catch (thrown) {
    await stop();
    throw thrown;
  }
  return { ...ports, stop };
}

async function startUnbound(
  folder: string,
  name: string,
  ports: { readonly dot: number; readonly doh: number },
): Promise<Served> {
  const file = join(folder, `unbound-${name}.conf`);
  await writeFile(
    file,
    `server:
  directory: "${folder}"
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  interface: 127.0.0.1@${ports.dot}
  interface: 127.0.0.1@${ports.doh}
  tls-port: ${ports.dot}
  https-port: ${ports.doh}
  tls-service-key: "${folder}/${name}.key"
  tls-service-pem: "${folder}/${name}.pem"
  module-config: "iterator"
  local-zone: "example." static
  local-data: "www.example. 300 A 192.0.2.80"
${Array.from({ length: 50 }, (_, at) => `  local-data: "n${at}.example. 300 A 192.0.2.${at}"`).join('\n')}
remote-control:
  control-enable: no
`,
  );
  return start('unbound', ['-d', '-p', '-c', file], ports);
}

async function startDnsdist(
  folder: string,
  ports: { readonly dot: number; readonly doh: number },
): Promise<Served> {
  const file = join(folder, 'dnsdist.conf');
  const credentials = `"${folder}/good.pem", "${folder}/good.key"`;
  await writeFile(
    file,
    `setLocal("127.0.0.1:${await takePort()}")
addTLSLocal("127.0.0.1:${ports.dot}", ${credentials})
addDOHLocal("127.0.0.1:${ports.doh}", ${credentials}, "/dns-query")
addAction("www.example.", SpoofAction("192.0.2.80"))
`,
  );
  return start('dnsdist', ['--supervised', '--disable-syslog', '--config', file], ports);
}
