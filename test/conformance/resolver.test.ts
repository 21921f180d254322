/**
 * Our resolver between real authoritative servers (NSD, BIND, Knot) and real askers (dig, delv).
 */

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import { type HierarchyStand, openHierarchy } from './hierarchy-stand.ts';

let stand: HierarchyStand;

beforeAll(async () => {
  stand = await openHierarchy();
});

afterAll(async () => {
  await stand?.[Symbol.asyncDispose]();
});

describe.each(['+notcp', '+tcp'])('dig %s', (transport) => {
  test.each([
    {
      ask: ['www.example.com', 'A'],
      status: 'NOERROR',
      has: '192.0.2.80',
      why: 'NSD → BIND → Knot',
    },
    {
      ask: ['www.example.com', 'AAAA'],
      status: 'NOERROR',
      has: '2001:db8::80',
      why: 'IPv6 addresses',
    },
    { ask: ['www.example.com', 'MX'], status: 'NOERROR', has: 'SOA', why: 'NODATA' },
    { ask: ['no.example.com', 'A'], status: 'NXDOMAIN', has: 'SOA', why: 'NXDOMAIN' },
    { ask: ['no-such-tld', 'A'], status: 'NXDOMAIN', has: 'SOA', why: 'NXDOMAIN at the root' },
    {
      ask: ['under.there.example.com', 'A'],
      status: 'NOERROR',
      has: 'SOA',
      why: 'empty non-terminal',
    },
    {
      ask: ['deep.under.there.example.com', 'A'],
      status: 'NOERROR',
      has: '192.0.2.81',
      why: 'below one',
    },
    {
      ask: ['alias.example.com', 'A'],
      status: 'NOERROR',
      has: '192.0.2.90',
      why: 'CNAME across zones',
    },
    { ask: ['www.moved.example.com', 'A'], status: 'NOERROR', has: '192.0.2.90', why: 'DNAME' },
    {
      ask: ['www.glueless.com', 'A'],
      status: 'NOERROR',
      has: '192.0.2.70',
      why: 'name server without glue',
    },
    { ask: ['any.wild.example.com', 'TXT'], status: 'NOERROR', has: '"wild"', why: 'wildcard' },
    {
      ask: ['example.com', 'NS'],
      status: 'NOERROR',
      has: 'ns.example.com.',
      why: 'NS of the child',
    },
    {
      ask: ['big.example.com', 'TXT'],
      status: 'NOERROR',
      has: 'ANSWER: 60',
      why: 'large: dig repeats it over TCP',
    },
    { ask: ['.', 'NS'], status: 'NOERROR', has: 'a.root.', why: 'the root itself' },
    {
      ask: ['www.example.com', 'CH', 'A'],
      status: 'REFUSED',
      has: 'EDE: 21',
      why: 'another class',
    },
    { ask: ['www.example.com', 'A', '+norec'], status: 'REFUSED', has: 'EDE: 20', why: 'RD=0' },
    {
      ask: ['www.example.com', 'A', '+edns=3', '+noednsnegotiation'],
      status: 'BADVERS',
      has: '',
      why: 'RFC 8906 §8.2.1',
    },
    {
      ask: ['www.example.com', 'A', '+ednsopt=100:00'],
      status: 'NOERROR',
      has: '192.0.2.80',
      why: 'unknown option (RFC 8906 §8.2.2)',
    },
    {
      ask: ['www.example.com', 'A', '+ednsflags=0x40'],
      status: 'NOERROR',
      has: '192.0.2.80',
      why: 'unknown EDNS flag (RFC 8906 §8.2.3)',
    },
    {
      ask: ['www.example.com', 'TYPE1000'],
      status: 'NOERROR',
      has: 'SOA',
      why: 'unknown type (RFC 8906 §8.1.1)',
    },
    {
      // With a cookie it would be a request for one (RFC 7873 §5.4).
      ask: ['www.example.com', 'A', '+header-only', '+nocookie'],
      status: 'FORMERR',
      has: '',
      why: 'no question',
    },
    {
      ask: ['www.example.com', 'A', '+opcode=15'],
      status: 'NOTIMP',
      has: '',
      why: 'unknown opcode (RFC 8906 §8.1.4)',
    },
    {
      ask: ['www.example.com', 'A', '+noedns', '+zflag'],
      status: 'NOERROR',
      has: '192.0.2.80',
      why: 'Z bit (RFC 8906 §8.1.3)',
    },
  ])('$ask: $why', async ({ ask, status, has }) => {
    const tcp = ask[0] === 'big.example.com' ? [] : [transport];
    const said = await stand.dig(...tcp, ...ask);
    expect(said).toContain(`status: ${status}`);
    expect(said).toContain(has);
    expect(said).not.toMatch(/flags:[^;]* ad/);
    expect(said).not.toContain('WARNING');
  });
});

