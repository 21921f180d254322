/**
 * A signed zone on a real socket, and Debian's validators pointed at it.
 *
 * Everything is unprivileged: loopback, ports the system chose, a temporary directory that goes
 * with the stand.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Anchor,
  anchor,
  buildZone,
  createAuthority,
  createResolver,
  generateZoneKey,
  type Name,
  parseName,
  parseRecord,
  type ZoneKey,
} from '#resolver';
import { type Clock, type ExecResult, RuntimeError } from '#runtime';
import { nodeRuntime } from '#runtime/node';
import { takePort } from '../suites/ports.ts';
import { until } from '../suites/waiting.ts';

/** The machine, quiet. */
export const runtime = nodeRuntime({ log: () => undefined });

/** Where each program comes from. */
const PACKAGES = {
  dig: 'bind9-dnsutils',
  delv: 'bind9-dnsutils',
  unbound: 'unbound',
  'ldns-walk': 'ldnsutils',
} as const;

type Tool = keyof typeof PACKAGES;

const RUN_MS = 180_000;

/** The zone that is served, and everything a test needs to ask about it. */
export type Stand = AsyncDisposable & {
  readonly anchor: Anchor;
  readonly port: number;
  /** Runs delv with the stand's anchor, or with another anchor's text. */
  delv(name: string, type: string, anchors?: string): Promise<string>;
  /** Runs dig at the stand. */
  dig(...args: string[]): Promise<string>;
  run(tool: Tool, ...args: string[]): Promise<ExecResult>;
  /** Starts Unbound as a validating resolver in front of the stand. */
  unbound(anchors: string): Promise<Unbound>;
};

export type Unbound = AsyncDisposable & { dig(...args: string[]): Promise<string> };

/** Serves `lines` below `apex`, signed with a new key; `clock` is the server's own. */
export async function openStand(
  apex: string,
  algorithm: ZoneKey['algorithm'],
  lines: readonly string[],
  clock: Clock = runtime.clock,
): Promise<Stand> {
  const key = await generateZoneKey(runtime.crypto, algorithm);
  const origin = nameOf(apex);
  const records = lines.map((line) => {
    const parsed = parseRecord(line, { origin, ttl: 30 });
    if (!parsed.ok) throw new Error(`${line}: ${parsed.reason}`);
    return parsed.record;
  });
  const nameServers = [nameOf(`router.${apex}`)];
  const built = buildZone({ apex: origin, serial: 1, ttl: 300, nameServers, records });
  if (!built.ok) throw new Error(JSON.stringify(built.problems));
  const authority = createAuthority({ zone: built.zone, keys: [key], crypto: runtime.crypto });
  const resolver = createResolver(
    { ...runtime, clock },
    {
      listen: [{ address: '127.0.0.1', port: 0 }],
      before: () => ({ kind: 'zone', authority }),
    },
  );
  const [{ port } = { port: 0 }] = await resolver.start();
  const directory = await mkdtemp(join(tmpdir(), 'nymote-zone-'));
  const at = ['@127.0.0.1', '-p', String(port)];
  const own = anchor(runtime.crypto, origin, [key]);
  return {
    anchor: own,
    port,
    run,
    async delv(name, type, anchors = own.delv) {
      const file = join(directory, 'anchors.conf');
      await writeFile(file, anchors);
      for (let attempt = 1; ; attempt++) {
        const words = ['-a', file, `+root=${apex}`, ...at, name, type];
        const { stdout, stderr } = await run('delv', ...words);
        // It waits for ten seconds only.
        if (attempt === 5 || !stderr.includes('timed out')) return `${stderr}${stdout}`;
      }
    },
    dig: async (...args) => (await run('dig', '+tries=3', '+time=20', ...at, ...args)).stdout,
    unbound: (anchors) => startUnbound(directory, { apex, port, anchors }),
    async [Symbol.asyncDispose]() {
      await resolver[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Runs a program to its end; a missing one says where to get it. */
async function run(tool: Tool, ...args: string[]): Promise<ExecResult> {
  try {
    return await runtime.exec(tool, args, { timeoutMs: RUN_MS });
  } catch (thrown) {
    throw thrown instanceof RuntimeError && thrown.code === 'not-found' ? missing(tool) : thrown;
  }
}

function missing(tool: Tool): Error {
  return new Error(`${tool} is missing: install the Debian package ${PACKAGES[tool]}`);
}

async function startUnbound(
  directory: string,
  { apex, port, anchors }: { apex: string; port: number; anchors: string },
): Promise<Unbound> {
  const own = await takePort();
  const file = join(directory, `unbound-${own}.conf`);
  await writeFile(file, unboundConfig({ directory, own, apex, port, anchors }));
  const program: Tool = 'unbound';
  const child = spawn(program, ['-d', '-p', '-c', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = gather(child);
  const failed = once(child, 'error').then(() => Promise.reject(missing(program)));
  const exited = once(child, 'exit');
  const dig = async (...args: string[]) => {
    const at = ['+tries=3', '+time=20', '@127.0.0.1', '-p', String(own)];
    return (await run('dig', ...at, ...args)).stdout;
  };
  await Promise.race([failed, whenUp(dig, () => said.join(''))]);
  failed.catch(() => undefined);
  return {
    dig,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function unboundConfig(of: {
  directory: string;
  own: number;
  apex: string;
  port: number;
  anchors: string;
}): string {
  return `server:
  directory: "${of.directory}"
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  verbosity: 1
  val-log-level: 2
  interface: 127.0.0.1
  port: ${of.own}
  do-ip6: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  aggressive-nsec: yes
  ${of.anchors.trim().split('\n').join('\n  ')}
remote-control:
  control-enable: no
stub-zone:
  name: "${of.apex}"
  stub-addr: 127.0.0.1@${of.port}
`;
}

function gather(child: ChildProcess): string[] {
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data: Buffer) => said.push(String(data)));
  }
  return said;
}

/** Asks until something answers. */
async function whenUp(
  dig: (...args: string[]) => Promise<string>,
  said: () => string,
): Promise<void> {
  const ask = () => dig('version.bind', 'CH', 'TXT', '+tries=1', '+time=2');
  try {
    await until('Unbound answers', async () => (await ask()).includes('status:'), 100);
  } catch (cause) {
    throw new Error(`Unbound did not start: ${said()}`, { cause });
  }
}

function nameOf(text: string): Name {
  const name = parseName(text);
  if (name === undefined) throw new Error(`not a name: ${text}`);
  return name;
}
