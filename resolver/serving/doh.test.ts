import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { decodeMessage, encodeMessage, type Message } from '../message/message.ts';
import { RCODE } from '../message/type.ts';
import { recordOf, replyTo } from '../recursion/reply.fixture.ts';
import { BODY_MILLISECONDS, createDohService, MAX_PER_CLIENT } from './doh.ts';
import { bare, type Content, respond } from './response.ts';
import { MAX_WAITING } from './waiting.ts';

const ASKER = { address: '192.0.2.9', port: 4000 };
const URL_OF = 'https://dns.example/dns-query';
const TYPE_OF = 'application/dns-message';

const QUERY: Message = replyTo('www.example.', 1, {}, { response: false, authoritative: false });
const OCTETS = encodeMessage(QUERY);
const RESPONSE = encodeMessage({ ...QUERY, response: true });

const inUrl = (octets: Uint8Array) => Buffer.from(octets).toString('base64url');
const get = (query: string, method = 'GET') => new Request(`${URL_OF}${query}`, { method });
const post = (body: Uint8Array<ArrayBuffer> | null, type = TYPE_OF) =>
  new Request(URL_OF, { method: 'POST', body, headers: { 'content-type': type } });

function open(content: Partial<Content> = {}) {
  const runtime = fakeRuntime();
  const serve = createDohService(runtime.clock, async (query) =>
    respond(query, { ...bare(RCODE.NOERROR), ...content }),
  );
  return { ...runtime, serve };
}

test.each([
  { request: get(`?dns=${inUrl(OCTETS)}`), status: 200, why: 'GET' },
  { request: get(`?dns=${inUrl(OCTETS)}=`), status: 200, why: 'padded, as some clients do' },
  { request: get(`?x=1&dns=${inUrl(OCTETS)}`), status: 200, why: 'beside other parameters' },
  { request: post(OCTETS.slice()), status: 200, why: 'POST' },
  { request: post(OCTETS.slice(), `${TYPE_OF}; x=y`), status: 200, why: 'with a parameter' },
  { request: get(''), status: 400, why: 'no question' },
  { request: get('?dns='), status: 400, why: 'an empty one' },
  { request: get('?dns=***'), status: 400, why: 'not Base64url' },
  { request: get('?dns=AA+A'), status: 400, why: 'Base64 is not Base64url' },
  { request: get('?dns=AAAA'), status: 400, why: 'no id, nobody to answer' },
  { request: get(`?dns=${inUrl(RESPONSE)}`), status: 400, why: 'a response' },
  { request: get(`?dns=${'A'.repeat(6_000)}`), status: 414, why: 'longer than any question' },
  { request: get(`?dns=${inUrl(OCTETS)}`, 'PUT'), status: 405, why: 'another method' },
  { request: post(new Uint8Array(65_536)), status: 413, why: 'larger than any message' },
  { request: post(OCTETS.slice(), 'application/json'), status: 415, why: 'another type' },
  { request: post(null), status: 400, why: 'no body' },
  { request: new Request('https://dns.example/'), status: 404, why: 'another path' },
])('$status: $why', async ({ request, status }) => {
  const { serve } = open();
  const response = await serve(request, ASKER);
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe(status === 200 ? TYPE_OF : null);
  expect(response.headers.get('allow')).toBe(status === 405 ? 'GET, POST' : null);
});

test('octets that have an id but make no message get FORMERR as everywhere', async () => {
  const { serve } = open();
  const response = await serve(post(OCTETS.slice(0, 20)), ASKER);
  const decoded = decodeMessage(new Uint8Array(await response.arrayBuffer()));
  expect(decoded).toMatchObject({ ok: true, message: { id: 0, rcode: RCODE.FORMERR } });
  expect(response.headers.get('cache-control')).toBe('no-store');
});

