/**
 * The authoritative server as a function: a query and a time in, the signed answer out.
 *
 * Pure apart from the memory of signatures. It knows one zone; who may ask, over which socket, and
 * finding the zone for a name are the server's part. No transfers: who could copy the zone could
 * list the devices (I10).
 *
 * @see RFC 1034 §4.3.2, RFC 4035 §3.1: answers; plan.ts decides what goes in
 * @see RFC 6891 §6.1.3: EDNS versions
 * @see RFC 8906: what to say to questions that are not about data
 * @see RFC 9619: one question for each query
 */

import type { Crypto } from '#runtime';
import { keySets, type ZoneKey } from '../dnssec/keys.ts';
import { createZoneSigner, type SigningTime, type ZoneSigner } from '../dnssec/sign.ts';
import { EDE_OPTION, type ExtendedError, encodeExtendedError } from '../message/ede.ts';
import type { Edns, EdnsOption } from '../message/edns.ts';
import type { Message } from '../message/message.ts';
import { isWithin, type Name } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import { CLASS, OPCODE, RCODE, TYPE } from '../message/type.ts';
import type { Line, Plan } from './plan.ts';
import { createPlanner } from './planner.ts';
import { type RecordSet, withApexSets, type Zone } from './zone.ts';

/** What an answer depends on besides the question. */
export type AnswerContext = SigningTime & {
  /** Most seconds a device's records may be kept, e.g. until policy decides anew. */
  readonly ttlCap?: number;
  /** False: the answer ends at the first alias, whose target policy has yet to rule on (I10). */
  readonly followAliases?: boolean;
};

/** A zone and its keys, ready to answer. */
export type Authority = {
  readonly apex: Name;
  /** Answers any query that reached this zone; what is not about it is REFUSED. */
  answer(query: Message, context: AnswerContext): Message;
  /** The same keys and remembered signatures with the zone's next version. */
  withZone(zone: Zone): Authority;
};

export type AuthorityOptions = {
  readonly zone: Zone;
  /** All of them sign: two during a rollover, else one. */
  readonly keys: readonly ZoneKey[];
  readonly crypto: Pick<Crypto, 'signer' | 'hash'>;
};

/** What we accept in one datagram (DNS flag day 2020; RFC 9715 §3.1). */
const UDP_SIZE = 1_232;

/** Why a query gets no data. */
type Refusal =
  | 'not-a-query'
  | 'not-one-question'
  | 'bad-edns-version'
  | 'bad-type'
  | 'wrong-class'
  | 'transfer'
  | 'not-mine';

const REFUSALS = {
  'not-a-query': { rcode: RCODE.NOTIMP },
  'not-one-question': { rcode: RCODE.FORMERR },
  'bad-edns-version': { rcode: RCODE.BADVERS },
  'bad-type': { rcode: RCODE.FORMERR, error: { code: 30, text: 'not a type to ask for' } },
  'wrong-class': { rcode: RCODE.REFUSED, error: { code: 21, text: 'only class IN is served' } },
  transfer: { rcode: RCODE.REFUSED, error: { code: 18, text: 'this zone is not transferred' } },
  'not-mine': { rcode: RCODE.REFUSED, error: { code: 20, text: 'not authoritative' } },
} as const satisfies Record<Refusal, { rcode: number; error?: ExtendedError }>;

/** Types of records that only accompany messages, and 0, which is none (RFC 6895 §3.1). */
const UNASKABLE: ReadonlySet<number> = new Set([0, TYPE.OPT, TYPE.NXNAME, TYPE.TKEY, TYPE.TSIG]);

/** Makes the authority of a zone. */
export function createAuthority({ zone, keys, crypto }: AuthorityOptions): Authority {
  const signer = createZoneSigner(crypto, zone.apex, keys);
  return authorityOf(zone, keySets(crypto, zone.apex, keys), signer);
}

/** The authority of a zone that nobody signs: it answers as if nobody wanted proofs. */
export function authorityOfPlain(zone: Zone): Omit<Authority, 'withZone'> {
  const { apex, answer } = authorityOf(zone, [], { signatures: () => [] });
  return {
    apex,
    answer(query, context) {
      const { edns } = query;
      const plain = { ...query, edns: edns && { ...edns, dnssecOk: false } };
      return answer(plain, context);
    },
  };
}

