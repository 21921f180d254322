/**
 * A zone as a value: the user's names, checked and indexed, never changed after it was built.
 *
 * SOA and the apex's NS are made here from the input; keys and signatures are not part of a zone
 * (authority.ts adds the keys, dnssec/sign.ts signs what is asked for).
 *
 * @see RFC 1034 §4.2.1 and §4.3.2: what a zone is; cuts and glue
 * @see RFC 2181 §5 and §10: sets of records; CNAME stands alone
 * @see RFC 4592: wildcards and empty non-terminals
 * @see RFC 6672: DNAME
 */

import {
  compareNames,
  isWithin,
  type Name,
  parentOf,
  prepend,
  printName,
} from '../message/name.ts';
import { canonicalRdata, encodeRdata } from '../message/rdata.ts';
import type { ResourceRecord } from '../message/record.ts';
import { CLASS, TYPE, typeName } from '../message/type.ts';
import { checkNodes, checkRecord, isTtl, type ZoneProblemReason } from './zone-checks.ts';

/** All records of one owner and type; unsigned. */
export type RecordSet = {
  readonly owner: Name;
  readonly type: number;
  readonly ttl: number;
  readonly rdatas: readonly Uint8Array[];
};

/** A name that exists. Without sets it is an empty non-terminal (RFC 4592 §2.2.2). */
export type ZoneNode = {
  readonly name: Name;
  readonly sets: ReadonlyMap<number, RecordSet>;
};

export type Zone = {
  readonly apex: Name;
  readonly serial: number;
  /** Every existing name by its key, glue below cuts included. */
  readonly nodes: ReadonlyMap<string, ZoneNode>;
  /** The same names in canonical order (RFC 4034 §6.1). */
  readonly order: readonly Name[];
};

export type ZoneInput = {
  readonly apex: Name;
  readonly serial: number;
  /** TTL of the apex's NS; the SOA's negative TTL follows it within its own bounds. */
  readonly ttl: number;
  /** The first one is the SOA's MNAME. */
  readonly nameServers: readonly Name[];
  readonly records: readonly ResourceRecord[];
};

/** What is wrong, and with which records. `owner` is printable; `type` a mnemonic. */
export type ZoneProblem = {
  readonly reason: ZoneProblemReason;
  readonly owner: string;
  readonly type: string;
};

/** A node while it is being filled. */
type DraftNode = { readonly name: Name; readonly sets: Map<number, DraftSet> };
type DraftSet = {
  readonly owner: Name;
  readonly type: number;
  ttl: number;
  readonly rdatas: Uint8Array[];
};

/** Devices come and go: "no such name" is remembered for at most a minute (RFC 2308 §5). */
const NEGATIVE_TTL = { least: 30, most: 60 };

/** SOA timers for secondaries: refresh, retry, expire (RFC 1912 §2.2, shortened). */
const SOA_TIMERS = { refresh: 3_600, retry: 600, expire: 1_209_600 };

/** Checks and indexes a zone. All problems are reported, not only the first. */
export function buildZone(
  input: ZoneInput,
):
  | { readonly ok: true; readonly zone: Zone }
  | { readonly ok: false; readonly problems: readonly ZoneProblem[] } {
  const problems: ZoneProblem[] = [...checkInput(input)];
  const nodes = new Map<string, DraftNode>();
  for (const record of apexRecords(input)) addRecord(nodes, input.apex, record);
  for (const record of input.records) {
    const reason = checkRecord(record, input.apex);
    if (reason !== undefined) problems.push(problemOf(reason, record.owner, record.type));
    else if (!addRecord(nodes, input.apex, record)) {
      problems.push(problemOf('duplicate', record.owner, record.type));
    }
  }
  for (const { reason, owner, type } of checkNodes(nodes, input.apex)) {
    problems.push(problemOf(reason, owner, type));
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, zone: indexed(input.apex, input.serial, nodes) };
}

