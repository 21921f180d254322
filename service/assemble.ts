/**
 * The composition root: opens every room, connects them, and starts them in an order in which
 * nothing is asked before it can answer. The only place where features meet.
 */

import { createDesignation, type Resolver } from '#resolver';
import { type Endpoint, type Runtime, RuntimeError } from '#runtime';
import { createTunnels, type Tunnels } from '#tunnels';
import type { Assets } from '#web-admin';
import { type Applying, openApplying } from './apply/open.ts';
import { type Backups, createBackups } from './backup/backups.ts';
import { type Keeping, openKeeping } from './backup/keep/keeping.ts';
import { type Config, ignoredSettings } from './config.ts';
import { type Current, createCurrent } from './current.ts';
import { followWithStore } from './dns/anchor-store.ts';
import { keepCache } from './dns/cache-file.ts';
import type { EncryptedDns } from './dns/encrypted-dns.ts';
import { watchLan } from './dns/lan.ts';
import { listenForForwarder, openEncryptedDns, startResolver } from './dns/serve.ts';
import { createDraftFiles } from './drafts.ts';
import { createDeviceChanges } from './faces/devices.ts';
import { examine, TUNNEL_FIXES } from './faces/doctor.ts';
import { warnOfHistory } from './faces/kept-words.ts';
import { createLive } from './faces/live.ts';
import { sayRemoved } from './faces/removed.ts';
import { publishOnUbus } from './faces/router.ts';
import { openFaces } from './faces/serve.ts';
import { createDoors } from './faces/sign-in.ts';
import { viewPeer, viewTunnels } from './faces/views.ts';
import type { House } from './house.ts';
import { createEnrolment } from './peers/enrol.ts';
import { createSealing } from './peers/sealed.ts';
import { listenForPeers } from './peers/serve.ts';
import { startPruning } from './pruning.ts';
import { openRealm, type Realm } from './realm.ts';
import { readPhrase } from './recovery.ts';
import { createAcknowledgements } from './sync/acknowledged.ts';
import { createAllowance } from './sync/allowance.ts';
import { partiesOf, type Sync, startSync } from './sync/follow.ts';
import { type HubNeeds, hubOf, tendHub, watchHub } from './sync/hub.ts';
import { createFrameSealing, createKeyRing, missingCopies } from './sync/keys.ts';
import { createOwnLate } from './sync/late.ts';
import { type Listener, lastNumbers, type SyncParties } from './sync/serve.ts';
import { tendKeys } from './sync/tend-keys.ts';
import { openUpstreams, type Upstreams } from './upstream/upstreams.ts';

/** Nymote, running; disposing it stops it. */
export type Nymote = AsyncDisposable & {
  readonly fqdn: string;
  readonly dns: readonly Endpoint[];
  readonly admin: readonly string[];
  /** A one-time link to the admin page. */
  readonly signInLink: string;
  /** How the tunnels are, in some words. */
  readonly tunnels: string;
  readonly warnings: readonly string[];
};

/** What the process knows of itself. */
export type Process = { readonly memoryBytes: () => number };

