/** What nymote needs from the machine, checked one by one; each failure says what to do about it. */

import { parseName, type Resolver, TYPE } from '#resolver';
import { type Runtime, RuntimeError } from '#runtime';
import type { Store } from '#storage';
import type { TunnelStatus, Tunnels } from '#tunnels';
import type { Check } from '#web-admin';
import type { Backups } from '../backup/backups.ts';
import { date } from '../cli/print.ts';
import { type Config, printEndpoint } from '../config.ts';
import { readPhrase } from '../recovery.ts';
import type { Sync } from '../sync/follow.ts';
import { describeDamage } from './views.ts';
import { checkMerge } from './waiting.ts';

type Patient = {
  readonly runtime: Runtime;
  readonly config: Config;
  readonly store: Store;
  readonly resolver: Resolver;
  readonly tunnels: Tunnels;
  readonly sync: Pick<Sync, 'standings' | 'problem'>;
  readonly backups: Pick<Backups, 'status'>;
  readonly isRemoved: () => boolean;
};

/** Names that exist as long as the internet does, for a look whether recursion works. */
const WELL_KNOWN = '.';
/** People wait for the whole check-up; a resolver that takes longer is not well either. */
const RECURSION_PATIENCE_MS = 3_000;

/** One is made every day. */
const OLD_BACKUP_SECONDS = 3 * 86_400;

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
    await checkMerge(patient.store),
    ...programs,
    await checkTunnels(patient.tunnels),
    await checkRecursion(patient),
    checkDatapath(patient.resolver),
    checkSync(patient),
    await checkRecovery(patient),
    await checkBackups(patient),
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
  const serious = problems.filter(({ code }) => code !== 'torn-tail');
  if (serious.length === 0) {
    const words = [
      seq === 1 ? '1 commit, verified' : `${seq} commits, all verified`,
      ...problems.map(describeDamage),
    ];
    return { name: 'store', ok: true, detail: words.join('; ') };
  }
  return {
    name: 'store',
    ok: false,
    detail: serious.map(describeDamage).join('; '),
    fix: 'start another full device of yours, which holds the same history, or stop this one and `nymote import` a clone or a bundle of it',
  };
}

async function checkTunnels(tunnels: Tunnels): Promise<Check> {
  const { state, reason, problem, backend } = await tunnels.status();
  if (reason === 'not-started') return { name: 'tunnels', ok: true, detail: 'off, as you set it' };
  if (state === 'up') return { name: 'tunnels', ok: true, detail: `up (${backend ?? 'unknown'})` };
  const detail = problem ?? 'off';
  return { name: 'tunnels', ok: false, detail, fix: TUNNEL_FIXES[reason ?? 'failed'] };
}

/** What a person can do about tunnels that are off. */
export const TUNNEL_FIXES = {
  'not-started': 'start nymote without --tunnels off',
  'not-root': 'run nymote as root, or with CAP_NET_ADMIN',
  'no-ip': 'install the package iproute2 (on OpenWrt: ip-full)',
  'no-wg': 'install the package wireguard-tools',
  'no-wireguard': 'install the package wireguard-go (on OpenWrt: kmod-wireguard)',
  'no-tun': 'load the kernel module wireguard, or tun',
  'interface-taken': 'name another interface with --interface',
  'port-taken': 'name other ports with --wireguard-port and --control-port',
  'bad-interface-name': 'name another interface with --interface',
  failed: 'look for a line tunnels-off in the log',
} as const satisfies Record<NonNullable<TunnelStatus['reason']>, string>;

