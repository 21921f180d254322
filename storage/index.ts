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
export type { Change } from './change.ts';
export type { Commit } from './commit.ts';
export { type Problem, StorageError, type StorageErrorCode } from './error.ts';
export type { Vector } from './export.ts';
export type { Json } from './json.ts';
export { nextRank } from './members.ts';
export type { State } from './op.ts';
export type { StoreOptions } from './realm.ts';
export { approveOps, proposeOps } from './second-owner.ts';
export { openStore, type Store } from './store.ts';
export {
  type Envelope,
  openEnvelope,
  type RealmKey,
  readEnvelopes,
  realmKey,
  sealFrame,
} from './sync/envelope.ts';
export { openPage, sealPage } from './sync/transit.ts';