test('any octets get a status and never an exception', async () => {
  const { serve } = open();
  const statuses = new Set([200, 400]);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), fc.string(), async (octets, text) => {
      expect(statuses).toContain((await serve(post(octets.slice()), ASKER)).status);
      expect(statuses).toContain((await serve(get(`?dns=${inUrl(octets)}`), ASKER)).status);
      const junk = get(`?dns=${encodeURIComponent(text.toWellFormed())}`);
      expect(statuses).toContain((await serve(junk, ASKER)).status);
    }),
  );
});

const SOA = (ttl: number, minimum: number) =>
  recordOf(`example. ${ttl} SOA ns.example. host.example. 1 2 3 4 ${minimum}`);

test.each([
  {
    content: { answers: [recordOf('www.example. 300 A 192.0.2.1'), recordOf('a. 20 A 192.0.2.2')] },
    control: 'private, max-age=20',
    why: 'the shortest TTL',
  },
  {
    content: { answers: [recordOf('www.example. 0 A 192.0.2.1')] },
    control: 'private, max-age=0',
    why: 'a name that is an act',
  },
  { content: { authorities: [SOA(300, 60)] }, control: 'private, max-age=60', why: 'NODATA' },
  {
    content: { rcode: RCODE.NXDOMAIN, authorities: [SOA(30, 600)] },
    control: 'private, max-age=30',
    why: 'NXDOMAIN',
  },
  { content: { rcode: RCODE.SERVFAIL }, control: 'no-store', why: 'a failure' },
  { content: { rcode: RCODE.REFUSED }, control: 'no-store', why: 'a refusal' },
])('cache-control $control: $why', async ({ content, control }) => {
  const { serve } = open(content);
  const response = await serve(get(`?dns=${inUrl(OCTETS)}`), ASKER);
  expect(response.headers.get('cache-control')).toBe(control);
  const { byteLength } = await response.arrayBuffer();
  expect(response.headers.get('content-length')).toBe(String(byteLength));
});

describe('who takes and does not give', () => {
  const endless = (chunk?: Uint8Array) =>
    new Request(URL_OF, {
      method: 'POST',
      headers: { 'content-type': TYPE_OF },
      body: new ReadableStream({
        pull: (controller) =>
          chunk === undefined ? new Promise<void>(() => undefined) : controller.enqueue(chunk),
      }),
      duplex: 'half',
    } as RequestInit);

  test('a body that does not come is waited for only so long', async () => {
    const { serve, clock } = open();
    const answering = serve(endless(), ASKER);
    await clock.advance(BODY_MILLISECONDS);
    expect((await answering).status).toBe(408);
  });

  test('a body that does not end is cut off', async () => {
    const { serve } = open();
    expect((await serve(endless(new Uint8Array(1_000)), ASKER)).status).toBe(413);
  });

  test('one address has a limit of questions under way, others are not held up', async () => {
    const { serve, clock } = open();
    const waiting = Array.from({ length: MAX_PER_CLIENT }, () => serve(endless(), ASKER));
    expect((await serve(post(OCTETS.slice()), ASKER)).status).toBe(429);
    const other = { ...ASKER, address: '192.0.2.10' };
    expect((await serve(post(OCTETS.slice()), other)).status).toBe(200);
    await clock.advance(BODY_MILLISECONDS);
    await Promise.all(waiting);
    expect((await serve(post(OCTETS.slice()), ASKER)).status).toBe(200);
  });

  test('when all places are taken, who holds most gives one up', async () => {
    const { serve, clock } = open();
    const held = Array.from({ length: MAX_WAITING }, (_, index) =>
      serve(endless(), { ...ASKER, address: `192.0.2.${Math.floor(index / MAX_PER_CLIENT)}` }),
    );
    const other = serve(endless(), { ...ASKER, address: '203.0.113.1' });
    const alike = { ...ASKER, address: '192.0.2.200' };
    expect((await serve(post(OCTETS.slice()), alike)).status).toBe(503);
    await clock.advance(BODY_MILLISECONDS);
    expect((await other).status).toBe(408);
    const statuses = (await Promise.all(held)).map(({ status }) => status);
    expect(statuses).toEqual([503, ...Array.from({ length: MAX_WAITING - 1 }, () => 408)]);
  });
});
