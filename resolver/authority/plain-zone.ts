/**
 * A zone file answered as it is, without signatures: for names that only this resolver's askers see.
 *
 * Refused are files of signed zones, whose answers would need their proofs, and delegations, which
 * nobody here would follow.
 */

import { parseName, printName } from '../message/name.ts';
import { decodeRdataAs } from '../message/rdata.ts';
import type { ResourceRecord } from '../message/record.ts';
import { TYPE } from '../message/type.ts';
import { authorityOfPlain } from './authority.ts';
import { buildZone, withApexSets } from './zone.ts';
import { parseZone } from './zone-file.ts';

/** Of records in a file that says none, as with NSD and Knot. */
const DEFAULT_TTL = 3600;

type Authority = ReturnType<typeof authorityOfPlain>;

/** Reads `text`, a master file (RFC 1035 §5) whose relative names lie below `apex`. */
export function readPlainZone(
  apex: string,
  text: string,
):
  | { readonly ok: true; readonly authority: Authority }
  | { readonly ok: false; readonly problem: string } {
  const origin = parseName(apex);
  if (origin === undefined) return refused(`'${apex}' is not a domain name`);
  const parsed = parseZone(text, { origin, ttl: DEFAULT_TTL });
  if (!parsed.ok) return refused(`line ${parsed.line}: ${parsed.reason}`);
  const { records } = parsed;
  const isAtApex = (record: ResourceRecord) => record.owner.key === origin.key;
  const soas = records.filter((record) => record.type === TYPE.SOA && isAtApex(record));
  const [soa] = soas;
  const fields = soa && decodeRdataAs('SOA', soa.rdata);
  if (soas.length !== 1 || soa === undefined || fields === undefined) {
    return refused(`one SOA record at ${printName(origin)} is needed`);
  }
  const cut = records.find((record) => record.type === TYPE.NS && !isAtApex(record));
  if (cut !== undefined)
    return refused(`${printName(cut.owner)} is delegated, and is not followed`);
  const servers = records.filter((record) => record.type === TYPE.NS && isAtApex(record));
  const named = servers.flatMap(({ rdata }) => decodeRdataAs('NS', rdata)?.host ?? []);
  const built = buildZone({
    apex: origin,
    serial: fields.serial,
    ttl: servers[0]?.ttl ?? soa.ttl,
    nameServers: named.length > 0 ? named : [fields.mname],
    records: records.filter((record) => record !== soa && !servers.includes(record)),
  });
  if (!built.ok) {
    const words = built.problems.map(({ reason, owner, type }) => `${owner} ${type}: ${reason}`);
    return refused(words.join(', '));
  }
  // RFC 2308 §5: a denial lives for the smaller of the two.
  const ttl = Math.min(soa.ttl, fields.minimum);
  const set = { owner: origin, type: TYPE.SOA, ttl, rdatas: [soa.rdata] };
  return { ok: true, authority: authorityOfPlain(withApexSets(built.zone, [set])) };
}

const refused = (problem: string) => ({ ok: false, problem }) as const;
