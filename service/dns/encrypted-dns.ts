/**
 * DNS under encryption: DoT and DoH before the same pipeline as plain DNS, their certificate, and
 * how askers find them (DDR, DNR).
 */

import {
  createDesignation,
  type Designation,
  DOH_TEMPLATE,
  parseName,
  type Resolver,
  startSecureListeners,
} from '#resolver';
import { type Endpoint, type Runtime, RuntimeError } from '#runtime';
import type { Status } from '#web-admin';
import { type Config, printEndpoint } from '../config.ts';
import type { Subject } from './certificate.ts';
import { describeTrouble, type Held, holdCredentials } from './credentials.ts';

/** Milliseconds between two looks at the certificate: it is renewed a month before its end. */
export const LOOK_MS = 3_600_000;
/** The same while there is no date: what was made without one holds for nobody who has one. */
export const DATELESS_LOOK_MS = 10_000;

export type EncryptedDns = AsyncDisposable & {
  readonly designation: () => Designation;
  readonly view: () => Status['encryptedDns'];
  readonly warnings: () => readonly string[];
};

type Setting = {
  readonly runtime: Runtime;
  readonly config: Config;
  readonly handle: Resolver['handle'];
  /** This device's full name. */
  readonly name: () => string;
  /** Addresses it has, in its networks and in the overlay. */
  readonly addresses: () => readonly string[];
};

/** Listens until disposed. Fails with RuntimeError when it cannot listen or the certificate is no use. */
export async function startEncryptedDns(setting: Setting): Promise<EncryptedDns> {
  const { runtime, config, handle } = setting;
  let held = await holdCredentials(runtime, config, subjectOf(setting));
  let problem: string | undefined;
  const { dot, doh } = config;
  const listeners = await startSecureListeners(
    runtime,
    { dot, doh, credentials: held.credentials },
    handle,
  ).catch((error: unknown) => {
    throw explain(error, held);
  });

  async function look(): Promise<void> {
    try {
      const next = await holdCredentials(runtime, config, subjectOf(setting));
      const isNew = next.credentials.certificate !== held.credentials.certificate;
      if (isNew) listeners.replaceCredentials(next.credentials);
      held = next;
      problem = undefined;
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      problem = `The certificate for DoT and DoH cannot be renewed: ${error.message}.`;
    }
  }

  const stop = lookAgain(runtime.clock, look);
  const designation = (): Designation => designate(setting, listeners);
  return {
    designation,
    view: () => viewOf(setting, listeners, held, designation()),
    warnings: () =>
      [problem, describeTrouble(held, runtime.clock), describeMissing(config, listeners)].filter(
        (each) => each !== undefined,
      ),
    async [Symbol.asyncDispose]() {
      stop();
      await listeners[Symbol.asyncDispose]();
    },
  };
}

/** The addresses that are still waited for, as a sentence. */
function describeMissing(config: Pick<Config, 'dot' | 'doh'>, listening: Listening) {
  const open = [...listening.dot, ...listening.doh].map(({ address }) => canonical(address));
  const wanted = [...config.dot, ...config.doh].map(({ address }) => canonical(address));
  const missing = [...new Set(wanted)].filter((address) => !open.includes(address));
  if (missing.length === 0) return undefined;
  const what = missing.length === 1 ? 'an address' : 'addresses';
  return `DoT and DoH wait for ${missing.join(', ')}, ${what} that this machine does not have.`;
}

function explain(error: unknown, { isOwn, path }: Held): unknown {
  const isTheirs = error instanceof RuntimeError && error.code === 'bad-key' && !isOwn;
  return isTheirs
    ? new RuntimeError('bad-key', `the certificate in ${path} and its key do not fit`, error)
    : error;
}

function lookAgain(clock: Runtime['clock'], look: () => Promise<void>): () => void {
  let isStopped = false;
  const wait = () => clock.after(clock.isSet() ? LOOK_MS : DATELESS_LOOK_MS, again);
  let cancel = wait();
  function again(): void {
    void look().finally(() => {
      if (!isStopped) cancel = wait();
    });
  }
  return () => {
    isStopped = true;
    cancel();
  };
}

const EVERYWHERE = new Set(['0.0.0.0', '::']);

/** Where askers may come: the addresses listened on, or all there are. */
function subjectOf({ config, name, addresses }: Setting): Subject {
  const listening = [...config.dns, ...config.dot, ...config.doh].map(({ address }) => address);
  const all = [...addresses(), ...config.endpoints, ...listening].map(canonical);
  const kept = [...new Set(all)].filter((address) => !EVERYWHERE.has(address));
  return { names: [name()], addresses: kept.sort((one, other) => (one < other ? -1 : 1)) };
}

function canonical(address: string): string {
  if (!address.includes(':')) return address;
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

type Listening = { readonly dot: readonly Endpoint[]; readonly doh: readonly Endpoint[] };

/** Others cannot come to a loopback address, so it is designated only if there is nothing else. */
function reachable(setting: Setting, { dot, doh }: Listening): readonly string[] {
  const listening = [...dot, ...doh].map(({ address }) => canonical(address));
  const isOpen = (family: (address: string) => boolean) =>
    listening.some((address) => EVERYWHERE.has(address) && family(address));
  const isIpv6 = (address: string) => address.includes(':');
  const isIpv4 = (address: string) => !isIpv6(address);
  const own = subjectOf(setting).addresses.filter(
    (address) =>
      listening.includes(address) ||
      (isIpv4(address) && isOpen(isIpv4)) ||
      (isIpv6(address) && isOpen(isIpv6)),
  );
  const outside = own.filter((address) => !isLoopback(address));
  return outside.length > 0 ? outside : own;
}

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.');

function designate(setting: Setting, listening: Listening): Designation {
  const name = parseName(setting.name());
  if (name === undefined) throw new Error('unreachable: devices have names');
  const portsOf = (endpoints: readonly Endpoint[]) => [
    ...new Set(endpoints.map(({ port }) => port)),
  ];
  return createDesignation({
    name,
    addresses: reachable(setting, listening),
    services: [
      ...portsOf(listening.dot).map((port) => ({ protocol: 'dot', port }) as const),
      ...portsOf(listening.doh).map((port) => ({ protocol: 'doh', port }) as const),
    ],
  });
}

function viewOf(
  setting: Setting,
  listening: Listening,
  { facts, isOwn }: Held,
  { records, dnr }: Designation,
): NonNullable<Status['encryptedDns']> {
  const ports = [...new Set(listening.doh.map(({ port }) => port))];
  return {
    name: setting.name(),
    dot: listening.dot.map(printEndpoint),
    doh: listening.doh.map(printEndpoint),
    templates: ports.map(
      (port) => `https://${setting.name()}${port === 443 ? '' : `:${port}`}${DOH_TEMPLATE}`,
    ),
    certificate: { isOwn, expiresAt: facts.notAfter, pin: facts.pin },
    designation: [...records],
    dnr: {
      dhcpv4: dnr.dhcpv4,
      dhcpv6: [...dnr.dhcpv6],
      routerAdvertisement: [...dnr.routerAdvertisement],
    },
  };
}
