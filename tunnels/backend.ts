/**
 * The WireGuard interface, driven by the programs `ip` and `wg`.
 *
 * The kernel's WireGuard where there is one, wireguard-go else; both speak to `wg`. Programs get
 * argument lists, never a shell; the private key goes in by a 0600 file on memory (I2); addresses are
 * literals, one peer per call (wireguard-go lets one peer's keepalive leak into the next). An
 * interface with our name and our key is what a crash left behind, and is taken over with its tunnels;
 * one with another key belongs to somebody else, and is left alone.
 */

import { type Endpoint, type ExecResult, type Runtime, RuntimeError } from '#runtime';
import { hostPrefix, isInPrefix, normalizePrefix } from './ip.ts';
import {
  type KeyText,
  parseDump,
  parseHandshakes,
  peerArguments,
  printKey,
  type WireguardInterface,
} from './wg.ts';

/** Why there are no tunnels on this machine. */
export type OffReason =
  | 'not-started'
  | 'not-root'
  | 'no-ip'
  | 'no-wg'
  | 'no-wireguard'
  | 'no-tun'
  | 'interface-taken'
  | 'port-taken'
  | 'bad-interface-name'
  | 'failed';

/** A WireGuard program that failed. The words never hold a private key. */
export class TunnelError extends Error {
  override readonly name = 'TunnelError';
  readonly code: OffReason;

