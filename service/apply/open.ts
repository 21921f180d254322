/**
 * Applying as the faces see it: what is pending, drift, provenance, and the options themselves.
 *
 * The engine runs only where a guard can take a change back; everything else works anywhere.
 */

import type { Resolver } from '#resolver';
import { type Runtime, RuntimeError } from '#runtime';
import { StorageError, type Store } from '#storage';
import type { Tunnels } from '#tunnels';
import { type Author, WebAdminError } from '#web-admin';
import type { Config } from '../config.ts';
import type { Current } from '../current.ts';
import { commitOrPropose } from '../faces/propose.ts';
import { checkState } from '../project.ts';
import type { DeviceStatus, OptionRecord } from '../records.ts';
import { adoptionOf, compare, type Drift, readPeers, readTables } from './drift.ts';
import { type Engine, startEngine } from './engine.ts';
import { createGuard } from './guard.ts';
import { createHealth } from './health.ts';
import { packageOf } from './option.ts';
import { optionsOf, type Rendered, render } from './render.ts';
import { createUci, type Uci } from './uci.ts';
import { explainLine, findLines, type Provenance } from './why.ts';
import { waitingOf, warningsOf } from './words.ts';

export type Applying = AsyncDisposable & {
  /** Undefined where nothing is applied; `reason` says why. */
  readonly engine: Engine | undefined;
  readonly reason: string;
  /** What the newest configuration of this device waits for. */
  waiting(): string | undefined;
  /** Sentences about what is not as the head says. */
  warnings(): readonly string[];
  /** What every device says of itself. */
  statuses(): readonly (DeviceStatus & { readonly device: string; readonly name: string })[];
  /** Says that a pending change is good; without an id the only one there is. */
  confirm(id: string | undefined, author: Author): Promise<string>;
  rollback(author: Author): void;
  /** Gives the pending change of this device more time. */
  extend(seconds: number): Promise<void>;
  retry(): Promise<void>;
  drift(): Promise<readonly Drift[]>;
  /** Puts back what the head says; returns what was to be put back. */
  heal(): Promise<readonly Drift[]>;
  /** Makes the head say what is there, as far as it can. */
  adopt(author: Author): Promise<readonly Drift[]>;
  why(text: string): Promise<readonly Provenance[]>;
  options(): readonly (OptionRecord & { readonly id: string })[];
  setOption(option: OptionRecord, author: Author): Promise<void>;
  removeOption(device: string, option: string, author: Author): Promise<void>;
};

export type ApplyingParties = {
  readonly store: Store;
  readonly self: string;
  readonly current: Current;
  readonly tunnels: Tunnels;
  readonly resolver: Resolver;
};

type Room = ApplyingParties & {
  readonly runtime: Runtime;
  readonly config: Config;
  readonly uci: Uci;
  readonly engine: Engine | undefined;
};

/** Opens it; starts the engine where there is a guard. */
export async function openApplying(
  runtime: Runtime,
  config: Config,
  parties: ApplyingParties,
): Promise<Applying> {
  const uci = createUci(runtime.exec);
  const reason = await whyOff(runtime, config);
  const engine = reason === '' ? await openEngine(runtime, config, parties, uci) : undefined;
  const room: Room = { ...parties, runtime, config, uci, engine };
  if (engine === undefined) runtime.log('debug', 'apply-off', { reason });
  return {
    engine,
    reason,
    waiting: () => waitingOf(room),
    warnings: () => warningsOf(room, reason),
    statuses: () => statusesOf(room),
    confirm: (id, author) => confirm(room, id, author),
    rollback(author) {
      const { undo, state } = withEngine(room, reason);
      if (state().pending === undefined) {
        throw new WebAdminError('not-found', 'No change is pending on this device.');
      }
      undo(author.name);
    },
    async extend(seconds) {
      if (await withEngine(room, reason).extend(seconds)) return;
      throw new WebAdminError('not-found', 'No change is pending on this device.');
    },
    retry: () => withEngine(room, reason).again(),
    drift: () => findDrift(room),
    heal: () => heal(room),
    adopt: (author) => adopt(room, author),
    why: (text) => why(room, text),
    options: () =>
      room.current.projection().devices.flatMap(({ id }) => optionsOf(room.store.state(), id)),
    setOption: (option, author) => setOption(room, option, author),
    removeOption: (device, option, author) => removeOption(room, device, option, author),
    async [Symbol.asyncDispose]() {
      await engine?.stop();
    },
  };
}

