/** What nymote needs from the machine, checked one by one; each failure says what to do about it. */

import { parseName, type Resolver, TYPE } from '#resolver';
import { type Runtime, RuntimeError } from '#runtime';
import type { Store } from '#storage';
import type { Tunnels } from '#tunnels';
import type { Check } from '#web-admin';
import type { Config } from './config.ts';

type Patient = {
  readonly runtime: Runtime;
  readonly config: Config;
  readonly store: Store;
  readonly resolver: Resolver;
  readonly tunnels: Tunnels;
  readonly replicaProblem: () => string | undefined;
};

/** Names that exist as long as the internet does, for a look whether recursion works. */
const WELL_KNOWN = '.';

/** Runs all checks. */
export async function examine(patient: Patient): Promise<readonly Check[]> {
  const { runtime, config } = patient;
  const programs = await Promise.all(
    PROGRAMS.map(({ program, args, need }) => checkProgram(runtime, program, args, need)),
  );
  return [
    checkClock(runtime),
    await checkDisk(runtime, config.data),
    checkStore(patient.store),
    ...programs,
    await checkTunnels(patient.tunnels),
    await checkRecursion(patient.resolver),
    checkReplica(patient),
  ];
}

const PROGRAMS = [
  { program: 'wg', args: ['--version'], need: 'wireguard-tools' },
  { program: 'ip', args: ['-V'], need: 'iproute2' },
] as const;

async function checkProgram(
  { exec }: Pick<Runtime, 'exec'>,
  program: string,
  args: readonly string[],
  need: string,
): Promise<Check> {
  try {
    const { stdout, stderr } = await exec(program, args);
    return { name: program, ok: true, detail: `${stdout}${stderr}`.trim().split('\n')[0] ?? '' };
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    return { name: program, ok: false, detail: 'not found', fix: `install the package ${need}` };
  }
}

function checkClock({ clock }: Pick<Runtime, 'clock'>): Check {
  if (clock.isSet()) return { name: 'clock', ok: true, detail: 'set' };
  const detail = 'not set: rules with a schedule deny, and signatures carry a stand-in date';
  return { name: 'clock', ok: false, detail, fix: 'let NTP reach its servers, or set the date' };
}

async function checkDisk({ files }: Pick<Runtime, 'files'>, directory: string): Promise<Check> {
  const path = `${directory}/.doctor`;
  try {
    await files.replace(path, new Uint8Array(4_096), 0o600);
    await files.remove(path);
    return { name: 'disk', ok: true, detail: `${directory} can be written` };
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    const fix =
      error.code === 'no-space' ? 'free some space' : `look at the permissions of ${directory}`;
    return { name: 'disk', ok: false, detail: error.message, fix };
  }
}

function checkStore({ problems, seq }: Store): Check {
  const [problem] = problems;
  if (problem === undefined)
    return { name: 'store', ok: true, detail: `${seq} commits, all verified` };
  const detail = problems.map(({ where, message }) => `${where}: ${message}`).join('; ');
  return {
    name: 'store',
    ok: false,
    detail,
    fix: 'another device of yours holds the same history',
  };
}

async function checkTunnels(tunnels: Tunnels): Promise<Check> {
  const { state, problem, backend } = await tunnels.status();
  if (state === 'up') return { name: 'tunnels', ok: true, detail: `up (${backend ?? 'unknown'})` };
  const detail = problem ?? 'off';
  return { name: 'tunnels', ok: false, detail, fix: 'run nymote as root, or with CAP_NET_ADMIN' };
}

async function checkRecursion(resolver: Resolver): Promise<Check> {
  const root = parseName(WELL_KNOWN);
  if (root === undefined) throw new Error('unreachable: the root is no name');
  const { answers } = await resolver.resolve(root, TYPE.NS);
  if (answers.length > 0) return { name: 'recursion', ok: true, detail: 'the root answers' };
  const fix = 'check the uplink, or set --forward to a resolver that can be reached';
  return { name: 'recursion', ok: false, detail: 'no root server answers', fix };
}

function checkReplica({ store, replicaProblem }: Patient): Check {
  if (store.isWritable)
    return { name: 'replication', ok: true, detail: 'this device is the writer' };
  const problem = replicaProblem();
  if (problem === undefined) return { name: 'replication', ok: true, detail: 'up to date' };
  return {
    name: 'replication',
    ok: false,
    detail: problem,
    fix: 'is the other device on and reachable?',
  };
}
