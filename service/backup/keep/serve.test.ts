import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { type FakeRuntime, fakeFiles, fakeRuntime } from '#runtime/fake';
import { elementTexts } from '../http-target.ts';
import { digestOfToken } from './guests.ts';
import { createKeptServer, MAX_FILE_BYTES, parsePlace } from './serve.ts';
import { openShelf } from './shelf.ts';

const TOKEN = 'eWzhAV79owrwIdwatvo0SHmPB_aby4KBGcJZscZfnWg';
const FILE = `${'a'.repeat(26)}.age`;
const PLACE = '/kept/alice';
const basic = (user: string, token: string): string => `Basic ${btoa(`${user}:${token}`)}`;

let runtime: FakeRuntime;
let server: ReturnType<typeof createKeptServer>;
const QUOTA = 64 * 1024;

beforeEach(async () => {
  runtime = fakeRuntime({ files: fakeFiles() });
  const { files, crypto } = runtime;
  const guest = { token: digestOfToken(crypto, TOKEN), quota: QUOTA, since: 0 };
  const hosts = {
    alice: { guest, shelf: await openShelf(files, '/data/kept/alice') },
    bob: {
      guest: { ...guest, token: digestOfToken(crypto, 'another') },
      shelf: await openShelf(files, '/data/kept/bob'),
    },
  };
  const byName = new Map(Object.entries(hosts));
  server = createKeptServer({ ...runtime, find: (name) => byName.get(name) });
});

