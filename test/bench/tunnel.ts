/**
 * From sending the question for a device's name to the first echo from that device.
 *
 * Two homes in network namespaces, joined by a virtual cable, so that what is measured is nymote and
 * WireGuard and no network. Warm: the tunnel is there. Cold: no end knows the other as a peer; the
 * asker has just been started and left with a word, and the other's peer was removed by hand.
 */

import { spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLab, type Lab, type Running } from '../netns/namespaces.ts';
import { cpuSeconds } from './process.ts';
import { NODE } from './programs.ts';
import { progress } from './progress.ts';
import { percentile, type Row } from './row.ts';

const COLD_RUNS = 30;
/** Many, because CPU is counted in hundredths of a second. */
const WARM_RUNS = 200;
const ADDRESSES = { a: '198.51.100.1', b: '198.51.100.2' } as const;
const NAMES = { a: 'laptop', b: 'desktop' } as const;
const ECHO_PORT = 7_777;
const PROBE = fileURLToPath(new URL('./probe.ts', import.meta.url));

/** Where programs come from; nymote itself says when it misses wireguard-go. */
const PACKAGES = { ip: 'iproute2', wg: 'wireguard-tools' } as const;

type Home = keyof typeof ADDRESSES;
type Sample = { readonly answer: number; readonly echo: number };

/** Cold as often as patience allows, warm more often. */
export async function run(): Promise<readonly Row[]> {
  for (const [program, name] of Object.entries(PACKAGES)) {
    const { error } = spawnSync(program, ['--version']);
    if (error !== undefined) throw new Error(`${program} is missing: apt-get install ${name}`);
  }
  await using lab = await createLab('nybench');
  const asker = await build(lab);
  await using running = asker;
  const backend = JSON.parse(await ask(lab, 'a', '/status')).tunnels?.backend ?? 'unknown backend';
  const cold: Sample[] = [];
  for (let count = 1; count <= COLD_RUNS; count++) {
    progress(`tunnel: cold, ${count} of ${COLD_RUNS}`);
    await running.forget();
    cold.push(...(await probe(lab, 1)));
  }
  progress('tunnel: warm');
  await probe(lab, WARM_RUNS);
  const before = await cpuSeconds(running.pid());
  const warm = await probe(lab, WARM_RUNS);
  const cpu = (await cpuSeconds(running.pid())) - before;
  return [
    ...rowsOf('cold', cold, `${backend}, asker just started`),
    ...rowsOf('warm', warm, backend),
    { name: 'warm: CPU of the asker for a question', value: (cpu / WARM_RUNS) * 1e3, unit: 'ms' },
  ];
}

function rowsOf(what: string, samples: readonly Sample[], note: string): readonly Row[] {
  const answers = samples.map(({ answer }) => answer);
  const echoes = samples.map(({ echo }) => echo);
  return [
    { name: `${what}: name to answer, p50`, value: percentile(answers, 0.5), unit: 'ms', note },
    { name: `${what}: name to first echo, p50`, value: percentile(echoes, 0.5), unit: 'ms' },
    { name: `${what}: name to first echo, p95`, value: percentile(echoes, 0.95), unit: 'ms' },
  ];
}

type Asker = AsyncDisposable & {
  readonly pid: () => number;
  /** Makes both ends forget the tunnel. */
  readonly forget: () => Promise<void>;
};

/** Both homes, joined to one realm, and the echo at home B. */
async function build(lab: Lab): Promise<Asker> {
  for (const home of ['a', 'b'] as const) {
    await lab.namespace(home);
    await mkdir(dataOf(lab, home), { recursive: true });
  }
  await lab.cable('a', `${ADDRESSES.a}/24`, 'b', `${ADDRESSES.b}/24`);
  let first = await start(lab, 'a');
  const words = ['device', 'add', NAMES.b, '--node', '--auto-confirm', '--json'];
  const { code } = JSON.parse(
    await lab.must('a', ...NODE.command, ...words, '--data', dataOf(lab, 'a')),
  );
  const endpoint = `${ADDRESSES.a}:51821`;
  await lab.must(
    'b',
    ...NODE.command,
    'join',
    endpoint,
    code,
    '--auto-confirm',
    ...settings(lab, 'b'),
  );
  const second = await start(lab, 'b');
  const echo = lab.start('b', process.execPath, PROBE, 'echo', String(ECHO_PORT));
  await echo.says(/listening/);
  return {
    pid: () => first.pid,
    async forget() {
      // It says goodbye and takes its interface along.
      await first.stop();
      const keys = await lab.must('b', 'wg', 'show', 'nybench-b', 'peers');
      for (const key of keys.split('\n').filter(Boolean)) {
        await lab.must('b', 'wg', 'set', 'nybench-b', 'peer', key, 'remove');
      }
      // Asked how things are, it looks at its interface.
      await ask(lab, 'b', '/status');
      first = await start(lab, 'a');
    },
    async [Symbol.asyncDispose]() {
      await first.stop();
      await second.stop();
    },
  };
}

async function start(lab: Lab, home: Home): Promise<Running> {
  const program = lab.start(home, ...NODE.command, 'serve', ...settings(lab, home));
  await program.says(/^Ready/m);
  return program;
}

const dataOf = (lab: Lab, home: Home): string => join(lab.folder, `data-${home}`);

/** Interface names differ because wireguard-go's control sockets are shared by all namespaces. */
const settings = (lab: Lab, home: Home): string[] => [
  ...['--data', dataOf(lab, home), '--user', 'alice', '--name', NAMES[home]],
  ...['--dns', '127.0.0.1:53', '--admin', '127.0.0.1:8053', '--tunnels', 'on'],
  ...['--interface', `nybench-${home}`, '--endpoints', ADDRESSES[home], '--log-level', 'error'],
];

async function probe(lab: Lab, count: number): Promise<readonly Sample[]> {
  const words = ['ask', `${NAMES.b}.alice.nymote`, String(ECHO_PORT), String(count)];
  return JSON.parse(await lab.must('a', process.execPath, PROBE, ...words));
}

/** A request to a home's service over its unix socket, which namespaces do not keep apart. */
function ask(lab: Lab, home: Home, path: string): Promise<string> {
  const socketPath = join(dataOf(lab, home), 'nymote.sock');
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path: `/api/v1${path}` }, async (response) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve(body);
    });
    sent.on('error', reject);
    sent.end();
  });
}
