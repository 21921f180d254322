/** A database that an earlier hub filled: the next one reads it, and no number stays taken. */

import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import { openDatabase } from '#service';
import { readEnvelopes, realmKey, sealFrame } from '#storage';
import { type Postgres, startPostgres } from './hub-stand.ts';

const { crypto } = nodeRuntime({ log: () => undefined });
const KEY = realmKey(crypto, new Uint8Array(32).fill(1));
const REALM = 'ab'.repeat(32);
const [OWNER, PHONE] = ['owner', 'phone'].map((name) => name.padEnd(26, 'a')) as [string, string];

let base: Postgres;
beforeAll(async () => {
  base = await startPostgres();
});
afterAll(() => base[Symbol.asyncDispose]());

/** As they were before it was kept who gave what. */
const TABLES = `
CREATE TABLE nymote_realm (
  realm bytea PRIMARY KEY, bytes bigint NOT NULL DEFAULT 0, quota bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(), is_public boolean NOT NULL DEFAULT false);
CREATE TABLE nymote_member (
  realm bytea REFERENCES nymote_realm ON DELETE CASCADE, device text, key bytea NOT NULL,
  may_admit boolean NOT NULL, dismissed_at timestamptz, day date,
  day_bytes bigint NOT NULL DEFAULT 0, PRIMARY KEY (realm, device));
CREATE TABLE nymote_chain (
  realm bytea REFERENCES nymote_realm ON DELETE CASCADE, device text, seq bigint NOT NULL,
  id bytea NOT NULL, PRIMARY KEY (realm, device));
CREATE TABLE nymote_commit (
  realm bytea REFERENCES nymote_realm ON DELETE CASCADE, device text, seq bigint, id bytea NOT NULL,
  serial bigint GENERATED ALWAYS AS IDENTITY, envelope bytea NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (realm, device, seq));
CREATE TABLE nymote_fork (
  realm bytea REFERENCES nymote_realm ON DELETE CASCADE, device text, seq bigint, id bytea,
  envelope bytea NOT NULL, PRIMARY KEY (realm, device, seq, id));
`;

function sealed(seq: number, text: string) {
  const frame = new TextEncoder().encode(text);
  const id = Buffer.from(crypto.hash('sha256', frame)).toString('hex');
  return { id, bytes: sealFrame(crypto, KEY, REALM, { device: OWNER, seq, id }, frame) };
}

const first = sealed(1, 'first');
const taken = sealed(2, 'garbage');
const fork = sealed(1, 'its fork');

async function fill(): Promise<void> {
  const sql = postgres(base.url, { max: 1 });
  const realm = Buffer.from(REALM, 'hex');
  const bytes = (hex: string) => Buffer.from(hex, 'hex');
  await sql.unsafe(TABLES);
  await sql`INSERT INTO nymote_realm (realm, quota) VALUES (${realm}, 100000)`;
  for (const device of [OWNER, PHONE]) {
    await sql`INSERT INTO nymote_member (realm, device, key, may_admit)
      VALUES (${realm}, ${device}, ${realm}, true)`;
  }
  for (const [seq, { id, bytes: envelope }] of [first, taken].entries()) {
    await sql`INSERT INTO nymote_commit (realm, device, seq, id, envelope)
      VALUES (${realm}, ${OWNER}, ${seq + 1}, ${bytes(id)}, ${envelope})`;
  }
  await sql`INSERT INTO nymote_chain VALUES (${realm}, ${OWNER}, 2, ${bytes(taken.id)})`;
  await sql`INSERT INTO nymote_fork VALUES (${realm}, ${OWNER}, 1, ${bytes(fork.id)}, ${fork.bytes})`;
  await sql.end();
}

test('what was there is given to everybody, and what it kept out comes in', async () => {
  await fill();
  const hash = (text: string) => crypto.hash('sha256', new TextEncoder().encode(text));
  const options = { url: base.url, quota: 1, daily: 100_000, hash };
  await (await openDatabase(options))[Symbol.asyncDispose]();
  // A second start changes nothing.
  await using database = await openDatabase(options);
  const [owner, phone] = [OWNER, PHONE].map((device) => ({ realm: REALM, device }));
  const ids = async () => {
    const missing = await database.missing(phone ?? { realm: '', device: '' }, {}, 0);
    const read = readEnvelopes(new Uint8Array(missing?.page ?? []));
    return new Set(read.ok ? read.envelopes.map(({ id }) => id) : []);
  };
  expect(await ids()).toEqual(new Set([first.id, taken.id, fork.id]));
  const own = sealed(2, 'second');
  const page = Uint8Array.from([...first.bytes, ...own.bytes]);
  const read = readEnvelopes(page);
  if (!read.ok || owner === undefined) throw new Error('no envelopes');
  expect(await database.store(owner, page, read.envelopes)).toMatchObject({
    ...{ stored: 1, gaps: [], given: { [OWNER]: [[2, own.id]] } },
  });
  expect(await ids()).toEqual(new Set([first.id, taken.id, fork.id, own.id]));
});
