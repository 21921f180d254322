/** Homes for tests: the whole house, several times, in a world of the test's own. */

import { decodeMessage, encodeMessage, parseName, TYPE } from '#resolver';
import {
  type FakeRuntime,
  fakeNetwork,
  fakeRuntime,
  manualClock,
  seededRandom,
} from '#runtime/fake';
import { assemble, type Nymote } from './assemble.ts';
import { readArguments } from './cli/arguments.ts';
import { type Outcome, runVerb } from './cli/verbs.ts';
import { type Config, readConfig } from './config.ts';
import { join, type Wish } from './peers/join.ts';

/** Where the first home is. */
export const A = '192.0.2.1';
const B = '192.0.2.2';
const C = '192.0.2.3';

export type Home = {
  readonly runtime: FakeRuntime;
  readonly config: Config;
  run(line: string): Promise<Outcome>;
  json(line: string): Promise<Record<string, unknown>>;
  start(): Promise<Nymote>;
};

/** Settings for a test. */
export function configOf(values: Record<string, string>): Config {
  const result = readConfig([
    { name: 'test', values: { data: '/data', tunnels: 'off', logLevel: 'debug', ...values } },
  ]);
  if ('problems' in result) throw new Error(result.problems[0]?.message);
  return result.config;
}

/** A machine with these settings; nothing runs yet. */
export function homeOf(runtime: FakeRuntime, config: Config): Home {
  const run = async (line: string): Promise<Outcome> => {
    const invocation = readArguments(line.split(' '));
    if ('problem' in invocation) throw new Error(invocation.problem);
    return runVerb(runtime, config.data, invocation);
  };
  return {
    ...{ runtime, config, run },
    json: async (line) =>
      JSON.parse((await run(`${line} --json`)).stdout) as Record<string, unknown>,
    start: () => assemble(runtime, config, new Map(), { memoryBytes: () => 0 }),
  };
}

/** The same machine after somebody pulled the plug, in a world of its own. */
export function rebooted({ runtime, config }: Home): Home {
  const files = runtime.files.restart();
  return homeOf(fakeRuntime({ seed: 'again', files, addresses: config.endpoints }), config);
}

/** Two machines on one network; nothing runs yet. */
export function twoHomes(): { a: Home; b: Home; clock: FakeRuntime['clock'] } {
  const { a, b, clock } = threeHomes();
  return { a, b, clock };
}

/** Three machines on one network; nothing runs yet. */
export function threeHomes(): { a: Home; b: Home; c: Home; clock: FakeRuntime['clock'] } {
  const clock = manualClock();
  const network = fakeNetwork(clock, seededRandom('network'));
  const home = (seed: string, address: string, name: string): Home => {
    const runtime = fakeRuntime({ seed, clock, network, addresses: [address] });
    return homeOf(
      runtime,
      configOf({ name, endpoints: address, dns: `127.0.0.1:53,${address}:53` }),
    );
  };
  const [a, b] = [home('a', A, 'laptop'), home('b', B, 'desktop')];
  return { a, b, c: home('c', C, 'shelf'), clock };
}

/** To join at the first home with this code. */
export const wishOf = (code: string, isAuto = true): Wish => ({
  ...{ endpoint: { address: A, port: 51_821 }, code, isAuto },
});

/** B becomes one of A's devices and starts. */
export async function joinHome(a: Home, b: Home, name = 'desktop'): Promise<Nymote> {
  const { code } = await a.json(`device add ${name} --node --auto-confirm`);
  const joined = await join(b.runtime, b.config, wishOf(String(code)));
  if (!joined.ok) throw new Error(joined.reason);
  return b.start();
}

/** Asks a home's resolver for AAAA records, or for others. */
export async function ask(
  home: Home,
  name: string,
  from: FakeRuntime = home.runtime,
  server = '127.0.0.1',
  type: number = TYPE.AAAA,
) {
  const parsed = parseName(name);
  if (parsed === undefined) throw new Error(`${name} is no name`);
  const reply = Promise.withResolvers<Uint8Array>();
  await using socket = await from.udp.bind(
    { address: server === '127.0.0.1' ? server : '0.0.0.0', port: 0 },
    reply.resolve,
  );
  const query = {
    ...{
      id: 7,
      response: false,
      opcode: 0,
      authoritative: false,
      truncated: false,
      recursionDesired: true,
    },
    ...{ recursionAvailable: false, authenticData: false, checkingDisabled: false, rcode: 0 },
    questions: [{ name: parsed, type, class: 1 }],
    ...{ answers: [], authorities: [], additionals: [] },
    edns: { udpSize: 1232, version: 0, dnssecOk: false, options: [] },
  };
  socket.send(encodeMessage(query), { address: server, port: 53 });
  await from.clock.advance(100);
  const decoded = decodeMessage(await reply.promise);
  if (!decoded.ok) throw new Error(decoded.reason);
  return decoded.message;
}
