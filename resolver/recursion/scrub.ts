/**
 * What a reply may teach us: everything that was not asked for, or is not this server's to say, is
 * dropped before anything else sees it.
 *
 * @see RFC 5452 §6: in-bailiwick data only
 * @see RFC 2181 §5.4.1: ranking
 * @see CVE-2025-40778, CVE-2025-59023: NS, DNAME and addresses nobody asked for
 *
 * Pure. Only the answer to the question, the SOA of a denial and the referral on the way to the
 * name survive; NS and address records beside an answer never do.
 */

import type { Denial } from '../cache/cache.ts';
import { isSpecial, printAddress } from '../message/address.ts';
import type { Message } from '../message/message.ts';
import { isWithin, type Name, nameFromWire } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import { coveredType, groupRecords, type RRset, safeTtl } from '../message/rrset.ts';
import { RCODE, TYPE } from '../message/type.ts';
import type { Cut, NameServer } from './delegation.ts';

/** Name servers kept of one referral (Unbound `iter-scrub-ns`: 20; NRDelegation CVE-2022-3204). */
export const MAX_SERVERS_PER_REFERRAL = 20;

/** Addresses kept for one name server and family (BIND: 6; CVE-2026-3592). */
export const MAX_ADDRESSES_PER_SERVER = 6;

/** Aliases followed inside one reply; the chain as a whole is limited by the budget. */
const MAX_ALIASES_PER_REPLY = 16;

/** What was asked, and for which zone the server was asked. */
export type Asked = {
  readonly name: Name;
  readonly type: number;
  /** Nothing outside this zone is believed. */
  readonly zone: Name;
  /** Forwarders answer for the whole tree, without AA, and never refer. */
  readonly isForwarder: boolean;
  /** Whether name servers may have private or local addresses. */
  readonly allowsSpecial: boolean;
};

/** One reply, reduced to what it may say. */
export type Reply =
  | {
      readonly kind: 'answer';
      readonly aliases: readonly RRset[];
      readonly rrset: RRset;
      readonly proof: readonly ResourceRecord[];
    }
  | {
      readonly kind: 'alias';
      readonly aliases: readonly RRset[];
      readonly target: Name;
      readonly proof: readonly ResourceRecord[];
    }
  | ({ readonly kind: 'no-data' | 'no-name' } & Grounds)
  | {
      readonly kind: 'referral';
      readonly cut: Omit<Cut, 'until'>;
      readonly ttl: number;
      readonly ds: RRset | undefined;
    }
  | { readonly kind: 'lame'; readonly hearsay?: Reply }
  | { readonly kind: 'alias-too-long'; readonly dname: RRset }
  | { readonly kind: 'alias-loop' | 'failure' };

/** What a denial rests on. */
type Grounds = {
  readonly denial: Denial | undefined;
  /** NSEC and NSEC3 that came without an SOA. */
  readonly proof?: readonly ResourceRecord[];
};

/** Reads a reply whose question, id and sender were already found right. */
export function scrub(message: Message, asked: Asked): Reply {
  const { rcode } = message;
  if (!READABLE.includes(rcode)) return { kind: 'failure' };
  const reply = readAny(message, asked);
  // Not authoritative but recursive: somebody's resolver, not the zone's server. What it says is
  // kept for the case that nobody knows better.
  const isElsewhere = !asked.isForwarder && !message.authoritative && message.recursionAvailable;
  return isElsewhere && isUseful(reply) ? { kind: 'lame', hearsay: reply } : reply;
}

const READABLE: readonly number[] = [RCODE.NOERROR, RCODE.NXDOMAIN, RCODE.YXDOMAIN];

function isUseful(reply: Reply): boolean {
  return ['answer', 'alias', 'no-data', 'no-name'].includes(reply.kind);
}

function readAny(message: Message, asked: Asked): Reply {
  const { rcode } = message;
  const answer = readAnswer(message, asked);
  if (rcode === RCODE.YXDOMAIN) {
    return answer?.kind === 'alias-too-long' ? answer : { kind: 'failure' };
  }
  // The name is said not to exist and given an address: one of both is wrong.
  const isContradiction = answer?.kind === 'answer' && answer.aliases.length === 0;
  if (rcode === RCODE.NXDOMAIN && isContradiction) return { kind: 'failure' };
  if (answer !== undefined) return answer;
  const grounds = readGrounds(message, asked);
  const hasGrounds = grounds.denial !== undefined || grounds.proof !== undefined;
  const isTrusted = asked.isForwarder || message.authoritative || hasGrounds;
  if (rcode === RCODE.NXDOMAIN)
    return isTrusted ? { kind: 'no-name', ...grounds } : { kind: 'lame' };
  const referral = asked.isForwarder ? undefined : readReferral(message, asked);
  if (referral !== undefined) return referral;
  return isTrusted ? { kind: 'no-data', ...grounds } : { kind: 'lame' };
}

