/**
 * Nymote as a process under measurement, on ports of its own, with its data where we say.
 *
 * It counts as started when a signed answer arrives: asked by a raw socket every few milliseconds,
 * as a client that waits for its resolver does.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { decodeMessage, encodeMessage, type Name, parseName, TYPE } from '#resolver';
import { takePort } from '../suites/ports.ts';
import { cpuSeconds } from './process.ts';
import { NODE, type Program } from './programs.ts';

export const HOST = '127.0.0.1';

export type House = AsyncDisposable & {
  readonly pid: number;
  readonly port: number;
  /** From spawn to the first signed answer, and the CPU of that. */
  readonly milliseconds: number;
  readonly cpuMilliseconds: number;
  /** Runs a verb of the command line; returns what it printed. */
  readonly nymote: (...words: string[]) => string;
};

export type HouseOptions = {
  readonly program?: Program;
  readonly directory: string;
  /** Words before the command: `taskset -c 0`. */
  readonly prefix?: readonly string[];
  readonly settings?: readonly string[];
};

const APEX = 'alice.nymote';
const POLL_MS = 2;
const PATIENCE_MS = 20_000;

/** Starts nymote and waits for its first signed answer. */
export async function startHouse(options: HouseOptions): Promise<House> {
  const { program = NODE, directory, prefix = [], settings = [] } = options;
  const dns = await takePort();
  const ports = [await takePort(), await takePort(), await takePort()];
  const [file = '', ...words] = [...prefix, ...program.command];
  const args = [...words, 'serve', '--data', directory, ...listening(dns, ports), ...settings];
  const env = { ...process.env, ...program.env };
  const began = performance.now();
  const child = spawn(file, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const said: string[] = [];
  child.stderr.on('data', (chunk) => said.push(String(chunk)));
  try {
    await untilSigned(dns, child);
    const milliseconds = performance.now() - began;
    const pid = child.pid ?? 0;
    return {
      ...{ pid, port: dns, milliseconds, cpuMilliseconds: (await cpuSeconds(pid)) * 1_000 },
      nymote: (...verb) => runVerb(directory, verb),
      [Symbol.asyncDispose]: () => stop(child),
    };
  } catch (thrown) {
    await stop(child);
    throw new Error(`${program.name} did not answer:\n${said.join('')}`, { cause: thrown });
  }
}

function listening(dns: number, [admin, control, wireguard]: readonly number[]): string[] {
  return [
    ...['--dns', `${HOST}:${dns}`, '--admin', `${HOST}:${admin}`, '--tunnels', 'off'],
    ...['--control-port', String(control), '--wireguard-port', String(wireguard)],
    ...['--log-level', 'error'],
  ];
}

async function untilSigned(port: number, child: ChildProcess): Promise<void> {
  const socket = createSocket('udp4');
  const deadline = performance.now() + PATIENCE_MS;
  const question = soaQuestion();
  const ask = () => socket.send(question, port, HOST);
  const answered = Promise.withResolvers<void>();
  // Until there is a listener the kernel answers with ICMP.
  socket.on('error', () => undefined);
  socket.on('message', (data) => isSigned(data) && answered.resolve());
  child.once('error', answered.reject);
  child.once('exit', (code) => answered.reject(new Error(`it ended with ${code}`)));
  const timer = setInterval(() => {
    if (performance.now() > deadline) answered.reject(new Error('no answer'));
    else ask();
  }, POLL_MS);
  try {
    await answered.promise;
  } finally {
    clearInterval(timer);
    socket.close();
  }
}

function soaQuestion(): Uint8Array {
  return encodeMessage({
    ...{ id: 7, response: false, opcode: 0, authoritative: false, truncated: false },
    ...{ recursionDesired: false, recursionAvailable: false, authenticData: false },
    ...{ checkingDisabled: false, rcode: 0, answers: [], authorities: [], additionals: [] },
    questions: [{ name: parseName(APEX) as Name, type: TYPE.SOA, class: 1 }],
    edns: { udpSize: 1_232, version: 0, dnssecOk: true, options: [] },
  });
}

function isSigned(data: Uint8Array): boolean {
  const decoded = decodeMessage(data);
  return decoded.ok && decoded.message.answers.some(({ type }) => type === TYPE.RRSIG);
}

function runVerb(directory: string, verb: readonly string[]): string {
  const [node = '', ...words] = NODE.command;
  const args = [...words, ...verb, '--data', directory];
  const { status, stdout, stderr } = spawnSync(node, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`nymote ${verb.join(' ')}: ${stderr}`);
  return stdout;
}

/** Ends a program and waits until it is gone. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  child.removeAllListeners('exit');
  child.kill('SIGTERM');
  await once(child, 'exit');
}
