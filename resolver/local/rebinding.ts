/**
 * Private addresses in answers about public names are taken out: a page from outside must not reach
 * the household's machines by giving its own name their address (DNS rebinding).
 *
 * The name that was asked for decides, not the one an alias leads to. Names of zones answered here
 * or reached by hand may have any address. Also the address hints of SVCB and HTTPS records count
 * (RFC 9460 §7.3), and IPv4 addresses inside those of NAT64 (RFC 6052).
 */

import { isSpecial } from '../message/address.ts';
import { EDE_OPTION, encodeExtendedError, extendedError } from '../message/ede.ts';
import type { Message } from '../message/message.ts';
import type { Name } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import { coveredType } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import { SERVICE_KEY } from '../message/wire/service-parameter.ts';
import type { Answered, Answering } from '../serving/answering.ts';
import { embedded, type Nat64Prefix, WELL_KNOWN } from './nat64.ts';

/** The same answers without private addresses, but for names that are one's own. */
export function withoutRebinding(
  { answer }: Answering,
  isOwn: (name: Name) => boolean,
  nat64: () => Nat64Prefix | undefined,
): Answering {
  return {
    async answer(query, asker, transport, before) {
      const answered = await answer(query, asker, transport, before);
      const [question] = query.questions;
      // What was decided about the first name here is authoritative, or made here altogether.
      const isHome = answered.response.authoritative || isMadeHere(answered);
      return question === undefined || isHome || isOwn(question.name)
        ? answered
        : withoutPrivate(answered, [WELL_KNOWN, nat64() ?? WELL_KNOWN]);
    },
  };
}

function isMadeHere({ from, response }: Answered): boolean {
  return from === 'local' && response.answers.every(({ type }) => type !== TYPE.CNAME);
}

function withoutPrivate(answered: Answered, prefixes: readonly Nat64Prefix[]): Answered {
  const { response } = answered;
  const isPrivateHere = (record: ResourceRecord) => isPrivate(record, prefixes);
  const kept = response.answers.filter((record) => !isPrivateHere(record));
  if (kept.length === response.answers.length) return answered;
  const error = extendedError('private-address');
  const changed = new Set(response.answers.filter(isPrivateHere).map(({ type }) => type));
  // A signature over what is not there any more helps nobody.
  const answers = kept.filter(
    ({ type, rdata }) => type !== TYPE.RRSIG || !changed.has(coveredType(rdata)),
  );
  const said = { code: EDE_OPTION, data: encodeExtendedError(error) };
  const message: Message = {
    ...response,
    answers,
    authenticData: false,
    edns: response.edns && { ...response.edns, options: [...response.edns.options, said] },
  };
  return { ...answered, response: message, error };
}

function isPrivate({ type, rdata }: ResourceRecord, prefixes: readonly Nat64Prefix[]): boolean {
  if (type === TYPE.A || type === TYPE.AAAA) return isPrivateAddress(rdata, prefixes);
  return (type === TYPE.SVCB || type === TYPE.HTTPS) && hasPrivateHint(rdata, prefixes);
}

/** One that leads to a private address through a NAT64 is one too; the NAT64's own may be any. */
function isPrivateAddress(octets: Uint8Array, prefixes: readonly Nat64Prefix[]): boolean {
  for (const prefix of prefixes) {
    const inside = embedded(prefix, octets);
    if (inside !== undefined) return isSpecial(inside);
  }
  return isSpecial(octets);
}

/** Looks into the parameters of an SVCB record; one that cannot be read has no hint. */
function hasPrivateHint(rdata: Uint8Array, prefixes: readonly Nat64Prefix[]): boolean {
  const word = (at: number) => ((rdata[at] ?? 0) << 8) | (rdata[at + 1] ?? 0);
  let at = 2;
  while (at < rdata.length && rdata[at] !== 0) at += 1 + (rdata[at] ?? 0);
  for (at++; at + 4 <= rdata.length; at += 4 + word(at + 2)) {
    const size = HINTS.get(word(at));
    const value = rdata.subarray(at + 4, at + 4 + word(at + 2));
    for (let next = 0; size !== undefined && next + size <= value.length; next += size) {
      if (isPrivateAddress(value.subarray(next, next + size), prefixes)) return true;
    }
  }
  return false;
}

const HINTS: ReadonlyMap<number, number> = new Map([
  [SERVICE_KEY.ipv4hint, 4],
  [SERVICE_KEY.ipv6hint, 16],
]);
