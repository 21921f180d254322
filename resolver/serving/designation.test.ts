import { describe, expect, test } from 'vitest';
import { printRecord } from '../authority/zone-file.ts';
import { TYPE } from '../message/type.ts';
import { nameOf, replyTo } from '../recursion/reply.fixture.ts';
import { createDesignation } from './designation.ts';

const ADDRESSES = ['192.168.1.1', 'fd00::1'];
const DOT = { protocol: 'dot', port: 853 } as const;
const DOH = { protocol: 'doh', port: 443 } as const;

const designation = createDesignation({
  name: nameOf('router.alice.nymote.'),
  addresses: ADDRESSES,
  services: [DOT, DOH],
});

const CONTEXT = { now: 0, clockIsSet: true };

function ask(name: string, type: number, of = designation) {
  const response = of.answer(replyTo(name, type, {}, { response: false }), CONTEXT);
  const { rcode, authoritative, answers, authorities } = response;
  return {
    rcode,
    authoritative,
    answers: answers.map((record) => printRecord(record)),
    denies: authorities.map(({ type: own }) => own),
  };
}

const HINTS = 'ipv4hint=192.168.1.1 ipv6hint=fd00::1';

test.each([
  {
    name: '_dns.resolver.arpa',
    type: TYPE.SVCB,
    answers: [
      `_dns.resolver.arpa. 300 IN SVCB 1 router.alice.nymote. alpn=dot port=853 ${HINTS}`,
      `_dns.resolver.arpa. 300 IN SVCB 2 router.alice.nymote. alpn=h2 port=443 ${HINTS} dohpath=/dns-query{?dns}`,
    ],
    why: 'the question of RFC 9462 §4',
  },
  { name: '_DNS.Resolver.ARPA', type: TYPE.SVCB, answers: 2, why: 'in any case' },
  { name: '_dns.resolver.arpa', type: TYPE.A, answers: 0, why: 'another type' },
  { name: 'resolver.arpa', type: TYPE.SVCB, answers: 0, why: 'the apex' },
  { name: 'x._dns.resolver.arpa', type: TYPE.SVCB, answers: 0, why: 'below' },
])('$name: $why', ({ name, type, answers }) => {
  const said = ask(name, type);
  if (typeof answers === 'object') {
    expect(said.answers.map((line) => line.replaceAll('"', ''))).toEqual(answers);
  } else expect(said.answers).toHaveLength(answers);
  expect(said).toMatchObject({ rcode: 0, authoritative: true });
  expect(said.denies).toEqual(said.answers.length === 0 ? [TYPE.SOA] : []);
});

test('without encrypted services it says that there are none', () => {
  const none = createDesignation();
  expect(ask('_dns.resolver.arpa', TYPE.SVCB, none)).toMatchObject({
    answers: [],
    denies: [TYPE.SOA],
  });
  expect(none.dnr).toEqual({ dhcpv4: '', dhcpv6: [], routerAdvertisement: [] });
});

test('an option without an address of its family is left out', () => {
  const { dnr } = createDesignation({
    name: nameOf('router.alice.nymote.'),
    addresses: ['192.168.1.1'],
    services: [DOT],
  });
  expect([dnr.dhcpv4 !== '', dnr.dhcpv6, dnr.routerAdvertisement]).toEqual([true, [], []]);
});

describe('DNR', () => {
  const [name, alpn, port] = [
    '06726f7574657205616c696365066e796d6f746500',
    '0001000403646f74',
    '000300020355',
  ];
  const { dnr } = createDesignation({
    name: nameOf('router.alice.nymote.'),
    addresses: ADDRESSES,
    services: [DOT],
  });

  test.each([
    {
      option: dnr.dhcpv4,
      hex: `002b 0001 15 ${name} 04 c0a80101 ${alpn} ${port}`,
      why: 'RFC 9463 §5.1',
    },
    {
      option: dnr.dhcpv6[0],
      hex: `0001 0015 ${name} 0010 fd000000000000000000000000000001 ${alpn} ${port}`,
      why: 'RFC 9463 §4.1',
    },
    {
      option: dnr.routerAdvertisement[0],
      hex: `90 09 0001 00000708 0015 ${name} 0010 fd000000000000000000000000000001 000e ${alpn} ${port} 00000000000000`,
      why: 'RFC 9463 §6.1, filled up to whole groups of eight',
    },
  ])('$why', ({ option, hex }) => {
    expect(option).toBe(hex.replaceAll(' ', ''));
  });
});
