/**
 * Whether this device still does what it did before a change. Each check is one word; which of them
 * failed before the change is not held against it (plan.ts).
 */

import { parseName, type Resolver, TYPE } from '#resolver';
import { type Exec, type Runtime, RuntimeError } from '#runtime';
import type { Tunnels } from '#tunnels';
import { encodeHex } from '../hex.ts';
import type { Uci } from './uci.ts';

export type Health = {
  /** The checks that fail now. */
  failing(): Promise<readonly string[]>;
};

type Parties = {
  readonly runtime: Pick<Runtime, 'exec' | 'clock' | 'random'>;
  readonly uci: Uci;
  readonly resolver: Pick<Resolver, 'resolve'>;
  readonly tunnels: Pick<Tunnels, 'status'>;
  /** Overlay address of a device. */
  readonly addressOf: (device: string) => string | undefined;
  /** A name whose signatures are good, and one whose are not; none: not looked at. */
  readonly names: readonly string[];
  /** The person's own programs, with their arguments: well when they end with 0. */
  readonly checks: readonly string[];
};

/** RFC 1035 §4.1.1. */
const NOERROR = 0;
const SERVFAIL = 2;
const NXDOMAIN = 3;

const CHECK_MS = 5_000;
const MAX_PEERS = 8;

/** Makes the checks. */
export function createHealth(parties: Parties): Health {
  const { runtime, names, checks } = parties;
  const { exec } = runtime;
  const [good, bogus] = names;
  const others: readonly (readonly [string, () => Promise<boolean>])[] = [
    ['default route', () => hasDefaultRoute(exec)],
    ['LAN address', () => hasLanAddress(parties)],
    ['tunnels', () => reachesPeer(parties)],
    ...checks.map((check) => [check, () => succeeds(exec, check)] as const),
  ];
  return {
    async failing() {
      const resolves =
        good === undefined ? undefined : inTime(runtime, () => answers(parties, good));
      // Who reaches nobody refuses everything: that says nothing of the bogus name.
      const refusing = async (name: string): Promise<boolean> =>
        (await Promise.all([refuses(parties, name), resolves])).every((is) => is);
      const all: readonly (readonly [string, () => Promise<boolean>])[] = [
        ...others,
        ...(resolves === undefined ? [] : [[`resolving ${good}`, () => resolves] as const]),
        ...(bogus === undefined ? [] : [[`refusing ${bogus}`, () => refusing(bogus)] as const]),
      ];
      const results = await Promise.all(
        all.map(async ([name, check]) => ((await inTime(runtime, check)) ? [] : [name])),
      );
      return results.flat();
    },
  };
}

/** A check that does not end has failed. */
function inTime(
  { clock }: Pick<Runtime, 'clock'>,
  check: () => Promise<boolean>,
): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const cancel = clock.after(CHECK_MS, () => late.resolve(false));
  return Promise.race([check().catch(() => false), late.promise]).finally(cancel);
}

async function hasDefaultRoute(exec: Exec): Promise<boolean> {
  const four = await output(exec, 'ip', ['route', 'show', 'default']);
  return four !== '' || (await output(exec, 'ip', ['-6', 'route', 'show', 'default'])) !== '';
}

async function hasLanAddress({ runtime, uci }: Parties): Promise<boolean> {
  const device = (await uci.read(['network'])).get('network.lan.device');
  if (typeof device !== 'string') return false;
  return / inet6? /.test(await output(runtime.exec, 'ip', ['addr', 'show', 'dev', device]));
}

/** One device of ours that was there answers. */
async function reachesPeer({ runtime, tunnels, addressOf }: Parties): Promise<boolean> {
  const { peers } = await tunnels.status();
  const addresses = peers
    .filter(({ state }) => state === 'up')
    .slice(0, MAX_PEERS)
    .map(({ id }) => addressOf(id))
    .filter((address) => address !== undefined);
  const answers = await Promise.all(
    addresses.map((address) => succeeds(runtime.exec, `ping -c 1 -W 2 ${address}`)),
  );
  return answers.includes(true);
}

/** A name below it that nobody has asked for: the cache knows the other, and would answer for ever. */
async function answers({ runtime, resolver }: Parties, text: string): Promise<boolean> {
  const label = encodeHex(runtime.random(4));
  const name = parseName(`${label}.${text}`);
  if (name === undefined) return false;
  const { rcode, authenticData } = await resolver.resolve(name, TYPE.A);
  return (rcode === NOERROR || rcode === NXDOMAIN) && authenticData;
}

async function refuses({ resolver }: Parties, text: string): Promise<boolean> {
  const name = parseName(text);
  return name !== undefined && (await resolver.resolve(name, TYPE.A)).rcode === SERVFAIL;
}

async function succeeds(exec: Exec, command: string): Promise<boolean> {
  const [program = '', ...args] = command.split(' ').filter((word) => word !== '');
  return (await exec(program, args, { timeoutMs: CHECK_MS })).exitCode === 0;
}

async function output(exec: Exec, program: string, args: readonly string[]): Promise<string> {
  try {
    return (await exec(program, args, { timeoutMs: CHECK_MS })).stdout.trim();
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    return '';
  }
}
