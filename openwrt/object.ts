/**
 * The object `nymote` on ubus: what LuCI, rpcd and the router's shell can see and do.
 *
 * It translates and decides nothing: arguments are checked for form, the backend does the rest, and
 * refusals become ubus statuses by one table. Who may call what is ubusd's and rpcd's business:
 * package/files/usr/share/acl.d and package/files/usr/share/rpcd/acl.d, where `sign_in_link`,
 * `device_add` and `device_remove` need write access.
 */

import type { BlobTable, BlobValue } from './blobmsg.ts';
import type { UbusStatus } from './status.ts';
import type { Caller, MethodResult, Publication, Ubus, UbusMethod } from './ubus.ts';

/** What the service does for the router's own pages. Its failures that are faults may throw. */
export type Backend = {
  status(): Promise<RouterStatus>;
  devices(): Promise<readonly ListedDevice[]>;
  /** The newest changes first, at most `limit`. */
  log(limit: number): Promise<readonly LogLine[]>;
  doctor(): Promise<readonly Finding[]>;
  /** A URL that signs in whoever opens it first. `host` is how the asker's browser names us. */
  signInLink(request: {
    readonly via: string;
    readonly host?: string;
  }): Promise<Outcome<SignInLink>>;
  addDevice(request: {
    readonly via: string;
    readonly name: string;
    readonly kind: 'node' | 'plain';
  }): Promise<Outcome<Invitation>>;
  removeDevice(request: { readonly via: string; readonly id: string }): Promise<Outcome<void>>;
};

export type RouterStatus = {
  readonly state: 'up' | 'starting' | 'degraded';
  /** The state in one English sentence. */
  readonly sentence: string;
  readonly version: string;
  readonly apex: string;
  readonly deviceName: string;
  readonly uptimeSeconds: number;
  readonly peers: readonly TunnelPeer[];
  readonly warnings: readonly string[];
};

export type TunnelPeer = {
  readonly name: string;
  readonly state: 'up' | 'pending' | 'idle' | 'failed';
  readonly why: string;
};

export type ListedDevice = {
  readonly id: string;
  readonly name: string;
  readonly kind: 'signpost' | 'node' | 'plain';
  readonly addresses: readonly string[];
  readonly isSelf: boolean;
};

/** A commit: when (seconds since 1970), by which device, what. */
export type LogLine = {
  readonly id: string;
  readonly at: number;
  readonly device: string;
  readonly message: string;
};

export type Finding = {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly sentence: string;
};

export type SignInLink = { readonly url: string; readonly expiresInSeconds: number };

/** How a new device joins: never its private key (I2), only a code or a page to open. */
export type Invitation = {
  readonly code: string;
  readonly url: string;
  readonly expiresInSeconds: number;
};

/** Why the backend would not. */
export type Refusal =
  | 'bad-request'
  | 'not-found'
  | 'already-exists'
  | 'denied'
  | 'not-ready'
  | 'storage-failed';

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: Refusal };

/** ubus has few words: a name that is taken is an argument that cannot be used. */
const STATUS = {
  'bad-request': 'invalid-argument',
  'not-found': 'not-found',
  'already-exists': 'invalid-argument',
  denied: 'permission-denied',
  'not-ready': 'no-data',
  'storage-failed': 'system-error',
} as const satisfies Record<Refusal, UbusStatus>;

const DEFAULT_LOG_LINES = 50;
const MAX_LOG_LINES = 500;

/** A label of a host name (RFC 1123 §2.1), lower case. */
const DEVICE_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const DEVICE_ID = /^[a-z0-9]{1,64}$/;
/** A host name, an IPv4 address, or an IPv6 address in brackets: what a URL can hold. */
const URL_HOST = /^(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])$/;

/** Puts the object `nymote` on the bus. */
export function publishNymote(ubus: Pick<Ubus, 'publish'>, backend: Backend): Publication {
  return ubus.publish({
    path: 'nymote',
    methods: { ...readingMethods(backend), ...writingMethods(backend) },
  });
}

function readingMethods(backend: Backend): Readonly<Record<string, UbusMethod>> {
  return {
    status: {
      args: {},
      call: async () => done(statusTable(await backend.status())),
    },
    list: {
      args: {},
      call: async () => done({ devices: (await backend.devices()).map(deviceTable) }),
    },
    log: {
      args: { limit: 'int32' },
      async call({ limit = DEFAULT_LOG_LINES }) {
        if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1) return unusable;
        const lines = await backend.log(Math.min(limit, MAX_LOG_LINES));
        return done({ entries: lines.map((line): BlobTable => ({ ...line })) });
      },
    },
    doctor: {
      args: {},
      call: async () =>
        done({
          findings: (await backend.doctor()).map((finding): BlobTable => ({ ...finding })),
        }),
    },
  };
}

function writingMethods(backend: Backend): Readonly<Record<string, UbusMethod>> {
  return {
    sign_in_link: {
      args: { host: 'string' },
      async call({ host }, caller) {
        if (host !== undefined && !matches(host, URL_HOST)) return unusable;
        const link = await backend.signInLink({
          via: viaOf(caller),
          ...(host === undefined ? {} : { host }),
        });
        return answer(link, ({ url, expiresInSeconds }) => ({ url, expires: expiresInSeconds }));
      },
    },
    device_add: {
      args: { name: 'string', kind: 'string' },
      async call({ name, kind = 'node' }, caller) {
        if (!matches(name, DEVICE_NAME)) return unusable;
        if (kind !== 'node' && kind !== 'plain') return unusable;
        const added = await backend.addDevice({ via: viaOf(caller), name, kind });
        return answer(added, ({ code, url, expiresInSeconds }) => ({
          code,
          url,
          expires: expiresInSeconds,
        }));
      },
    },
    device_remove: {
      args: { id: 'string' },
      async call({ id }, caller) {
        if (!matches(id, DEVICE_ID)) return unusable;
        return answer(await backend.removeDevice({ via: viaOf(caller), id }), () => ({}));
      },
    },
  };
}

const unusable: MethodResult = { ok: false, status: 'invalid-argument' };

function done(data: BlobTable): MethodResult {
  return { ok: true, data };
}

function answer<T>(outcome: Outcome<T>, print: (value: T) => BlobTable): MethodResult {
  return outcome.ok ? done(print(outcome.value)) : { ok: false, status: STATUS[outcome.reason] };
}

/** How the change is signed in the log: the bus, and the unix user ubusd vouches for. */
function viaOf(caller: Caller): string {
  return `ubus:${caller.user === '' ? 'unknown' : caller.user}`;
}

function matches(value: BlobValue | undefined, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value);
}

function statusTable(status: RouterStatus): BlobTable {
  const { state, sentence, version, apex, warnings } = status;
  return {
    state,
    sentence,
    version,
    apex,
    device: status.deviceName,
    uptime: Math.floor(status.uptimeSeconds),
    peers: status.peers.map(({ name, state, why }): BlobTable => ({ name, state, why })),
    warnings,
  };
}

function deviceTable({ id, name, kind, addresses, isSelf }: ListedDevice): BlobTable {
  return { id, name, kind, addresses, self: isSelf };
}