/** Signatures, when they are what was asked for: a set that nothing signs (RFC 4035 §2.2). */
function readSignatures({ answers }: Message, { name, type }: Asked): Reply | undefined {
  if (type !== TYPE.RRSIG) return undefined;
  const own = answers.filter((each) => each.type === type && each.owner.key === name.key);
  if (own.length === 0) return undefined;
  const ttl = Math.min(...own.map((record) => safeTtl(record.ttl)));
  const rdatas = own.map(({ rdata }) => rdata);
  return {
    kind: 'answer',
    aliases: [],
    rrset: { owner: name, type, ttl, rdatas, signatures: [] },
    proof: [],
  };
}

function readAnswer(message: Message, asked: Asked): Reply | undefined {
  const signatures = readSignatures(message, asked);
  if (signatures !== undefined) return signatures;
  const sets = groupRecords(message.answers).filter((set) => isWithin(set.owner, asked.zone));
  const byKey = new Map(sets.map((set) => [`${set.type} ${set.owner.key}`, set]));
  const proof = denialRecords(message, asked.zone);
  const aliases: RRset[] = [];
  const seen = new Set([asked.name.key]);
  let name = asked.name;
  while (aliases.length < MAX_ALIASES_PER_REPLY) {
    const rrset = byKey.get(`${asked.type} ${name.key}`);
    // A CNAME below a DNAME is of its making, and the DNAME is what is signed.
    const isMade = rrset?.type === TYPE.CNAME && dnameAbove(sets, name) !== undefined;
    if (rrset !== undefined && !isMade) return { kind: 'answer', aliases, rrset, proof };
    const step = followAlias(byKey, name, sets);
    if (step?.target === undefined) return endChain(aliases, name, proof, step?.dname);
    const { cname, target } = step;
    if (step.dname !== undefined) aliases.push(step.dname);
    aliases.push(cname);
    // The CNAME a DNAME makes is what a question for CNAME wants (RFC 6672 §3.1).
    if (asked.type === TYPE.CNAME) return { kind: 'alias', aliases, target, proof };
    if (seen.has(target.key)) return { kind: 'alias-loop' };
    seen.add(target.key);
    name = target;
  }
  return endChain(aliases, name, proof);
}

function endChain(
  aliases: readonly RRset[],
  target: Name,
  proof: readonly ResourceRecord[],
  tooLong?: RRset,
): Reply | undefined {
  if (aliases.length > 0) return { kind: 'alias', aliases, target, proof };
  return tooLong && { kind: 'alias-too-long', dname: tooLong };
}

type AliasStep =
  | { readonly dname?: RRset; readonly cname: RRset; readonly target: Name }
  /** The DNAME would make a name of more than 255 octets. */
  | { readonly dname: RRset; readonly target: undefined };

function dnameAbove(sets: readonly RRset[], name: Name): RRset | undefined {
  return sets.find(
    (set) => set.type === TYPE.DNAME && set.owner.key !== name.key && isWithin(name, set.owner),
  );
}

/** One step of the chain in this reply: a CNAME at the name, or a DNAME above it. */
function followAlias(
  byKey: ReadonlyMap<string, RRset>,
  name: Name,
  sets: readonly RRset[],
): AliasStep | undefined {
  const dname = dnameAbove(sets, name);
  if (dname !== undefined) {
    const cname = synthesise(dname, name);
    const target = cname && aliasTarget(cname);
    return cname && target ? { dname, cname, target } : { dname, target: undefined };
  }
  const cname = byKey.get(`${TYPE.CNAME} ${name.key}`);
  const target = cname && aliasTarget(cname);
  return cname === undefined || target === undefined ? undefined : { cname, target };
}

/** Where a CNAME or DNAME points; a set of several is broken (RFC 2181 §10.1), the first counts. */
export function aliasTarget(rrset: RRset): Name | undefined {
  const [rdata] = rrset.rdatas;
  return rdata === undefined ? undefined : nameFromWire(rdata);
}