function ask(
  method: string,
  path: string,
  init: { readonly body?: Uint8Array; readonly headers?: Record<string, string> } = {},
  from = '198.51.100.7',
): Promise<Response> {
  const { body, headers = { authorization: basic('alice', TOKEN) } } = init;
  const request = new Request(`https://keeper.example${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: new Uint8Array(body) }),
  });
  return server(request, { address: from, port: 1 });
}

const status = async (...words: Parameters<typeof ask>): Promise<number> =>
  (await ask(...words)).status;

describe('a guest', () => {
  test('puts, lists, gets and deletes', async () => {
    const body = new Uint8Array(10_000).map((_, index) => index);
    expect(await status('PUT', `${PLACE}/${FILE}`, { body })).toBe(201);
    expect(await status('PUT', `${PLACE}/${FILE}`, { body })).toBe(204);
    expect(await status('PUT', `${PLACE}/${FILE}`, { body: body.slice(1) })).toBe(403);
    const listing = await ask('PROPFIND', `${PLACE}/`);
    expect(listing.status).toBe(207);
    const xml = await listing.text();
    expect(elementTexts(xml, 'href')).toEqual([`${PLACE}/`, `${PLACE}/${FILE}`]);
    expect(elementTexts(xml, 'getcontentlength')).toEqual(['10000']);
    const got = await ask('GET', `${PLACE}/${FILE}`);
    expect(got.headers.get('content-length')).toBe('10000');
    expect(new Uint8Array(await got.arrayBuffer())).toEqual(body);
    expect(await status('DELETE', `${PLACE}/${FILE}`)).toBe(204);
    expect(await status('GET', `${PLACE}/${FILE}`)).toBe(404);
  });

  test.each([
    { method: 'MKCOL', path: `${PLACE}/`, says: 405, why: 'it is there' },
    { method: 'MKCOL', path: `${PLACE}/more/`, says: 404, why: 'there are no others' },
    { method: 'DELETE', path: `${PLACE}/`, says: 405, why: 'its keeper ends it' },
    { method: 'GET', path: `${PLACE}/`, says: 405, why: 'no page' },
    { method: 'MOVE', path: `${PLACE}/${FILE}`, says: 405, why: 'names stay' },
    { method: 'OPTIONS', path: `${PLACE}/`, says: 204, why: 'programs ask what there is' },
    { method: 'PROPFIND', path: PLACE, says: 207, why: 'without the slash, too' },
    { method: 'PROPFIND', path: `${PLACE}/${FILE}`, says: 404, why: 'not there' },
    { method: 'HEAD', path: `${PLACE}/${FILE}`, says: 404, why: 'not there' },
    { method: 'DELETE', path: `${PLACE}/${FILE}`, says: 404, why: 'not there' },
    { method: 'PUT', path: `${PLACE}/passwd`, says: 404, why: 'no file of a backup' },
    { method: 'PUT', path: `${PLACE}/..%2f${FILE}`, says: 404, why: 'nothing is decoded' },
    { method: 'PUT', path: `${PLACE}/../bob/${FILE}`, says: 404, why: "somebody else's" },
    { method: 'PROPFIND', path: '/kept/bob/', says: 404, why: "somebody else's" },
    { method: 'PROPFIND', path: '/kept/', says: 404, why: 'who else is here' },
    { method: 'GET', path: '/', says: 404, why: 'no page' },
  ])('$method $path is $says: $why', async ({ method, path, says }) => {
    const body = method === 'PUT' ? { body: new Uint8Array(1) } : {};
    expect(await status(method, path, body)).toBe(says);
    expect(await runtime.files.list('/data/kept/bob')).toEqual([]);
  });

  test.each([
    { size: QUOTA + 1, declared: undefined, says: 507, why: 'over the quota' },
    { size: 1, declared: QUOTA + 1, says: 507, why: 'says that it will be' },
    { size: 1, declared: MAX_FILE_BYTES + 1, says: 413, why: 'no file is so large' },
    { size: MAX_FILE_BYTES + 1, declared: undefined, says: 400, why: 'nor one that does not say' },
    { size: 5, declared: 6, says: 400, why: 'cut short' },
  ])('a file of $size bytes, declared $declared: $why', async ({ size, declared, says }) => {
    const headers = {
      authorization: basic('alice', TOKEN),
      ...(declared === undefined ? {} : { 'content-length': String(declared) }),
    };
    const body = new Uint8Array(size);
    expect(await status('PUT', `${PLACE}/${FILE}`, { body, headers })).toBe(says);
    expect(await runtime.files.list('/data/kept/alice')).toEqual([]);
  });

  test('a disk that is full says so', async () => {
    runtime.files.failAt(runtime.files.steps + 3, 'no-space');
    const body = new Uint8Array(5);
    expect(await status('PUT', `${PLACE}/${FILE}`, { body })).toBe(507);
    expect(await status('PUT', `${PLACE}/${FILE}`, { body })).toBe(201);
  });

  test('who leaves while reading holds nothing', async () => {
    await status('PUT', `${PLACE}/${FILE}`, { body: new Uint8Array(60_000) });
    for (let round = 0; round < 50; round++) {
      const { body, status: said } = await ask('GET', `${PLACE}/${FILE}`);
      expect(said).toBe(200);
      await body?.cancel();
    }
    const open = await Promise.all(Array.from({ length: 9 }, () => ask('GET', `${PLACE}/${FILE}`)));
    expect(open.filter((each) => each.status === 503)).toHaveLength(1);
    for (const each of open) await each.body?.cancel();
    expect(await status('GET', `${PLACE}/${FILE}`)).toBe(200);
  });
});

test('who writes slowly holds one file, and nobody else up', async () => {
  let write: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      write = controller;
    },
  });
  const headers = { authorization: basic('alice', TOKEN) };
  const init: RequestInit = { method: 'PUT', headers, body, duplex: 'half' };
  const slow = server(new Request(`https://keeper.example${PLACE}/${FILE}`, init), {
    ...{ address: '198.51.100.7', port: 1 },
  });
  const other = `${'b'.repeat(26)}.age`;
  const quick = { body: new Uint8Array(5) };
  expect(await status('PUT', `${PLACE}/${other}`, quick)).toBe(503);
  const bobs = { ...quick, headers: { authorization: basic('bob', 'another') } };
  expect(await status('PUT', `/kept/bob/${FILE}`, bobs)).toBe(201);
  write?.error(new Error('the line broke'));
  expect((await slow).status).toBe(400);
  expect(await status('PUT', `${PLACE}/${other}`, quick)).toBe(201);
  expect(await runtime.files.list('/data/kept/alice')).toEqual([other]);
});

