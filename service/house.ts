/** The running house, as the modules of this folder hand it around: features and what was made of them. */

import type { Resolver } from '#resolver';
import type { Clock } from '#runtime';
import type { Store } from '#storage';
import type { Tunnels } from '#tunnels';
import type { Anchor, Check } from '#web-admin';
import type { Applying } from './apply/open.ts';
import type { Backups } from './backup/backups.ts';
import type { Keeping } from './backup/keep/keeping.ts';
import type { EncryptedDns } from './dns/encrypted-dns.ts';
import type { Household } from './dns/ruling.ts';
import type { DraftFiles } from './drafts.ts';
import type { DeviceChanges } from './faces/devices.ts';
import type { Live } from './faces/live.ts';
import type { Doors } from './faces/sign-in.ts';
import type { Enrolment } from './peers/enrol.ts';
import type { Projection, RealmDevice } from './project.ts';
import type { Pruning } from './pruning.ts';
import type { Acknowledgements } from './sync/acknowledged.ts';
import type { Sync } from './sync/follow.ts';
import type { HubNeeds } from './sync/hub.ts';
import type { RealmKeys } from './sync/keys.ts';
import type { Upstreams } from './upstream/upstreams.ts';

export type House = {
  readonly clock: Clock;
  readonly store: Store;
  readonly resolver: Resolver;
  /** Undefined where nobody asked for it. */
  readonly encryptedDns: EncryptedDns | undefined;
  readonly tunnels: Tunnels;
  /** What holds for the questions of this moment; new with each commit. */
  readonly household: () => Household;
  /** This device, also when it was removed. */
  readonly own: () => RealmDevice;
  readonly projection: () => Projection;
  readonly anchor: () => Anchor;
  readonly backups: Backups;
  /** The backups of others. */
  readonly keeping: Keeping;
  readonly draftFiles: DraftFiles;
  readonly devices: DeviceChanges;
  readonly doors: Doors;
  readonly enrolment: Enrolment;
  readonly live: Live;
  readonly applying: Applying;
  readonly sync: Sync;
  /** What the others said that they hold. */
  readonly acknowledged: Acknowledgements['all'];
  readonly pruning: Pruning;
  readonly hub: HubNeeds;
  readonly realmKeys: () => RealmKeys;
  readonly upstreams: Upstreams;
  readonly doctor: () => Promise<readonly Check[]>;
  /** Sentences about what is not as it should be. */
  readonly warnings: () => readonly string[];
  readonly uptimeSeconds: () => number;
  readonly memoryBytes: () => number;
};
