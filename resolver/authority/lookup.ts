/**
 * Finding a name in a zone: the walk of RFC 1034 §4.3.2 step 3, from the apex down, label by label.
 *
 * It stops at cuts and DNAMEs and says which name would have been needed next, which is all that
 * answers and proofs are made from. Pure; what to answer is decided in plan.ts.
 *
 * @see RFC 4592 §3.3: the closest encloser and the source of synthesis
 */

import { labels, type Name, nameFromLabels } from '../message/name.ts';
import { TYPE } from '../message/type.ts';
import type { Zone, ZoneNode } from './zone.ts';

/** Where a name is in its zone. */
export type Place =
  /** It exists. */
  | { readonly kind: 'found'; readonly node: ZoneNode }
  /** It is at or below a delegation. */
  | { readonly kind: 'cut'; readonly node: ZoneNode; readonly exact: boolean }
  /** It is below a DNAME. */
  | { readonly kind: 'dname'; readonly node: ZoneNode }
  /** It does not exist, unless a wildcard stands in for it. */
  | {
      readonly kind: 'missing';
      readonly encloser: ZoneNode;
      /** The ancestor (or self) just below the encloser (RFC 5155 §1.3 "next closer name"). */
      readonly nextCloser: Name;
      readonly wildcard: ZoneNode | undefined;
    };

/** Finds where `name` is. Precondition: `name` is at or below the zone's apex. */
export function locate(zone: Zone, name: Name): Place {
  const starts = labelStarts(zone, name);
  let encloser = zone.nodes.get(zone.apex.key);
  if (encloser === undefined) throw new Error('unreachable: a zone has its apex');
  if (starts.length > 0 && encloser.sets.has(TYPE.DNAME)) return { kind: 'dname', node: encloser };
  for (const [above, start] of starts.entries()) {
    const node = zone.nodes.get(name.key.slice(start));
    if (node === undefined) {
      // A name's key is its lower-cased wire form: a length octet, then the label.
      const wildcard = zone.nodes.get(`\x01*${encloser.name.key}`);
      return {
        kind: 'missing',
        encloser,
        nextCloser: lastLabels(name, starts.length - above - 1),
        wildcard,
      };
    }
    const exact = above === starts.length - 1;
    if (node.sets.has(TYPE.NS)) return { kind: 'cut', node, exact };
    if (node.sets.has(TYPE.DNAME) && !exact) return { kind: 'dname', node };
    encloser = node;
  }
  return { kind: 'found', node: encloser };
}

/** Offsets in `name.key` of the suffixes below the apex, the shortest suffix first. */
function labelStarts(zone: Zone, name: Name): number[] {
  const starts: number[] = [];
  const end = name.key.length - zone.apex.key.length;
  for (let offset = 0; offset < end; offset += 1 + name.key.charCodeAt(offset)) {
    starts.unshift(offset);
  }
  return starts;
}

/** `name` without its first `skipped` labels. */
function lastLabels(name: Name, skipped: number): Name {
  const suffix = skipped === 0 ? name : nameFromLabels(labels(name).slice(skipped));
  if (suffix === undefined) throw new Error('unreachable: part of a name is a name');
  return suffix;
}
