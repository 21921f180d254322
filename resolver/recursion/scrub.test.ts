import { describe, expect, test } from 'vitest';
import type { Message } from '../message/message.ts';
import { printName } from '../message/name.ts';
import { RCODE, TYPE } from '../message/type.ts';
import { nameOf, recordOf, replyTo } from './reply.fixture.ts';
import {
  type Asked,
  MAX_ADDRESSES_PER_SERVER,
  MAX_SERVERS_PER_REFERRAL,
  type Reply,
  scrub,
} from './scrub.ts';

const SOA = 'example. SOA ns.example. host.example. 1 2 3 4 60';

const asked = (name: string, more: Partial<Asked> = {}): Asked => ({
  name: nameOf(name),
  type: TYPE.A,
  zone: nameOf('example.'),
  isForwarder: false,
  allowsSpecial: false,
  ...more,
});

/** A reply in one line. */
function print(reply: Reply): string {
  switch (reply.kind) {
    case 'answer':
      return `answer ${printName(reply.rrset.owner)} after ${reply.aliases.length}`;
    case 'alias':
      return `alias to ${printName(reply.target)}`;
    case 'no-data':
    case 'no-name':
      return `${reply.kind} ${reply.denial === undefined ? 'bare' : printName(reply.denial.soa.owner)}`;
    case 'referral': {
      const servers = reply.cut.servers.map(
        ({ name, addresses }) => `${printName(name)}${addresses.length}`,
      );
      return `referral ${printName(reply.cut.zone)} ${servers.join(' ')}`;
    }
    default:
      return reply.kind;
  }
}

type Case = {
  name: string;
  sections?: Parameters<typeof replyTo>[2];
  more?: Partial<Message>;
  asked?: Partial<Asked>;
  is: string;
  why: string;
};