function authorityOf(bare: Zone, sets: readonly RecordSet[], signer: ZoneSigner): Authority {
  const zone = withApexSets(bare, sets);
  const planFor = createPlanner(zone);
  return {
    apex: zone.apex,
    answer(query, context) {
      const refusal = refusalOf(query, zone.apex);
      if (refusal !== undefined) return refuse(query, refusal);
      const [question] = query.questions;
      if (question === undefined) throw new Error('unreachable: checked above');
      return respond(query, planFor(question, context.followAliases), (line, isAnswer) => {
        const isDevice = isAnswer && line.set.owner.key !== zone.apex.key;
        const ttl = Math.min(line.set.ttl, (isDevice ? context.ttlCap : undefined) ?? line.set.ttl);
        const wanted = line.bare === true || (line.signed && query.edns?.dnssecOk === true);
        return recordsOf(line, ttl, wanted ? signer.signatures(line.set, context) : []);
      });
    },
    withZone: (next) => authorityOf(next, sets, signer),
  };
}

/** The records of a line; the signed original TTL stays what it is (RFC 4034 §3.1.4). */
function recordsOf(
  { owner, set, bare }: Line,
  ttl: number,
  signatures: readonly Uint8Array[],
): ResourceRecord[] {
  const shared = { owner, class: CLASS.IN, ttl };
  const data = bare === true ? [] : set.rdatas;
  return [
    ...data.map((rdata) => ({ ...shared, type: set.type, rdata })),
    ...signatures.map((rdata) => ({ ...shared, type: TYPE.RRSIG, rdata })),
  ];
}

/** Fills the message. AD is never ours to set (I1), nor CD to keep (RFC 4035 §3.1.6). */
function respond(
  query: Message,
  plan: Plan,
  print: (line: Line, isAnswer: boolean) => ResourceRecord[],
): Message {
  const proofs = query.edns?.dnssecOk === true ? plan.proofs : [];
  return {
    ...emptyResponse(query, plan.rcode),
    authoritative: plan.authoritative,
    answers: plan.answers.flatMap((line) => print(line, true)),
    authorities: [...plan.authorities, ...proofs].flatMap((line) => print(line, false)),
    additionals: plan.additionals.flatMap((line) => print(line, false)),
  };
}

function refuse(query: Message, refusal: Refusal): Message {
  const { rcode, error }: { rcode: number; error?: ExtendedError } = REFUSALS[refusal];
  const options = error && [{ code: EDE_OPTION, data: encodeExtendedError(error) }];
  return emptyResponse(query, rcode, options);
}

function emptyResponse(
  query: Message,
  rcode: number,
  options: readonly EdnsOption[] = [],
): Message {
  return {
    id: query.id,
    response: true,
    opcode: query.opcode,
    authoritative: false,
    truncated: false,
    recursionDesired: query.recursionDesired,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode,
    questions: query.questions.slice(0, 1),
    answers: [],
    authorities: [],
    additionals: [],
    edns: ednsFor(query.edns, options),
  };
}

/** EDNS is answered with EDNS, DO copied (RFC 6891 §7, RFC 3225 §3). */
function ednsFor(asked: Edns | undefined, options: readonly EdnsOption[]): Edns | undefined {
  if (asked === undefined) return undefined;
  return { udpSize: UDP_SIZE, version: 0, dnssecOk: asked.dnssecOk, options };
}

function refusalOf(query: Message, apex: Name): Refusal | undefined {
  const [question, ...more] = query.questions;
  if (query.edns !== undefined && query.edns.version !== 0) return 'bad-edns-version';
  if (query.opcode !== OPCODE.QUERY) return 'not-a-query';
  if (query.response || question === undefined || more.length > 0) return 'not-one-question';
  if (question.class !== CLASS.IN) return 'wrong-class';
  if (question.type === TYPE.AXFR || question.type === TYPE.IXFR) return 'transfer';
  if (UNASKABLE.has(question.type)) return 'bad-type';
  return isWithin(question.name, apex) ? undefined : 'not-mine';
}
