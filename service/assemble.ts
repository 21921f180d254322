/**
 * The composition root: opens every room, connects them, and starts them in an order in which
 * nothing is asked before it can answer. The only place where features meet.
 */

import {
  createDesignation,
  createResolver,
  type Designation,
  type Resolver,
  startListeners,
} from '#resolver';
import { type Endpoint, type Runtime, RuntimeError } from '#runtime';
import { createTunnels, type Tunnels } from '#tunnels';
import { type Assets, createApp } from '#web-admin';
import { askersOf } from './askers.ts';
import { createBackend } from './backend.ts';
import { keepCache } from './cache-file.ts';
import { socketPath } from './cli.ts';
import { type Config, ignoredSettings, printEndpoint, readEndpoint } from './config.ts';
import { type Current, createCurrent } from './current.ts';
import { createDeviceChanges } from './devices.ts';
import { examine, TUNNEL_FIXES } from './doctor.ts';
import type { EncryptedDns } from './encrypted-dns.ts';
import { createEnrolment } from './enrol.ts';
import type { House } from './house.ts';
import { createLive } from './live.ts';
import { listenForPeers } from './peers.ts';
import { openRealm, type Realm } from './realm.ts';
import { type Replica, startReplica } from './replica.ts';
import { publishOnUbus } from './router.ts';
import { createRulings, FORWARDED, type Household, identify } from './ruling.ts';
import { createSealing } from './sealed.ts';
import { createDoors } from './sign-in.ts';
import { viewPeer, viewTunnels } from './views.ts';

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
  warnings.push(...ignoredSettings(config, current.projection().settings));
  if (assets.size === 0) warnings.push(NO_PAGE);
  const tunnels = opening.use(createTunnels(runtime, tunnelOptions(realm, config, current)));
  const overlay = await startTunnels(runtime, config, tunnels, current);
  let encryptedDns: EncryptedDns | undefined;
  const none = createDesignation();
  const { resolver, dns } = await startResolver(runtime, config, {
    ...{ current, tunnels, overlay, warnings },
    designation: () => encryptedDns?.designation() ?? none,
  });
  opening.use(resolver);
  opening.use(await keepCache(runtime, config.data, resolver));
  opening.use(await listenForForwarder(runtime, config, resolver));
  encryptedDns = await openEncryptedDns(runtime, config, current, resolver);
  if (encryptedDns !== undefined) opening.use(encryptedDns);

  const replica = startReplication(runtime, realm, current, tunnels);
  opening.defer(() => replica?.stop());
  const house = opening.use(
    furnish(runtime, config, {
      ...{ realm, current, tunnels, resolver, encryptedDns, replica, warnings, self },
    }),
  );
  opening.use(
    await listenForPeers(runtime, config, { realm, current, enrolment: house.enrolment, warnings }),
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
    warnings: [...warnings, ...(encryptedDns?.warnings() ?? [])],
    [Symbol.asyncDispose]: () => rooms.disposeAsync(),
  };
}

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

const NO_PAGE = 'The web page was not built; the API and the command line work.';

const DNS_PORT = 53;

/** Characters of this device's id, told to who asks for NSID: they name nobody. */
const SERVER_ID_LENGTH = 8;

/** What the resolver's rulings are made of. */
type Asked = {
  readonly current: Current;
  readonly tunnels: Tunnels;
  readonly overlay: readonly string[];
  readonly warnings: string[];
  readonly designation: () => Designation;
};

/** Serves DNS where we are told to and, for phones, on our overlay addresses. */
async function startResolver(
  runtime: Runtime,
  config: Config,
  { current, tunnels, overlay, warnings, designation }: Asked,
): Promise<{ readonly resolver: Resolver; readonly dns: readonly Endpoint[] }> {
  const before = createRulings(
    runtime.clock,
    current.household,
    (device, deadline) => tunnels.reach(device, deadline),
    designation,
  );
  const courtesy = {
    serverId: new TextEncoder().encode(current.household().self.slice(0, SERVER_ID_LENGTH)),
    isLimited: (address: string) => isStrange(current.household(), address),
  };
  const create = (listen: readonly Endpoint[]): Resolver =>
    createResolver(runtime, {
      listen,
      before,
      courtesy,
      forward: config.forward,
      ...(config.rootHints.length === 0 ? {} : { rootHints: groupHints(config) }),
      // A laboratory's root is where real ones never are.
      allowPrivateUpstream: config.rootHints.length > 0,
      validate: config.validate === 'on',
      datapath: config.datapath,
    });
  const start = async (resolver: Resolver) => {
    const tell = (): void => resolver.setAskers(askersOf(current.household()));
    current.onChange(tell);
    tell();
    return { resolver, dns: await resolver.start() };
  };
  const forPhones = overlay.map((address) => ({ address, port: DNS_PORT }));
  if (forPhones.length > 0) {
    const resolver = create([...config.dns, ...forPhones]);
    try {
      return await start(resolver);
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      await resolver[Symbol.asyncDispose]();
      warnings.push(`Phones cannot ask this device for names: ${error.message}.`);
    }
  }
  return start(create(config.dns));
}

/** dnsmasq asks from loopback for the whole LAN; a port of its own keeps that apart from ourselves. */
function listenForForwarder(
  runtime: Runtime,
  { dnsForwarded }: Config,
  { handle }: Resolver,
): Promise<AsyncDisposable> {
  const asker = { address: FORWARDED, port: 0 };
  return startListeners(runtime, dnsForwarded, (query, _, transport) =>
    handle(query, asker, transport),
  );
}

