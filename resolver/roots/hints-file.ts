/**
 * Root servers as a file names them: NS records of the root and the addresses of those servers, as
 * InterNIC publishes them and as the packages of other resolvers bring them along.
 *
 * @see https://www.internic.net/domain/named.root
 */

import { parseZone } from '../authority/zone-file.ts';
import { printAddress } from '../message/address.ts';
import { printName, ROOT } from '../message/name.ts';
import { decodeRdataAs } from '../message/rdata.ts';
import { TYPE } from '../message/type.ts';
import type { RootHint } from './root-hints.ts';

/** The world's root has thirteen; what is beyond is no list of root servers. */
const MAX_SERVERS = 64;

/** Reads the text of such a file; what has no address there cannot be asked and is left out. */
export function readRootHints(
  text: string,
):
  | { readonly ok: true; readonly hints: readonly RootHint[] }
  | { readonly ok: false; readonly problem: string } {
  const parsed = parseZone(text, { ttl: 0 });
  if (!parsed.ok) return { ok: false, problem: `line ${parsed.line}: ${parsed.reason}` };
  const servers = parsed.records.flatMap(({ owner, type, rdata }) =>
    owner.key === ROOT.key && type === TYPE.NS ? (decodeRdataAs('NS', rdata)?.host ?? []) : [],
  );
  if (servers.length > MAX_SERVERS) return { ok: false, problem: 'too many root servers' };
  const hints = servers.flatMap((server) => {
    const addresses = parsed.records
      .filter(({ owner }) => owner.key === server.key)
      .flatMap(({ type, rdata }) => printAddress(type, rdata) ?? []);
    return addresses.length === 0 ? [] : [{ name: printName(server), addresses }];
  });
  return hints.length === 0
    ? {
        ok: false,
        problem: 'names no root server with an address: without them nothing is resolved',
      }
    : { ok: true, hints };
}
