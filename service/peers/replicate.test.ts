import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { openStore } from '#storage';
import type { RealmDevice } from '../project.ts';
import { createStamps, pullFrom, startReplica } from './replica.ts';
import { createReplicationServer, REPLICATE_PATH, readLimited } from './replicate.ts';
import { createSealing } from './sealed.ts';

const ID_A = 'a'.repeat(26);
const ID_B = 'b'.repeat(26);

/** A writer with two commits and a replica that holds nothing, in one process. */
async function pair() {
  const runtime = fakeRuntime();
  const { crypto, random } = runtime;
  const [a, b] = [crypto.generateAgreementKey(), crypto.generateAgreementKey()];
  const signing = await crypto.generateSigningKey('ed25519');
  const signer = crypto.signer('ed25519', signing.privateKey);
  const writer = await openStore(runtime, {
    directory: '/data/a',
    writer: { deviceId: ID_A, name: 'a', signer },
  });
  await writer.commit({
    ops: [{ op: 'set', path: 'names/www', value: { n: 1 } }],
    message: 'Add',
    via: 'test',
  });
  const replica = await openStore(runtime, { directory: '/data/b', realm: writer.realm });
  const device = (id: string, publicKey: Uint8Array): RealmDevice =>
    ({ id, publicKey, kind: 'node', endpoints: ['192.0.2.1:51821'] }) as unknown as RealmDevice;
  const known = [device(ID_A, a.publicKey), device(ID_B, b.publicKey)];
  const heard: unknown[] = [];
  const serve = createReplicationServer(
    {
      clock: runtime.clock,
      self: ID_A,
      sealing: createSealing(crypto, random, a),
      devices: () => known,
      store: () => writer,
    },
    (news) => heard.push(news),
  );
  const bodies: Uint8Array[] = [];
  await runtime.http.listen({ address: '192.0.2.1', port: 51_821 }, async (request) => {
    const body = await readLimited(request, runtime.clock, 100_000);
    if (body === undefined) throw new Error('too large for the test');
    bodies.push(body);
    return serve(post(body));
  });
  const { http } = runtime;
  const pull = (
    sealing = createSealing(crypto, random, b),
    endpoints: string[] = [],
    stamps = createStamps(runtime.clock),
  ) => {
    const asking = {
      clock: runtime.clock,
      self: ID_B,
      sealing,
      store: () => replica,
      http,
      stamps,
    };
    return pullFrom(asking, device(ID_A, a.publicKey), endpoints);
  };
  const own = createSealing(crypto, random, b);
  return { runtime, writer, replica, serve, pull, heard, bodies, known, own };
}

const post = (body: Uint8Array): Request =>
  new Request(`http://x${REPLICATE_PATH}`, { method: 'POST', body: new Uint8Array(body) });

test('a replica takes over what it lacks, and nothing twice (I4)', async () => {
  const { writer, replica, pull } = await pair();
  expect(await pull()).toBeUndefined();
  expect(replica.head).toBe(writer.head);
  expect(await pull()).toBeUndefined();
  expect(replica.seq).toBe(2);
});

test('the writer hears where the replica can be reached; nonsense is dropped', async () => {
  const { pull, heard } = await pair();
  await pull(undefined, ['198.51.100.7:51821', 'example.org:1']);
  expect(heard[0]).toEqual({ device: ID_B, endpoints: ['198.51.100.7:51821'] });
});

test('a replica whose clock went back is told where to go on', async () => {
  const { pull, heard } = await pair();
  await pull();
  const raised: number[] = [];
  const late = { next: () => (raised.at(-1) ?? 0) + 1, raise: (last: number) => raised.push(last) };
  expect(await pull(undefined, [], late)).toBeUndefined();
  expect(raised).toHaveLength(1);
  expect(heard).toHaveLength(3);
});

test('a replayed request is refused', async () => {
  const { pull, serve, bodies } = await pair();
  await pull();
  expect((await serve(post(bodies[0] ?? new Uint8Array(0)))).status).toBe(409);
});