/** Opens and starts everything. Fails with RuntimeError or StorageError when it cannot serve at all. */
export async function assemble(
  runtime: Runtime,
  config: Config,
  assets: Assets,
  self: Process,
): Promise<Nymote> {
  await using opening = new AsyncDisposableStack();
  const warnings: string[] = [];
  const realm = opening.use(await openRealm(runtime, config));
  const current = opening.adopt(createCurrent(runtime, realm), (each) => each.stop());
  const upstreams = opening.use(await openUpstreams(runtime, config.data, realm.store, current));
  warnings.push(...ignoredSettings(config, current.projection().settings));
  if (assets.size === 0) warnings.push(NO_PAGE);
  const tunnels = opening.use(createTunnels(runtime, tunnelOptions(realm, config, current)));
  const overlay = await startTunnels(runtime, config, tunnels, current);
  const lan = opening.use(await watchLan(runtime, lanFiles(config)));
  let encryptedDns: EncryptedDns | undefined;
  const none = createDesignation();
  const { resolver, dns } = await startResolver(runtime, config, {
    ...{ current, tunnels, overlay, warnings, lan },
    designation: () => encryptedDns?.designation() ?? none,
    followRoot: followWithStore(runtime, realm.store, () => isFirst(current)),
  });
  opening.use(resolver);
  opening.use(await keepCache(runtime, config.data, resolver));
  opening.use(await listenForForwarder(runtime, config, resolver));
  encryptedDns = await openEncryptedDns(runtime, config, current, resolver);
  if (encryptedDns !== undefined) opening.use(encryptedDns);

  const exchanging = await startSynchronisation(runtime, realm, current, tunnels);
  const { sync, parties, hub, heard, acknowledged } = exchanging;
  opening.defer(() => sync.stop());
  tend(opening, runtime, realm, { sync, hub });
  const { store, keys } = realm;
  const applying = opening.use(
    await openApplying(runtime, config, { store, self: keys.id, current, tunnels, resolver }),
  );
  const backups = opening.use(createBackups(runtime, config, realm));
  const keeping = opening.use(await openKeeping(runtime, config, current));
  const house = opening.use(
    furnish(runtime, config, {
      ...{ realm, current, tunnels, resolver, encryptedDns, sync, hub, applying, backups },
      ...{ upstreams, realmKeys: parties.keys, warnings, self, keeping, acknowledged },
    }),
  );
  opening.use(
    await listenForPeers(runtime, config, {
      ...{ parties, enrolment: house.enrolment, warnings },
      heard,
    }),
  );
  const admin = await openFaces(opening, runtime, config, house, assets);
  if (config.ubus !== '') opening.use(publishOnUbus(runtime, config.ubus, house));

  const { state, backend, reason } = viewTunnels(await tunnels.status());
  const rooms = opening.move();
  return {
    fqdn: current.own().fqdn,
    dns,
    admin,
    signInLink: house.doors.issueLink().url,
    tunnels: state === 'up' ? `up (${backend ?? 'unknown'})` : `off: ${reason ?? ''}`,
    warnings: [
      ...(await sayRemoved(house)),
      ...warnings,
      ...(encryptedDns?.warnings() ?? []),
      ...((await readPhrase(runtime.files, config.data)) === undefined ? [] : [WRITE_DOWN]),
    ],
    [Symbol.asyncDispose]: () => rooms.disposeAsync(),
  };
}

const lanFiles = ({ lanHosts, lanLeases, lanDomain }: Config) => ({
  hosts: lanHosts,
  leases: lanLeases,
  domain: lanDomain,
});

function tunnelOptions(
  { keys }: Realm,
  config: Config,
  current: Current,
): Parameters<typeof createTunnels>[1] {
  return {
    interface: config.interface,
    listenPort: config.wireguardPort,
    controlPort: config.controlPort,
    privateKey: keys.agreement.privateKey,
    accept: (device) => current.mayConnect(device),
  };
}

/** Returns this device's overlay addresses when tunnels are up. */
async function startTunnels(
  { log }: Pick<Runtime, 'log'>,
  { tunnels: wanted }: Config,
  tunnels: Tunnels,
  current: Current,
): Promise<readonly string[]> {
  if (wanted !== 'off') await tunnels.start();
  const { state, reason = 'failed', problem = '' } = await tunnels.status();
  if (wanted === 'on' && state === 'off') {
    throw new RuntimeError(
      reason === 'not-root' ? 'denied' : 'io',
      `tunnels cannot be made: ${problem}; ${TUNNEL_FIXES[reason]}`,
    );
  }
  current.onChange(() => {
    tunnels.apply(current.desired()).catch((error: unknown) => {
      log('error', 'tunnels-apply-failed', { error: String(error) });
    });
  });
  await tunnels.apply(current.desired());
  return state === 'up' ? current.desired().self.addresses : [];
}

/** Only when it starts: a page that others may see is no place for it. */
const WRITE_DOWN =
  'Write your recovery phrase on paper: nymote recovery show. It is the way back when every device is lost.';

