/**
 * Adding and removing devices: what that means for the store, and what the person is given.
 *
 * A plain device's key pair is made here, goes into its QR code once and is not kept (I2).
 */

import { deviceId } from '#identity';
import type { Crypto, Random } from '#runtime';
import { nextRank, StorageError, type Store } from '#storage';
import { allocateIpv4, overlayPrefix, plainConfig, printKey } from '#tunnels';
import { WebAdminError } from '#web-admin';
import { encodeBase64 } from '../base64.ts';
import { printEndpoint, readEndpoint } from '../config.ts';
import type { Enrolment, NewRole } from '../peers/enrol.ts';
import type { Sealing } from '../peers/sealed.ts';
import type { Projection, RealmDevice } from '../project.ts';
import type { DeviceRecord } from '../records.ts';
import { giveNewKey, readRealmKeys, shareKeys } from '../sync/keys.ts';
import { commitOrPropose } from './propose.ts';
import { findDevice } from './views.ts';

/** What a person gets: the phone's configuration, or the command for the new machine. */
export type Added =
  | { readonly kind: 'plain'; readonly id: string; readonly config: string }
  | {
      readonly kind: 'node';
      readonly code: string;
      readonly command: string;
      /** The same for a camera. */
      readonly uri: string;
      readonly expiresAt: number;
    };

/** What somebody wants to add. */
export type WantedDevice = {
  readonly name: string;
  readonly kind: 'plain' | 'node';
  readonly role?: NewRole | undefined;
  /** The code alone is enough: nobody is asked to compare. */
  readonly autoConfirm?: boolean | undefined;
};

export type DeviceChanges = {
  add(wanted: WantedDevice, via: string): Promise<Added>;
  /** By id or name. */
  remove(device: string, via: string, options?: { readonly ifHead?: string }): Promise<void>;
};

/** A device that is to be put into the store. */
export type NewDevice = Pick<
  DeviceRecord,
  'name' | 'kind' | 'endpoints' | 'home' | 'signingKey' | 'role' | 'rank'
> & {
  readonly id: string;
  readonly publicKey: Uint8Array;
};

type Parties = {
  readonly crypto: Crypto;
  readonly random: Random;
  readonly sealing: Sealing;
  readonly now: () => number;
  readonly store: Store;
  readonly self: string;
  readonly projection: () => Projection;
  readonly wireguardPort: number;
  readonly invite: Enrolment['invite'];
};

/** IPv4 of all devices of all realms (RFC 6598). */
const OVERLAY_IPV4 = '100.64.0.0/10';

/** Makes the changes. */
export function createDeviceChanges(parties: Parties): DeviceChanges {
  const { store, self, projection, invite } = parties;
  return {
    async add({ name, kind, role = 'owner', autoConfirm: isAuto = false }, via) {
      if (findDevice(projection().devices, name)) {
        throw new WebAdminError('conflict', `There is a device called ${name} already.`);
      }
      if (kind === 'plain') return addPlain(parties, name, via);
      const place = printEndpoint(ownEndpoint(parties));
      await requireAlone(parties, role);
      const { code, expiresAt } = invite({ name, role, isAuto });
      const flag = isAuto ? ' --auto-confirm' : '';
      const command = `npx nymote join ${place} ${code} --name ${name}${flag}`;
      return { kind, code, command, uri: `nymote:join?at=${place}&code=${code}`, expiresAt };
    },
    async remove(wanted, via, options = {}) {
      const device = findDevice(projection().devices, wanted);
      if (device === undefined)
        throw new WebAdminError('not-found', `There is no device ${wanted}.`);
      if (device.id === self) {
        throw new WebAdminError('denied', 'This is the device itself; it cannot remove itself.');
      }
      const message = `Remove ${device.name}`;
      const ops = removal(parties, device);
      await commitOrPropose(store, self, { ...options, ops, message, via });
    },
  };
}

/** One that could write is shut out, from its next change on, and from what is written from now on. */
function removal(
  { crypto, random, sealing, store, projection }: Parties,
  { id, signingKey }: RealmDevice,
): readonly Parameters<Store['commit']>[0]['ops'][number][] {
  const path = `devices/${id}`;
  if (signingKey === undefined) return [{ op: 'del', path }];
  const lastSeq = Math.max(0, ...(store.vector()[id] ?? []).map(([seq]) => seq));
  const holders = projection().devices.filter(
    (device) => device.kind !== 'plain' && device.id !== id,
  );
  const key = giveNewKey({ crypto, sealing }, random, store.state(), holders);
  return [{ op: 'revoke', path, lastSeq }, key];
}

