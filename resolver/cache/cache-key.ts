/**
 * What entries of the cache are found by: what they are, and the name's lower-cased wire form.
 */

import { type Name, trustedName } from '../message/name.ts';
import { TYPE } from '../message/type.ts';

/** Data of a type, or that there are none. */
export const dataKey = (key: string, type: number) => `${type} ${key}`;
/** That a name does not exist. */
export const noNameKey = (key: string) => `no ${key}`;
/** That a question failed. */
export const failureKey = (key: string, type: number) => `failed ${type} ${key}`;
/** A set that a zone signed. */
export const proofKey = (zone: string, owner: string, type: number) =>
  `proof ${type} ${owner} ${zone}`;
/** A delegation. */
export const cutKey = (key: string) => `cut ${key}`;

/** The keys of a name and of all names above it, root last. Keys are lower-cased wire form. */
export function* lineage(key: string): Generator<string> {
  for (let at = 0; at < key.length; at += key.charCodeAt(at) + 1) yield key.slice(at);
}

/** The name and type of a `dataKey` or `noNameKey`. */
export function keyed(key: string): { readonly name: Name; readonly type: number } {
  const space = key.indexOf(' ');
  const wire = Uint8Array.from(key.slice(space + 1), (letter) => letter.charCodeAt(0));
  return { name: trustedName(wire), type: Number.parseInt(key, 10) || TYPE.A };
}
