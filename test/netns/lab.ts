/**
 * The lab: an internet, two homes, and a name that connects them.
 *
 * `npm run lab` runs it and explains each step; `lab.test.ts` runs the same and checks the findings.
 *
 *      home A                 internet                     home B
 *   laptop.alice.nymote   root · example · leaf     desktop.alice.nymote
 *     203.0.113.2 ────────── 203.0.113.1
 *                            198.51.100.1 ─────────── 198.51.100.2
 */

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT_SERVER, startHierarchy } from './hierarchy.ts';
import { createLab, type Lab, type Running, until } from './namespaces.ts';

const MAIN = join(import.meta.dirname, '../../service/main.ts');
const HOME_A = '203.0.113.2';
const HOME_B = '198.51.100.2';
const CONTROL_PORT = 51_821;
const LAN_GUEST = '192.168.1.10';
/** One question, one packet; what comes back may take as long as a busy machine takes. */
const DIG = ['dig', '+tries=1', '+time=60'];
const PING = ['ping', '-6', '-c', '1', '-W', '60'];

/** What the lab found; the test asserts on it. */
export type Findings = {
  /** `dig` at home for a name of the internet, and whether AD was set. */
  readonly internet: { readonly answer: string; readonly alias: string; readonly hasAd: boolean };
  /** What `delv` says about the own zone: of a name, and of a name that is not. */
  readonly validated: { readonly positive: string; readonly negative: string };
  /** WireGuard peers on both ends before the name was asked. */
  readonly peersBefore: { readonly a: number; readonly b: number };
  /** The question that connects. */
  readonly connect: {
    readonly address: string;
    readonly ttl: number;
    readonly milliseconds: number;
  };
  readonly peersAfter: { readonly a: number; readonly b: number };
  /** From sending the question to the reply of the first ping. */
  readonly nameToFirstPing: {
    readonly coldMilliseconds: number;
    readonly warmMilliseconds: number;
  };
  readonly ping: string;
  readonly iperf: { readonly megabitsPerSecond: number };
  /** A stranger's question from the internet, and a guest's in the LAN. */
  readonly stranger: { readonly status: string; readonly ede: string };
  readonly guest: { readonly status: string; readonly ede: string; readonly internet: string };
  /** After the device was removed: its name, its ping, and how long that took. */
  readonly removed: {
    readonly status: string;
    readonly isReachable: boolean;
    readonly milliseconds: number;
  };
  /** Secrets seen in any program's arguments while the lab ran (I2). */
  readonly secretsInArguments: readonly string[];
};

type Narrate = (title: string, ...lines: readonly string[]) => void;

/** Builds the lab, walks through it, and takes it down again. */
export async function runLab(narrate: Narrate): Promise<Findings> {
  await using lab = await createLab('nylab');
  await using watch = watchArguments();

  narrate(
    '1. An internet and two homes',
    'Network namespaces, joined by virtual cables. The internet has a signed root (NSD), a top',
    'level domain (Knot) and a zone in it (BIND). The homes know nothing of each other.',
  );
  await buildInternet(lab);

  const a = await startNymote(lab, 'a', 'laptop', HOME_A);
  narrate(
    '2. nymote at home A',
    'Started on an empty directory, it made a realm for Alice: keys, a store with its first signed',
    'commit, and the zone alice.nymote. It is `laptop`.',
  );

  const internet = await askInternet(lab);
  narrate(
    '3. A name of the internet',
    `www.leaf.example → ${internet.answer}, by our own recursion: root, example, leaf.example.`,
    `alias.leaf.example → ${internet.alias}. AD is ${internet.hasAd ? 'set' : 'not set: nobody gave it the key of this root'}.`,
  );

  const validated = await validateZone(lab);
  narrate(
    '4. Her own zone is signed',
    `delv about laptop.alice.nymote: ${validated.positive}.`,
    `delv about nosuch.alice.nymote: ${validated.negative}.`,
  );

  const b = await joinHomeB(lab);
  narrate(
    '5. Home B joins',
    '`nymote device add desktop --node` printed a one-time code; `nymote join` at home B used it.',
    'Both have the same history, the same zone and each other’s keys. No tunnel exists.',
  );

  const peersBefore = await countPeers(lab);
  const coldStart = performance.now();
  const connect = await askDesktop(lab);
  const ping = await lab.must('a', ...PING, connect.address);
  const coldMilliseconds = performance.now() - coldStart;
  const peersAfter = await countPeers(lab);
  const warmStart = performance.now();
  await askDesktop(lab);
  await lab.must('a', ...PING, connect.address);
  const warmMilliseconds = performance.now() - warmStart;
  narrate(
    '6. Asking for a name connects',
    `dig desktop.alice.nymote AAAA → ${connect.address}, TTL ${connect.ttl}, in ${connect.milliseconds.toFixed(0)} ms.`,
    `WireGuard peers before: ${peersBefore.a} and ${peersBefore.b}; after: ${peersAfter.a} and ${peersAfter.b}.`,
    `Name to first ping: ${coldMilliseconds.toFixed(0)} ms cold, ${warmMilliseconds.toFixed(0)} ms warm (dig and ping start-up included).`,
    line(ping, /time=/),
  );

  const iperf = await measureThroughput(lab, connect.address);
  narrate('7. Traffic', `iperf3 through the tunnel: ${iperf.megabitsPerSecond.toFixed(0)} Mbit/s.`);

  const stranger = await askAs(lab, 'inet', HOME_A, 'desktop.alice.nymote');
  const guest = await askAs(lab, 'lan', '192.168.1.1', 'desktop.alice.nymote');
  const internetOf = [...DIG, '@192.168.1.1', 'www.leaf.example', 'A', '+short'];
  const guestInternet = await lab.must('lan', ...internetOf);
  narrate(
    '8. Who is not Alice’s',
    `A stranger on the internet asks home A for desktop: ${stranger.status}, ${stranger.ede}.`,
    `A guest in her LAN asks the same: ${guest.status}, ${guest.ede}; the internet answers: ${guestInternet.trim()}.`,
  );

  const removed = await removeDesktop(lab, connect.address);
  narrate(
    '9. Taking it back',
    `\`nymote device remove desktop\`: after ${removed.milliseconds.toFixed(0)} ms the name is ${removed.status} and the address ` +
      (removed.isReachable ? 'still answers.' : 'is silent.'),
  );

  const secretsInArguments = await watch.stop();
  await a.stop();
  await b.stop();
  return {
    internet,
    validated,
    peersBefore,
    connect,
    peersAfter,
    nameToFirstPing: { coldMilliseconds, warmMilliseconds },
    ping,
    iperf,
    stranger,
    guest: { ...guest, internet: guestInternet.trim() },
    removed,
    secretsInArguments,
  };
}

