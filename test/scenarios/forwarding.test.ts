/** Forwarders: in turn, silent, wrong, and never doubted. */

import { describe, expect, test } from 'vitest';
import { nameOf, openInternet, type Quirk, recordOf } from './internet.ts';
import { WORLD } from './world.ts';

describe('forwarding', () => {
  const upstream = '198.51.100.53';
  const forward = [
    { address: '198.51.100.54', port: 53 },
    { address: upstream, port: 53 },
  ];
  test('fails over to the next forwarder, caches, follows aliases', async () => {
    await using internet = await openInternet([], {
      forward,
      quirks: {
        '198.51.100.54': (_query, right) => ({ ...right, rcode: 2 }),
        [upstream]: (query, right) => ({
          ...right,
          rcode: 0,
          recursionAvailable: true,
          answers: [
            recordOf('www.example.com. 300 CNAME a.net.'),
            recordOf('a.net. 300 A 198.51.100.1'),
          ].filter(({ owner }, index) => index === 1 || owner.key === query.questions[0]?.name.key),
        }),
      },
    });
    for (let round = 0; round < 2; round++) {
      const answer = await internet.ask('www.example.com.', 'A');
      expect(answer.lines).toEqual([
        'www.example.com. 300 IN CNAME a.net.',
        'a.net. 300 IN A 198.51.100.1',
      ]);
    }
    expect(internet.asked.length).toBeLessThanOrEqual(4);
    expect(internet.events.at(-1)).toMatchObject({ from: 'cache' });
  });

  const routes = [{ zone: '.', kind: 'forward', servers: forward, fallback: true }] as const;
  const failing: Quirk = (query) => ({ ...query, response: true, rcode: 2 });

  test.each([
    { quirk: failing, why: 'both say SERVFAIL' },
    { quirk: () => undefined, why: 'both are silent' },
  ])('with a fallback the tree is asked when $why', async ({ quirk }) => {
    const quirks = { [upstream]: quirk, '198.51.100.54': quirk };
    await using internet = await openInternet(WORLD, { routes, quirks });
    expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ rcode: 0 });
    expect(internet.events[0]?.from).toBe('recursion');
  });

  test('forwarders that are silent are not waited for each time, but tried again', async () => {
    const quirks = { [upstream]: () => undefined, '198.51.100.54': () => undefined };
    await using internet = await openInternet(WORLD, { routes, quirks });
    const toForwarders = () =>
      internet.asked.filter(({ server }) => Object.keys(quirks).includes(server)).length;
    await internet.ask('www.example.com.', 'A');
    const first = toForwarders();
    expect((await internet.ask('nothing.example.com.', 'A')).rcode).toBe(3);
    expect(toForwarders()).toBe(first);
    await internet.clock.advance(61_000);
    await internet.ask('other.example.com.', 'A');
    expect(toForwarders()).toBeGreaterThan(first);
  });

  test('an answer is an answer: what forwarders deny is not looked for in the tree', async () => {
    const deny: Quirk = (query) => ({
      ...{ ...query, response: true, rcode: 3, recursionAvailable: true },
      authorities: [recordOf('com. SOA a. b. 1 2 3 4 60')],
    });
    const quirks = { [upstream]: deny, '198.51.100.54': deny };
    await using internet = await openInternet(WORLD, { routes, quirks });
    expect((await internet.ask('www.example.com.', 'A')).rcode).toBe(3);
  });

  test('a zone’s forwarder says nothing about other zones (MaginotDNS)', async () => {
    const evil = '203.0.113.66';
    const lie: Quirk = (query, right) => {
      const [question] = query.questions;
      const owner = question?.name ?? nameOf('.');
      return {
        ...{ ...right, rcode: 0, authoritative: true, recursionAvailable: true },
        answers: [
          { ...recordOf('x. 300 CNAME www.other.net.'), owner },
          recordOf(`www.other.net. 300 A ${evil}`),
          recordOf('net. 300 DNAME evil.'),
        ],
        authorities: [recordOf('net. 300 NS ns.evil.'), recordOf('. 300 NS ns.evil.')],
        additionals: [recordOf(`ns.evil. 300 A ${evil}`), recordOf(`ns.nic.net. 300 A ${evil}`)],
      };
    };
    const routes = [{ zone: 'corp.', kind: 'forward', servers: forward }] as const;
    const quirks = { [upstream]: lie, '198.51.100.54': lie, [evil]: lie };
    await using internet = await openInternet(WORLD, { routes, quirks });
    const right = ['www.other.net. 300 IN A 198.51.100.9'];
    expect((await internet.ask('www.corp.', 'A')).lines.slice(1)).toEqual(right);
    expect((await internet.ask('a.corp.', 'NS')).lines.slice(1)).toEqual([]);
    expect((await internet.ask('www.other.net.', 'A')).lines).toEqual(right);
    expect((await internet.ask('no.other.net.', 'A')).rcode).toBe(3);
    expect(internet.asked.filter(({ server }) => server === evil)).toEqual([]);
  });

  test('no forwarder works: SERVFAIL', async () => {
    await using internet = await openInternet([], { forward });
    expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ rcode: 2, ede: 22 });
  });
});