/** Datagrams from outside the household may be forged to hit somebody else. */
function isStrange(household: Household, address: string): boolean {
  const asker = identify(household, { address });
  return asker.kind === 'stranger' && asker.zone === 'internet';
}

/** DoT and DoH, where somebody asked for them; only then is what makes certificates loaded. */
async function openEncryptedDns(
  runtime: Runtime,
  config: Config,
  current: Current,
  { handle }: Resolver,
): Promise<EncryptedDns | undefined> {
  if (config.dot.length + config.doh.length === 0) return undefined;
  const { startEncryptedDns } = await import('./encrypted-dns.ts');
  return startEncryptedDns({
    ...{ runtime, config, handle },
    name: () => current.own().fqdn,
    addresses: () => {
      const { ipv4, ipv6 } = current.own();
      return [
        ipv6,
        ipv4,
        ...current.endpoints().flatMap((text) => readEndpoint(text)?.address ?? []),
      ];
    },
  });
}

function groupHints({ rootHints }: Config): { name: string; addresses: string[] }[] {
  const names = [...new Set(rootHints.map(({ name }) => name))];
  return names.map((name) => ({
    name,
    addresses: rootHints.filter((hint) => hint.name === name).map(({ address }) => address),
  }));
}

/** A replica asks for news now and then, and at once when another device says that there are some. */
function startReplication(
  runtime: Runtime,
  { store, keys }: Realm,
  current: Current,
  tunnels: Tunnels,
): Replica | undefined {
  if (store.isWritable) {
    store.watch(({ head }) => tunnels.notify({ kind: 'moved', head }));
    return undefined;
  }
  const parties = {
    clock: runtime.clock,
    self: keys.id,
    sealing: createSealing(runtime.crypto, runtime.random, keys.agreement),
    devices: () => current.projection().devices,
    store: () => store,
  };
  const replica = startReplica(runtime, parties, current.endpoints);
  tunnels.onMessage((_, { head }) => {
    if (head !== store.head) void replica.poll();
  });
  return replica;
}

type Parts = {
  readonly realm: Realm;
  readonly current: Current;
  readonly tunnels: Tunnels;
  readonly resolver: Resolver;
  readonly encryptedDns: EncryptedDns | undefined;
  readonly replica: Replica | undefined;
  readonly warnings: readonly string[];
  readonly self: Process;
};

/** Puts together what the faces need. */
function furnish(runtime: Runtime, config: Config, parts: Parts): House & Disposable {
  const { realm, current, tunnels, resolver, encryptedDns, replica, warnings, self } = parts;
  const { store, keys } = realm;
  const { clock, crypto } = runtime;
  const started = clock.monotonic();
  const doors = createDoors(runtime, config, current.projection().settings.user);
  const enrolment = createEnrolment(runtime, { realm, current });
  const devices = createDeviceChanges({
    crypto,
    now: clock.now,
    store,
    self: keys.id,
    projection: current.projection,
    wireguardPort: config.wireguardPort,
    invite: enrolment.invite,
  });
  const { household } = current;
  const live = createLive({
    clock,
    store,
    resolver,
    household,
    tunnelStatus: () => tunnels.status(),
    viewPeer,
  });
  const replicaProblem = (): string | undefined => replica?.problem();
  return {
    ...{
      clock,
      store,
      resolver,
      encryptedDns,
      tunnels,
      devices,
      doors,
      live,
      enrolment,
      household,
    },
    projection: current.projection,
    anchor: current.anchor,
    doctor: () => examine({ runtime, config, store, resolver, tunnels, replicaProblem }),
    warnings: () => [
      ...warnings,
      ...(encryptedDns?.warnings() ?? []),
      ...(replicaProblem() ? [`Not up to date: ${replicaProblem()}.`] : []),
    ],
    uptimeSeconds: () => (clock.monotonic() - started) / 1_000,
    memoryBytes: self.memoryBytes,
    [Symbol.dispose]: () => live[Symbol.dispose](),
  };
}

/** The unix socket for the command line, and the web listeners. */
async function openFaces(
  opening: AsyncDisposableStack,
  runtime: Runtime,
  config: Config,
  house: House,
  assets: Assets,
): Promise<readonly string[]> {
  const backend = createBackend(house);
  const hosts = (): readonly string[] => [
    ...['localhost', '127.0.0.1', '::1', house.household().apex],
    ...house
      .projection()
      .devices.filter(({ id }) => id === house.household().self)
      .flatMap(({ fqdn, ipv4, ipv6, endpoints }) => [
        ...[fqdn, ipv4, ipv6],
        ...endpoints.flatMap((text) => readEndpoint(text)?.address ?? []),
      ]),
    ...config.admin.map(({ address }) => address),
    ...config.endpoints,
  ];
  const options = { clock: runtime.clock, log: runtime.log, hosts, assets };
  const forCli = opening.use(createApp(backend, { ...options, trust: 'unix' }));
  opening.use(await runtime.http.listen({ path: socketPath(config.data) }, forCli.fetch));
  const forWeb = opening.use(createApp(backend, { ...options, trust: 'web' }));
  for (const endpoint of config.admin) {
    opening.use(await runtime.http.listen(endpoint, forWeb.fetch));
  }
  return config.admin.map((endpoint) => `http://${printEndpoint(endpoint)}`);
}
