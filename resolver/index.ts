/**
 * The door of the resolver: names, messages, zones, and the server that answers for them.
 */

export { type Authority, createAuthority } from './authority/authority.ts';
export { type Hosts, readHosts } from './authority/hosts.ts';
export { readPlainZone } from './authority/plain-zone.ts';
export { buildZone, type ZoneInput } from './authority/zone.ts';
export { parseRecord, printRecord } from './authority/zone-file.ts';
export type { Askers } from './datapath/askers.ts';
export { readAnchors } from './dnssec/anchors.ts';
export { type Anchor, anchor, generateZoneKey, type ZoneKey } from './dnssec/keys.ts';
export { readTracked, writeTracked } from './dnssec/rollover.ts';
export type { Explanation } from './explanation.ts';
export { parseIpv6Range, parseNat64Prefix } from './local/nat64.ts';
export { decodeMessage, encodeMessage, type Message, type Question } from './message/message.ts';
export { isWithin, type Name, parseName, printName } from './message/name.ts';
export { decodeRdata, type Rdata } from './message/rdata.ts';
export type { ResourceRecord } from './message/record.ts';
export { rcodeName, TYPE, typeName, typeNumber } from './message/type.ts';
export {
  type AnswerEvent,
  createResolver,
  type Resolver,
  type ResolverOptions,
  type RouteOption,
} from './resolver.ts';
export { readRootHints } from './roots/hints-file.ts';
export { isWorldsRoot } from './roots/root-hints.ts';
export type { Before, Reusable, Ruling } from './serving/answering.ts';
export { createDesignation, DESIGNATION_APEX, type Designation } from './serving/designation.ts';
export { DOH_TEMPLATE } from './serving/doh.ts';
export { queryFor } from './serving/response.ts';
export { type SecureListeners, startSecureListeners } from './serving/secure-listeners.ts';
export { startListeners } from './serving/server.ts';
export { BOUNDS as METRIC_BOUNDS } from './serving/tally.ts';
