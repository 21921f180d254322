/**
 * A small internet on loopback, without privileges: root on NSD, `com.` and `net.` on BIND, the
 * leaves on Knot (signed), and our resolver in front.
 *
 * Each program has an address of its own in 127.0.0.0/8 and all share one free port.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AnswerEvent, createResolver, type Resolver, type ResolverOptions } from '#resolver';
import { RuntimeError } from '#runtime';
import { nodeRuntime } from '#runtime/node';
import { takePort } from '../suites/ports.ts';
import { until } from '../suites/waiting.ts';

const runtime = nodeRuntime({ log: () => undefined });

/** Where each program comes from. */
const PACKAGES = {
  dig: 'bind9-dnsutils',
  delv: 'bind9-dnsutils',
  named: 'bind9',
  nsd: 'nsd',
  knotd: 'knot',
} as const;

type Tool = keyof typeof PACKAGES;

const RUN_MS = 180_000;

const ROOT = '127.51.0.2';
/** BIND listens on addresses that an interface has, and lo has only this one. */
const TLDS = '127.0.0.1';
const LEAVES = '127.51.0.4';

export type HierarchyStand = AsyncDisposable & {
  readonly resolver: Resolver;
  readonly events: readonly AnswerEvent[];
  /** Runs dig at our resolver. */
  dig(...args: string[]): Promise<string>;
  /** Runs delv at our resolver, with the leaf zone's keys as anchor. */
  delv(name: string, type: string): Promise<string>;
};

