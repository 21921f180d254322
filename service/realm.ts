/**
 * The realm on this disk: the device's keys, the store, the zone's keys.
 *
 *     <data>/device.json   the device's keys, 0600        (identity/)
 *     <data>/zone.json     the zone's keys, 0600
 *     <data>/realm         the realm's id: a lost store is not silently begun anew
 *     <data>/restoring     a backup is being read into it and is not all there yet
 *     <data>/restored      it came from a backup, and nobody was met since who may hold what came later
 *     <data>/recovery-phrase   until it is written down on paper (recovery.ts)
 *     <data>/joining       this device asked to join a realm and has not all of it yet
 *     <data>/store/        commits                        (storage/)
 *
 * An empty directory becomes a new realm with this device as its founder.
 */

import * as v from 'valibot';
import { type DeviceKeys, decodeKeyFile, encodeKeyFile, generateDeviceKeys } from '#identity';
import { generateZoneKey, type ZoneKey } from '#resolver';
import { type Runtime, RuntimeError } from '#runtime';
import { openStore, type State, StorageError, type Store, type StoreOptions } from '#storage';
import { allocateIpv4, printKey } from '#tunnels';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { type Config, printEndpoint } from './config.ts';
import { conflictRule } from './conflict-rules.ts';
import { followEndpoints, ownAddresses } from './endpoints.ts';
import { createSealing } from './peers/sealed.ts';
import { checkState } from './project.ts';
import { mustBeSealed } from './records.ts';
import { beginRecovery } from './recovery.ts';
import { findRemoval } from './sync/farewell.ts';
import { giveNewKey } from './sync/keys.ts';

export type Realm = AsyncDisposable & {
  readonly keys: DeviceKeys;
  readonly store: Store;
  readonly zoneKeys: readonly ZoneKey[];
  /** What held before this device was removed; undefined while it belongs to the realm. */
  readonly former: State | undefined;
  /** Where others can reach this device, as `address:port` of the control port. */
  readonly endpoints: () => readonly string[];
  /** Others were asked what this device wrote: after a restore it may write from here on. */
  catchUp(): Promise<void>;
};

const SECRET_MODE = 0o600;