describe('answers', () => {
  test.each<Case>([
    {
      name: 'www.example.',
      sections: { answers: ['www.example. A 192.0.2.1'] },
      is: 'answer www.example. after 0',
      why: 'plain',
    },
    {
      name: 'www.example.',
      sections: { answers: ['other.example. A 192.0.2.1'], authorities: [SOA] },
      is: 'no-data example.',
      why: 'an answer about another name is none',
    },
    {
      name: 'www.example.',
      sections: { answers: ['www.example. CNAME a.example.', 'a.example. A 192.0.2.1'] },
      is: 'answer a.example. after 1',
      why: 'CNAME with its target',
    },
    {
      name: 'www.example.',
      sections: { answers: ['a.example. A 192.0.2.1', 'www.example. CNAME a.example.'] },
      is: 'answer a.example. after 1',
      why: 'in any order',
    },
    {
      name: 'www.example.',
      sections: { answers: ['www.example. CNAME a.test.', 'a.test. A 192.0.2.1'] },
      is: 'alias to a.test.',
      why: "the target is not this server's to say",
    },
    {
      name: 'www.example.',
      sections: { answers: ['www.example. CNAME a.example.'], authorities: [SOA] },
      more: { rcode: RCODE.NXDOMAIN },
      is: 'alias to a.example.',
      why: 'a denied target is asked for again',
    },
    {
      name: 'a.example.',
      sections: { answers: ['a.example. CNAME b.example.', 'b.example. CNAME a.example.'] },
      is: 'alias-loop',
      why: 'two CNAMEs in a circle',
    },
    {
      name: 'a.example.',
      sections: { answers: ['a.example. CNAME a.example.'] },
      is: 'alias-loop',
      why: 'a CNAME to itself',
    },
    {
      name: 'x.d.example.',
      sections: { answers: ['d.example. DNAME t.test.'] },
      is: 'alias to x.t.test.',
      why: 'DNAME without its CNAME',
    },
    {
      name: 'x.d.example.',
      sections: { answers: ['d.example. DNAME t.test.', 'x.d.example. CNAME evil.test.'] },
      is: 'alias to x.t.test.',
      why: 'the CNAME is made from the DNAME, whatever came',
    },
    {
      name: 'x.example.',
      sections: { answers: ['example.net. DNAME t.test.'], authorities: [SOA] },
      is: 'no-data example.',
      why: 'a DNAME out of bailiwick (CVE-2025-40778)',
    },
    {
      name: 'd.example.',
      sections: { answers: ['d.example. DNAME t.test.'], authorities: [SOA] },
      is: 'no-data example.',
      why: 'a DNAME says nothing about its own owner (RFC 6672 §2.3)',
    },
    {
      name: `xyz.${'d'.repeat(60)}.example.`,
      sections: {
        answers: [
          `${'d'.repeat(60)}.example. DNAME ${['a', 'b', 'c'].map((l) => l.repeat(63)).join('.')}.${'d'.repeat(59)}.`,
        ],
      },
      is: 'alias-too-long',
      why: 'YXDOMAIN (RFC 6672 §2.2)',
    },
    {
      name: 'www.example.',
      sections: { answers: ['www.example. A 192.0.2.1'] },
      more: { authoritative: false },
      is: 'answer www.example. after 0',
      why: 'AA forgotten',
    },
    {
      name: 'www.example.',
      sections: { answers: ['www.example. A 192.0.2.1'] },
      more: { authoritative: false, recursionAvailable: true },
      is: 'lame',
      why: "a resolver, not the zone's server",
    },
    {
      name: 'www.test.',
      asked: { zone: nameOf('.'), isForwarder: true },
      sections: { answers: ['www.test. A 192.0.2.1'] },
      more: { authoritative: false, recursionAvailable: true },
      is: 'answer www.test. after 0',
      why: 'from a forwarder',
    },
  ])('$why', ({ name, sections, more, asked: changes, is }) => {
    const reply = replyTo(name, TYPE.A, sections, more);
    expect(print(scrub(reply, asked(name, changes)))).toBe(is);
  });

  test('a question for CNAME is answered by the one a DNAME makes', () => {
    const reply = replyTo('x.d.example.', TYPE.CNAME, { answers: ['d.example. DNAME t.test.'] });
    const read = scrub(reply, asked('x.d.example.', { type: TYPE.CNAME }));
    expect(read).toMatchObject({
      kind: 'alias',
      aliases: [{ type: TYPE.DNAME }, { type: TYPE.CNAME }],
    });
  });

  test('other classes are no part of a set', () => {
    const chaos = { ...recordOf('www.example. A 192.0.2.66'), class: 3 };
    const reply = replyTo('www.example.', TYPE.A, { answers: ['www.example. A 192.0.2.1'] });
    const read = scrub({ ...reply, answers: [...reply.answers, chaos] }, asked('www.example.'));
    expect(read).toMatchObject({
      kind: 'answer',
      rrset: { rdatas: [new Uint8Array([192, 0, 2, 1])] },
    });
  });
});

describe('denials', () => {
  test.each<Case>([
    {
      name: 'no.example.',
      sections: { authorities: [SOA] },
      more: { rcode: RCODE.NXDOMAIN },
      is: 'no-name example.',
      why: 'NXDOMAIN',
    },
    {
      name: 'www.example.',
      sections: { authorities: [SOA] },
      is: 'no-data example.',
      why: 'NODATA',
    },
    { name: 'www.example.', is: 'no-data bare', why: 'NODATA without SOA is believed once' },
    {
      name: 'no.example.',
      sections: { authorities: ['test. SOA a.test. b.test. 1 2 3 4 5'] },
      more: { rcode: RCODE.NXDOMAIN },
      is: 'no-name bare',
      why: 'a SOA of another zone limits nothing',
    },
    {
      name: 'no.example.',
      sections: { authorities: ['sub.example. SOA a.test. b.test. 1 2 3 4 5'] },
      more: { rcode: RCODE.NXDOMAIN },
      is: 'no-name bare',
      why: 'nor one beside the name',
    },
    {
      name: 'no.example.',
      more: { rcode: RCODE.NXDOMAIN, authoritative: false },
      is: 'lame',
      why: 'a denial without authority',
    },
    { name: 'no.example.', more: { rcode: RCODE.SERVFAIL }, is: 'failure', why: 'SERVFAIL' },
    { name: 'no.example.', more: { rcode: RCODE.REFUSED }, is: 'failure', why: 'REFUSED' },
    { name: 'no.example.', more: { rcode: 23 }, is: 'failure', why: 'a code we do not know' },
  ])('$why', ({ name, sections, more, is }) => {
    expect(print(scrub(replyTo(name, TYPE.A, sections, more), asked(name)))).toBe(is);
  });
});