async function buildInternet(lab: Lab): Promise<void> {
  for (const name of ['inet', 'a', 'b', 'lan']) await lab.namespace(name);
  await lab.cable('a', `${HOME_A}/24`, 'inet', '203.0.113.1/24');
  await lab.cable('b', `${HOME_B}/24`, 'inet', '198.51.100.1/24');
  await lab.cable('a', '192.168.1.1/24', 'lan', `${LAN_GUEST}/24`);
  await lab.must('a', 'ip', 'route', 'add', 'default', 'via', '203.0.113.1');
  await lab.must('b', 'ip', 'route', 'add', 'default', 'via', '198.51.100.1');
  await lab.must('inet', 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
  await startHierarchy(lab, 'inet');
}

async function startNymote(
  lab: Lab,
  home: string,
  name: string,
  address: string,
): Promise<Running> {
  await mkdir(dataOf(lab, home), { recursive: true });
  const program = lab.start(
    home,
    process.execPath,
    MAIN,
    'serve',
    ...settings(lab, home, name, address),
  );
  await program.says(/^Ready/m);
  return program;
}

const dataOf = (lab: Lab, home: string): string => join(lab.folder, `data-${home}`);

/** wireguard-go's control sockets are shared by all namespaces. */
const wire = (home: string): string => `ny${process.pid}${home}`;

const settings = (lab: Lab, home: string, name: string, address: string): string[] => [
  ...['--data', dataOf(lab, home), '--user', 'alice', '--name', name],
  ...['--dns', home === 'a' ? `127.0.0.1:53,${address}:53,192.168.1.1:53` : '127.0.0.1:53'],
  ...['--admin', '127.0.0.1:8053', '--tunnels', 'on', '--interface', wire(home)],
  ...['--endpoints', address, '--root-hints', `${ROOT_SERVER.name}=${ROOT_SERVER.address}`],
];

const nymote = (lab: Lab, home: string, ...words: string[]): Promise<string> =>
  lab.must(home, process.execPath, MAIN, ...words, '--data', dataOf(lab, home));

async function askInternet(lab: Lab): Promise<Findings['internet']> {
  let answer = '';
  let alias = '';
  // Three servers may be too slow for a resolver that is asked for the first time.
  await until(async () => {
    answer = await lab.must('a', ...DIG, '@127.0.0.1', 'www.leaf.example', 'A');
    alias = await lab.must('a', ...DIG, '@127.0.0.1', 'alias.leaf.example', 'AAAA', '+short');
    return answer.includes('NOERROR') && alias !== '';
  });
  return {
    answer: /^www\.leaf\.example\.\s+\d+\s+IN\s+A\s+(\S+)/m.exec(answer)?.[1] ?? answer,
    alias: alias.trim().split('\n').at(-1) ?? '',
    hasAd: /flags:[^;]* ad[ ;]/.test(answer),
  };
}

async function validateZone(lab: Lab): Promise<Findings['validated']> {
  const anchor = join(lab.folder, 'anchor');
  await writeFile(anchor, await nymote(lab, 'a', 'zone', 'anchor'));
  const delv = async (name: string): Promise<string> => {
    const words = ['@127.0.0.1', '-a', anchor, '+root=alice.nymote', name, 'AAAA'];
    const { stdout, stderr } = await lab.run('a', 'delv', ...words);
    return /^; (.*validated.*)$/m.exec(stdout)?.[1] ?? `${stdout}${stderr}`;
  };
  return {
    positive: await delv('laptop.alice.nymote'),
    negative: await delv('nosuch.alice.nymote'),
  };
}

async function joinHomeB(lab: Lab): Promise<Running> {
  const added = JSON.parse(
    await nymote(lab, 'a', 'device', 'add', 'desktop', '--node', '--auto-confirm', '--json'),
  );
  await mkdir(dataOf(lab, 'b'), { recursive: true });
  const endpoint = `${HOME_A}:${CONTROL_PORT}`;
  await lab.must(
    'b',
    ...[process.execPath, MAIN, 'join', endpoint, added.code, '--auto-confirm'],
    ...settings(lab, 'b', 'desktop', HOME_B),
  );
  return startNymote(lab, 'b', 'desktop', HOME_B);
}

async function countPeers(lab: Lab): Promise<{ a: number; b: number }> {
  const count = async (home: string): Promise<number> => {
    const { stdout } = await lab.run(home, 'wg', 'show', wire(home), 'peers');
    return stdout.split('\n').filter(Boolean).length;
  };
  return { a: await count('a'), b: await count('b') };
}

async function askDesktop(lab: Lab): Promise<Findings['connect']> {
  let answer = '';
  let milliseconds = 0;
  // The answer does not wait for ever: on a busy machine it may say that the tunnel is not there yet.
  await until(async () => {
    const started = performance.now();
    answer = await lab.must('a', ...DIG, '@127.0.0.1', 'desktop.alice.nymote', 'AAAA');
    milliseconds = performance.now() - started;
    return !answer.includes('no tunnel yet');
  });
  const match = /^desktop\.alice\.nymote\.\s+(\d+)\s+IN\s+AAAA\s+(\S+)/m.exec(answer);
  if (match === null) throw new Error(`desktop has no address:\n${answer}`);
  return { address: match[2] ?? '', ttl: Number(match[1]), milliseconds };
}

async function measureThroughput(lab: Lab, address: string): Promise<Findings['iperf']> {
  const server = lab.start('b', 'iperf3', '-s', '-1', '-B', address, '--forceflush');
  await server.says(/Server listening/);
  const report = JSON.parse(await lab.must('a', 'iperf3', '-J', '-t', '2', '-c', address));
  await server.stop();
  return { megabitsPerSecond: report.end.sum_received.bits_per_second / 1e6 };
}

async function askAs(
  lab: Lab,
  from: string,
  server: string,
  name: string,
): Promise<Findings['stranger']> {
  const answer = await lab.must(from, ...DIG, `@${server}`, name, 'AAAA');
  return {
    status: /status: (\w+)/.exec(answer)?.[1] ?? answer,
    // dig puts our sentence into brackets: `18 (Prohibited): (who may not do what: why.)`.
    ede: /; EDE: (.*)\.\)$/m.exec(answer)?.[1]?.replace(': (', ': ') ?? 'no EDE',
  };
}

