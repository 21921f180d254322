/**
 * A hub over a real PostgreSQL: whatever its members push, every member gets, and nobody else.
 */

import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DeviceKeys, generateDeviceKeys } from '#identity';
import { nodeRuntime } from '#runtime/node';
import {
  type HubSettings,
  inviteToHub,
  openDatabase,
  readHubSettings,
  signRequest,
  startHub,
} from '#service';
import { openEnvelope, readEnvelopes, realmKey, sealFrame } from '#storage';
import { type Postgres, startPostgres } from './hub-stand.ts';

const runtime = nodeRuntime({ log: () => undefined });
const { crypto } = runtime;
const stack = new AsyncDisposableStack();
const NOTHING = new Uint8Array(0);
const KEY = realmKey(crypto, new Uint8Array(32).fill(1));
const DAILY = 60_000;

let base: Postgres;
let hubs: readonly string[];

beforeAll(async () => {
  base = stack.use(await startPostgres());
  // Two hubs of one database, as a community would run them.
  const urls: string[] = [];
  for (let index = 0; index < 2; index++) {
    const { endpoint } = stack.use(await startHub(runtime, settings()));
    urls.push(`http://127.0.0.1:${endpoint.port}`);
  }
  hubs = urls;
});
afterAll(() => stack.disposeAsync());

const settings = (): HubSettings => ({
  ...{ database: base.url, listen: { address: '127.0.0.1', port: 0 } },
  ...{ quota: 200_000, daily: DAILY, uses: 1, isProxied: true },
});

type Asked = {
  readonly method?: string;
  readonly body?: Uint8Array | object;
  readonly hub?: number;
};

async function ask(keys: DeviceKeys, path: string, asked: Asked = {}, headers = {}) {
  const { method = 'GET', body = NOTHING, hub = 0 } = asked;
  const bytes = body instanceof Uint8Array ? body : new TextEncoder().encode(JSON.stringify(body));
  const url = `${hubs[hub]}/sync/v1/${path}`;
  const signer = crypto.signer('ed25519', keys.signing.privateKey);
  const request = await signRequest(crypto, signer, { method, url, body: bytes });
  for (const [name, value] of Object.entries(headers)) request.headers.set(name, String(value));
  return fetch(request);
}

/** A realm of this name with its first member. */
async function begin(name: string) {
  const realm = Buffer.from(crypto.hash('sha256', new TextEncoder().encode(name))).toString('hex');
  const owner = await generateDeviceKeys(crypto);
  const invite = await inviteToHub(runtime, settings());
  const began = await ask(owner, realm, { method: 'PUT' }, { 'nymote-invite': invite });
  expect(began.status).toBe(201);
  return { realm, owner, invite };
}

function sealed(realm: string, { id: device }: DeviceKeys, seq: number, text = `commit ${seq}`) {
  const frame = new TextEncoder().encode(text);
  const id = Buffer.from(crypto.hash('sha256', frame)).toString('hex');
  return sealFrame(crypto, KEY, realm, { device, seq, id }, frame);
}

async function admit(realm: string, owner: DeviceKeys, mayAdmit = false) {
  const device = await generateDeviceKeys(crypto);
  const key = Buffer.from(device.signing.publicKey).toString('base64');
  const path = `${realm}/members/${device.id}`;
  const response = await ask(owner, path, { method: 'PUT', body: { key, mayAdmit } });
  expect(response.status).toBe(200);
  return device;
}

async function pull(realm: string, keys: DeviceKeys, known: Record<string, number> = {}, hub = 0) {
  const vector = Object.entries(known).map(([device, seq]) => [device, [[seq, '']]]);
  const body = Object.fromEntries(vector);
  const response = await ask(keys, `${realm}/pull`, { method: 'POST', body, hub });
  const read = readEnvelopes(new Uint8Array(await response.arrayBuffer()));
  if (!read.ok) throw new Error(read.reason);
  const texts = read.envelopes.map((each) => {
    const frame = openEnvelope(crypto, [KEY], realm, each);
    return frame && new TextDecoder().decode(frame);
  });
  return { texts, isMore: response.headers.get('nymote-more') === 'yes' };
}

const push = (realm: string, keys: DeviceKeys, ...envelopes: Uint8Array[]) =>
  ask(keys, `${realm}/push`, { method: 'POST', body: new Uint8Array(Buffer.concat(envelopes)) });