/** The CNAME a DNAME means for a name below it (RFC 6672 §3.1); undefined when it gets too long. */
export function synthesise(dname: RRset, name: Name): RRset | undefined {
  const suffix = dname.rdatas[0];
  if (suffix === undefined) return undefined;
  const prefix = name.wire.subarray(0, name.wire.length - dname.owner.wire.length);
  const target = new Uint8Array(prefix.length + suffix.length);
  target.set(prefix);
  target.set(suffix, prefix.length);
  if (nameFromWire(target) === undefined) return undefined;
  return { owner: name, type: TYPE.CNAME, ttl: dname.ttl, rdatas: [target], signatures: [] };
}

/** The SOA that says how long to believe the denial, if it is one for the name asked. */
function readDenial(message: Message, asked: Asked): Denial | undefined {
  const soa = message.authorities.find(
    ({ type, owner }) =>
      type === TYPE.SOA && isWithin(owner, asked.zone) && isWithin(asked.name, owner),
  );
  if (soa === undefined) return undefined;
  const proof = denialRecords(message, asked.zone).concat(
    message.authorities.filter(
      ({ type, owner, rdata }) =>
        type === TYPE.RRSIG && owner.key === soa.owner.key && coveredType(rdata) === TYPE.SOA,
    ),
  );
  return { soa, proof };
}

/** The denial, or what there is without an SOA. */
function readGrounds(message: Message, asked: Asked): Grounds {
  const denial = readDenial(message, asked);
  const proof = denial === undefined ? denialRecords(message, asked.zone) : [];
  return proof.length > 0 ? { denial, proof } : { denial };
}

/** NSEC and NSEC3 of the zone with their signatures: for those who validate. */
function denialRecords(message: Message, zone: Name): ResourceRecord[] {
  return message.authorities.filter(({ type, owner, rdata }) => {
    const meant = type === TYPE.RRSIG ? coveredType(rdata) : type;
    return (meant === TYPE.NSEC || meant === TYPE.NSEC3) && isWithin(owner, zone);
  });
}

function readReferral(message: Message, asked: Asked): Reply | undefined {
  if (message.authorities.some(({ type }) => type === TYPE.SOA)) return undefined;
  const sets = groupRecords(message.authorities);
  const own =
    asked.type === TYPE.DS &&
    sets.find(({ type, owner }) => type === TYPE.DS && owner.key === asked.name.key);
  // Servers older than DNSSEC refer down when asked for DS; what they were asked for is with it.
  if (own) return { kind: 'answer', aliases: [], rrset: own, proof: [] };
  const servers = sets.find(({ type, owner }) => type === TYPE.NS && leadsDown(owner, asked));
  if (servers === undefined) {
    // Up or sideways: the server does not serve what it was asked for.
    const isLame = !message.authoritative && sets.some(({ type }) => type === TYPE.NS);
    return isLame ? { kind: 'lame' } : undefined;
  }
  const zone = servers.owner;
  const ds = sets.find(({ type, owner }) => type === TYPE.DS && owner.key === zone.key);
  const known = readServers(servers, message, asked);
  const noDs = ds === undefined ? denialRecords(message, asked.zone) : [];
  const cut = { zone, servers: known, ...(noDs.length > 0 && { noDs }) };
  return { kind: 'referral', cut, ttl: servers.ttl, ds };
}

/** A referral must lead below the zone we asked, towards the name; for DS not past the parent. */
function leadsDown(owner: Name, { name, type, zone }: Asked): boolean {
  if (owner.key === zone.key || !isWithin(owner, zone) || !isWithin(name, owner)) return false;
  return type !== TYPE.DS || owner.key !== name.key;
}

function readServers(servers: RRset, message: Message, asked: Asked): NameServer[] {
  const glue = new Map<string, Uint8Array[]>();
  for (const { owner, type, rdata } of message.additionals) {
    if ((type !== TYPE.A && type !== TYPE.AAAA) || !isWithin(owner, asked.zone)) continue;
    if (!asked.allowsSpecial && isSpecial(rdata)) continue;
    const key = `${type} ${owner.key}`;
    const known = glue.get(key);
    if (known === undefined) glue.set(key, [rdata]);
    else if (known.length < MAX_ADDRESSES_PER_SERVER) known.push(rdata);
  }
  const found: NameServer[] = [];
  for (const rdata of servers.rdatas.slice(0, MAX_SERVERS_PER_REFERRAL)) {
    const name = nameFromWire(rdata);
    if (name === undefined) continue;
    const addresses = [TYPE.A, TYPE.AAAA].flatMap((type) =>
      (glue.get(`${type} ${name.key}`) ?? []).flatMap((octets) => printAddress(type, octets) ?? []),
    );
    found.push({ name, addresses });
  }
  return found;
}
