import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import type { EdnsOption } from '../message/edns.ts';
import { encodeOption, findOption, OPTION } from '../message/edns-option.ts';
import { decodeMessage, encodeMessage, type Message } from '../message/message.ts';
import { RCODE } from '../message/type.ts';
import { recordOf, replyTo } from '../recursion/reply.fixture.ts';
import { createCourtesy, PADDING_BLOCK } from './courtesy.ts';
import { BURST } from './rate-limit.ts';
import { bare, type Content, type Handle, respond, type Transport } from './response.ts';
import { IDLE_MILLISECONDS } from './tcp-connection.ts';

const ASKER = { address: '203.0.113.7', port: 4000 };
const SERVER_ID = Uint8Array.of(0x6e, 0x79);

const queryWith = (options: readonly EdnsOption[], more: Partial<Message> = {}): Message =>
  replyTo(
    'www.example.',
    16,
    {},
    {
      response: false,
      authoritative: false,
      edns: { udpSize: 1232, version: 0, dnssecOk: false, options },
      ...more,
    },
  );

const option = (name: keyof typeof OPTION, length = 0): EdnsOption => ({
  code: OPTION[name],
  data: new Uint8Array(length),
});

function open(content: Partial<Content> = {}) {
  const runtime = fakeRuntime();
  let asked = 0;
  const { attend, gate } = createCourtesy(runtime, {
    serverId: SERVER_ID,
    isLimited: (address) => address === ASKER.address,
  });
  const handle: Handle = async (query) => {
    asked++;
    return respond(query, { ...bare(RCODE.NOERROR), ...content });
  };
  return { ...runtime, gate, serve: attend(handle), asked: () => asked };
}

const optionsOf = ({ edns }: Message) => edns?.options ?? [];

test('whatever options come, there is an answer that can be read, and no larger than a message', async () => {
  const options = fc.array(
    fc.record({
      code: fc.oneof(fc.constantFrom(...Object.values(OPTION)), fc.nat(65_535)),
      data: fc.uint8Array({ maxLength: 60 }),
    }),
    { maxLength: 8 },
  );
  const transport = fc.constantFrom<Transport>('udp', 'tcp', 'dot', 'doh');
  const { serve, gate } = open();
  await fc.assert(
    fc.asyncProperty(options, transport, fc.ipV6(), async (sent, over, address) => {
      const asker = { address, port: 1 };
      const query = queryWith(sent);
      expect(['string', 'object']).toContain(typeof gate(query, asker));
      const response = await serve(query, asker, over);
      const octets = encodeMessage(response);
      expect(octets.length).toBeLessThanOrEqual(65_535);
      expect(decodeMessage(octets)).toMatchObject({ ok: true, message: { id: query.id } });
    }),
  );
});

describe('padding', () => {
  test.each<{ text: number; asks: boolean; over: Transport; size: number; why: string }>([
    { text: 0, asks: true, over: 'dot', size: 468, why: 'a short answer' },
    { text: 0, asks: true, over: 'doh', size: 468, why: 'over HTTPS too' },
    { text: 409, asks: true, over: 'dot', size: 468, why: 'fits to the octet' },
    { text: 410, asks: true, over: 'dot', size: 936, why: 'one octet more' },
    { text: 413, asks: true, over: 'dot', size: 936, why: 'full, but for the option itself' },
    { text: 0, asks: false, over: 'dot', size: 40, why: 'nobody asked' },
    { text: 0, asks: true, over: 'tcp', size: 40, why: 'in the clear' },
    { text: 0, asks: true, over: 'udp', size: 40, why: 'in the clear' },
  ])('$text octets of text over $over: $why', async ({ text, asks, over, size }) => {
    const whole = 'x'.repeat(200);
    const strings =
      text === 0 ? [] : [`www.example. TXT "${whole}" "${whole}" "${'x'.repeat(text - 400)}"`];
    const { serve } = open({ answers: strings.map(recordOf) });
    const response = await serve(queryWith(asks ? [option('PADDING', 7)] : []), ASKER, over);
    expect(encodeMessage(response).length).toBe(size);
  });

  test('the largest answers are padded as far as a message goes', async () => {
    const large = Array.from({ length: 310 }, (_, index) =>
      recordOf(`www.example. TXT "${String(index).padStart(193, 'x')}"`),
    );
    const { serve } = open({ answers: large });
    const response = await serve(queryWith([option('PADDING')]), ASKER, 'doh');
    const { length } = encodeMessage(response);
    expect(length === 65_535 || length % PADDING_BLOCK === 0).toBe(true);
  });
});