/** Empty where changes can be made and taken back. */
async function whyOff({ files, exec }: Runtime, { applyGuard }: Config): Promise<string> {
  if ((await files.read(applyGuard)) === undefined) return `there is no guard at ${applyGuard}`;
  try {
    await exec('uci', ['-q', 'show', 'system'], { timeoutMs: UCI_MS });
    return '';
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    return 'this machine has no uci';
  }
}

const UCI_MS = 10_000;
const DIVERGED = 'a device of yours makes something else of the same commits';

function openEngine(
  runtime: Runtime,
  config: Config,
  { store, self, current, tunnels, resolver }: ApplyingParties,
  uci: Uci,
): Promise<Engine> {
  const addressOf = (device: string): string | undefined =>
    current.projection().devices.find(({ id }) => id === device)?.ipv6;
  const { applyNames: names, applyChecks: checks, applySeconds: seconds } = config;
  return startEngine(runtime, {
    ...{ store, self, uci, seconds, directory: config.data },
    guard: createGuard(runtime.exec, config.applyGuard),
    health: createHealth({ runtime, uci, resolver, tunnels, addressOf, names, checks }),
    problemsOf: (state) => [
      ...(store.isDiverged ? [DIVERGED] : []),
      ...[...store.invalid(), ...checkState(state, runtime.crypto)].map(
        ({ path, message }) => `${path}: ${message}`,
      ),
    ],
    confirmedBy: (id) => confirmedBy(runtime, { store, self, current }, id),
  });
}

/** The device that confirmed, if policy lets it administer this one. */
async function confirmedBy(
  { clock }: Pick<Runtime, 'clock'>,
  { store, self, current }: Pick<ApplyingParties, 'store' | 'self' | 'current'>,
  id: string,
): Promise<string | undefined> {
  const [commit] = await store.log({ path: `confirmations/${id}`, limit: 1 });
  if (commit === undefined) return undefined;
  const { effect } = current.household().policy.decide({
    asker: {
      kind: 'device',
      id: commit.device,
      strength: commit.device === self ? 'local' : 'key',
    },
    verb: 'administer',
    resource: `device:${self}`,
    now: clock.now(),
    clockIsSet: clock.isSet(),
  });
  return effect === 'allow' ? `${commit.name} (${commit.via})` : undefined;
}

function withEngine({ engine }: Room, reason: string): Engine {
  if (engine !== undefined) return engine;
  throw new WebAdminError('unavailable', `Options are not applied here: ${reason}.`);
}

function statusesOf({ store, current }: Room): ReturnType<Applying['statuses']> {
  const records = store.state().get('status');
  return current.projection().devices.flatMap(({ id, name }) => {
    const record = records?.get(id);
    return record === undefined ? [] : [{ ...(record as DeviceStatus), device: id, name }];
  });
}

/** A commit, so that it counts on whatever path it comes; here also without one. */
async function confirm(room: Room, wanted: string | undefined, author: Author): Promise<string> {
  const { store, self, engine, runtime } = room;
  const own = engine?.state().pending?.id;
  const others = statusesOf(room).flatMap(({ device, pending }) =>
    pending === undefined || device === self ? [] : [{ device, id: pending.id }],
  );
  const all = [...(own === undefined ? [] : [{ device: self, id: own }]), ...others];
  const found = wanted === undefined ? all[0] : all.find(({ id }) => id === wanted);
  if (found === undefined) throw new WebAdminError('not-found', 'No such change is pending.');
  if (wanted === undefined && all.length > 1) {
    throw new WebAdminError(
      'conflict',
      `Several changes are pending: ${all.map(({ id }) => id).join(', ')}.`,
    );
  }
  const old = [...(store.state().get('confirmations') ?? [])].filter(
    ([id, record]) => record['device'] === found.device && id !== found.id,
  );
  const commit = store.commit({
    ops: [
      ...old.map(([id]) => ({ op: 'del', path: `confirmations/${id}` }) as const),
      {
        op: 'set',
        path: `confirmations/${found.id}`,
        value: { device: found.device, at: Math.floor(runtime.clock.now()) },
      },
    ],
    message: `Confirm the change that is pending on ${nameOf(room, found.device)}`,
    via: author.via,
  });
  try {
    await commit;
  } catch (error) {
    // Who is let in here may confirm here, whether or not this device may write and has room for it.
    if (!(error instanceof StorageError) || found.device !== self) throw error;
    engine?.confirm(found.id, author.name);
  }
  return found.id;
}