describe('commits', () => {
  test('pushed to one hub are pulled from another by another device', async () => {
    const { realm, owner } = await begin('two devices');
    const phone = await admit(realm, owner);
    const stored = await push(realm, owner, sealed(realm, owner, 1), sealed(realm, owner, 2));
    expect(await stored.json()).toMatchObject({ stored: 2, gaps: [], forks: [] });
    expect((await push(realm, phone, sealed(realm, phone, 1, 'of the phone'))).status).toBe(200);
    expect((await pull(realm, phone, {}, 1)).texts).toEqual([
      'commit 1',
      'commit 2',
      'of the phone',
    ]);
    expect((await pull(realm, phone, { [owner.id]: 1 }, 1)).texts).toEqual([
      'commit 2',
      'of the phone',
    ]);
    expect((await pull(realm, owner, { [owner.id]: 2, [phone.id]: 1 })).texts).toEqual([]);
  });

  test('pushed twice are there once', async () => {
    const { realm, owner } = await begin('twice');
    await push(realm, owner, sealed(realm, owner, 1));
    expect(await (await push(realm, owner, sealed(realm, owner, 1))).json()).toMatchObject({
      ...{ stored: 0, gaps: [], forks: [] },
    });
    expect((await pull(realm, owner)).texts).toEqual(['commit 1']);
  });

  test('that skip one wait until it is there, wherever they begin', async () => {
    const { realm, owner } = await begin('gap');
    const first = await push(realm, owner, sealed(realm, owner, 5));
    expect(await first.json()).toMatchObject({ stored: 1, gaps: [] });
    const early = await push(realm, owner, sealed(realm, owner, 7));
    expect(await early.json()).toMatchObject({
      ...{ stored: 0, forks: [] },
      gaps: [{ device: owner.id, have: 5 }],
    });
    const both = await push(realm, owner, sealed(realm, owner, 6), sealed(realm, owner, 7));
    expect(await both.json()).toMatchObject({ stored: 2, gaps: [] });
  });

  test('are told to each as what it gave itself', async () => {
    const { realm, owner } = await begin('given');
    const phone = await admit(realm, owner);
    await push(realm, owner, sealed(realm, owner, 1), sealed(realm, owner, 2));
    const given = async (keys: DeviceKeys) =>
      ((await (await ask(keys, `${realm}/state`)).json()) as { given: unknown }).given;
    expect([Object.keys((await given(owner)) as object), await given(phone)]).toEqual([
      [owner.id],
      {},
    ]);
    // As a device of before, that goes by what is there.
    const third = await push(realm, phone, sealed(realm, owner, 3));
    expect(await third.json()).toMatchObject({ stored: 1, gaps: [] });
    const fifth = await push(realm, owner, sealed(realm, owner, 4), sealed(realm, owner, 5));
    expect(await fifth.json()).toMatchObject({ stored: 2, gaps: [] });
  });

  test('of one number that differ are a fork, kept as evidence', async () => {
    const { realm, owner } = await begin('fork');
    await push(realm, owner, sealed(realm, owner, 1));
    const other = await push(realm, owner, sealed(realm, owner, 1, 'another one'));
    const { forks } = (await other.json()) as { forks: { ids: string[] }[] };
    expect(forks).toMatchObject([{ device: owner.id, seq: 1 }]);
    expect(forks[0]?.ids).toHaveLength(2);
    const state = await (await ask(owner, `${realm}/state`)).json();
    expect(state).toMatchObject({ forks });
    // Whoever has one side is shown both: numbers do not say which.
    expect((await pull(realm, owner, { [owner.id]: 1 })).texts.toSorted()).toEqual([
      ...['another one', 'commit 1'],
    ]);
  });

  test('come in pages, the past first', async () => {
    const { realm, owner } = await begin('pages');
    const all = Array.from({ length: 30 }, (_, index) => sealed(realm, owner, index + 1));
    await push(realm, owner, ...all);
    const { texts } = await pull(realm, owner);
    expect(texts).toEqual(all.map((_, index) => `commit ${index + 1}`));
  });

  test('beyond the quota are refused, and what was there stays', async () => {
    const { realm, owner } = await begin('quota');
    await push(realm, owner, sealed(realm, owner, 1));
    const large = sealed(realm, owner, 2, 'x'.repeat(220_000));
    expect((await push(realm, owner, large)).status).toBe(507);
    expect((await pull(realm, owner)).texts).toEqual(['commit 1']);
  });

  test('beyond what a device may give in a day wait for the next one', async () => {
    const { realm, owner } = await begin('daily');
    const phone = await admit(realm, owner);
    const half = 'x'.repeat(DAILY / 2);
    expect((await push(realm, phone, sealed(realm, phone, 1, half))).status).toBe(200);
    const refused = await push(realm, phone, sealed(realm, phone, 2, `${half}y`));
    expect([refused.status, await refused.json()]).toEqual([429, { error: 'daily-quota' }]);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await push(realm, owner, sealed(realm, owner, 1))).status).toBe(200);
  });

  test('that cannot be read are refused as a whole', async () => {
    const { realm, owner } = await begin('damaged');
    const whole = sealed(realm, owner, 1);
    expect((await push(realm, owner, whole, whole.subarray(0, 50))).status).toBe(400);
    expect((await pull(realm, owner)).texts).toEqual([]);
  });
});

