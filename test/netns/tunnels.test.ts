/**
 * Two devices in two namespaces, joined by a cable, with real WireGuard.
 *
 * Interfaces have names of this process: wireguard-go's control sockets are shared by all namespaces.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import { overlayPrefix, type Reach, type TunnelDevice, type TunnelStatus } from '#tunnels';
import { createLab, type Lab, must, run, until } from './namespaces.ts';
import type { Request, Wired } from './tunnels-child.ts';

const PREFIX = overlayPrefix(nodeRuntime().crypto, 'realm');
const CONTROL_PORT = 51_821;
/** Generous: what takes longer than a moment shows in how it came about. */
const PATIENCE_MS = 30_000;
/** One packet; its reply may take as long as a busy machine takes. */
const PING = ['ping', '-6', '-c', '1', '-W', '60'];
const PROGRAMS = ['wg', 'wireguard-go', 'ip'];
const NAT =
  'table ip nat { chain out { type nat hook postrouting priority 100; oifname "to-b" masquerade random; }; }';
const CHILD = new URL('tunnels-child.ts', import.meta.url).pathname;

type Started = { readonly publicKey: readonly number[]; readonly address: string };
type Side = {
  readonly name: 'a' | 'b' | 'c';
  readonly interface: string;
  readonly underlay: string;
  readonly call: <T>(request: Request) => Promise<T>;
  readonly kill: () => Promise<void>;
  readonly crash: () => Promise<void>;
  started: Started;
};

let lab: Lab;
let watch: { stop(): string };
let a: Side;
let b: Side;
let c: Side;