const nameOf = ({ current }: Room, id: string): string =>
  current.projection().devices.find((device) => device.id === id)?.name ?? id;

function rendered({ store, self, current, config }: Room): readonly Rendered[] {
  return render(store.state(), {
    self,
    interface: config.interface,
    projection: current.projection(),
    desired: current.desired(),
  });
}

async function findDrift(room: Room): Promise<readonly Drift[]> {
  const { runtime, config, tunnels, uci, engine } = room;
  const { exec } = runtime;
  const lines = rendered(room);
  const packages = lines
    .filter(({ target }) => target === 'uci')
    .map(({ line }) => packageOf(line));
  const isUp = (await tunnels.status()).state === 'up';
  return compare(
    lines,
    {
      uci: engine === undefined ? undefined : await uci.read([...new Set(packages)]),
      peers: isUp ? await readPeers(exec, config.interface) : undefined,
      tables: engine === undefined ? undefined : await readTables(exec),
    },
    config.interface,
  );
}

async function heal(room: Room): Promise<readonly Drift[]> {
  const { tunnels, current, engine, config, runtime } = room;
  const drifts = await findDrift(room);
  if (drifts.some(({ target }) => target === 'uci')) await engine?.again();
  for (const { target, line, kind } of drifts) {
    if (kind !== 'extra') continue;
    const key = line.slice(`${config.interface}.peer.`.length);
    if (target === 'wg') await runtime.exec('wg', ['set', config.interface, 'peer', key, 'remove']);
    if (target === 'nft') await runtime.exec('nft', ['delete', 'table', ...line.split(' ')]);
  }
  if (drifts.some(({ target }) => target === 'wg')) await tunnels.apply(current.desired());
  return drifts;
}

async function adopt(room: Room, author: Author): Promise<readonly Drift[]> {
  const { store, self, engine } = room;
  const drifts = (await findDrift(room)).filter(({ target }) => target === 'uci');
  const ops = adoptionOf(drifts, store.state(), self);
  if (ops.length === 0) return [];
  const message = `Adopt what is on ${nameOf(room, self)}: ${drifts.map(({ line }) => line).join(', ')}`;
  const removed = drifts.filter(({ kind }) => kind === 'missing').map(({ line }) => line);
  const commit = () => commitOrPropose(store, self, { ops, message, ...origin(author) });
  if (removed.length === 0 || engine === undefined) await commit();
  else if (!(await engine.adopt(removed, commit))) {
    throw new WebAdminError('no-space', 'The disk is full, nothing was changed.');
  }
  return drifts;
}

async function why(room: Room, text: string): Promise<readonly Provenance[]> {
  const { runtime, store, current } = room;
  const lines = findLines(rendered(room), text);
  if (lines.length === 0) throw new WebAdminError('not-found', `No line of nymote's is '${text}'.`);
  const parties = {
    ...{ store, clock: runtime.clock, household: current.household() },
    person: current.projection().settings.user,
  };
  return Promise.all(lines.map((line) => explainLine(parties, line)));
}

async function setOption(room: Room, option: OptionRecord, author: Author): Promise<void> {
  const value = JSON.parse(JSON.stringify(option));
  await commitOrPropose(room.store, room.self, {
    ops: [{ op: 'set', path: `options/${optionId(option.device, option.option)}`, value }],
    message: `${nameOf(room, option.device)}: ${option.option} is ${String(option.value)}`,
    ...origin(author),
  });
}

async function removeOption(
  room: Room,
  device: string,
  option: string,
  author: Author,
): Promise<void> {
  const found = optionsOf(room.store.state(), device).find((each) => each.option === option);
  if (found === undefined) throw new WebAdminError('not-found', `There is no option ${option}.`);
  await commitOrPropose(room.store, room.self, {
    ops: [{ op: 'del', path: `options/${found.id}` }],
    message: `${nameOf(room, device)}: ${option} is as it was before`,
    ...origin(author),
  });
}

/** Keys of the store have no capitals; that two differ in nothing else the schema would say. */
const optionId = (device: string, option: string): string => `${device}.${option.toLowerCase()}`;

const origin = ({ via, ifHead }: Author): { via: string; ifHead?: string } => ({
  via,
  ...(ifHead === undefined ? {} : { ifHead }),
});