describe('who may', () => {
  test('a stranger learns nothing, not even whether the realm is here', async () => {
    const { realm } = await begin('private');
    const stranger = await generateDeviceKeys(crypto);
    for (const path of [`${realm}/state`, `${'00'.repeat(32)}/state`]) {
      const refused = await ask(stranger, path);
      expect([refused.status, await refused.json()]).toEqual([403, { error: 'not-a-member' }]);
    }
  });

  test('an invitation works as often as it says', async () => {
    const { invite } = await begin('invited');
    const other = await generateDeviceKeys(crypto);
    const path = 'ee'.repeat(32);
    const refused = await ask(other, path, { method: 'PUT' }, { 'nymote-invite': invite });
    expect(refused.status).toBe(403);
  });

  test('only who may admit admits, and only keys that fit their device', async () => {
    const { realm, owner } = await begin('members');
    const phone = await admit(realm, owner);
    const friend = await generateDeviceKeys(crypto);
    const key = Buffer.from(friend.signing.publicKey).toString('base64');
    const body = { key, mayAdmit: true };
    const path = `${realm}/members/${friend.id}`;
    expect((await ask(phone, path, { method: 'PUT', body })).status).toBe(403);
    const wrong = `${realm}/members/${phone.id}`;
    expect((await ask(owner, wrong, { method: 'PUT', body })).status).toBe(400);
  });

  test('whoever was dismissed is out at once; what it wrote stays', async () => {
    const { realm, owner } = await begin('dismissed');
    const phone = await admit(realm, owner);
    await push(realm, phone, sealed(realm, phone, 1, 'of the phone'));
    await ask(owner, `${realm}/members/${phone.id}`, { method: 'DELETE' });
    expect((await ask(phone, `${realm}/state`)).status).toBe(403);
    expect((await push(realm, phone, sealed(realm, phone, 2))).status).toBe(403);
    expect((await pull(realm, owner)).texts).toEqual(['of the phone']);
  });

  test('a signature of another request is none', async () => {
    const { realm, owner } = await begin('replayed');
    const signer = crypto.signer('ed25519', owner.signing.privateKey);
    const url = `${hubs[0]}/sync/v1/${realm}/state`;
    const signed = await signRequest(crypto, signer, { method: 'GET', url, body: NOTHING });
    const elsewhere = `${hubs[0]}/sync/v1/${realm}/members/${owner.id}`;
    const replayed = await fetch(elsewhere, { method: 'DELETE', headers: signed.headers });
    expect(replayed.status).toBe(403);
  });
});

test('who watches hears of a push to the other hub', async () => {
  const { realm, owner } = await begin('watched');
  const response = await ask(owner, `${realm}/watch`, { hub: 1 });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const next = async () => new TextDecoder().decode((await reader.read()).value);
  expect(await next()).toContain('event: moved');
  await push(realm, owner, sealed(realm, owner, 1));
  expect(await next()).toContain('event: moved');
  await reader.cancel();
});