describe('who is turned away', () => {
  test.each([
    { authorization: '', why: 'no token' },
    { authorization: basic('alice', 'x'), why: 'a wrong one' },
    { authorization: basic('alice', ''), why: 'an empty one' },
    { authorization: basic('alice', TOKEN.slice(0, -1)), why: 'most of it' },
    { authorization: basic('bob', TOKEN), why: "somebody else's" },
    { authorization: basic('nobody', TOKEN), why: 'a name that is not here' },
    { authorization: basic('__proto__', TOKEN), why: 'a name that every object has' },
    { authorization: `Bearer ${TOKEN}`, why: 'another scheme' },
    { authorization: 'Basic !!!', why: 'no base64' },
    { authorization: `Basic ${'A'.repeat(5_000)}`, why: 'too long' },
  ])('$why', async ({ authorization }) => {
    const headers = authorization === '' ? {} : { authorization };
    const body = new Uint8Array(5);
    const response = await ask('PUT', `${PLACE}/${FILE}`, { body, headers });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('Basic');
    expect(response.bodyUsed).toBe(false);
    expect(await runtime.files.list('/data/kept/alice')).toEqual([]);
  });

  test('who guesses waits, and does not make the guest wait', async () => {
    const headers = { authorization: basic('alice', 'guess') };
    const guesses: number[] = [];
    for (let round = 0; round < 700; round++) {
      guesses.push(await status('PROPFIND', `${PLACE}/`, { headers }));
    }
    expect(guesses.at(0)).toBe(401);
    expect(guesses.at(-1)).toBe(429);
    expect(await status('PROPFIND', `${PLACE}/`)).toBe(207);
    await runtime.clock.advance(60_000);
    expect(await status('PROPFIND', `${PLACE}/`, { headers })).toBe(401);
  });

  test('a guest who asks without end waits as well', async () => {
    const said = new Set<number>();
    for (let round = 0; round < 700; round++) said.add(await status('PROPFIND', `${PLACE}/`));
    expect([...said]).toEqual([207, 429]);
  });
});

describe('a path', () => {
  const parts = fc.oneof(
    fc.constantFrom('kept', 'alice', 'bob', '..', '.', '', '%2e%2e', '%2f', FILE, '00000001.json'),
    fc.string({ unit: 'binary', maxLength: 12 }),
  );
  const paths = fc.array(parts, { maxLength: 6 }).map((all) => `/${all.join('/')}`);

  test('is a guest and at most one file of a backup, by its letter', () => {
    fc.assert(
      fc.property(fc.oneof(paths, fc.string()), (path) => {
        const place = parsePlace(path);
        if (place === undefined) return;
        const { guest, file } = place;
        expect(guest).toMatch(/^[a-z0-9-]{1,63}$/);
        expect([`/kept/${guest}`, `/kept/${guest}/`, `/kept/${guest}/${file}`]).toContain(path);
        expect(file ?? FILE).toMatch(/^[0-9a-z]+\.(age|json|json\.sig)$/);
      }),
      { numRuns: 1_000 },
    );
  });

  test('leads nowhere else on the disk', async () => {
    const { files } = runtime;
    await files.replace('/data/device.json', Uint8Array.of(1));
    await fc.assert(
      fc.asyncProperty(paths, fc.constantFrom('PUT', 'DELETE', 'GET'), async (path, method) => {
        if (!URL.canParse(`https://keeper.example${path}`)) return;
        await runtime.clock.advance(1_000);
        const body = method === 'PUT' ? { body: Uint8Array.of(2) } : {};
        const response = await ask(method, path, body).catch((thrown: unknown) => thrown);
        if (response instanceof Response) await response.body?.cancel();
        expect(await files.read('/data/device.json')).toEqual(Uint8Array.of(1));
        expect(await files.list('/data/kept/bob')).toEqual([]);
        const others = (await files.list('/data')).filter((name) => name !== 'kept');
        expect(others).toEqual(['device.json']);
        expect((await files.list('/data/kept')).filter((name) => name !== 'alice')).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