describe('signatures pass through for those who validate', () => {
  test.each([
    { name: 'www.example.com', type: 'A', says: '; fully validated', why: 'a plain answer' },
    {
      name: 'no.example.com',
      type: 'A',
      says: '; negative response, fully validated',
      why: 'NXDOMAIN with its proof',
    },
    {
      name: 'www.example.com',
      type: 'MX',
      says: '; negative response, fully validated',
      why: 'NODATA with its proof',
    },
    {
      name: 'any.wild.example.com',
      type: 'TXT',
      says: '; fully validated',
      why: 'a wildcard with its proof',
    },
  ])('delv $name $type: $why', async ({ name, type, says }) => {
    expect(await stand.delv(name, type)).toContain(says);
    // Once more, from the cache.
    expect(await stand.delv(name, type)).toContain(says);
  });

  test('and are not sent to others', async () => {
    expect(await stand.dig('www.example.com', 'A')).not.toContain('RRSIG');
    expect(await stand.dig('www.example.com', 'A', '+dnssec')).toContain('RRSIG');
  });
});

test('the second time the answer comes from the cache', async () => {
  await stand.dig('www.example.com', 'A');
  expect(stand.events.at(-1)).toMatchObject({
    from: 'cache',
    rcode: 'NOERROR',
    name: 'www.example.com.',
  });
});

test('many questions on one TCP connection', async () => {
  const said = await stand.dig(
    '+tcp',
    '+keepopen',
    'www.example.com',
    'A',
    'www.other.net',
    'A',
    'no.example.com',
    'A',
  );
  expect(said.match(/status: (\w+)/g)).toEqual([
    'status: NOERROR',
    'status: NOERROR',
    'status: NXDOMAIN',
  ]);
});

describe('whatever arrives, the process lives and goes on answering', () => {
  const runtime = nodeRuntime({ log: () => undefined });
  const address = () => {
    const [first] = stand.resolver.addresses;
    if (first === undefined) throw new Error('the resolver listens nowhere');
    return first;
  };
  const junk = fc.sample(fc.uint8Array({ maxLength: 600 }), { numRuns: 400, seed: 1 });

  test('random datagrams: silence, or an answer with the same id', async () => {
    const replies: Uint8Array[] = [];
    await using socket = await runtime.udp.bind({ address: '127.0.0.1', port: 0 }, (data) =>
      replies.push(data.slice()),
    );
    for (const octets of junk) socket.send(octets, address());
    expect(await stand.dig('www.example.com')).toContain('192.0.2.80');
    const ids = new Set(junk.map(([high, low]) => `${high} ${low}`));
    expect(replies.filter(([high, low]) => !ids.has(`${high} ${low}`))).toEqual([]);
    expect(replies.every((reply) => ((reply[2] ?? 0) & 0x80) !== 0)).toBe(true);
  });

  test('random octets over TCP', async () => {
    for (const octets of junk.slice(0, 40)) {
      const connection = await runtime.tcp.connect(address());
      await connection.write(octets).catch(() => undefined);
      connection.abort();
    }
    expect(await stand.dig('+tcp', 'www.example.com')).toContain('192.0.2.80');
  });
});