beforeAll(async () => {
  for (const [program, debianPackage] of [
    ['wg', 'wireguard-tools'],
    ['wireguard-go', 'wireguard-go'],
    ['ip', 'iproute2'],
    ['nft', 'nftables'],
    ['ping', 'iputils-ping'],
  ] as const) {
    const { code } = await run('sh', '-c', `command -v ${program}`);
    expect(code, `install ${debianPackage}: ${program} is missing`).toBe(0);
  }
  lab = await createLab('nytun');
  await makeWitnesses();
  watch = watchArguments();
  await lab.namespace('a');
  await lab.namespace('b');
  await lab.namespace('c');
  await lab.cable('a', '10.77.0.1/24', 'b', '10.77.0.2/24');
  for (const [from, to, address] of [
    ['a', 'b', '2001:db8:77::1/64'],
    ['b', 'a', '2001:db8:77::2/64'],
  ] as const) {
    await lab.must(from, 'ip', 'address', 'add', address, 'dev', `to-${to}`, 'nodad');
  }
  // c is at home behind a, which translates its addresses.
  await lab.cable('a', '192.168.7.1/24', 'c', '192.168.7.2/24');
  await lab.must('c', 'ip', 'route', 'add', 'default', 'via', '192.168.7.1');
  await lab.must('a', 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
  await lab.must('a', 'nft', NAT);
  a = await startSide('a', '10.77.0.1');
  b = await startSide('b', '10.77.0.2');
  c = await startSide('c', '192.168.7.2');
});

afterAll(async () => {
  await a?.kill();
  await b?.kill();
  await c?.kill();
  await lab?.[Symbol.asyncDispose]();
});

test('a device is reached when it is asked for, and the first ping goes through', async () => {
  await applyBoth();
  expect(await peersOf(a)).toEqual([]);
  const begun = performance.now();
  const reach = await a.call<Reach>({ call: 'reach', device: 'b', deadlineMs: PATIENCE_MS });
  const milliseconds = performance.now() - begun;
  const ping = await lab.run('a', ...PING, b.started.address);
  console.log(
    `reach ${milliseconds.toFixed(0)} ms; ${/time=.*/.exec(ping.stdout)?.[0] ?? ping.stdout}`,
  );
  expect(reach).toMatchObject({ state: 'up', via: 'asked' });
  expect(ping.code).toBe(0);
  expect(await peersOf(a)).toHaveLength(1);
  expect(await peersOf(b)).toHaveLength(1);
});

test('asked again, it is there at once; the other side has it too', async () => {
  expect(
    await a.call<Reach>({ call: 'reach', device: 'b', deadlineMs: PATIENCE_MS }),
  ).toMatchObject({
    state: 'up',
    via: 'already-up',
  });
  expect(
    await b.call<Reach>({ call: 'reach', device: 'a', deadlineMs: PATIENCE_MS }),
  ).toMatchObject({
    state: 'up',
    via: 'already-up',
    endpoint: { address: '10.77.0.1' },
  });
});

test('applying the same again changes nothing (I4)', async () => {
  const before = await peersOf(a);
  await applyBoth();
  expect(await peersOf(a)).toEqual(before);
});

test('news goes through the tunnel', async () => {
  await a.call({ call: 'notify', head: 'abc123' });
  let heard: ReadonlySet<string> = new Set();
  // It is told more than once, for datagrams get lost.
  await until(async () => {
    heard = new Set((await b.call<{ heard: string[] }>({ call: 'status' })).heard);
    return heard.size > 0;
  });
  expect([...heard]).toEqual(['a abc123']);
});

test('a removed device is cut off as soon as that is applied (I10)', async () => {
  const begun = performance.now();
  await apply(b, []);
  const milliseconds = performance.now() - begun;
  console.log(`removed in ${milliseconds.toFixed(0)} ms`);
  expect(await peersOf(b)).toEqual([]);
  const { code } = await lab.run('a', 'ping', '-6', '-c', '1', '-W', '1', b.started.address);
  expect(code).not.toBe(0);
});

test('both at once, ten times: no handshake is crossed', async () => {
  for (let round = 0; round < 10; round++) {
    await apply(a, []);
    await apply(b, []);
    await applyBoth();
    const [one, other] = await Promise.all([
      a.call<Reach>({ call: 'reach', device: 'b', deadlineMs: PATIENCE_MS }),
      b.call<Reach>({ call: 'reach', device: 'a', deadlineMs: PATIENCE_MS }),
    ]);
    expect([one.state, other.state]).toEqual(['up', 'up']);
    // Who was asked to begin did; crossing means that both were.
    const begun = [one, other].filter((reach) => reach.state === 'up' && reach.via === 'asked');
    expect(begun.length).toBeLessThan(2);
  }
});

test('over IPv6, when IPv4 no longer gets through', async () => {
  await apply(b, []);
  await apply(a, []);
  await apply(b, [a]);
  await apply(a, [{ ...b, underlay: '2001:db8:77::2' }]);
  await lab.must('a', 'ip', 'route', 'add', 'blackhole', '10.77.0.2/32');
  const reach = await a.call<Reach>({ call: 'reach', device: 'b', deadlineMs: PATIENCE_MS });
  await lab.must('a', 'ip', 'route', 'delete', 'blackhole', '10.77.0.2/32');
  expect(reach).toMatchObject({ state: 'up', endpoint: { address: '2001:db8:77::2' } });
});

test('from behind a router that translates addresses; then also towards it', async () => {
  await apply(b, [a, c]);
  await apply(c, [b]);
  expect(await b.call<Reach>({ call: 'reach', device: 'c', deadlineMs: 400 })).toEqual({
    state: 'unreachable',
    reason: 'no-answer',
  });
  // First the one that can only wait: else it may find the tunnel there already.
  const waiting = b.call<Reach>({ call: 'reach', device: 'c', deadlineMs: PATIENCE_MS });
  const asking = c.call<Reach>({ call: 'reach', device: 'b', deadlineMs: PATIENCE_MS });
  expect(await Promise.all([waiting, asking])).toMatchObject([
    { state: 'up', via: 'answered', endpoint: { address: '10.77.0.1' } },
    { state: 'up', via: 'asked' },
  ]);
  const { code } = await lab.run('b', ...PING, c.started.address);
  expect(code).toBe(0);
});

test('an interface that was deleted is made anew when it is next needed', async () => {
  await lab.must('b', 'ip', 'link', 'delete', 'dev', b.interface);
  const reach = await b.call<Reach>({ call: 'reach', device: 'a', deadlineMs: PATIENCE_MS });
  expect(reach).toMatchObject({ state: 'up', via: 'asked' });
});

test('after a crash the interface is taken over, and its tunnels go on', async () => {
  await b.crash();
  const ping = await lab.run('a', ...PING, b.started.address);
  b = await startSide('b', '10.77.0.2');
  await applyBoth();
  const reach = await b.call<Reach>({ call: 'reach', device: 'a', deadlineMs: PATIENCE_MS });
  const status = await b.call<TunnelStatus>({ call: 'status' });
  expect(ping.code, 'WireGuard does not need us to carry packets').toBe(0);
  expect(reach).toMatchObject({ state: 'up', via: 'already-up' });
  expect(status).toMatchObject({ state: 'up', listenPort: 51_820, backend: 'wireguard-go' });
});

test('stopping leaves no interface, and no key was ever in an argument (I2)', async () => {
  await Promise.all([a, b, c].map((side) => side.call({ call: 'stop' })));
  for (const side of [a, b, c]) {
    const { code } = await lab.run(side.name, 'ip', 'link', 'show', 'dev', side.interface);
    expect(code).not.toBe(0);
  }
  const seen = `${watch.stop()}${readFileSync(witnessFile(), 'utf8')}`;
  expect(seen).toContain('wg set');
  for (const side of [a, b, c]) {
    const key = readFileSync(keyFile(side.name));
    expect(key).toHaveLength(32);
    expect(seen).not.toContain(key.toString('base64'));
    expect(seen).not.toContain(key.toString('hex'));
  }
});

async function applyBoth(): Promise<void> {
  await apply(a, [b]);
  await apply(b, [a]);
}

function apply(self: Side, others: readonly Side[]): Promise<void> {
  return self.call({ call: 'apply', desired: desiredOf(self, others) });
}

function desiredOf(self: Side, others: readonly Side[]): Wired {
  return {
    self: { id: self.name, addresses: [self.started.address] },
    prefix: PREFIX,
    devices: others.map((side) => ({
      id: side.name,
      name: side.name,
      publicKey: side.started.publicKey,
      addresses: [side.started.address],
      endpoints: [{ address: side.underlay, port: CONTROL_PORT }],
      kind: 'node' as TunnelDevice['kind'],
      mayConnect: true,
    })),
  };
}

async function peersOf(side: Side): Promise<readonly string[]> {
  const peers = await lab.must(side.name, 'wg', 'show', side.interface, 'peers');
  return peers.split('\n').filter(Boolean);
}

async function startSide(name: Side['name'], underlay: string): Promise<Side> {
  const child = spawn('ip', ['netns', 'exec', lab.fullName(name), process.execPath, CHILD], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, PATH: `${lab.folder}/bin:${process.env['PATH']}` },
  });
  const call = talk(child);
  const side = {
    name,
    underlay,
    interface: `nt${process.pid}${name}`,
    call,
    kill: () => end(child),
    crash: () => end(child, 0),
  };
  const started = await call<Started>({
    call: 'start',
    interface: side.interface,
    listenPort: 51_820,
    controlPort: CONTROL_PORT,
    keyFile: keyFile(name),
  });
  return { ...side, started };
}

