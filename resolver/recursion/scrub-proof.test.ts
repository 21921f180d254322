/**
 * What scrubbing leaves for the validator.
 */

import { expect, test } from 'vitest';
import { RCODE, TYPE } from '../message/type.ts';
import { nameOf, replyTo } from './reply.fixture.ts';
import { scrub } from './scrub.ts';

const SIGNED = '13 1 60 20300101000000 20200101000000 4711 example. AAAA';

const asked = (name: string, type: number) => ({
  name: nameOf(name),
  type,
  zone: nameOf('example.'),
  isForwarder: false,
  allowsSpecial: true,
});

test('a CNAME below a DNAME is the DNAME’s: that is what is signed (RFC 6672 §5.3.1)', () => {
  const answers = [
    'd.example. DNAME other.',
    `d.example. RRSIG DNAME ${SIGNED}`,
    'x.d.example. CNAME x.other.',
  ];
  for (const type of [TYPE.CNAME, TYPE.A]) {
    const reply = scrub(replyTo('x.d.example.', type, { answers }), asked('x.d.example.', type));
    expect(reply).toMatchObject({
      kind: 'alias',
      aliases: [{ type: TYPE.DNAME }, { type: TYPE.CNAME }],
    });
  }
});

test.each([
  { rcode: RCODE.NOERROR, kind: 'no-data' },
  { rcode: RCODE.NXDOMAIN, kind: 'no-name' },
])('NSEC without SOA is kept as a proof: $kind', ({ rcode, kind }) => {
  const authorities = ['w.example. NSEC y.example. A', `w.example. RRSIG NSEC ${SIGNED}`];
  const reply = replyTo('x.example.', TYPE.A, { authorities }, { rcode, authoritative: false });
  const scrubbed = scrub(reply, asked('x.example.', TYPE.A));
  expect(scrubbed).toMatchObject({ kind, denial: undefined });
  expect(scrubbed).toHaveProperty('proof.length', 2);
});

test('a referral brings the proof that there is no DS', () => {
  const authorities = [
    'sub.example. NS ns.sub.example.',
    'sub.example. NSEC t.example. NS RRSIG NSEC',
    `sub.example. RRSIG NSEC ${SIGNED}`,
    'other. NSEC z. A',
  ];
  const reply = replyTo('x.sub.example.', TYPE.A, { authorities }, { authoritative: false });
  const scrubbed = scrub(reply, asked('x.sub.example.', TYPE.A));
  expect(scrubbed).toMatchObject({ kind: 'referral', ds: undefined });
  expect(scrubbed).toHaveProperty('cut.noDs.length', 2);
});