describe('room', () => {
  const hash = (text: string) => crypto.hash('sha256', new TextEncoder().encode(text));
  const KIB = 1_024;
  const [thief = '', other = '', a = '', b = ''] = ['t', 'o', 'a', 'b'].map((name) =>
    name.padEnd(26, 'a'),
  );

  /** A realm of `members` with room for 64 KiB; `push` answers what became of so many KiB. */
  async function roomFor(name: string, members: readonly string[], daily = 1 << 20) {
    const database = await openDatabase({ url: base.url, quota: 64 * KIB, daily, hash });
    const realm = Buffer.from(hash(name)).toString('hex');
    await database.invite(name, 1);
    for (const [index, device] of members.entries()) {
      const member = { device, key: new Uint8Array(32).fill(index), mayAdmit: false };
      if (index === 0) await database.begin(realm, member, name);
      else await database.admit(realm, member);
    }
    const seqs = new Map<string, number>();
    let calls = 0;
    const store = async (device: string, seq: number, size: number, id?: string) => {
      const frame = new TextEncoder().encode(`${calls++}`.padEnd(size * KIB - 200, 'x'));
      const commit = {
        device,
        seq,
        id: id ?? Buffer.from(hash(`${device} ${seq}`)).toString('hex'),
      };
      const page = sealFrame(crypto, KEY, realm, commit, frame);
      const read = readEnvelopes(page);
      if (!read.ok) throw new Error(read.reason);
      const stored = await database.store({ realm, device }, page, read.envelopes);
      return typeof stored === 'object' ? 'stored' : stored;
    };
    const push = async (device: string, size: number) => {
      const seq = (seqs.get(device) ?? 0) + 1;
      const outcome = await store(device, seq, size);
      if (outcome === 'stored') seqs.set(device, seq);
      return outcome;
    };
    return { push, store, [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() };
  }

  test('of a realm is never filled by one member, nor by two', async () => {
    await using room = await roomFor('shared', [thief, other, a, b]);
    const fill = async (device: string) => {
      let size = 0;
      while ((await room.push(device, 2)) === 'stored') size += 2;
      return size;
    };
    expect([await fill(thief), await fill(other)]).toEqual([32, 16]);
    expect([await room.push(a, 4), await room.push(b, 4)]).toEqual(['stored', 'stored']);
    expect(await room.push(thief, 1)).toBe('full');
    expect(await room.push(b, 1)).toBe('stored');
  });

  test('is paid for, whatever name a commit is given', async () => {
    await using room = await roomFor('one name', [thief], 10 * KIB);
    const outcomes: unknown[] = [];
    for (let at = 0; at < 4; at++) outcomes.push(await room.store(thief, 1, 3, 'ab'.repeat(32)));
    expect(outcomes).toEqual(['stored', 'stored', 'stored', 'enough-today']);
  });
});

describe('the database', () => {
  test('shows one realm only, whatever is asked of it', async () => {
    const { realm, owner } = await begin('rows of one');
    await push(realm, owner, sealed(realm, owner, 1));
    const sql = postgres(base.url, { max: 1 });
    const count = async (name: string) =>
      sql.begin(async (transaction) => {
        await transaction`SELECT set_config('nymote.realm', ${name}, true)`;
        const [row] = await transaction`SELECT count(*)::int AS n FROM nymote_commit`;
        return row?.['n'];
      });
    expect(await count(realm)).toBe(1);
    expect(await count('00'.repeat(32))).toBe(0);
    expect((await sql`SELECT count(*)::int AS n FROM nymote_commit`)[0]?.['n']).toBe(0);
    await sql.end();
  });

  test('is not used as a user that row security does not hold for', async () => {
    const hash = () => NOTHING;
    await expect(openDatabase({ url: base.adminUrl, quota: 1, daily: 1, hash })).rejects.toThrow(
      'row security',
    );
    // Its tables would be in the way of the right user's.
    const sql = postgres(base.adminUrl, { max: 1 });
    const [row] = await sql`SELECT to_regclass('nymote_realm') AS made`;
    await sql.end();
    expect(row?.['made']).toBeNull();
  });
});

describe('settings', () => {
  test.each<[Record<string, string>, string, string]>([
    [{}, 'PostgreSQL', 'there is no default for somebody else’s database'],
    [{ database: 'mysql://x/y' }, 'postgres://', 'another database'],
    [{ database: 'postgres://a:secret@h/d' }, 'password', 'arguments are everybody’s to see (I2)'],
    [{ database: 'postgres://a@h/d', listen: 'x' }, '--listen', 'no address'],
    [{ database: 'postgres://a@h/d', quota: '-1' }, '--quota', 'no size'],
    [{ database: 'postgres://a@h/d', uses: '0' }, '--uses', 'for nobody'],
    [{ database: 'postgres://a@h/d', key: 'k' }, '--certificate', 'half of a pair'],
  ])('%j is refused: %s', (flags, word) => {
    const read = readHubSettings(flags, {});
    expect('message' in read && read.message).toContain(word);
    expect(JSON.stringify(read)).not.toContain('secret');
  });

  test('with its password the URL comes from the environment', () => {
    const environment = { NYMOTE_DATABASE: 'postgres://a:secret@h/d' };
    expect(readHubSettings({}, environment)).toMatchObject({
      database: environment.NYMOTE_DATABASE,
    });
  });
});
