/**
 * DNS as this device serves it: the resolver with our rulings on its listeners, the port for a
 * forwarder of the LAN, and DoT and DoH where somebody asked for them.
 */

import {
  createResolver,
  type Designation,
  type Resolver,
  type ResolverOptions,
  startListeners,
} from '#resolver';
import { type Endpoint, type Runtime, RuntimeError } from '#runtime';
import type { Tunnels } from '#tunnels';
import { type Config, readEndpoint } from '../config.ts';
import type { Current } from '../current.ts';
import { askersOf } from './askers.ts';
import type { EncryptedDns } from './encrypted-dns.ts';
import type { Lan } from './lan.ts';
import { createRulings, FORWARDED, type Household, identify } from './ruling.ts';

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
  readonly lan: Lan;
  /** How the root's keys are followed. */
  readonly followRoot: NonNullable<ResolverOptions['followRoot']>;
};

/** Serves DNS where we are told to and, for phones, on our overlay addresses. */
export async function startResolver(
  runtime: Runtime,
  config: Config,
  { current, tunnels, overlay, warnings, designation, lan, followRoot }: Asked,
): Promise<{ readonly resolver: Resolver; readonly dns: readonly Endpoint[] }> {
  const before = createRulings(
    runtime.clock,
    current.household,
    (device, deadline) => tunnels.reach(device, deadline),
    designation,
    lan,
  );
  const courtesy = {
    serverId: new TextEncoder().encode(current.household().self.slice(0, SERVER_ID_LENGTH)),
    isLimited: (address: string) => isStrange(current.household(), address),
  };
  const create = (listen: readonly Endpoint[]): Resolver =>
    createResolver(runtime, {
      listen,
      before,
      ...{ courtesy, followRoot },
      // A laboratory's servers are not whom the signal is for.
      keyTagSignal: config.rootHints.length === 0,
      forward: config.forward,
      forwardFallback: config.forwardFallback === 'on',
      ...(config.nat64 === 'off' ? {} : { dns64: config.nat64 }),
      ...(config.rootHints.length === 0 ? {} : { rootHints: groupHints(config) }),
      // A laboratory's root is where real ones never are.
      allowPrivateUpstream: config.rootHints.length > 0,
      validate: config.validate === 'on',
      ...(config.rebindProtection === 'on' && config.rootHints.length === 0
        ? { rebindProtection: { except: [config.lanDomain, ...config.rebindExcept] } }
        : {}),
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
export function listenForForwarder(
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
export async function openEncryptedDns(
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