/** What people should know of this device and the others. */
function togetherWarnings(sync: Sync, current: Current): readonly string[] {
  const nameOf = (id: string): string =>
    current.projection().devices.find((device) => device.id === id)?.name ?? id;
  const problem = sync.problem();
  return [
    ...sync
      .limited()
      .map(
        (id) =>
          `${nameOf(id)} writes too much: some of its changes come later. If that is not you, remove it.`,
      ),
    ...(problem === undefined ? [] : [`No other device can be reached: ${problem}.`]),
  ];
}

const NO_PAGE = 'The web page was not built; the API and the command line work.';

/** What one device is enough for is done by the most senior owner. */
function isFirst(current: Current): boolean {
  const owners = current
    .projection()
    .devices.filter(({ role, writer }) => role === 'owner' || writer);
  const [first] = owners.toSorted(
    (a, b) => (a.rank ?? 1) - (b.rank ?? 1) || (a.id < b.id ? -1 : 1),
  );
  return first?.id === current.household().self;
}

/** What the realm's devices keep true among them. */
function tend(
  opening: AsyncDisposableStack,
  runtime: Runtime,
  { keys }: Realm,
  { sync, hub }: { readonly sync: Sync; readonly hub: HubNeeds },
): void {
  const { clock, crypto, random } = runtime;
  const sealing = createSealing(crypto, random, keys.agreement);
  const tending = [
    tendHub(hub),
    tendKeys({ ...runtime, ...hub, sealing }),
    watchHub(hub, clock, () => sync.poke('hub')),
  ];
  for (const each of tending) opening.defer(each.stop);
}

/** Since this device wrote something itself, which it does whenever it is up for long. */
async function secondsAway(
  { clock }: Pick<Runtime, 'clock'>,
  { store, keys }: Pick<Realm, 'store' | 'keys'>,
): Promise<number> {
  const [last] = await store.log({ device: keys.id, limit: 1 });
  return last === undefined || !clock.isSet() ? 0 : clock.now() - last.at;
}

/** Everybody's changes to everybody, at once and now and then. */
async function startSynchronisation(
  runtime: Runtime,
  realm: Realm,
  current: Current,
  tunnels: Tunnels,
): Promise<{
  readonly sync: Sync;
  readonly parties: Omit<SyncParties, 'clock' | 'crypto'>;
  readonly hub: HubNeeds;
  readonly heard: Listener;
  readonly acknowledged: House['acknowledged'];
}> {
  const { crypto, random, clock, http, log } = runtime;
  const { store, keys } = realm;
  const sealing = createSealing(crypto, random, keys.agreement);
  const devices = () => current.projection().devices;
  const ring = createKeyRing({ crypto, sealing }, () => store.state(), keys.id);
  const parties = {
    devices,
    store: () => store,
    keys: ring.keys,
    seal: createFrameSealing(crypto, () => store, ring.keys),
    allowance: createAllowance(clock, await secondsAway(runtime, { store, keys })),
  };
  const signer = crypto.signer('ed25519', keys.signing.privateKey);
  const late = createOwnLate(parties.store, keys.id, parties.seal);
  const met = (): void => {
    realm.catchUp().catch((error: unknown) => log('error', 'mark-stays', { error: String(error) }));
  };
  const sync = startSync({
    ...{ clock, crypto, random, http, log, signer, ...parties, learn: ring.learn, late },
    parties: () => partiesOf(devices(), keys.id, hubOf(store), late.isOwed()),
    met,
  });
  if (sync.standings().length === 0) met();
  const isSenior = () => isFirst(current);
  const hub = { crypto, http, log, signer, devices, store: parties.store, isFirst: isSenior };
  const shareMissing = async (): Promise<void> => {
    const holders = devices().filter(({ kind, signingKey }) => kind !== 'plain' && signingKey);
    const ops = missingCopies({ crypto, sealing }, store.state(), keys.id, holders);
    if (ops.length === 0 || !store.isWritable) return;
    await store
      .commit({ ops, message: 'Share keys with devices that lack them', via: 'keys' })
      .catch((error: unknown) => log('warn', 'keys-not-shared', { error: String(error) }));
  };
  const own = () => store.vector()[keys.id]?.[0]?.[0];
  let last = own();
  store.watch(({ head }) => {
    tunnels.notify({ kind: 'moved', head });
    // What others wrote they tell whom they can reach; who cannot be hears it from us.
    if (own() !== last) sync.poke();
    else sync.forward();
    if (isSenior()) void shareMissing();
    last = own();
  });
  tunnels.onMessage((device, { head }) => {
    if (head !== store.head) sync.poke(device);
  });
  const acknowledged = createAcknowledgements(clock, store);
  const heard: Listener = (device, held) => {
    sync.heard(device);
    if (held === undefined) return;
    acknowledged.note(device, held);
    // Who cannot be reached from here says so itself.
    if ((lastNumbers(held)[keys.id] ?? 0) <= (own() ?? 0)) met();
  };
  return { sync, parties, hub, heard, acknowledged: acknowledged.all };
}