/** Writes a device's record, and what it is given besides. */
export async function commitDevice(
  { crypto, now, store, projection }: Pick<Parties, 'crypto' | 'now' | 'store' | 'projection'>,
  { id, publicKey, ...device }: NewDevice,
  via: string,
  gifts: ReturnType<typeof shareKeys> = [],
): Promise<DeviceRecord> {
  const taken = projection().devices.map(({ ipv4 }) => ipv4);
  const ipv4 = allocateIpv4(crypto, taken, publicKey);
  if (ipv4 === undefined) throw new WebAdminError('unavailable', 'All IPv4 addresses are taken.');
  const wireguardKey = printKey(publicKey);
  const record = { ...device, wireguardKey, ipv4, addedAt: Math.floor(now()) };
  const value = JSON.parse(JSON.stringify(record));
  const ops = [{ op: 'set' as const, path: `devices/${id}`, value }, ...gifts];
  try {
    await store.commit({ ops, message: `Add ${device.name}`, via });
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'needs-second-owner') throw error;
    throw new WebAdminError('denied', NOT_ALONE, error);
  }
  return record;
}

/** A code that no owner could let anybody in with is not carried to another machine. */
async function requireAlone(parties: Parties, role: NewRole): Promise<void> {
  if (!(await needsAnother(parties, role))) return;
  if (role !== 'owner') throw new WebAdminError('denied', NOT_ALONE);
  const isMeekTaken = !(await needsAnother(parties, 'device'));
  throw new WebAdminError('denied', isMeekTaken ? `${NO_OWNER_ALONE} ${MEEK}` : NO_OWNER_ALONE);
}

/** Tried with keys that nobody has: the new device's own are not known yet. */
async function needsAnother(
  { crypto, sealing, store, self }: Parties,
  role: NewRole,
): Promise<boolean> {
  const { publicKey } = crypto.generateAgreementKey();
  const id = deviceId(crypto, publicKey);
  const rank = role === 'owner' ? { rank: nextRank(store.state()) } : {};
  const value = { signingKey: encodeBase64(publicKey), role, ...rank };
  const realmKeys = readRealmKeys({ crypto, sealing }, store.state(), self);
  const gifts = shareKeys(sealing, realmKeys, { id, publicKey });
  const ops = [{ op: 'set' as const, path: `devices/${id}`, value }, ...gifts];
  return (await store.preview(ops)).needsSecondOwner;
}

/** Its keys are shown once, or wait for it: there is nothing that another owner could agree to later. */
const NOT_ALONE =
  'No owner adds a device alone here, and a new device cannot be proposed. The way is: two owners take devices (and keys) off that list (nymote proposals --require), one adds it, and they put them back.';
const NO_OWNER_ALONE =
  'While anything needs two owners nobody makes another owner alone, and a new device cannot be proposed. The way is: two owners empty that list (nymote proposals --require none), one adds it, and they fill it again.';
const MEEK = 'Or let it change only what concerns itself: --role device.';

async function addPlain(parties: Parties, name: string, via: string): Promise<Added> {
  const { crypto, self } = parties;
  const { publicKey, privateKey } = crypto.generateAgreementKey();
  const endpoint = ownEndpoint(parties);
  // Without a signing key to be named by, it is named by its WireGuard key.
  const id = deviceId(crypto, publicKey);
  await commitDevice(
    parties,
    { id, publicKey, name, kind: 'plain', endpoints: [], home: self },
    via,
  );
  const { devices } = parties.projection();
  const device = devices.find((each) => each.id === id);
  const own = devices.find((each) => each.id === self);
  const config =
    device && own && configFor(parties, { device, own, privateKey, host: endpoint.address });
  if (config === undefined)
    throw new Error('unreachable: the device just added has no configuration');
  return { kind: 'plain', id, config };
}

function configFor(
  { crypto, store, wireguardPort }: Parties,
  ends: {
    readonly device: RealmDevice;
    readonly own: RealmDevice;
    readonly privateKey: Uint8Array;
    readonly host: string;
  },
): string | undefined {
  const { device, own, privateKey, host } = ends;
  return plainConfig({
    privateKey,
    addresses: [device.ipv6, device.ipv4],
    dns: [own.ipv6],
    peer: {
      publicKey: own.publicKey,
      endpoint: { host, port: wireguardPort },
      allowedIps: [overlayPrefix(crypto, store.realm), OVERLAY_IPV4],
    },
  });
}

/** Where a new device can find this one. */
function ownEndpoint({ projection, self }: Parties): { address: string; port: number } {
  const own = projection().devices.find(({ id }) => id === self);
  const endpoint = own?.endpoints
    .map((text) => readEndpoint(text))
    .find((each) => each !== undefined);
  if (endpoint === undefined) {
    throw new WebAdminError(
      'unavailable',
      'This device knows no address at which others reach it; name one with --endpoints.',
    );
  }
  return endpoint;
}
