/**
 * What to answer: one question and a zone become the sets that go into each section, with the
 * proofs for those who asked for DNSSEC. Pure; nothing here signs or knows of messages.
 *
 * @see RFC 1034 §4.3.2: the algorithm, from step 3
 * @see RFC 4035 §3.1: what DNSSEC adds to each kind of answer
 * @see RFC 4592, RFC 6672: wildcards, DNAME
 * @see RFC 8020, RFC 8482: nothing below a missing name; ANY gets one set
 */

import { nsecAt, nsecOver, reachesFurther } from '../dnssec/denial.ts';
import type { Question } from '../message/message.ts';
import {
  isWithin,
  MAX_NAME,
  type Name,
  nameFromWire,
  prepend,
  trustedName,
} from '../message/name.ts';
import { encodeRdata } from '../message/rdata.ts';
import { RCODE, TYPE } from '../message/type.ts';
import { locate } from './lookup.ts';
import type { RecordSet, Zone, ZoneNode } from './zone.ts';

/** A set in an answer, under the name it is given there: a wildcard's set takes the asked name. */
export type Line = {
  readonly owner: Name;
  readonly set: RecordSet;
  /** Glue, delegations and what a DNAME makes have no signature (RFC 4035 §2.2). */
  readonly signed: boolean;
  /** Only the signatures were asked for. */
  readonly bare?: true;
};

export type Plan = {
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly answers: readonly Line[];
  readonly authorities: readonly Line[];
  /** Authority section too, but only for those who set DO. */
  readonly proofs: readonly Line[];
  readonly additionals: readonly Line[];
};

/** CNAME and DNAME steps inside the zone (I6); the asker's resolver goes on from there. */
const MAX_ALIASES = 8;

type Draft = {
  rcode: number;
  authoritative: boolean;
  readonly answers: Line[];
  readonly authorities: Line[];
  readonly proofs: Line[];
  readonly additionals: Line[];
};

/**
 * Plans the answer to `question`, whose name is at or below the zone's apex.
 *
 * Aliases inside the zone are followed unless `followAliases` is false: then the answer ends at the
 * first one, for a caller who must decide about each name by itself.
 */
export function planAnswer(zone: Zone, question: Question, followAliases = true): Plan {
  const draft: Draft = {
    rcode: RCODE.NOERROR,
    authoritative: true,
    answers: [],
    authorities: [],
    proofs: [],
    additionals: [],
  };
  const seen = new Set<string>();
  const names = followAliases ? 1 + MAX_ALIASES : 1;
  let name: Name | undefined = question.name;
  while (name !== undefined && seen.size < names) {
    if (!isWithin(name, zone.apex) || seen.has(name.key)) break;
    seen.add(name.key);
    name = takeStep(draft, zone, name, question.type);
  }
  return draft;
}

/** Answers for one name of the chain and returns the name it is an alias of, if it is one. */
function takeStep(draft: Draft, zone: Zone, name: Name, type: number): Name | undefined {
  const place = locate(zone, name);
  switch (place.kind) {
    case 'found':
      return answerFrom(draft, zone, place.node, name, type);
    case 'cut':
      // A DS set is on the parent's side of the cut (RFC 4035 §3.1.4.1).
      if (place.exact && type === TYPE.DS) return answerFrom(draft, zone, place.node, name, type);
      refer(draft, zone, place.node);
      return undefined;
    case 'dname':
      return substitute(draft, place.node, name);
    case 'missing':
      // With or without a wildcard, the name itself must be shown not to exist.
      prove(draft, zone, nsecOver(zone, place.nextCloser));
      if (place.wildcard !== undefined) {
        return answerFrom(draft, zone, place.wildcard, name, type);
      }
      draft.rcode = RCODE.NXDOMAIN;
      addSoa(draft, zone);
      prove(draft, zone, nsecOver(zone, wildcardOf(place.encloser.name)));
      return undefined;
  }
}

/** Takes the asked type, or the alias, from a node that stands for `name`. */
function answerFrom(
  draft: Draft,
  zone: Zone,
  node: ZoneNode,
  name: Name,
  type: number,
): Name | undefined {
  const line = chosen(zone, node, name, type);
  if (line !== undefined) {
    draft.answers.push(line);
    return undefined;
  }
  const alias = node.sets.get(TYPE.CNAME);
  if (alias !== undefined) {
    draft.answers.push({ owner: name, set: alias, signed: true });
    return targetOf(alias);
  }
  addSoa(draft, zone);
  prove(draft, zone, nsecAt(zone, node));
  return undefined;
}

