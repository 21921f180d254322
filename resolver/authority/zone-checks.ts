/**
 * What may not be in a zone: each rule with the RFC that makes it one.
 *
 * Checks first each record by itself, then each name with its neighbours. Pure; zone.ts builds.
 */

import { isWithin, type Name, nameFromWire, parentOf } from '../message/name.ts';
import { isWellFormed } from '../message/rdata.ts';
import type { ResourceRecord } from '../message/record.ts';
import { CLASS, TYPE } from '../message/type.ts';

export type ZoneProblemReason =
  | 'no-name-server'
  | 'bad-serial'
  | 'bad-ttl'
  | 'bad-rdata'
  | 'outside-apex'
  | 'wrong-class'
  | 'not-user-data'
  | 'duplicate'
  | 'cname-beside-other-data'
  | 'several-cnames'
  | 'several-dnames'
  | 'below-dname'
  | 'below-delegation'
  | 'beside-delegation'
  | 'delegation-at-wildcard'
  | 'dname-at-wildcard'
  | 'ds-without-delegation'
  | 'missing-glue';

/** A name and its sets, as far as the rules look at them. */
type CheckedNode = {
  readonly name: Name;
  readonly sets: ReadonlyMap<number, { readonly rdatas: readonly Uint8Array[] }>;
};
type Nodes = ReadonlyMap<string, CheckedNode>;
type Finding = { readonly reason: ZoneProblemReason; readonly owner: Name; readonly type: number };

/** Made by the zone or the signer, never given: SOA is built, the rest follows from the keys. */
const MADE_HERE: ReadonlySet<number> = new Set([
  TYPE.SOA,
  TYPE.DNSKEY,
  TYPE.CDS,
  TYPE.CDNSKEY,
  TYPE.RRSIG,
  TYPE.NSEC,
  TYPE.NSEC3,
  TYPE.NSEC3PARAM,
]);

/** What a delegation's owner may have beside glue: the parent's side of the cut (RFC 4035 §2.4). */
const PARENT_SIDE: ReadonlySet<number> = new Set([TYPE.NS, TYPE.DS, TYPE.A, TYPE.AAAA]);

/** Checks a record by itself; undefined when it is fine. */
export function checkRecord(record: ResourceRecord, apex: Name): ZoneProblemReason | undefined {
  const { owner, type, ttl, rdata } = record;
  if (record.class !== CLASS.IN) return 'wrong-class';
  if (!isWithin(owner, apex)) return 'outside-apex';
  if (!isUserType(type) || (type === TYPE.NS && owner.key === apex.key)) return 'not-user-data';
  if (!isTtl(ttl)) return 'bad-ttl';
  if (rdata.length > 0xffff || !isWellFormed(type, rdata)) return 'bad-rdata';
  return undefined;
}

/** RFC 2181 §8: a TTL has 31 bits. */
export function isTtl(ttl: number): boolean {
  return Number.isInteger(ttl) && ttl >= 0 && ttl <= 0x7fff_ffff;
}

/** Checks all names with what is beside and above them. */
export function* checkNodes(nodes: Nodes, apex: Name): Iterable<Finding> {
  for (const node of nodes.values()) {
    yield* checkSingletons(node);
    if (node.sets.has(TYPE.NS) && node.name.key !== apex.key) yield* checkDelegation(node, nodes);
    else if (node.sets.has(TYPE.DS)) {
      yield { reason: 'ds-without-delegation', owner: node.name, type: TYPE.DS };
    }
    yield* checkAbove(node, nodes, apex);
  }
}

/** RFC 6895 §3.1: 0 and OPT are not data, and 128 to 255 are meta and query types. */
function isUserType(type: number): boolean {
  const isData = type > 0 && type !== TYPE.OPT && (type < 128 || type > 255) && type <= 0xfeff;
  return isData && !MADE_HERE.has(type);
}

/** RFC 2181 §10.1, RFC 6672 §2.4: an alias is alone; DNAME is one. */
function* checkSingletons({ name, sets }: CheckedNode): Iterable<Finding> {
  const cnames = sets.get(TYPE.CNAME);
  if (cnames !== undefined) {
    const at = { owner: name, type: TYPE.CNAME };
    if (cnames.rdatas.length > 1) yield { reason: 'several-cnames', ...at };
    if (sets.size > 1) yield { reason: 'cname-beside-other-data', ...at };
  }
  const dnames = sets.get(TYPE.DNAME);
  if (dnames !== undefined) {
    const at = { owner: name, type: TYPE.DNAME };
    if (dnames.rdatas.length > 1) yield { reason: 'several-dnames', ...at };
    // RFC 6672 §3.3: what it would mean is not defined.
    if (isWildcard(name)) yield { reason: 'dname-at-wildcard', ...at };
  }
}

function* checkDelegation(cut: CheckedNode, nodes: Nodes): Iterable<Finding> {
  // RFC 4592 §4.2: what a wildcard's NS would mean is not defined.
  if (isWildcard(cut.name)) {
    yield { reason: 'delegation-at-wildcard', owner: cut.name, type: TYPE.NS };
  }
  const targets = targetsOf(cut);
  for (const type of cut.sets.keys()) {
    const isGlue = type !== TYPE.A && type !== TYPE.AAAA ? true : targets.has(cut.name.key);
    if (!PARENT_SIDE.has(type) || !isGlue) {
      yield { reason: 'beside-delegation', owner: cut.name, type };
    }
  }
  for (const target of targets.values()) {
    // RFC 9471 §2: a name server inside its own delegation cannot be found without glue.
    if (!isWithin(target, cut.name)) continue;
    const sets = nodes.get(target.key)?.sets;
    if (!sets?.has(TYPE.A) && !sets?.has(TYPE.AAAA)) {
      yield { reason: 'missing-glue', owner: target, type: TYPE.NS };
    }
  }
}

/** Everything below a DNAME is hidden (RFC 6672 §2.4), and below a cut only glue is ours. */
function* checkAbove(node: CheckedNode, nodes: Nodes, apex: Name): Iterable<Finding> {
  if (node.name.key === apex.key) return;
  const types = [...node.sets.keys()];
  for (let name = parentOf(node.name); name !== undefined; name = parentOf(name)) {
    const above = nodes.get(name.key);
    if (above === undefined) return;
    const targets = name.key === apex.key ? undefined : targetsOf(above);
    const isGlue = (type: number) => isAddress(type) && targets?.has(node.name.key);
    const hidden = above.sets.has(TYPE.DNAME) ? types : [];
    const foreign = targets?.size ? types.filter((type) => !isGlue(type)) : [];
    yield* hidden.map((type) => ({ reason: 'below-dname' as const, owner: node.name, type }));
    yield* foreign.map((type) => ({ reason: 'below-delegation' as const, owner: node.name, type }));
  }
}

function isAddress(type: number): boolean {
  return type === TYPE.A || type === TYPE.AAAA;
}

function isWildcard(name: Name): boolean {
  return name.key.startsWith('\x01*');
}

/** The name servers of a cut by key. NS holds one uncompressed name (RFC 1035 §3.3.11). */
function targetsOf(cut: CheckedNode): Map<string, Name> {
  const targets = new Map<string, Name>();
  for (const rdata of cut.sets.get(TYPE.NS)?.rdatas ?? []) {
    const target = nameFromWire(rdata);
    if (target !== undefined) targets.set(target.key, target);
  }
  return targets;
}