describe('referrals', () => {
  const glue = (octet: number) => `ns.sub.example. A 198.51.100.${octet}`;
  test.each<Case>([
    {
      name: 'www.sub.example.',
      sections: { authorities: ['sub.example. NS ns.sub.example.'], additionals: [glue(1)] },
      is: 'referral sub.example. ns.sub.example.1',
      why: 'down, with glue',
    },
    {
      name: 'www.sub.example.',
      sections: {
        authorities: ['sub.example. NS ns.test.'],
        additionals: ['ns.test. A 198.51.100.1'],
      },
      is: 'referral sub.example. ns.test.0',
      why: 'glue outside the parent is not believed',
    },
    {
      name: 'www.sub.example.',
      sections: {
        authorities: ['sub.example. NS ns.sub.example.'],
        additionals: ['ns2.sub.example. A 198.51.100.1'],
      },
      is: 'referral sub.example. ns.sub.example.0',
      why: 'an address nobody refers to',
    },
    {
      name: 'www.sub.example.',
      sections: {
        authorities: ['sub.example. NS ns.sub.example.'],
        additionals: [
          'ns.sub.example. A 192.168.0.1',
          'ns.sub.example. AAAA ::1',
          'ns.sub.example. AAAA fe80::1',
        ],
      },
      is: 'referral sub.example. ns.sub.example.0',
      why: 'private and local addresses',
    },
    {
      name: 'www.sub.example.',
      sections: {
        authorities: ['sub.example. NS ns.sub.example.'],
        additionals: Array.from({ length: 20 }, (_, i) => glue(i)),
      },
      is: `referral sub.example. ns.sub.example.${MAX_ADDRESSES_PER_SERVER}`,
      why: 'not more addresses than the limit (CVE-2026-3592)',
    },
    {
      name: 'www.sub.example.',
      sections: { authorities: ['. NS a.root.'] },
      more: { authoritative: false },
      is: 'lame',
      why: 'up',
    },
    {
      name: 'www.sub.example.',
      sections: { authorities: ['example. NS ns.example.'] },
      more: { authoritative: false },
      is: 'lame',
      why: 'to itself',
    },
    {
      name: 'www.sub.example.',
      sections: { authorities: ['other.example. NS ns.example.'] },
      more: { authoritative: false },
      is: 'lame',
      why: 'sideways',
    },
    {
      name: 'www.sub.example.',
      sections: { authorities: ['below.www.sub.example. NS ns.example.'] },
      more: { authoritative: false },
      is: 'lame',
      why: 'past the name',
    },
    {
      name: 'www.sub.example.',
      sections: { authorities: ['sub.example. NS ns.example.', SOA] },
      is: 'no-data example.',
      why: 'a SOA makes it a denial',
    },
    {
      name: 'sub.example.',
      asked: { type: TYPE.DS },
      sections: { authorities: ['sub.example. NS ns.example.'] },
      more: { authoritative: false },
      is: 'lame',
      why: "DS is the parent's to answer (RFC 4035 §4.2)",
    },
  ])('$why', ({ name, sections, more = {}, asked: changes, is }) => {
    const type = changes?.type ?? TYPE.A;
    expect(print(scrub(replyTo(name, type, sections, more), asked(name, changes)))).toBe(is);
  });

  test('not more servers than the limit (NRDelegation)', () => {
    const authorities = Array.from({ length: 500 }, (_, i) => `sub.example. NS ns${i}.test.`);
    const read = scrub(
      replyTo('sub.example.', TYPE.A, { authorities }, { authoritative: false }),
      asked('sub.example.'),
    );
    expect(read.kind === 'referral' && read.cut.servers.length).toBe(MAX_SERVERS_PER_REFERRAL);
  });

  test("its DS comes along, another zone's does not", () => {
    const authorities = [
      'sub.example. NS ns.test.',
      'sub.example. DS 1 13 2 AA',
      'x.example. DS 2 13 2 BB',
    ];
    const read = scrub(replyTo('sub.example.', TYPE.A, { authorities }), asked('sub.example.'));
    expect(read).toMatchObject({
      kind: 'referral',
      ds: { owner: nameOf('sub.example.'), rdatas: [expect.anything()] },
    });
  });
});
