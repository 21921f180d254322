/**
 * A signed internet on loopback, sound and broken, with our resolver and Debian's Unbound both
 * validating it: root, `lab.` and the zones below on an NSD each, signed by dnssec-signzone.
 *
 * Unprivileged. Unbound is told the port of each zone's servers by stub zones; we by an option.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createResolver,
  decodeMessage,
  encodeMessage,
  type Message,
  parseName,
  typeNumber,
} from '#resolver';
import { type Endpoint, RuntimeError } from '#runtime';
import { nodeRuntime } from '#runtime/node';
import { takePort } from '../suites/ports.ts';
import { PATIENCE_MS, until } from '../suites/waiting.ts';

const runtime = nodeRuntime({ log: () => undefined });

const PACKAGES = {
  named: 'bind9',
  knotd: 'knot',
  'dnssec-keygen': 'bind9-utils',
  'dnssec-signzone': 'bind9-utils',
  'dnssec-dsfromkey': 'bind9-utils',
  nsd: 'nsd',
  unbound: 'unbound',
} as const;

type Tool = keyof typeof PACKAGES;

const RUN_MS = 180_000;

/** Addresses of the servers of root, lab. and the rest, and of Unbound. */
export const ROOT = '127.53.0.2';
export const LAB = '127.53.0.3';
export const LEAVES = '127.53.0.4';
export const UNBOUND = '127.53.0.5';

/** One zone `name.lab.`: how it is signed and what is wrong with it. */
export type Leaf = {
  readonly name: string;
  /** As dnssec-keygen names it; without it the zone is not signed. */
  readonly algorithm?: string;
  /** More arguments for dnssec-signzone: NSEC3, times. */
  readonly sign?: readonly string[];
  /** Changes the signed zone's lines. */
  readonly spoil?: (lines: readonly string[]) => readonly string[];
  /** Changes the DS the parent has; undefined: none. */
  readonly ds?: (ds: string) => string | undefined;
};

/** What is in each of them, the apex's SOA and NS aside. */
const CONTENT = [
  '@ A 192.0.2.1',
  'www A 192.0.2.80',
  'www AAAA 2001:db8::80',
  'alias CNAME www',
  'away CNAME www.nsec.lab.',
  'moved DNAME nsec.lab.',
  '*.wild TXT "wild"',
  '*.star CNAME www',
  'deep.ent A 192.0.2.81',
  'cut NS ns.cut',
  'ns.cut A 127.53.0.9',
];

export type ValidationStand = AsyncDisposable & {
  /** What each says to the same question: return code, AD, and how many records. */
  ask(
    name: string,
    type: string,
    flags?: { readonly cd?: boolean },
  ): Promise<{ ours: string; unbounds: string }>;
  /** The Extended DNS Error we give, by number. */
  error(name: string, type: string): Promise<number | undefined>;
};

