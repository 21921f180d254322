/**
 * Signed zones in scenarios: internet.ts answers, this adds what DNSSEC adds.
 *
 *     ZONE_BEGIN house.org. 192.0.2.3 key… [NSEC3 | OPTOUT]
 *     records, `DNSKEY id`, `DS id`; not the SOA
 *     ZONE_END
 *
 * Signed the classic way, with a real chain of NSEC or NSEC3 (no salt, no iterations) over all
 * names, so that the validator meets other proofs than our own authority's white lies.
 *
 * @see RFC 4035 §3.1.3, RFC 5155 §7.2: which proof for which answer
 */

import { type Message, type Name, type ResourceRecord, TYPE, typeName } from '#resolver';
import { nameOf, recordOf } from './internet.ts';
import { nsec3Hash, type ScenarioKeys, type SectionLine } from './rpl-sign.ts';

/** A zone as the scenario writes it. */
export type ZoneBlock = {
  readonly line: number;
  readonly apex: string;
  readonly at: readonly string[];
  readonly keys: readonly string[];
  readonly style: 'nsec' | 'nsec3' | 'optout';
  readonly lines: readonly SectionLine[];
};

/** A zone that can prove what it says. */
export type SignedZone = {
  readonly block: ZoneBlock;
  readonly apex: Name;
  readonly keys: ScenarioKeys;
  /** Everything that is the zone's own, with the SOA; what is below cuts is not. */
  readonly records: readonly ResourceRecord[];
  /** Existing names by key, empty non-terminals included. */
  readonly names: ReadonlyMap<string, Name>;
  readonly chain: readonly Link[];
};

/** One NSEC or NSEC3, in order. */
type Link = { readonly place: string; readonly record: ResourceRecord };

/** Makes the chain. */
export function signedZone(
  block: ZoneBlock,
  all: readonly ResourceRecord[],
  keys: ScenarioKeys,
): SignedZone {
  const apex = nameOf(block.apex);
  const cuts = all.filter(({ type, owner }) => type === TYPE.NS && owner.key !== apex.key);
  const records = all.filter(({ owner, type }) =>
    cuts.every((cut) => !isBelow(owner.key, cut.owner.key) || isAtCut(owner, type, cut.owner)),
  );
  const isHidden = (key: string) =>
    block.style === 'optout' && typesAt(records, key).join() === String(TYPE.NS);
  const names = new Map<string, Name>();
  const shown = new Map<string, Name>();
  for (const { owner } of records) {
    for (const name of upTo(owner, apex)) {
      names.set(name.key, name);
      if (!isHidden(owner.key)) shown.set(name.key, name);
    }
  }
  const listed = [...shown.values()].filter(
    ({ key }) => block.style !== 'nsec' || typesAt(records, key).length > 0,
  );
  const places = listed.map((name) => ({ name, place: placeOf(name, block.style) }));
  const ordered = places.toSorted((a, b) => (a.place < b.place ? -1 : 1));
  const chain = ordered.map(({ name, place }, index) => {
    const next = ordered[(index + 1) % ordered.length] ?? { name, place };
    return { place, record: linkRecord(block, records, name, next) };
  });
  return { block, apex, keys, records, names, chain };
}

function isAtCut(owner: Name, type: number, cut: Name): boolean {
  return owner.key === cut.key && (type === TYPE.NS || type === TYPE.DS);
}

/** Sorts like the chain: NSEC by labels from the right, NSEC3 by hash. */
function placeOf(name: Name, style: ZoneBlock['style']): string {
  if (style !== 'nsec') return nsec3Hash(name);
  // A separator below all octets of a label keeps parents before children.
  return labelsOf(name.key).toReversed().map(escaped).join('');
}

const escaped = (label: string) =>
  `${Array.from(label, (octet) => String.fromCharCode(octet.charCodeAt(0) + 1)).join('')}\0`;

function linkRecord(
  { apex, style }: ZoneBlock,
  records: readonly ResourceRecord[],
  name: Name,
  next: { readonly name: Name; readonly place: string },
): ResourceRecord {
  const types = typesAt(records, name.key);
  const words = types.map(typeName);
  if (style === 'nsec') {
    return recordOf(`${text(name)} 300 IN NSEC ${text(next.name)} ${words.join(' ')} RRSIG NSEC`);
  }
  // Neither an empty non-terminal nor a delegation without DS has anything signed.
  if (types.length > 0 && types.join() !== String(TYPE.NS)) words.push('RRSIG');
  const flag = style === 'optout' ? 1 : 0;
  const owner = `${nsec3Hash(name)}.${apex === '.' ? '' : apex}`;
  return recordOf(`${owner} 300 IN NSEC3 1 ${flag} 0 - ${next.place} ${words.join(' ')}`);
}

function typesAt(records: readonly ResourceRecord[], key: string): number[] {
  const found = records.filter(({ owner }) => owner.key === key).map(({ type }) => type);
  return [...new Set(found)].toSorted((a, b) => a - b);
}

/* Answering */