test.each([
  { body: () => new Uint8Array(0), why: 'nothing' },
  { body: () => new TextEncoder().encode(ID_B), why: 'an id alone' },
  { body: () => new TextEncoder().encode('z'.repeat(200)), why: 'a device nobody knows' },
  { body: () => new TextEncoder().encode(ID_B + 'z'.repeat(200)), why: 'a known id, and noise' },
  { body: () => new Uint8Array(9_000), why: 'more than any request needs' },
])('404 and not a word more: $why', async ({ body }) => {
  const { serve, heard } = await pair();
  const response = await serve(post(body()));
  expect(response.status).toBe(404);
  expect(await response.text()).toBe('');
  expect(heard).toEqual([]);
});

test('a removed device gets nothing any more (I10)', async () => {
  const { pull, known, replica } = await pair();
  known.pop();
  expect(await pull()).toMatch(/answered 404; perhaps this device was removed/);
  expect(replica.seq).toBe(0);
});

test('news that come while an older answer is under way are asked for as well', async () => {
  const { runtime, writer, replica, known, own } = await pair();
  const { http } = runtime;
  const [asked, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const fetch: typeof http.fetch = async (request, options) => {
    const response = await http.fetch(request, options);
    if (replica.seq > 0) asked.resolve();
    if (replica.seq > 0) await released.promise;
    return response;
  };
  const parties = {
    clock: runtime.clock,
    self: ID_B,
    sealing: own,
    devices: () => known,
    store: () => replica,
  };
  const asking = startReplica({ ...runtime, http: { ...http, fetch } }, parties, () => []);
  await asked.promise;
  await writer.commit({ ops: [{ op: 'del', path: 'names/www' }], message: 'x', via: 'test' });
  const news = asking.poll();
  released.resolve();
  await news;
  expect(replica.head).toBe(writer.head);
  asking.stop();
});

test('where a device was met last time it is looked for first', async () => {
  const { runtime, replica, known, own } = await pair();
  const far = { ...(known[0] as RealmDevice), endpoints: ['192.0.2.66:1', '192.0.2.1:51821'] };
  const asked: string[] = [];
  const fetch: typeof runtime.http.fetch = (request, options) => {
    asked.push(new URL(request.url).host);
    return runtime.http.fetch(request, options);
  };
  const { clock, random, log } = runtime;
  const parties = { clock, self: ID_B, sealing: own, devices: () => [far], store: () => replica };
  const asking = startReplica(
    { clock, random, log, http: { ...runtime.http, fetch } },
    parties,
    () => [],
  );
  await clock.advance(10_000);
  await asking.poll();
  asked.length = 0;
  await asking.poll();
  expect(asked).toEqual(['192.0.2.1:51821']);
  asking.stop();
});

test('somebody else with our id cannot ask', async () => {
  const { runtime, pull } = await pair();
  const eve = createSealing(runtime.crypto, runtime.random, runtime.crypto.generateAgreementKey());
  expect(await pull(eve)).toMatch(/404/);
});

const bodyOf = (bytes: number) =>
  new Request('http://x', { method: 'POST', body: new Uint8Array(bytes) });

test('a body beyond its limit is not read on', async () => {
  const { clock } = fakeRuntime();
  expect(await readLimited(bodyOf(11), clock, 10)).toBeUndefined();
  expect(await readLimited(bodyOf(10), clock, 10)).toHaveLength(10);
  expect(await readLimited(new Request('http://x'), clock, 10)).toHaveLength(0);
});

test.each([
  { end: () => undefined, why: 'that never ends' },
  {
    end: (stream: ReadableStreamDefaultController) => stream.error(new Error('reset')),
    why: 'that breaks off',
  },
])('a body $why is given up, and holds no poll for ever', async ({ end }) => {
  const { clock } = fakeRuntime();
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(stream) {
      stream.enqueue(new Uint8Array(1));
      end(stream);
    },
  });
  const read = readLimited({ body }, clock, 10);
  await clock.advance(30_000);
  expect(await read).toBeUndefined();
});