/** Opens the data directory, or begins a realm in an empty one. */
export async function openRealm(runtime: Runtime, config: Config): Promise<Realm> {
  const { files } = runtime;
  await files.makeDirectory(config.data, 0o700);
  const known = await files.read(`${config.data}/realm`);
  const realm = known === undefined ? undefined : new TextDecoder().decode(known).trim();
  if (realm !== undefined) await requireKeys(files, config.data);
  else await requireWhole(files, config.data);
  const keys = await openKeys(runtime, config.data);
  const endpoints = await findEndpoints(runtime, config);
  await using opening = new AsyncDisposableStack();
  let isRestored = (await files.read(restoredMark(config.data))) !== undefined;
  const isBehind = (): boolean => isRestored;
  const store = opening.use(
    await openRealmStore(runtime, config, keys, { endpoints, realm, isBehind }),
  );
  const former = await lastMembership(runtime, store, keys, config);
  const mayBegin = realm === undefined && store.isWritable;
  const zoneKeys = await openZoneKeys(runtime, config, mayBegin);
  // The last step of a beginning: from here on a file that is missing was lost.
  if (realm === undefined)
    await files.replace(`${config.data}/realm`, encodeText(`${store.realm}\n`));
  const tell = (moved: readonly string[]) => tellEndpoints(runtime, store, keys.id, moved);
  await tell(endpoints);
  const whereabouts = followEndpoints(
    runtime.clock,
    () => findEndpoints(runtime, config),
    endpoints,
    (moved) => void tell(moved),
  );
  opening.defer(whereabouts.stop);
  const opened = opening.move();
  return {
    ...{ keys, store, zoneKeys, former },
    endpoints: whereabouts.endpoints,
    async catchUp() {
      if (!isRestored) return;
      isRestored = false;
      await files.remove(restoredMark(config.data));
      await tell(whereabouts.endpoints());
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** The device's keys, made when there are none. */
export async function openKeys(
  { files, crypto }: Pick<Runtime, 'files' | 'crypto'>,
  directory: string,
): Promise<DeviceKeys> {
  const path = keyFile(directory);
  const bytes = await files.read(path);
  if (bytes === undefined) {
    const keys = await generateDeviceKeys(crypto);
    await files.replace(path, encodeKeyFile(keys), SECRET_MODE);
    return keys;
  }
  const decoded = decodeKeyFile(crypto, bytes);
  if (!decoded.ok)
    throw new RuntimeError(
      'bad-key',
      `${path} is damaged (${KEY_FILE_PROBLEMS[decoded.reason]}); ${LOST_KEYS}`,
    );
  return decoded.keys;
}

const KEY_FILE_PROBLEMS = {
  'too-large': 'it is too large',
  'not-json': 'it is not JSON',
  'wrong-shape': 'parts are missing',
  'bad-key': 'a key is no key',
  mismatch: 'its parts do not belong together',
} as const;

const LOST_KEYS =
  'it is the identity of this device. Put a backup of it back, or begin anew with another --data';

/** Keys made anew would be those of a stranger to the realm. */
async function requireKeys(files: Runtime['files'], directory: string): Promise<void> {
  const path = keyFile(directory);
  if ((await files.read(path)) === undefined) {
    throw new RuntimeError('bad-key', `${path} is missing; ${LOST_KEYS}`);
  }
}

/** Whoever wanted to join somebody's realm did not want one of the same name beside it. */
async function requireWhole(files: Runtime['files'], directory: string): Promise<void> {
  if ((await files.read(restoringMark(directory))) !== undefined) {
    throw new RuntimeError(
      'refused',
      `restoring was cut short in ${directory}: run \`nymote restore\` again, or remove the directory to begin a realm of your own`,
    );
  }
  if ((await files.read(joiningMark(directory))) === undefined) return;
  throw new RuntimeError(
    'refused',
    `joining was cut short in ${directory}: run \`nymote join\` again (with a new code), or remove the directory to begin a realm of your own`,
  );
}

/** The device's keys. */
export const keyFile = (directory: string): string => `${directory}/device.json`;

/** There while a realm comes back from a backup. */
export const restoringMark = (directory: string): string => `${directory}/restoring`;

/** There until a device that came from a backup has met another one. */
export const restoredMark = (directory: string): string => `${directory}/restored`;

/** There while a device joins. */
export const joiningMark = (directory: string): string => `${directory}/joining`;

/** A store without a beginning has nothing to serve; a device that was removed keeps what it had. */
async function lastMembership(
  { crypto }: Pick<Runtime, 'crypto'>,
  store: Store,
  { id, agreement, signing }: DeviceKeys,
  { data: directory, name }: Config,
): Promise<State | undefined> {
  const state = store.state();
  if (state.get('devices')?.has(id) === true) return undefined;
  if (state.get('realm') === undefined) {
    const found = store.problems.map(({ where, message }) => `${where}: ${message}`);
    throw new StorageError(
      'corrupt',
      `${[`the history in ${directory}/store is gone`, ...found].join('; ')}. ` +
        'Put a backup of it back, or begin anew with another --data',
    );
  }
  const removal = await findRemoval(store, id);
  const parents = removal === undefined ? [] : (await store.read(removal.id)).parents;
  if (removal !== undefined && !parents.some((parent) => store.holds(parent))) {
    // All that was before is forgotten; what it is to itself it still knows.
    const { publicKey } = agreement;
    const record = {
      ...{ name, kind: 'node', endpoints: [], addedAt: 0 },
      ipv4: allocateIpv4(crypto, [], publicKey) ?? '',
      wireguardKey: printKey(publicKey),
      signingKey: encodeBase64(signing.publicKey),
    };
    return new Map(state).set('devices', new Map(state.get('devices')).set(id, record));
  }
  for (const parent of parents) {
    if (!store.holds(parent)) continue;
    const before = await store.stateAt(parent);
    if (before.get('devices')?.has(id) === true) return before;
  }
  throw new RuntimeError(
    'refused',
    `${directory} belongs to a device that its realm does not know`,
  );
}

/** Own addresses with the control port, as others are to use them. */
export async function findEndpoints(
  { exec }: Pick<Runtime, 'exec'>,
  config: Config,
): Promise<string[]> {
  const { endpoints, controlPort } = config;
  const addresses = endpoints.length > 0 ? endpoints : await ownAddresses(exec, config.interface);
  return addresses.map((address) => printEndpoint({ address, port: controlPort }));
}

type Opening = {
  readonly endpoints: readonly string[];
  readonly realm: string | undefined;
  readonly isBehind: () => boolean;
};

async function openRealmStore(
  runtime: Runtime,
  config: Config,
  keys: DeviceKeys,
  { endpoints, realm, isBehind }: Opening,
): Promise<Store> {
  const { crypto } = runtime;
  const directory = `${config.data}/store`;
  const schema = (state: State) => checkState(state, crypto);
  const signer = crypto.signer('ed25519', keys.signing.privateKey);
  let store: Store | undefined;
  const writer = {
    ...{ deviceId: keys.id, signer },
    /** As the realm calls it, whatever this process was told. */
    get name() {
      const record = store?.state().get('devices')?.get(keys.id);
      return String(record?.['name'] ?? config.name);
    },
  };
  const rules = { schema, mustBeSealed, rule: conflictRule, isBehind };
  if (realm === undefined) {
    await beginRealm(runtime, config, keys, { directory, endpoints, schema });
  }
  const expected = realm === undefined ? {} : { realm };
  store = await openStore(runtime, { directory, writer, ...expected, ...rules }).catch(
    (thrown: unknown) => {
      if (!(thrown instanceof StorageError) || thrown.code !== 'other-realm') throw thrown;
      throw new RuntimeError(
        'refused',
        `${config.data}/realm names another realm than ${directory} holds: put both back from one backup, or begin anew with another --data`,
        thrown,
      );
    },
  );
  return store;
}

/** The first commit, by the recovery phrase; a directory with a history keeps it. */
async function beginRealm(
  runtime: Runtime,
  config: Config,
  keys: DeviceKeys,
  options: Pick<StoreOptions, 'directory' | 'schema'> & { readonly endpoints: readonly string[] },
): Promise<void> {
  const { crypto, clock, random } = runtime;
  const { user, apex, zoneAlgorithm, name } = config;
  const { endpoints, ...rest } = options;
  const { publicKey } = keys.agreement;
  const ipv4 = allocateIpv4(crypto, [], publicKey);
  if (ipv4 === undefined) throw new Error('unreachable: no address is taken');
  const { id, signer, recipient } = await beginRecovery(runtime, config.data);
  const sealing = createSealing(crypto, random, keys.agreement);
  const first = giveNewKey({ crypto, sealing }, random, new Map(), [{ id: keys.id, publicKey }]);
  const store = await openStore(runtime, {
    ...rest,
    writer: { deviceId: id, name: 'recovery phrase', signer },
    genesis: {
      settings: { user, apex, zoneAlgorithm },
      recovery: { recipient },
      founder: { deviceId: keys.id, name, publicKey: keys.signing.publicKey },
      device: {
        kind: 'signpost',
        wireguardKey: printKey(publicKey),
        ipv4,
        endpoints: [...endpoints],
        addedAt: Math.floor(clock.now()),
      },
      ops: [first],
    },
  });
  await store[Symbol.asyncDispose]();
}

/** Every device keeps its own endpoints true. */
async function tellEndpoints(
  { log }: Pick<Runtime, 'log'>,
  store: Store,
  id: string,
  endpoints: readonly string[],
): Promise<void> {
  try {
    await commitEndpoints(store, id, endpoints);
  } catch (error) {
    // A full disk takes changes away, not names.
    if (!(error instanceof StorageError)) throw error;
    log('warn', 'endpoints-not-committed', { reason: error.code });
  }
}

/** Writes where a device can be reached, if that is news. */
async function commitEndpoints(
  store: Store,
  id: string,
  endpoints: readonly string[],
): Promise<void> {
  const record = store.state().get('devices')?.get(id);
  if (record === undefined || endpoints.length === 0) return;
  await store.commit({
    ops: [{ op: 'set', path: `devices/${id}/endpoints`, value: [...endpoints] }],
    message: `${String(record['name'])} can be reached elsewhere`,
    via: 'endpoints',
  });
}

const ZoneKeysSchema = v.strictObject({
  keys: v.pipe(
    v.array(
      v.strictObject({
        algorithm: v.picklist(['ecdsa-p256', 'ed25519']),
        publicKey: v.pipe(v.string(), v.base64()),
        privateKey: v.pipe(v.string(), v.base64()),
      }),
    ),
    v.minLength(1),
    v.maxLength(4),
  ),
});

/** Keys made anew would break everybody's anchor: only a realm that begins has none yet. */
async function openZoneKeys(
  runtime: Runtime,
  { data, zoneAlgorithm }: Config,
  mayBegin: boolean,
): Promise<readonly ZoneKey[]> {
  const path = `${data}/zone.json`;
  const bytes = await runtime.files.read(path);
  if (bytes === undefined && mayBegin) {
    const keys = [await generateZoneKey(runtime.crypto, zoneAlgorithm)];
    await saveZoneKeys(runtime, data, keys);
    return keys;
  }
  const keys = bytes && decodeZoneKeys(new TextDecoder().decode(bytes));
  if (keys === undefined) {
    const problem = bytes === undefined ? 'missing' : 'damaged';
    throw new RuntimeError('bad-key', `${path} is ${problem}; ${lostZoneKeys(data)}`);
  }
  return keys;
}

const lostZoneKeys = (data: string): string =>
  'it holds the keys that sign your names. Put a backup of it back, or copy it from another full ' +
  'device of yours. To have new keys made on the first ' +
  `device, move it and ${data}/realm away: whoever trusts the old ones needs \`nymote zone anchor\` ` +
  'again, and your other full devices must join again';

/** Writes the zone's keys for this device alone. */
export async function saveZoneKeys(
  { files }: Pick<Runtime, 'files'>,
  directory: string,
  keys: readonly ZoneKey[],
): Promise<void> {
  await files.replace(`${directory}/zone.json`, encodeText(encodeZoneKeys(keys)), SECRET_MODE);
}

/** Zone keys as JSON; the text holds secrets. */
export function encodeZoneKeys(keys: readonly ZoneKey[]): string {
  const listed = keys.map(({ algorithm, publicKey, privateKey }) => ({
    algorithm,
    publicKey: encodeBase64(publicKey),
    privateKey: encodeBase64(privateKey),
  }));
  return `${JSON.stringify({ keys: listed })}\n`;
}

/** Reads what `encodeZoneKeys` wrote; undefined for anything else. */
export function decodeZoneKeys(text: string): readonly ZoneKey[] | undefined {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), ZoneKeysSchema), text);
  if (!parsed.success) return undefined;
  return parsed.output.keys.map(({ algorithm, publicKey, privateKey }) => ({
    algorithm,
    publicKey: decodeBase64(publicKey),
    privateKey: decodeBase64(privateKey),
  }));
}

const encodeText = (text: string): Uint8Array => new TextEncoder().encode(text);
