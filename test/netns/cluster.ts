/**
 * Five devices of one person in five namespaces around a router that can cut any two apart. The first
 * and the last never reach each other.
 *
 *     n0 … n4   10.9.<i>.2 ──── 10.9.<i>.1   sw, forwards what nft lets through
 */

import { mkdir } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { createLab, type Lab, type Running } from './namespaces.ts';

const MAIN = join(import.meta.dirname, '../../service/main.ts');
const TABLE = 'inet cluster';
const ANSWER_MS = 60_000;

export type Reply = { readonly status: number; readonly body: string };

export type Member = {
  readonly index: number;
  readonly isUp: () => boolean;
  /** Asks its API over its socket, which namespaces do not keep apart. */
  readonly ask: (method: string, path: string, body?: unknown) => Promise<Reply>;
  readonly start: () => Promise<void>;
  /** As a power cut of the process: nothing is written any more. */
  readonly kill: () => Promise<void>;
};

export type Cluster = AsyncDisposable & {
  readonly members: readonly Member[];
  /** Only members with the same number reach each other; the first and the last never do. */
  readonly divide: (groups: readonly number[]) => Promise<void>;
};

/** Builds it; all are members of one realm and run. */
export async function startCluster(size: number): Promise<Cluster> {
  await using building = new AsyncDisposableStack();
  const lab = building.use(await createLab('nyclus'));
  await lab.namespace('sw');
  for (let index = 0; index < size; index++) {
    await lab.namespace(`n${index}`);
    await lab.cable(`n${index}`, `10.9.${index}.2/24`, 'sw', `10.9.${index}.1/24`);
    await lab.must(`n${index}`, 'ip', 'route', 'add', 'default', 'via', `10.9.${index}.1`);
    await mkdir(dataOf(lab, index), { recursive: true });
  }
  await lab.must('sw', 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
  await lab.must('sw', 'nft', `add table ${TABLE}`);
  const hook = '{ type filter hook forward priority 0 ; policy accept ; }';
  await lab.must('sw', 'nft', `add chain ${TABLE} forward ${hook}`);
  const members = Array.from({ length: size }, (_, index) => memberOf(lab, index));
  const divide = (groups: readonly number[]) => cut(lab, size, groups);
  await divide(members.map(() => 0));
  await members[0]?.start();
  for (let index = 1; index < size; index++) await admit(lab, members, index);
  const built = building.move();
  return { members, divide, [Symbol.asyncDispose]: () => built.disposeAsync() };
}

const dataOf = (lab: Lab, index: number): string => join(lab.folder, `data-${index}`);

const settingsOf = (lab: Lab, index: number): string[] => [
  ...['--data', dataOf(lab, index), '--user', 'alice', '--name', `n${index}`],
  ...['--dns', '127.0.0.1:5300', '--admin', '127.0.0.1:8053', '--tunnels', 'off'],
  ...['--endpoints', `10.9.${index}.2`],
];

async function admit(lab: Lab, members: readonly Member[], index: number): Promise<void> {
  // The last one cannot reach the first.
  const host = index === members.length - 1 ? 1 : 0;
  const wish = { name: `n${index}`, kind: 'node', autoConfirm: true };
  const { body } = await (members[host] as Member).ask('POST', '/devices', wish);
  const { code } = JSON.parse(body) as { code: string };
  const words = ['join', `10.9.${host}.2:51821`, code, '--auto-confirm'];
  await lab.must(`n${index}`, process.execPath, MAIN, ...words, ...settingsOf(lab, index));
  await members[index]?.start();
}

function memberOf(lab: Lab, index: number): Member {
  let running: Running | undefined;
  return {
    index,
    isUp: () => running !== undefined,
    ask: (method, path, body) => ask(join(dataOf(lab, index), 'nymote.sock'), method, path, body),
    async start() {
      const words = ['serve', ...settingsOf(lab, index)];
      const started = lab.start(`n${index}`, process.execPath, MAIN, ...words);
      await started.says(/^Ready/m);
      running = started;
    },
    async kill() {
      const killed = running;
      running = undefined;
      await killed?.stop('SIGKILL');
    },
  };
}

async function cut(lab: Lab, size: number, groups: readonly number[]): Promise<void> {
  const rules: string[] = [`flush chain ${TABLE} forward`];
  for (let a = 0; a < size; a++) {
    for (let b = 0; b < size; b++) {
      const isApart = groups[a] !== groups[b] || Math.abs(a - b) === size - 1;
      if (!isApart) continue;
      rules.push(`add rule ${TABLE} forward ip saddr 10.9.${a}.2 ip daddr 10.9.${b}.2 drop`);
    }
  }
  await lab.must('sw', 'nft', rules.join('; '));
}

function ask(socketPath: string, method: string, path: string, body?: unknown): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', host: 'localhost' };
    const options = { socketPath, method, path: `/api/v1${path}`, headers, timeout: ANSWER_MS };
    const asked = request(options, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.on('timeout', () => asked.destroy(new Error('no answer')));
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