async function checkRecursion({ runtime, resolver, config }: Patient): Promise<Check> {
  const root = parseName(WELL_KNOWN);
  if (root === undefined) throw new Error('unreachable: the root is no name');
  const isAnswered = await Promise.race([
    resolver.resolve(root, TYPE.NS).then(({ answers }) => answers.length > 0),
    runtime.clock.sleep(RECURSION_PATIENCE_MS).then(() => false),
  ]);
  if (isAnswered) return { name: 'internet', ok: true, detail: 'names of others resolve' };
  const { forward } = config;
  const silent =
    forward.length === 0
      ? 'no root server answers'
      : `${forward.map(printEndpoint).join(', ')} does not answer`;
  const fix = 'check the connection, or set --forward to a resolver that can be reached';
  return { name: 'internet', ok: false, detail: `${silent}: names of others do not resolve`, fix };
}

/** Slower is not ill: without threads the main one answers everything. */
function checkDatapath(resolver: Resolver): Check {
  const { datapath } = resolver.stats();
  if (typeof datapath === 'string')
    return { name: 'datapath', ok: true, detail: `none: ${datapath}` };
  const { threads, hits, restarts } = datapath;
  const ended = restarts === 0 ? '' : `; started again ${restarts} times`;
  return { name: 'datapath', ok: true, detail: `${threads} threads, ${hits} answers${ended}` };
}

/** One device that is off is no illness; commits that nobody here can read are. */
function checkSync({ sync, store, isRemoved }: Patient): Check {
  if (isRemoved()) {
    const detail = 'this device was removed by one of them';
    const fix = 'to add it again, join with another --data';
    return { name: 'devices', ok: false, detail, fix };
  }
  const standings = sync.standings();
  const refused = standings.filter((each) => each.refused > 0).map(({ name }) => name);
  if (store.isDiverged || refused.length > 0) {
    const from = refused.length > 0 ? ` from ${refused.join(', ')}` : '';
    const detail = `changes${from} do not verify here`;
    return { name: 'devices', ok: false, detail, fix: 'are all devices of the same version?' };
  }
  const reached = standings.filter(({ problem, ago }) => ago !== undefined && !problem);
  const detail =
    standings.length === 0
      ? 'there is no other full device'
      : `${reached.length} of ${standings.length} reached`;
  const problem = sync.problem();
  if (problem === undefined) return { name: 'devices', ok: true, detail };
  const fix = 'are the others on, and is the control port open?';
  return { name: 'devices', ok: false, detail: problem, fix };
}

/** No illness, but nobody else will say so. */
async function checkRecovery({ runtime, config }: Patient): Promise<Check> {
  const isWritten = (await readPhrase(runtime.files, config.data)) === undefined;
  const detail = isWritten
    ? 'not on this machine, as it should be'
    : 'not written down yet: `nymote recovery show`';
  return { name: 'recovery phrase', ok: true, detail };
}

/** Whoever has set none is reminded; a drill that failed is as bad as a backup that did. */
async function checkBackups({ runtime, backups }: Patient): Promise<Check> {
  const { target, backup, drill } = await backups.status();
  const last = `the last one, ${date(backup?.at ?? 0)}, is number ${backup?.number ?? 0}`;
  if (backup?.problem !== undefined) {
    const fix = 'look at the place, then `nymote backup`';
    return { name: 'backup', ok: false, detail: backup.problem, fix };
  }
  if (drill?.problem !== undefined) {
    const fix = '`nymote backup` to another place, then `nymote backup drill`';
    return { name: 'backup', ok: false, detail: `it cannot be restored: ${drill.problem}`, fix };
  }
  if (backup === undefined) {
    const detail =
      target === ''
        ? 'none: --backup names a place (a directory, WebDAV, S3) for a sealed one every day, `nymote backup to` a friend who keeps it'
        : 'none yet';
    return { name: 'backup', ok: true, detail };
  }
  const isOld = target !== '' && runtime.clock.now() - backup.at > OLD_BACKUP_SECONDS;
  const tried = drill === undefined ? '' : `; restored on trial ${date(drill.at)}`;
  const detail = `${last}${tried}`;
  if (!isOld) return { name: 'backup', ok: true, detail };
  return { name: 'backup', ok: false, detail, fix: '`nymote backup` says what is in the way' };
}