/** Signs, starts everything and waits until it answers. */
export async function openValidation(leaves: readonly Leaf[]): Promise<ValidationStand> {
  const folder = await mkdtemp(join(tmpdir(), 'nymote-validation-'));
  const port = await takePort();
  const running: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const stop of running) await stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const { anchor, zones } = await signAll(folder, leaves);
    running.push(await startNsd(folder, port, ROOT, ['.']));
    running.push(await startNsd(folder, port, LAB, ['lab.']));
    running.push(await startNsd(folder, port, LEAVES, zones));
    const unboundPort = await takePort();
    const served = [
      ['.', ROOT],
      ['lab.', LAB],
      ...zones.map((zone) => [zone, LEAVES] as const),
    ] as const;
    running.push(await startUnbound(folder, port, unboundPort, anchor, served));
    const resolver = createResolver(runtime, {
      listen: [{ address: '127.0.0.1', port: 0 }],
      before: () => ({ kind: 'recurse' }),
      rootHints: [{ name: 'ns.', addresses: [ROOT] }],
      trustAnchors: [anchor],
      upstreamPort: port,
      allowPrivateUpstream: true,
      localZones: false,
    });
    running.unshift(async () => resolver[Symbol.asyncDispose]());
    const [own] = await resolver.start();
    if (own === undefined) throw new Error('the resolver listens nowhere');
    const theirs = { address: UNBOUND, port: unboundPort };
    for (const server of [ROOT, LAB, LEAVES]) await waitFor({ address: server, port });
    await waitFor(theirs);
    return {
      async ask(name, type, { cd = false } = {}) {
        const query = queryFor(name, type, cd);
        const end = runtime.clock.monotonic() + PATIENCE_MS;
        for (;;) {
          const ours = describe(await exchange(own, query));
          const unbounds = describe(await exchange(theirs, query));
          // On a busy machine a server may answer too late for one of them, who remembers that.
          const mayPass = ours !== unbounds && /SERVFAIL|nothing/.test(`${ours} ${unbounds}`);
          if (!mayPass || runtime.clock.monotonic() > end) return { ours, unbounds };
          await runtime.clock.sleep(2_000);
        }
      },
      async error(name, type) {
        const reply = await exchange(own, queryFor(name, type, false));
        const data = reply?.edns?.options.find(({ code }) => code === 15)?.data;
        return data && (data[0] ?? 0) * 256 + (data[1] ?? 0);
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/* Asking */

/** A question with DO, as bytes are made of it. */
export function queryFor(name: string, type: string, checkingDisabled: boolean): Message {
  const parsed = parseName(name);
  if (parsed === undefined) throw new Error(`not a name: ${name}`);
  return {
    id: 4711,
    response: false,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled,
    rcode: 0,
    questions: [{ name: parsed, type: typeNumber(type) ?? 0, class: 1 }],
    answers: [],
    authorities: [],
    additionals: [],
    edns: { udpSize: 4096, version: 0, dnssecOk: true, options: [] },
  };
}

/** Milliseconds until a question is asked again: more than a resolver takes for one. */
const AGAIN_MS = 15_000;

/** The reply; what is lost, or dropped by who is busy, is asked again. */
async function exchange(
  server: Endpoint,
  query: Message,
  attempts = 4,
  pause = AGAIN_MS,
): Promise<Message | undefined> {
  const reply = Promise.withResolvers<Message | undefined>();
  await using socket = await runtime.udp.bind({ address: '0.0.0.0', port: 0 }, (data) => {
    const decoded = decodeMessage(data);
    if (decoded.ok) reply.resolve(decoded.message);
  });
  for (let attempt = 0; attempt < attempts; attempt++) {
    socket.send(encodeMessage(query), server);
    const late = Promise.withResolvers<undefined>();
    const cancel = runtime.clock.after(pause, () => late.resolve(undefined));
    const first = await Promise.race([reply.promise, late.promise]);
    cancel();
    if (first !== undefined) return first;
  }
  return undefined;
}

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'YXDOMAIN'];

function describe(reply: Message | undefined): string {
  if (reply === undefined) return 'nothing';
  const data = reply.answers.filter(({ type }) => type !== typeNumber('RRSIG'));
  const ad = reply.authenticData ? ' AD' : '';
  return `${RCODES[reply.rcode] ?? reply.rcode}${ad} ${data.length}`;
}

/** Waits until something answers there. */
export async function waitFor(server: Endpoint): Promise<void> {
  const query = queryFor('.', 'SOA', false);
  await until(
    `${server.address} answers`,
    async () => (await exchange(server, query, 1, 500)) !== undefined,
  );
}

/* Signing */

async function signAll(folder: string, leaves: readonly Leaf[]) {
  const delegations: string[] = [];
  for (const leaf of leaves) {
    const apex = `${leaf.name}.lab.`;
    const lines = [`@ NS ns.${apex}`, `ns A ${LEAVES}`, ...CONTENT];
    const ds = await writeZone(folder, apex, lines, leaf);
    delegations.push(`${leaf.name} NS ns.${apex}`, `ns.${leaf.name} A ${LEAVES}`);
    const shown = leaf.ds === undefined ? ds : leaf.ds(ds ?? '');
    if (shown !== undefined && shown !== '') delegations.push(shown);
  }
  const sound = { algorithm: 'ECDSAP256SHA256' };
  const lab = await writeZone(folder, 'lab.', ['@ NS ns', `ns A ${LAB}`, ...delegations], sound);
  const root = ['@ NS ns', `ns A ${ROOT}`, 'lab NS ns.lab', `ns.lab A ${LAB}`, lab ?? ''];
  const anchor = await writeZone(folder, '.', root, { algorithm: 'RSASHA256' });
  if (anchor === undefined) throw new Error('the root has no DS');
  return { anchor, zones: leaves.map(({ name }) => `${name}.lab.`) };
}

/** A zone's file without its ending. */
export const fileOf = (apex: string) => (apex === '.' ? 'root' : apex.slice(0, -1));

/** Writes `<zone>.signed`, and returns the DS, if there is one. */
export async function writeZone(
  folder: string,
  apex: string,
  lines: readonly string[],
  { algorithm, sign = [], spoil = (same) => same }: Omit<Leaf, 'name'>,
): Promise<string | undefined> {
  const file = join(folder, fileOf(apex));
  const soa = `@ SOA ns host 1 7200 3600 1209600 300`;
  const text = ['$TTL 300', `$ORIGIN ${apex}`, soa, ...lines];
  if (algorithm === undefined) {
    await writeFile(`${file}.signed`, `${text.join('\n')}\n`);
    return undefined;
  }
  const size = algorithm.startsWith('RSA') ? ['-b', '1280'] : [];
  const keygen = ['-q', '-K', folder, '-a', algorithm, ...size, '-f', 'KSK', apex];
  const key = `${(await run('dnssec-keygen', ...keygen)).trim()}.key`;
  const dnskey = await readFile(join(folder, key), 'utf8');
  await writeFile(file, `${[...text, dnskey].join('\n')}\n`);
  // -z: the one key signs everything.
  const options = ['-q', '-z', '-P', '-O', 'full', '-K', folder, '-d', folder, '-o', apex];
  await run('dnssec-signzone', ...options, ...sign, '-f', `${file}.full`, file);
  const signed = (await readFile(`${file}.full`, 'utf8')).split('\n');
  await writeFile(`${file}.signed`, `${spoil(signed).join('\n')}\n`);
  return (await run('dnssec-dsfromkey', '-2', join(folder, key))).trim();
}

/* Programs */

async function run(tool: Tool, ...args: string[]): Promise<string> {
  try {
    const { stdout, stderr, exitCode } = await runtime.exec(tool, args, { timeoutMs: RUN_MS });
    if (exitCode !== 0) throw new Error(`${tool}: ${stderr}${stdout}`);
    return stdout;
  } catch (thrown) {
    throw thrown instanceof RuntimeError && thrown.code === 'not-found' ? missing(tool) : thrown;
  }
}

function missing(tool: Tool): Error {
  return new Error(`${tool} is missing: install the Debian package ${PACKAGES[tool]}`);
}

/** Starts a daemon in the foreground; Debian has them in /usr/sbin. */
export async function start(tool: Tool, ...args: string[]): Promise<() => Promise<void>> {
  return (await startProcess(tool, args)).stop;
}

async function startProcess(tool: Tool, args: readonly string[]) {
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` };
  const child: ChildProcess = spawn(tool, args, { stdio: 'ignore', env });
  const failed = once(child, 'error').then(() => Promise.reject(missing(tool)));
  await Promise.race([once(child, 'spawn'), failed]);
  failed.catch(() => undefined);
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
  };
  return { pid: child.pid ?? 0, stop };
}

/** An NSD with these zones. */
export async function startNsd(
  folder: string,
  port: number,
  address: string,
  zones: readonly string[],
) {
  const config = join(folder, `nsd-${address}.conf`);
  const blocks = zones.map(
    (zone) => `zone:\n  name: "${zone}"\n  zonefile: "${fileOf(zone)}.signed"\n`,
  );
  await writeFile(
    config,
    `server:
  ip-address: ${address}@${port}
  username: ""
  zonesdir: "${folder}"
  pidfile: "${folder}/nsd-${address}.pid"
  database: ""
  server-count: 1
  xfrdfile: "${folder}/xfrd-${address}.state"
  zonelistfile: "${folder}/zone-${address}.list"
remote-control:
  control-enable: no
${blocks.join('')}`,
  );
  return start('nsd', '-d', '-c', config);
}

/** An Unbound that validates, and is told where each zone is served. */
export async function startUnbound(
  folder: string,
  upstream: number,
  port: number,
  anchor: string,
  served: readonly (readonly [zone: string, address: string])[],
  onStart: (pid: number) => void = () => undefined,
) {
  const config = join(folder, 'unbound.conf');
  const stubs = served.map(
    ([zone, address]) => `stub-zone:\n  name: "${zone}"\n  stub-addr: ${address}@${upstream}\n`,
  );
  await writeFile(
    config,
    `server:
  interface: ${UNBOUND}@${port}
  do-daemonize: no
  use-syslog: no
  chroot: ""
  directory: "${folder}"
  username: ""
  pidfile: ""
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  do-ip6: no
  num-threads: 1
  module-config: "validator iterator"
  trust-anchor: "${anchor}"
  trust-anchor-signaling: no
  minimal-responses: yes
remote-control:
  control-enable: no
${stubs.join('')}`,
  );
  const { pid, stop } = await startProcess('unbound', ['-d', '-c', config]);
  onStart(pid);
  return stop;
}