/** Starts the servers and the resolver, and waits until each answers. */
export async function openHierarchy(
  options: Partial<ResolverOptions> = {},
): Promise<HierarchyStand> {
  const folder = await mkdtemp(join(tmpdir(), 'nymote-hierarchy-'));
  const port = await takePort();
  const running: Running[] = [];
  const events: AnswerEvent[] = [];
  const resolver = createResolver(runtime, {
    listen: [{ address: '127.0.0.1', port: 0 }],
    before: () => ({ kind: 'recurse' }),
    rootHints: [{ name: 'a.root.', addresses: [ROOT] }],
    upstreamPort: port,
    allowPrivateUpstream: true,
    localZones: false,
    ...options,
  });
  const close = async () => {
    await resolver[Symbol.asyncDispose]();
    for (const program of running) await program.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    running.push(await startNsd(folder, port));
    running.push(await startBind(folder, port));
    running.push(await startKnot(folder, port));
    await waitFor(ROOT, port, '.', running);
    await waitFor(TLDS, port, 'com.', running);
    await waitFor(TLDS, port, 'net.', running);
    await waitFor(LEAVES, port, 'example.com.', running);
    const [own] = await resolver.start();
    if (own === undefined) throw new Error('the resolver listens nowhere');
    resolver.onAnswer((event) => events.push(event));
    const at = ['@127.0.0.1', '-p', String(own.port)];
    return {
      resolver,
      events,
      dig: (...args) => run('dig', '+tries=3', '+time=20', ...at, ...args),
      async delv(name, type) {
        const keys = await run(
          'dig',
          `@${LEAVES}`,
          '-p',
          String(port),
          '+short',
          'example.com.',
          'DNSKEY',
        );
        const file = join(folder, 'anchors.conf');
        await writeFile(file, anchorsFrom(keys));
        for (let attempt = 1; ; attempt++) {
          const said = await run('delv', '-a', file, '+root=example.com.', ...at, name, type);
          // It waits for ten seconds only.
          if (attempt === 5 || !said.includes('timed out')) return said;
        }
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

function anchorsFrom(dnskeys: string): string {
  const lines = dnskeys.split('\n').filter((line) => line.startsWith('257 '));
  const anchors = lines.map((line) => {
    const [flags, protocol, algorithm, ...key] = line.split(' ');
    return `  example.com. static-key ${flags} ${protocol} ${algorithm} "${key.join('')}";`;
  });
  return `trust-anchors {\n${anchors.join('\n')}\n};\n`;
}

async function run(tool: Tool, ...args: string[]): Promise<string> {
  try {
    const { stdout, stderr } = await runtime.exec(tool, args, { timeoutMs: RUN_MS });
    return `${stderr}${stdout}`;
  } catch (thrown) {
    throw thrown instanceof RuntimeError && thrown.code === 'not-found' ? missing(tool) : thrown;
  }
}

function missing(tool: Tool): Error {
  return new Error(`${tool} is missing: install the Debian package ${PACKAGES[tool]}`);
}

type Running = { readonly said: () => string; stop(): Promise<void> };

/** Starts a daemon in the foreground; Debian has them in /usr/sbin. */
async function start(tool: Tool, ...args: string[]): Promise<Running> {
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` };
  const child: ChildProcess = spawn(tool, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data: Buffer) => {
      said += String(data);
    });
  }
  const failed = once(child, 'error').then(() => Promise.reject(missing(tool)));
  await Promise.race([once(child, 'spawn'), failed]);
  failed.catch(() => undefined);
  return {
    said: () => `${tool}: ${said}`,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function startNsd(folder: string, port: number): Promise<Running> {
  await writeZone(folder, 'root', '.', 'a.root.', [
    `a.root. A ${ROOT}`,
    'com. NS ns.com.',
    `ns.com. A ${TLDS}`,
    'net. NS ns.net.',
    `ns.net. A ${TLDS}`,
  ]);
  const config = join(folder, 'nsd.conf');
  await writeFile(
    config,
    `server:
  ip-address: ${ROOT}@${port}
  username: ""
  zonesdir: "${folder}"
  pidfile: "${folder}/nsd.pid"
  database: ""
  xfrdfile: "${folder}/xfrd.state"
  zonelistfile: "${folder}/zone.list"
remote-control:
  control-enable: no
zone:
  name: "."
  zonefile: "root.zone"
`,
  );
  return start('nsd', '-d', '-c', config);
}

async function startBind(folder: string, port: number): Promise<Running> {
  await writeZone(folder, 'com', 'com.', 'ns.com.', [
    `ns.com. A ${TLDS}`,
    'example.com. NS ns.example.com.',
    `ns.example.com. A ${LEAVES}`,
    'glueless.com. NS ns.other.net.',
  ]);
  await writeZone(folder, 'net', 'net.', 'ns.net.', [
    `ns.net. A ${TLDS}`,
    'other.net. NS ns.other.net.',
    `ns.other.net. A ${LEAVES}`,
  ]);
  const config = join(folder, 'named.conf');
  await writeFile(
    config,
    `options {
  directory "${folder}";
  pid-file none;
  session-keyfile none;
  listen-on port ${port} { ${TLDS}; };
  listen-on-v6 { none; };
  recursion no;
  dnssec-validation no;
};
controls { };
zone "com" { type primary; file "com.zone"; };
zone "net" { type primary; file "net.zone"; };
`,
  );
  return start('named', '-g', '-c', config, '-n', '1');
}

async function startKnot(folder: string, port: number): Promise<Running> {
  await writeZone(folder, 'example', 'example.com.', 'ns.example.com.', [
    `ns.example.com. A ${LEAVES}`,
    'www.example.com. 300 A 192.0.2.80',
    'www.example.com. 300 AAAA 2001:db8::80',
    'deep.under.there.example.com. 300 A 192.0.2.81',
    'alias.example.com. 300 CNAME www.other.net.',
    'moved.example.com. 300 DNAME other.net.',
    '*.wild.example.com. 300 TXT "wild"',
    ...Array.from({ length: 60 }, (_, i) => `big.example.com. 300 TXT "${'x'.repeat(60)}${i}"`),
  ]);
  await writeZone(folder, 'other', 'other.net.', 'ns.other.net.', [
    `ns.other.net. A ${LEAVES}`,
    'www.other.net. 300 A 192.0.2.90',
  ]);
  await writeZone(folder, 'glueless', 'glueless.com.', 'ns.other.net.', [
    'www.glueless.com. 300 A 192.0.2.70',
  ]);
  await mkdir(join(folder, 'knot'), { recursive: true });
  const config = join(folder, 'knot.conf');
  await writeFile(
    config,
    `server:
  rundir: "${folder}/knot"
  listen: ${LEAVES}@${port}
database:
  storage: "${folder}/knot"
log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: "${folder}"
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: example.com
    file: "example.zone"
    dnssec-signing: on
    zonefile-load: difference-no-serial
    journal-content: all
  - domain: other.net
    file: "other.zone"
  - domain: glueless.com
    file: "glueless.zone"
`,
  );
  return start('knotd', '-c', config);
}

async function writeZone(
  folder: string,
  file: string,
  apex: string,
  server: string,
  lines: readonly string[],
): Promise<void> {
  const head = [
    '$TTL 3600',
    `${apex} SOA ${server} host.${apex === '.' ? '' : apex} 1 7200 3600 1209600 300`,
    `${apex} NS ${server}`,
  ];
  await writeFile(join(folder, `${file}.zone`), `${[...head, ...lines].join('\n')}\n`);
}

async function waitFor(
  address: string,
  port: number,
  zone: string,
  running: readonly Running[],
): Promise<void> {
  const args = [`@${address}`, '-p', String(port), zone, 'SOA', '+norec', '+time=1', '+tries=1'];
  const isServed = async () => /status: NOERROR[\s\S]* 7200 3600/.test(await run('dig', ...args));
  try {
    await until(`the server at ${address} answers for ${zone}`, isServed, 100);
  } catch (cause) {
    throw new Error(running.map(({ said }) => said()).join('\n'), { cause });
  }
}