describe('what is told only to who asks', () => {
  test.each<{ asks: EdnsOption[]; over: Transport; has: object; why: string }>([
    { asks: [], over: 'udp', has: {}, why: 'nothing unasked' },
    { asks: [option('NSID')], over: 'udp', has: { NSID: '6e79' }, why: 'RFC 5001' },
    { asks: [option('KEEPALIVE')], over: 'tcp', has: { KEEPALIVE: '0064' }, why: '10 s' },
    { asks: [option('KEEPALIVE')], over: 'dot', has: { KEEPALIVE: '0064' }, why: 'under TLS' },
    { asks: [option('KEEPALIVE')], over: 'udp', has: {}, why: 'RFC 7828 §3.2.1: no connection' },
    { asks: [option('KEEPALIVE')], over: 'doh', has: {}, why: 'HTTP has its own' },
    { asks: [option('EXPIRE'), option('CHAIN')], over: 'tcp', has: {}, why: 'not for us' },
  ])('$asks over $over: $why', async ({ asks, over, has }) => {
    const { serve } = open();
    const response = await serve(queryWith(asks), ASKER, over);
    const names = Object.entries(OPTION);
    const told = optionsOf(response).map(({ code, data }) => [
      names.find(([, number]) => number === code)?.[0],
      Buffer.from(data).toString('hex'),
    ]);
    expect(Object.fromEntries(told)).toEqual(has);
  });

  test('the keepalive told is the one kept', () => {
    expect(IDLE_MILLISECONDS / 100).toBe(0x64);
  });

  test('without EDNS there is nowhere to say anything', async () => {
    const { serve } = open();
    const response = await serve({ ...queryWith([]), edns: undefined }, ASKER, 'dot');
    expect(response.edns).toBeUndefined();
  });
});

describe('cookies', () => {
  const client = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const cookie = (server: Uint8Array = new Uint8Array(0)) =>
    encodeOption({ option: 'COOKIE', client, server });

  async function learn(stand: ReturnType<typeof open>): Promise<Uint8Array> {
    const response = await stand.serve(queryWith([cookie()]), ASKER, 'udp');
    return findOption(optionsOf(response), 'COOKIE')?.server ?? new Uint8Array(0);
  }

  test('a client learns one with its answer, and gets it back while it is fresh', async () => {
    const stand = open();
    const server = await learn(stand);
    expect(server).toHaveLength(16);
    const again = await stand.serve(queryWith([cookie(server)]), ASKER, 'udp');
    expect(findOption(optionsOf(again), 'COOKIE')).toMatchObject({ client, server });
  });

  test.each([0, 7, 9, 15, 41])('%i octets are no cookie: FORMERR', async (length) => {
    const { serve, asked } = open();
    const { rcode } = await serve(queryWith([option('COOKIE', length)]), ASKER, 'udp');
    expect([rcode, asked()]).toEqual([RCODE.FORMERR, 0]);
  });

  test.each([
    { sends: 'none', rcode: RCODE.NOERROR, why: 'to learn one' },
    { sends: 'good', rcode: RCODE.NOERROR, why: 'to have it renewed' },
    { sends: 'bad', rcode: RCODE.BADCOOKIE, why: 'RFC 7873 §5.4' },
  ])('no question, a cookie: $why', async ({ sends, rcode }) => {
    const stand = open();
    const server = await learn(stand);
    const sent = { none: cookie(), good: cookie(server), bad: cookie(new Uint8Array(16)) }[sends];
    if (sent === undefined) throw new Error('unreachable: no such row');
    const response = await stand.serve(queryWith([sent], { questions: [] }), ASKER, 'udp');
    expect(response.rcode).toBe(rcode);
    expect(findOption(optionsOf(response), 'COOKIE')?.server).toHaveLength(16);
  });

  test('beyond the limit a proven address is served, others come back another way', async () => {
    const stand = open();
    const { gate } = stand;
    const server = await learn(stand);
    const plain = queryWith([]);
    for (let index = 0; index < BURST; index++) expect(gate(plain, ASKER)).toBe('serve');
    const rulings = (query: Message) => [gate(query, ASKER), gate(query, ASKER)];
    expect(rulings(plain)).toEqual(['drop', expect.objectContaining({ truncated: true })]);
    const [silent, told] = rulings(queryWith([cookie()]));
    expect([silent, told]).toEqual(['drop', expect.objectContaining({ rcode: RCODE.BADCOOKIE })]);
    const learned = typeof told === 'object' ? findOption(optionsOf(told), 'COOKIE') : undefined;
    expect(gate(queryWith([cookie(learned?.server)]), ASKER)).toBe('serve');
    expect(gate(queryWith([cookie(server)]), ASKER)).toBe('serve');
    expect(gate(plain, { ...ASKER, address: '192.168.1.5' })).toBe('serve');
  });

  test('what is said beyond the limit is hardly more than what was asked', () => {
    const { gate } = open();
    for (const query of [queryWith([]), queryWith([cookie()])]) {
      const answers: Message[] = [];
      for (let index = 0; index < BURST + 4; index++) {
        const ruled = gate(query, ASKER);
        if (typeof ruled === 'object') answers.push(ruled);
      }
      for (const answer of answers) {
        expect(encodeMessage(answer).length).toBeLessThanOrEqual(encodeMessage(query).length + 16);
      }
      expect(answers.length).toBeGreaterThan(0);
    }
  });
});
