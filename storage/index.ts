/**
 * Storage: the realm's configuration as signed git commits that many devices write in an append-only log.
 */

export { isBundle } from './backup/bundle.ts';
export { gather, type Reach } from './backup/gather.ts';
export {
  type BackupFile,
  chainOf,
  continueAfter,
  MAX_MANIFEST,
  type Manifest,
  manifestNames,
  manifestNumbers,
  readManifest,
  retained,
  signManifest,
} from './backup/manifest.ts';
export { takeBundle, takeHistory } from './backup/take.ts';
export { type Objects, readLoose, readPack } from './backup/unpack.ts';
export type { Change } from './changes/change.ts';
export { HORIZON, type Horizon } from './disk/horizon.ts';
export { type Problem, StorageError, type StorageErrorCode } from './error.ts';
export type { Commit } from './format/commit.ts';
export type { Json } from './format/json.ts';
export type { State } from './format/op.ts';
export type { StoreOptions } from './realm.ts';
export { nextRank } from './rights/members.ts';
export { approveOps, proposeOps } from './rights/second-owner.ts';
export { openStore, type Store } from './store.ts';
export {
  type Envelope,
  openEnvelope,
  type RealmKey,
  readEnvelopes,
  realmKey,
  sealFrame,
} from './sync/envelope.ts';
export type { Vector } from './sync/export.ts';
export { openPage, sealPage } from './sync/transit.ts';