async function removeDesktop(lab: Lab, address: string): Promise<Findings['removed']> {
  const started = performance.now();
  await nymote(lab, 'a', 'device', 'remove', 'desktop');
  let status = '';
  await until(async () => {
    status = (await askAs(lab, 'a', '127.0.0.1', 'desktop.alice.nymote')).status;
    return status === 'NXDOMAIN';
  });
  const milliseconds = performance.now() - started;
  const isSilent = await until(async () => {
    const { code } = await lab.run('a', 'ping', '-6', '-c', '1', '-W', '1', address);
    return code !== 0;
  });
  return { status, isReachable: !isSilent, milliseconds };
}

/** Samples the arguments of every process; anything like a WireGuard key there is a leak (I2). */
function watchArguments(): AsyncDisposable & { stop(): Promise<readonly string[]> } {
  const found = new Set<string>();
  let isOver = false;
  const sample = async (): Promise<void> => {
    for (const pid of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
      const words = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
      if (!/^(\S*\/)?(wg|wireguard-go|ip)\0/.test(words)) continue;
      const isSecret = /private-key\0(?!\/)|preshared-key\0(?!\/)/.test(words);
      if (isSecret) found.add(words.replaceAll('\0', ' '));
    }
  };
  const watching = (async () => {
    while (!isOver) {
      await sample();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const stop = async (): Promise<readonly string[]> => {
    isOver = true;
    await watching;
    return [...found];
  };
  return { stop, [Symbol.asyncDispose]: async () => void (await stop()) };
}

const line = (text: string, pattern: RegExp): string =>
  text
    .split('\n')
    .find((each) => pattern.test(each))
    ?.trim() ?? '';

if (import.meta.main) {
  await runLab((title, ...lines) => {
    console.log(`\n${title}`);
    for (const each of lines.filter(Boolean)) console.log(`   ${each}`);
  });
  console.log('\nAll of it is gone again: namespaces, processes, files.');
}