/** The same zone with `sets` at its apex, e.g. the keys; a set of the same type is replaced. */
export function withApexSets(zone: Zone, sets: readonly RecordSet[]): Zone {
  const merged = new Map(zone.nodes.get(zone.apex.key)?.sets);
  for (const set of sets) merged.set(set.type, set);
  const nodes = new Map(zone.nodes).set(zone.apex.key, { name: zone.apex, sets: merged });
  return { ...zone, nodes };
}

/** The last existing name before `name` in canonical order; undefined at and before the apex. */
export function lastNameBefore(zone: Zone, name: Name): Name | undefined {
  let low = 0;
  let high = zone.order.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const candidate = zone.order[middle];
    if (candidate !== undefined && compareNames(candidate, name) < 0) low = middle + 1;
    else high = middle;
  }
  return zone.order[low - 1];
}

function* checkInput(input: ZoneInput): Iterable<ZoneProblem> {
  if (input.nameServers.length === 0) yield problemOf('no-name-server', input.apex, TYPE.NS);
  if (!isUint32(input.serial)) yield problemOf('bad-serial', input.apex, TYPE.SOA);
  if (!isTtl(input.ttl)) yield problemOf('bad-ttl', input.apex, TYPE.NS);
}

function problemOf(reason: ZoneProblemReason, owner: Name, type: number): ZoneProblem {
  return { reason, owner: printName(owner), type: typeName(type) };
}

function isUint32(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}

/** SOA and NS of the apex (RFC 1035 §3.3.13); nothing when the input has no name server. */
function* apexRecords({ apex, serial, ttl, nameServers }: ZoneInput): Iterable<ResourceRecord> {
  const [mname] = nameServers;
  if (mname === undefined || !isUint32(serial) || !isTtl(ttl)) return;
  const minimum = Math.min(Math.max(ttl, NEGATIVE_TTL.least), NEGATIVE_TTL.most);
  // An apex too long for "hostmaster." in front still needs an RNAME.
  const rname = prepend('hostmaster', apex) ?? apex;
  const soa = encodeRdata({ type: 'SOA', mname, rname, serial, ...SOA_TIMERS, minimum });
  // RFC 2308 §5: a negative answer lives for the smaller of the two; we keep them equal.
  yield { owner: apex, type: TYPE.SOA, class: CLASS.IN, ttl: minimum, rdata: soa };
  for (const server of nameServers) {
    const rdata = encodeRdata({ type: 'NS', host: server });
    yield { owner: apex, type: TYPE.NS, class: CLASS.IN, ttl, rdata };
  }
}

/** Adds a record and the names above it up to the apex; false when the record is there already. */
function addRecord(nodes: Map<string, DraftNode>, apex: Name, record: ResourceRecord): boolean {
  const { owner, type, ttl, rdata } = record;
  const { sets } = growTo(nodes, apex, owner);
  const set = sets.get(type);
  if (set === undefined) {
    sets.set(type, { owner, type, ttl, rdatas: [rdata] });
    return true;
  }
  // RFC 4034 §6.3: records that are equal in canonical form are one.
  const canonical = canonicalRdata(type, rdata);
  if (set.rdatas.some((known) => equal(canonicalRdata(type, known), canonical))) return false;
  set.rdatas.push(rdata);
  // RFC 2181 §5.2: one set has one TTL; the smallest wins.
  set.ttl = Math.min(set.ttl, ttl);
  return true;
}

/** The node of `name`, made with all its ancestors below the apex when missing. */
function growTo(nodes: Map<string, DraftNode>, apex: Name, name: Name): DraftNode {
  const known = nodes.get(name.key);
  if (known !== undefined) return known;
  const node: DraftNode = { name, sets: new Map() };
  nodes.set(name.key, node);
  const parent = parentOf(name);
  if (parent !== undefined && isWithin(parent, apex)) growTo(nodes, apex, parent);
  return node;
}

function indexed(apex: Name, serial: number, nodes: ReadonlyMap<string, DraftNode>): Zone {
  const order = [...nodes.values()].map(({ name }) => name).sort(compareNames);
  return { apex, serial, nodes, order };
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}
