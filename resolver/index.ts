/**
 * The door of the resolver: names, messages, zones, and the server that answers for them.
 */

export type { Before, Reusable, Ruling } from './answering.ts';
export { type Authority, createAuthority } from './authority.ts';
export type { Askers } from './datapath/askers.ts';
export { serveBatches } from './datapath/loop.ts';
export { createDesignation, DESIGNATION_APEX, type Designation } from './designation.ts';
export { parseNat64Prefix } from './dns64.ts';
export { readAnchors } from './dnssec/anchors.ts';
export { type Anchor, anchor, generateZoneKey, type ZoneKey } from './dnssec/keys.ts';
export { DOH_TEMPLATE } from './doh.ts';
export { type Hosts, readHosts } from './hosts.ts';
export { decodeMessage, encodeMessage, type Message, type Question } from './message.ts';
export { isWithin, type Name, parseName, printName } from './name.ts';
export { readPlainZone } from './plain-zone.ts';
export { decodeRdata, type Rdata } from './rdata.ts';
export type { ResourceRecord } from './record.ts';
export {
  type AnswerEvent,
  createResolver,
  type Resolver,
  type ResolverOptions,
  type RouteOption,
} from './resolver.ts';
export { type SecureListeners, startSecureListeners } from './secure-listeners.ts';
export { startListeners } from './server.ts';
export { TYPE, typeName, typeNumber } from './type.ts';
export { buildZone, type ZoneInput } from './zone.ts';
export { parseRecord, printRecord } from './zone-file.ts';