/** What the node has of the asked type, the query types ANY, RRSIG and NSEC included. */
function chosen(zone: Zone, node: ZoneNode, name: Name, type: number): Line | undefined {
  // The first set a node has is the SOA at the apex and the alias at an alias (RFC 8482 §4.1).
  const [first] = node.sets.values();
  const line = (set: RecordSet): Line => ({ owner: name, set, signed: true });
  switch (type) {
    case TYPE.ANY:
      return first && line(first);
    case TYPE.NSEC:
      return line(nsecAt(zone, node));
    case TYPE.RRSIG:
      return { ...line(first ?? nsecAt(zone, node)), bare: true };
    default: {
      const set = node.sets.get(type);
      return set && line(set);
    }
  }
}

/** Sends the asker to the servers of a zone below ours (RFC 1034 §4.3.2 step 3b). */
function refer(draft: Draft, zone: Zone, cut: ZoneNode): void {
  draft.authoritative = draft.answers.length > 0;
  const servers = cut.sets.get(TYPE.NS);
  if (servers === undefined) throw new Error('unreachable: a cut has name servers');
  draft.authorities.push({ owner: cut.name, set: servers, signed: false });
  const digests = cut.sets.get(TYPE.DS);
  if (digests === undefined) prove(draft, zone, nsecAt(zone, cut));
  else draft.proofs.push({ owner: cut.name, set: digests, signed: true });
  for (const rdata of servers.rdatas) {
    const server = nameFromWire(rdata);
    const sets = server && zone.nodes.get(server.key)?.sets;
    for (const set of [sets?.get(TYPE.A), sets?.get(TYPE.AAAA)]) {
      if (set !== undefined) draft.additionals.push({ owner: set.owner, set, signed: false });
    }
  }
}

/** Moves `name` from below the DNAME's owner to below its target (RFC 6672 §2.2, §3.1). */
function substitute(draft: Draft, node: ZoneNode, name: Name): Name | undefined {
  const set = node.sets.get(TYPE.DNAME);
  const target = set && targetOf(set);
  if (set === undefined || target === undefined) throw new Error('unreachable: no DNAME here');
  // A DNAME that points below itself comes by again: one set is in an answer once.
  if (!draft.answers.some((line) => line.set === set)) {
    draft.answers.push({ owner: node.name, set, signed: true });
  }
  const kept = name.wire.subarray(0, name.wire.length - node.name.wire.length);
  if (kept.length + target.wire.length > MAX_NAME) {
    draft.rcode = RCODE.YXDOMAIN;
    return undefined;
  }
  const moved = new Uint8Array(kept.length + target.wire.length);
  moved.set(kept);
  moved.set(target.wire, kept.length);
  const alias = trustedName(moved);
  const rdatas = [encodeRdata({ type: 'CNAME', target: alias })];
  const made = { owner: name, type: TYPE.CNAME, ttl: set.ttl, rdatas };
  draft.answers.push({ owner: name, set: made, signed: false });
  return alias;
}

function addSoa(draft: Draft, zone: Zone): void {
  const set = zone.nodes.get(zone.apex.key)?.sets.get(TYPE.SOA);
  if (set === undefined) throw new Error('unreachable: a zone has its SOA');
  draft.authorities.push({ owner: zone.apex, set, signed: true });
}

/** Adds a proof; one owner has one NSEC in an answer, so of two the one that proves more stays. */
function prove(draft: Draft, zone: Zone, set: RecordSet): void {
  const line = { owner: set.owner, set, signed: true };
  const known = draft.proofs.findIndex(({ owner }) => owner.key === set.owner.key);
  const other = draft.proofs[known]?.set;
  if (other === undefined) draft.proofs.push(line);
  else if (reachesFurther(set, other, zone.apex)) draft.proofs[known] = line;
}

/** The source of synthesis below `encloser`; where a missing name fits, it fits too. */
function wildcardOf(encloser: Name): Name {
  const wildcard = prepend('*', encloser);
  if (wildcard === undefined) throw new Error('unreachable: no name fits below the encloser');
  return wildcard;
}

/** The one name in a CNAME's or DNAME's RDATA. */
function targetOf(set: RecordSet): Name | undefined {
  const [rdata] = set.rdatas;
  return rdata && nameFromWire(rdata);
}