function keyFile(name: string): string {
  return `${lab.folder}/${name}.key`;
}

const witnessFile = (): string => `${lab.folder}/arguments`;

/** In front of the programs that devices run: each notes what it is run with. */
async function makeWitnesses(): Promise<void> {
  mkdirSync(`${lab.folder}/bin`);
  for (const program of PROGRAMS) {
    const place = (await must('sh', '-c', `command -v ${program}`)).trim();
    const script = `#!/bin/sh\necho "${program} $*" >>'${witnessFile()}'\nexec ${place} "$@"\n`;
    writeFileSync(`${lab.folder}/bin/${program}`, script);
    chmodSync(`${lab.folder}/bin/${program}`, 0o755);
  }
}

function talk(child: ChildProcess): Side['call'] {
  const waiting = new Map<number, (line: { result?: unknown; error?: string }) => void>();
  let last = 0;
  if (child.stdout === null || child.stdin === null) throw new Error('unreachable: no pipes');
  const { stdin } = child;
  stdin.on('error', () => undefined);
  child.on('close', () => {
    for (const answer of waiting.values()) answer({ error: 'the child ended' });
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer = JSON.parse(line);
    waiting.get(answer.id)?.(answer);
  });
  return <T>(request: Request) =>
    new Promise<T>((resolve, reject) => {
      const id = ++last;
      waiting.set(id, ({ result, error }) =>
        error === undefined ? resolve(result as T) : reject(new Error(error)),
      );
      stdin.write(`${JSON.stringify({ id, ...request })}\n`);
    });
}

/** Lets a child stop by itself, or kills it when the time is over. */
async function end(child: ChildProcess, patienceMs = PATIENCE_MS): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.on('close', resolve));
  if (patienceMs === 0) {
    child.kill('SIGKILL');
  } else {
    child.stdin?.end();
  }
  const patience = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  await closed;
  clearTimeout(patience);
}

/** Samples the arguments of all processes, whoever runs them. */
function watchArguments(): { stop(): string } {
  const seen = new Set<string>();
  const timer = setInterval(() => {
    for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
      } catch {
        // It ended between the listing and the reading.
      }
    }
  }, 20);
  return {
    stop() {
      clearInterval(timer);
      return [...seen].join('\n');
    },
  };
}