  constructor(code: OffReason, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

export type BackendOptions = {
  readonly interface: string;
  readonly listenPort: number;
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly mtu: number;
};

export type Backend = AsyncDisposable & {
  readonly kind: 'kernel' | 'wireguard-go';
  /** It was made anew, and holds no session of an earlier life. */
  readonly isNew: boolean;
  observe(): Promise<WireguardInterface>;
  handshakes(): Promise<ReadonlyMap<KeyText, number>>;
  /** The kernel's number for the interface, another each time it is made; runs no program. */
  index(): Promise<string | undefined>;
  setPeer(peer: {
    readonly publicKey: KeyText;
    readonly allowedIps?: readonly string[];
    readonly endpoint?: Endpoint;
    readonly keepalive?: number;
  }): Promise<void>;
  removePeer(publicKey: KeyText): Promise<void>;
  /** Gives the interface these addresses, and the overlay's traffic to the interface. */
  setAddresses(addresses: readonly string[], overlay: string): Promise<void>;
};

type Machine = Pick<Runtime, 'exec' | 'files' | 'log'>;
type Run = (file: string, ...args: readonly string[]) => Promise<string>;

const TIMEOUT_MS = 5_000;
const ENVIRONMENT = {
  // `wg` retries a name it cannot resolve for a minute; ours are literals.
  WG_ENDPOINT_RESOLUTION_RETRIES: '0',
  WG_COLOR_MODE: 'never',
  // With a level set, wireguard-go keeps our pipes open for ever.
  LOG_LEVEL: '',
};
const INTERFACE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/;
const SOCKETS = '/var/run/wireguard';
const INTERFACES = '/sys/class/net';

/** Makes or takes over the interface. Fails with TunnelError. */
export async function openBackend(machine: Machine, options: BackendOptions): Promise<Backend> {
  const name = options.interface;
  if (!INTERFACE_NAME.test(name)) {
    throw new TunnelError('bad-interface-name', `“${name}” cannot be an interface's name`);
  }
  const run = createRun(machine);
  const isNew = await makeInterface(machine, run, options);
  try {
    await configure(machine, run, options);
  } catch (thrown) {
    if (isNew) {
      await removeInterface(run, name, machine);
    }
    throw thrown;
  }
  const sockets = await machine.files.list(SOCKETS).catch((): readonly string[] => []);
  const kind = sockets.includes(`${name}.sock`) ? 'wireguard-go' : 'kernel';
  machine.log('info', 'tunnel-interface-up', { interface: name, kind, takenOver: !isNew });
  return driveInterface(machine, run, { name, kind, isNew });
}

function driveInterface(
  machine: Machine,
  run: Run,
  { name, kind, isNew }: Pick<Backend, 'kind' | 'isNew'> & { readonly name: string },
): Backend {
  const routes = new Map<KeyText, readonly string[]>();
  let current: readonly string[] = [];
  return {
    kind,
    isNew,
    async observe() {
      const dump = parseDump(await run('wg', 'show', name, 'dump'));
      if (dump === undefined) {
        throw new TunnelError('failed', `“wg show ${name} dump” printed something else`);
      }
      return dump;
    },
    async handshakes() {
      return parseHandshakes(await run('wg', 'show', name, 'latest-handshakes'));
    },
    async index() {
      // Where it cannot be read, nobody knows.
      const file = `${INTERFACES}/${name}/ifindex`;
      const bytes = await machine.files.read(file).catch(() => undefined);
      return bytes && new TextDecoder().decode(bytes);
    },
    async setPeer(peer) {
      const before = routes.get(peer.publicKey) ?? [];
      const wanted = peer.allowedIps?.filter((prefix) => prefix.endsWith('/32')) ?? before;
      // A route without its peer carries nothing, so neither has to wait for the other. Of two that
      // fail, the peer is what is told.
      const [peerSet, routesSet] = await Promise.allSettled([
        run('wg', 'set', name, ...peerArguments(peer)),
        setRoutes(run, name, before, wanted),
      ]);
      if (peerSet.status === 'rejected') {
        throw peerSet.reason;
      }
      if (routesSet.status === 'rejected') {
        throw routesSet.reason;
      }
      routes.set(peer.publicKey, wanted);
    },
    async removePeer(publicKey) {
      await run('wg', 'set', name, 'peer', publicKey, 'remove');
      await setRoutes(run, name, routes.get(publicKey) ?? [], []);
      routes.delete(publicKey);
    },
    async setAddresses(addresses, overlay) {
      current = await setAddresses(machine, run, name, { current, addresses, overlay });
    },
    async [Symbol.asyncDispose]() {
      await removeInterface(run, name, machine);
    },
  };
}

/** Tells whether the interface is new. */
async function makeInterface(
  machine: Machine,
  run: Run,
  { interface: name, publicKey }: BackendOptions,
): Promise<boolean> {
  const exists = await tryRun(machine, 'ip', ['link', 'show', 'dev', name]);
  if (exists.exitCode === 0) {
    const dump = parseDump((await tryRun(machine, 'wg', ['show', name, 'dump'])).stdout);
    if (dump === undefined || (dump.publicKey ?? printKey(publicKey)) !== printKey(publicKey)) {
      throw new TunnelError('interface-taken', `the interface ${name} belongs to something else`);
    }
    return false;
  }
  const kernel = await tryRun(machine, 'ip', ['link', 'add', 'dev', name, 'type', 'wireguard']);
  if (kernel.exitCode === 0) {
    return true;
  }
  if (/not permitted|permission denied/i.test(kernel.stderr)) {
    throw new TunnelError('not-root', 'tunnels need root (or CAP_NET_ADMIN)');
  }
  await startUserspace(run, name);
  return true;
}

async function startUserspace(run: Run, name: string): Promise<void> {
  try {
    await run('wireguard-go', name);
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : '';
    if (thrown instanceof TunnelError && thrown.code === 'no-wireguard') {
      throw new TunnelError(
        'no-wireguard',
        'this kernel has no WireGuard, and wireguard-go is not installed',
        thrown,
      );
    }
    if (/\/dev\/net\/tun|create TUN/i.test(message)) {
      throw new TunnelError('no-tun', 'this kernel has no WireGuard, and no /dev/net/tun', thrown);
    }
    throw thrown;
  }
}

async function configure(machine: Machine, run: Run, options: BackendOptions): Promise<void> {
  const { interface: name, listenPort, mtu, privateKey } = options;
  const secret = new TextEncoder().encode(`${printKey(privateKey)}\n`);
  try {
    await machine.files.withSecretFile(secret, (path) =>
      run('wg', 'set', name, 'listen-port', String(listenPort), 'private-key', path),
    );
  } catch (thrown) {
    if (!(thrown instanceof RuntimeError)) throw thrown;
    throw new TunnelError(
      'failed',
      `wg cannot be given the private key: ${thrown.message}`,
      thrown,
    );
  }
  await run('ip', 'link', 'set', 'dev', name, 'mtu', String(mtu), 'up');
}

/** Ends wireguard-go as well, which lives as long as its interface. */
async function removeInterface(run: Run, name: string, { log }: Machine): Promise<void> {
  try {
    await run('ip', 'link', 'delete', 'dev', name);
  } catch (thrown) {
    log('warn', 'tunnel-interface-stays', { interface: name, error: String(thrown) });
  }
}

async function setAddresses(
  { log }: Machine,
  run: Run,
  name: string,
  {
    current,
    addresses,
    overlay,
  }: {
    readonly current: readonly string[];
    readonly addresses: readonly string[];
    overlay: string;
  },
): Promise<readonly string[]> {
  const wanted = addresses.map(hostPrefix).flatMap((prefix) => normalizePrefix(prefix) ?? []);
  const done: string[] = [];
  for (const prefix of wanted.filter((one) => !current.includes(one))) {
    try {
      await run('ip', 'address', 'replace', prefix, 'dev', name);
      done.push(prefix);
    } catch (thrown) {
      // A machine without IPv6 has tunnels with IPv4.
      log('warn', 'tunnel-address-refused', { interface: name, error: String(thrown) });
    }
  }
  for (const prefix of current.filter((one) => !wanted.includes(one))) {
    await run('ip', 'address', 'delete', prefix, 'dev', name);
  }
  if (done.some((prefix) => isInPrefix(prefix, overlay))) {
    await run('ip', '-6', 'route', 'replace', subnetZero(overlay), 'dev', name);
  }
  return [...current.filter((one) => wanted.includes(one)), ...done];
}

/** Devices live in subnet 0 of the realm's /48. */
function subnetZero(overlay: string): string {
  return `${overlay.split('/', 1)[0]}/64`;
}

/** IPv4 is routed address by address: 100.64.0.0/10 may also be what the provider uses. */
async function setRoutes(
  run: Run,
  name: string,
  current: readonly string[],
  wanted: readonly string[],
): Promise<void> {
  for (const prefix of current.filter((one) => !wanted.includes(one))) {
    // Another peer may have taken the address, and with it the route.
    await run('ip', '-4', 'route', 'delete', prefix, 'dev', name).catch(() => undefined);
  }
  for (const prefix of wanted.filter((one) => !current.includes(one))) {
    await run('ip', '-4', 'route', 'replace', prefix, 'dev', name);
  }
}

function createRun(machine: Machine): Run {
  return async (file, ...args) => {
    const { exitCode, stdout, stderr } = await tryRun(machine, file, args);
    if (exitCode !== 0) {
      const words = stderr.trim().split('\n').at(-1) ?? '';
      throw new TunnelError(codeOf(stderr), `${file}: ${words}`);
    }
    return stdout;
  };
}

async function tryRun(
  { exec }: Machine,
  file: string,
  args: readonly string[],
): Promise<ExecResult> {
  try {
    return await exec(file, args, { env: ENVIRONMENT, timeoutMs: TIMEOUT_MS });
  } catch (thrown) {
    if (thrown instanceof RuntimeError && thrown.code === 'not-found') {
      throw new TunnelError(MISSING[file] ?? 'failed', `the program ${file} is missing`, thrown);
    }
    throw new TunnelError('failed', `${file} did not run`, thrown);
  }
}

const MISSING: Readonly<Record<string, OffReason>> = {
  ip: 'no-ip',
  wg: 'no-wg',
  'wireguard-go': 'no-wireguard',
};

function codeOf(stderr: string): OffReason {
  if (/not permitted|permission denied/i.test(stderr)) {
    return 'not-root';
  }
  return /address already in use/i.test(stderr) ? 'port-taken' : 'failed';
}
