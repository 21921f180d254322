import { expect, test } from 'vitest';
import { RCODE, TYPE } from '../message/type.ts';
import { fullBudget } from '../recursion/budget.ts';
import { insecure, type Judgement } from '../recursion/judgement.ts';
import { nameOf, recordOf } from '../recursion/reply.fixture.ts';
import { partOf } from './part.ts';
import { queryFor } from './response.ts';

const WWW = nameOf('www.example.');
const { owner, type, ttl, rdata } = recordOf('www.example. 60 A 192.0.2.1');
const rrset = { owner, type, ttl, rdatas: [rdata], signatures: [] };

test.each<{ judgement: Judgement; code: number | undefined; why: string }>([
  {
    judgement: { state: 'secure', isDenial: false, isTimed: true },
    code: undefined,
    why: 'checked, by the date too',
  },
  {
    judgement: { state: 'secure', isDenial: false, isTimed: false },
    code: 0,
    why: 'without a date that is said, and the answer is not repeated later (I9)',
  },
  {
    judgement: insecure('unsigned-delegation', true),
    code: undefined,
    why: 'proven to be unsigned',
  },
  {
    judgement: insecure('unsigned-delegation', false),
    code: 0,
    why: 'by a proof that may be out of date',
  },
  { judgement: insecure('no-anchor', false), code: undefined, why: 'nothing that could be' },
  {
    judgement: insecure('unsupported-algorithm', false),
    code: 1,
    why: 'the graver reason is told',
  },
])('$judgement: $why', ({ judgement, code }) => {
  const query = queryFor(WWW, TYPE.A);
  const [question] = query.questions;
  if (question === undefined) throw new Error('no question');
  const outcome = { kind: 'answer', rrset, proof: [] } as const;
  const judged = { outcome, judgement, budget: fullBudget(0), from: 'recursion' } as const;
  expect(partOf(query, question, judged).error?.code).toBe(code);
});

const EDNS = { udpSize: 1232, version: 0, options: [] };

test.each([
  { edns: undefined, rcode: RCODE.NXDOMAIN, why: 'without EDNS the name is denied' },
  { edns: { ...EDNS, dnssecOk: false }, rcode: RCODE.NXDOMAIN, why: 'so it is without DO' },
  { edns: { ...EDNS, dnssecOk: true }, rcode: RCODE.NOERROR, why: 'DO: as it is signed' },
  {
    edns: { ...EDNS, dnssecOk: true, compactOk: true },
    rcode: RCODE.NXDOMAIN,
    why: 'DO and CO: whoever asks knows what NXNAME is',
  },
])('compact denial, $rcode: $why (RFC 9824 §5)', ({ edns, rcode }) => {
  const query = { ...queryFor(WWW, TYPE.A), edns };
  const [question] = query.questions;
  if (question === undefined) throw new Error('no question');
  const judgement: Judgement = { state: 'secure', isDenial: true, isTimed: true };
  const outcome = { kind: 'no-data', denial: undefined } as const;
  const judged = { outcome, judgement, budget: fullBudget(0), from: 'recursion' } as const;
  expect(partOf(query, question, judged)).toMatchObject({ rcode, isSecure: true });
});
