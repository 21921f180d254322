/**
 * Queries checked and responses put together: everything about a message that is not its answer.
 *
 * @see RFC 1035 §4.1.1, RFC 6891 §6 and §7, RFC 8906: what servers must say to odd queries
 * @see RFC 4035 §3.2.2: CD is copied; RFC 9824 §3.5: NXNAME is no question
 * @see RFC 6840 §5.7, §5.8: AD for who asked with AD or DO, and only when all is secure (I1)
 */

import type { Endpoint } from '#runtime';
import {
  EDE_OPTION,
  type ExtendedError,
  encodeExtendedError,
  extendedError,
} from '../message/ede.ts';
import type { EdnsOption } from '../message/edns.ts';
import type { DecodedMessage, Message, Question } from '../message/message.ts';
import type { Name } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import { CLASS, OPCODE, RCODE, TYPE } from '../message/type.ts';
import { UDP_SIZE } from '../upstream/upstream.ts';

/** What an answer consists of. */
export type Content = {
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  readonly error: ExtendedError | undefined;
  /** EDNS options besides the error. */
  readonly options: readonly EdnsOption[];
  /** Everything in answer and authority was validated. */
  readonly isSecure?: boolean;
};

/** DoT is RFC 7858, DoH RFC 8484. */
export type Transport = 'udp' | 'tcp' | 'dot' | 'doh';

/** Answers a well-formed query. */
export type Handle = (query: Message, asker: Endpoint, transport: Transport) => Promise<Message>;

/** A content without records. */
export function bare(rcode: number, error?: ExtendedError): Content {
  const empty = { answers: [], authorities: [], additionals: [], options: [] };
  return { rcode, authoritative: false, error, ...empty };
}

/** Makes the response to `query`. */
export function respond(query: Message, content: Content): Message {
  const { rcode, authoritative, answers, authorities, additionals, error, options } = content;
  const said = error ? [{ code: EDE_OPTION, data: encodeExtendedError(error) }] : [];
  return {
    id: query.id,
    response: true,
    opcode: query.opcode,
    authoritative,
    truncated: false,
    recursionDesired: query.recursionDesired,
    recursionAvailable: true,
    authenticData: content.isSecure === true && wantsAuthentic(query),
    checkingDisabled: query.checkingDisabled,
    rcode,
    questions: query.questions,
    answers,
    authorities,
    additionals,
    edns: query.edns && {
      udpSize: UDP_SIZE,
      version: 0,
      dnssecOk: query.edns.dnssecOk,
      options: [...options, ...said],
    },
  };
}

function wantsAuthentic({ authenticData, edns }: Message): boolean {
  return authenticData || edns?.dnssecOk === true;
}

/** Types of records that only accompany messages, and 0, which is none (RFC 6895 §3.1). */
const NEVER_ASKED: ReadonlySet<number> = new Set([0, TYPE.OPT, TYPE.TKEY, TYPE.TSIG]);

/** The question, or the refusal that needs no look at any data. */
export function checkQuery(
  query: Message,
): { ok: true; question: Question } | { ok: false; content: Content } {
  const refuse = (content: Content) => ({ ok: false, content }) as const;
  if (query.edns !== undefined && query.edns.version !== 0) return refuse(bare(RCODE.BADVERS));
  if (query.opcode !== OPCODE.QUERY) return refuse(bare(RCODE.NOTIMP));
  const [question, ...more] = query.questions;
  if (question === undefined || more.length > 0) return refuse(bare(RCODE.FORMERR));
  // Meta-classes in a question broke BIND more than once (CVE-2026-5946).
  if (
    question.class === CLASS.ANY ||
    question.class === CLASS.NONE ||
    NEVER_ASKED.has(question.type)
  ) {
    return refuse(bare(RCODE.FORMERR));
  }
  if (question.type === TYPE.NXNAME) {
    return refuse(bare(RCODE.FORMERR, extendedError('bitmap-type')));
  }
  if (question.class !== CLASS.IN) {
    return refuse(bare(RCODE.REFUSED, extendedError('unsupported-class')));
  }
  return { ok: true, question };
}

/** Types that are asked of zones only: transfers, and what RFC 1035 made obsolete. */
const NOT_RECURSED: ReadonlySet<number> = new Set([TYPE.AXFR, TYPE.IXFR, TYPE.MAILA, TYPE.MAILB]);

/** Tells whether questions of this type can be recursed for. */
export function canRecurse(type: number): boolean {
  return !NOT_RECURSED.has(type);
}

/** `HINFO "RFC8482" ""`: the whole answer to ANY (RFC 8482 §4.2). */
export const ANY_RDATA = new Uint8Array([7, 0x52, 0x46, 0x43, 0x38, 0x34, 0x38, 0x32, 0]);

/** FORMERR for octets that are no message but have an id, and are not a response themselves. */
export function refusalOf(decoded: Extract<DecodedMessage, { ok: false }>): Message | undefined {
  const { id, response, opcode = OPCODE.QUERY, recursionDesired = false, question } = decoded;
  if (id === undefined || response === true) return undefined;
  const query: Message = {
    id,
    response: false,
    opcode,
    authoritative: false,
    truncated: false,
    recursionDesired,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: RCODE.NOERROR,
    questions: question === undefined ? [] : [question],
    answers: [],
    authorities: [],
    additionals: [],
    edns: undefined,
  };
  return respond(query, bare(RCODE.FORMERR));
}

/** A query as a program of this machine asks it. */
export function queryFor(name: Name, type: number): Message {
  return {
    id: 0,
    response: false,
    opcode: OPCODE.QUERY,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: RCODE.NOERROR,
    questions: [{ name, type, class: CLASS.IN }],
    answers: [],
    authorities: [],
    additionals: [],
    edns: { udpSize: UDP_SIZE, version: 0, dnssecOk: false, options: [] },
  };
}
