/**
 * What may be said of what was found: nothing bogus, nothing vouched for that was not checked (I1),
 * and signatures only to who asks for them.
 *
 * @see RFC 4035 §3.2.1 (DO), RFC 6840 §5.9 (CD), RFC 8767 §6, RFC 9824 §5
 */

import { extendedError, isReason } from '../message/ede.ts';
import type { Message, Question } from '../message/message.ts';
import type { Name } from '../message/name.ts';
import type { ResourceRecord } from '../message/record.ts';
import { type RRset, recordsOf } from '../message/rrset.ts';
import { RCODE, TYPE } from '../message/type.ts';
import type { Judgement } from '../recursion/judgement.ts';
import type { Judged } from '../recursion/validation.ts';
import { bare, type Content } from './response.ts';

/** Where an answer came from; for aliases, where the last name's did. */
export type Origin = 'zone' | 'cache' | 'recursion' | 'forward' | 'policy' | 'local';

/** What one name of a chain of aliases adds to the answer. */
export type Part = Content & {
  readonly from: Origin;
  readonly target?: Name;
  readonly isBogus?: boolean;
};

/** What was found, as far as it may leave. */
export function partOf(query: Message, question: Question, judged: Judged): Part {
  const part = fromValidation(query, question, judged);
  return judged.isStale ? asStale(part) : part;
}

/** Nothing bogus, unless the asker checks by itself. */
function fromValidation(query: Message, question: Question, judged: Judged): Part {
  const { judgement, from } = judged;
  switch (judgement?.state) {
    case undefined:
      return fromRecursion(query, question, judged);
    case 'bogus': {
      if (query.checkingDisabled) return fromRecursion(query, question, judged);
      const error = extendedError(judgement.reason);
      return { ...bare(RCODE.SERVFAIL, error), from, isBogus: true };
    }
    case 'insecure': {
      const part = fromRecursion(query, question, judged);
      return { ...part, error: part.error ?? errorOf(judgement) };
    }
    case 'secure': {
      const part = { ...fromRecursion(query, question, judged), isSecure: true };
      // Who asks for signatures gets what is signed; the others what it means (RFC 9824 §5).
      const isTold = judgement.isDenial && (!wantsSignatures(query) || query.edns?.compactOk);
      const error = judgement.isTimed ? part.error : extendedError('times-not-checked');
      return { ...part, error, rcode: isTold ? RCODE.NXDOMAIN : part.rcode };
    }
  }
}

/** Why what is not vouched for is not: only what is no everyday matter. */
function errorOf({ reason, isTimed }: Extract<Judgement, { state: 'insecure' }>) {
  if (isReason(reason)) return extendedError(reason);
  return isTimed ? undefined : extendedError('times-not-checked');
}

/** What is old is said to be (RFC 8767 §6), and is not vouched for: its signatures may have ended. */
function asStale(part: Part): Part {
  const reason = part.rcode === RCODE.NXDOMAIN ? 'stale-no-name' : 'stale-answer';
  return { ...part, isSecure: false, error: extendedError(reason) };
}

function fromRecursion(query: Message, question: Question, { outcome, from }: Judged): Part {
  const withSignatures = wantsSignatures(query);
  const print = (rrsets: readonly RRset[]) =>
    rrsets.flatMap((rrset) => recordsOf(asAsked(rrset, question), withSignatures));
  const shown = (proof: readonly ResourceRecord[]) => (withSignatures ? proof : []);
  switch (outcome.kind) {
    case 'answer':
      return {
        ...bare(RCODE.NOERROR),
        answers: print([outcome.rrset]),
        authorities: shown(outcome.proof),
        from,
      };
    case 'alias': {
      const part = {
        ...bare(RCODE.NOERROR),
        answers: print(outcome.rrsets),
        authorities: shown(outcome.proof),
        from,
      };
      // A question for the alias itself ends here, also when a DNAME made it.
      return question.type === TYPE.CNAME ? part : { ...part, target: outcome.target };
    }
    case 'no-data':
    case 'no-name': {
      const rcode = outcome.kind === 'no-name' ? RCODE.NXDOMAIN : RCODE.NOERROR;
      const { denial, proof = [] } = outcome;
      const authorities = denial ? [denial.soa, ...shown(denial.proof)] : shown(proof);
      return { ...bare(rcode), authorities, from };
    }
    case 'failure': {
      const rcode = outcome.dname === undefined ? RCODE.SERVFAIL : RCODE.YXDOMAIN;
      const answers = outcome.dname === undefined ? [] : print([outcome.dname]);
      return { ...bare(rcode, extendedError(outcome.reason)), answers, from };
    }
  }
}

/** The owner in the letters it was asked in: some stubs compare case. */
function asAsked(rrset: RRset, { name }: Question): RRset {
  return rrset.owner.key === name.key ? { ...rrset, owner: name } : rrset;
}

/** Whether the asker wants signatures. */
function wantsSignatures({ edns }: Message): boolean {
  return edns?.dnssecOk === true;
}