/** The answer of internet.ts with signatures and proofs, for those who want them. */
export function withProofs(right: Message, query: Message, zone: SignedZone): Message {
  const [question] = query.questions;
  if (query.edns?.dnssecOk !== true || question === undefined) return right;
  const { answers, authorities } = right;
  const isReferral = !right.authoritative && authorities.some(({ type }) => type === TYPE.NS);
  const [cut] = authorities;
  if (isReferral && cut !== undefined) {
    return { ...right, authorities: [...authorities, ...referralProof(zone, cut.owner)] };
  }
  const expanded = answers.find(({ owner }) => !zone.names.has(owner.key));
  const proof = [
    ...authorities,
    ...(expanded === undefined ? [] : linksFor(zone, [nextCloser(zone, expanded.owner)])),
    ...(authorities.some(({ type }) => type === TYPE.SOA) ? denialProof(zone, question.name) : []),
  ];
  return {
    ...right,
    answers: [...answers, ...answers.flatMap((record) => signed(zone, answers, record))],
    authorities: [...proof, ...zone.keys.sign(proof, zone.block.keys)],
  };
}

/** Each set once, at its first record; a wildcard's as the wildcard's. */
function signed(
  zone: SignedZone,
  answers: readonly ResourceRecord[],
  record: ResourceRecord,
): ResourceRecord[] {
  const isSame = ({ owner, type }: ResourceRecord) =>
    owner.key === record.owner.key && type === record.type;
  const set = answers.filter(isSame);
  if (set[0] !== record) return [];
  const { owner } = record;
  const wildcard = zone.names.has(owner.key) ? undefined : `*.${text(encloser(zone, owner))}`;
  return zone.keys.sign(set, zone.block.keys, wildcard);
}

function referralProof(zone: SignedZone, cut: Name): ResourceRecord[] {
  const digests = zone.records.filter(
    ({ type, owner }) => type === TYPE.DS && owner.key === cut.key,
  );
  const proof = digests.length > 0 ? digests : denialProof(zone, cut);
  return [...proof, ...zone.keys.sign(proof, zone.block.keys)];
}

function denialProof(zone: SignedZone, name: Name): ResourceRecord[] {
  const isLinked = zone.chain.some(({ place }) => place === placeOf(name, zone.block.style));
  if (zone.names.has(name.key) && (isLinked || zone.block.style === 'nsec')) {
    return linksFor(zone, [name]);
  }
  const closest = encloser(zone, name);
  if (zone.block.style === 'nsec') return linksFor(zone, [name, wildcardBelow(closest)]);
  const next = nextCloser(zone, name);
  // An unsigned delegation that opt-out leaves out exists, so there is nothing to say of wildcards.
  const more = zone.names.has(name.key) ? [] : [wildcardBelow(closest)];
  return linksFor(zone, [closest, next, ...more]);
}

/** The links at or over these names, each once. */
function linksFor({ chain, block }: SignedZone, names: readonly Name[]): ResourceRecord[] {
  const found = names.map((name) => {
    const place = placeOf(name, block.style);
    return (chain.findLast((link) => link.place <= place) ?? chain.at(-1))?.record;
  });
  return [...new Set(found)].filter((record) => record !== undefined);
}

/** The longest ancestor that the chain knows; with NSEC every existing name. */
function encloser(zone: SignedZone, name: Name): Name {
  const isKnown = (candidate: Name) =>
    zone.block.style === 'nsec'
      ? zone.names.has(candidate.key)
      : zone.chain.some(({ place }) => place === placeOf(candidate, zone.block.style));
  return [...upTo(name, zone.apex)].find((each) => each !== name && isKnown(each)) ?? zone.apex;
}

function nextCloser(zone: SignedZone, name: Name): Name {
  const above = encloser(zone, name);
  return (
    [...upTo(name, zone.apex)].findLast(
      (each) => each.key !== above.key && isBelow(each.key, above.key),
    ) ?? name
  );
}

function wildcardBelow(name: Name): Name {
  return nameOf(`*.${text(name) === '.' ? '' : text(name)}`);
}

/* Names */

function labelsOf(key: string): string[] {
  const found: string[] = [];
  for (let at = 0; at < key.length - 1; at += key.charCodeAt(at) + 1) {
    found.push(key.slice(at + 1, at + 1 + key.charCodeAt(at)));
  }
  return found;
}

/** The name and all above it up to the apex. */
function* upTo(name: Name, apex: Name): Generator<Name> {
  yield name;
  const labels = labelsOf(name.key);
  const count = labels.length - labelsOf(apex.key).length;
  for (let skip = 1; skip <= count; skip++) yield nameOf(`${labels.slice(skip).join('.')}.`);
}

/** Tells whether a key is at or below another, label by label. */
export function isBelow(key: string, ancestor: string): boolean {
  for (let at = 0; at < key.length; at += key.charCodeAt(at) + 1) {
    if (key.slice(at) === ancestor) return true;
  }
  return false;
}

function text(name: Name): string {
  return `${labelsOf(name.key).join('.')}.`;
}