type Parts = {
  readonly realm: Realm;
  readonly current: Current;
  readonly tunnels: Tunnels;
  readonly resolver: Resolver;
  readonly encryptedDns: EncryptedDns | undefined;
  readonly sync: Sync;
  readonly acknowledged: House['acknowledged'];
  readonly hub: HubNeeds;
  readonly upstreams: Upstreams;
  readonly realmKeys: SyncParties['keys'];
  readonly applying: Applying;
  readonly backups: Backups;
  readonly keeping: Keeping;
  readonly warnings: readonly string[];
  readonly self: Process;
};

/** Puts together what the faces need. */
function furnish(runtime: Runtime, config: Config, parts: Parts): House & Disposable {
  const { realm, current, tunnels, resolver, encryptedDns, sync, hub, applying } = parts;
  const { backups, keeping, upstreams, realmKeys, acknowledged, warnings, self } = parts;
  const { store, keys } = realm;
  const { clock, crypto, random } = runtime;
  const started = clock.monotonic();
  const doors = createDoors(runtime, config, current.projection().settings.user);
  const enrolment = createEnrolment(runtime, { realm, current });
  const devices = createDeviceChanges({
    ...{ crypto, random, store, now: clock.now },
    sealing: createSealing(crypto, random, keys.agreement),
    self: keys.id,
    projection: current.projection,
    wireguardPort: config.wireguardPort,
    invite: enrolment.invite,
  });
  const { household, isRemoved } = current;
  const { engine } = applying;
  const pruning = startPruning({
    ...{ ...runtime, store, current, sync, engine, backups, acknowledged },
  });
  const live = createLive({
    clock,
    store,
    resolver,
    household,
    tunnelStatus: () => tunnels.status(),
    viewPeer,
  });
  return {
    ...{ clock, store, resolver, encryptedDns, tunnels, devices, doors, live, applying },
    ...{
      ...{ sync, hub, upstreams, realmKeys },
      ...{ backups, keeping, pruning, acknowledged },
      draftFiles: createDraftFiles(runtime.files, config.data),
      enrolment,
      household,
    },
    projection: current.projection,
    own: current.own,
    anchor: current.anchor,
    doctor: async () => [
      ...(await examine({ runtime, config, store, resolver, tunnels, sync, backups, isRemoved })),
      ...upstreams.checks(),
    ],
    warnings: () => [
      ...togetherWarnings(sync, current),
      ...warnings,
      ...(encryptedDns?.warnings() ?? []),
      ...applying.warnings(),
      ...upstreams.warnings(),
      ...keeping.warnings(),
      ...warnOfHistory(pruning, store.bytes),
    ],
    uptimeSeconds: () => (clock.monotonic() - started) / 1_000,
    memoryBytes: self.memoryBytes,
    [Symbol.dispose]() {
      pruning[Symbol.dispose]();
      live[Symbol.dispose]();
    },
  };
}
