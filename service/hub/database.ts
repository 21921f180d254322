/**
 * What a hub keeps in PostgreSQL: sealed commits of many realms, and whose they are.
 *
 *     nymote_commit   one row a commit; two of a device with one number are a fork, by the key
 *     nymote_fork     the other commit of a fork: evidence, not a choice
 *     nymote_chain    the newest commit of each device: a realm's version vector
 *     nymote_member   who may ask
 *     nymote_realm    what a realm may take, and takes
 *     nymote_invite   who may begin a realm here; only hashes of what was given out
 *
 * Every statement sees one realm, by row security: a mistake in a query shows nobody else's rows.
 * Trust is not here: what is in the rows is signed, and sealed for who holds the realm's key.
 *
 * @see https://www.postgresql.org/docs/15/ddl-rowsecurity.html
 */

import postgres, { type Sql, type TransactionSql } from 'postgres';
import type { Envelope, Vector } from '#storage';

/** What became of envelopes that were pushed. */
export type Stored = {
  readonly stored: number;
  /** Not taken because the one before is missing here. */
  readonly gaps: readonly { readonly device: string; readonly have: number }[];
  readonly forks: readonly Fork[];
};

export type Missing = {
  readonly envelopes: readonly Uint8Array[];
  readonly isMore: boolean;
  /** The number of each device's newest commit here. */
  readonly holds: Readonly<Record<string, number>>;
};

export type Fork = {
  readonly device: string;
  readonly seq: number;
  readonly ids: readonly string[];
};

export type Member = {
  readonly device: string;
  readonly key: Uint8Array;
  readonly mayAdmit: boolean;
};

export type HubDatabase = AsyncDisposable & {
  /** Begins a realm with its first member; false when the invitation is of no use. */
  begin(realm: string, member: Member, invite: string): Promise<boolean>;
  member(realm: string, device: string): Promise<Member | undefined>;
  admit(realm: string, member: Member): Promise<'admitted' | 'full'>;
  dismiss(realm: string, device: string): Promise<void>;
  vector(realm: string): Promise<{ readonly vector: Vector; readonly forks: readonly Fork[] }>;
  /** What is missing where `known` is held, in an order that has the past first. */
  missing(realm: string, known: Vector): Promise<Missing>;
  /** Keeps what follows what is here; 'full' when the realm has no room left. */
  store(realm: string, envelopes: readonly Envelope[]): Promise<Stored | 'full'>;
  /** Hears of realms that changed, on whichever hub of this database. */
  listen(heard: (realm: string) => void): Promise<void>;
  /** Makes an invitation, to be shown once. */
  invite(code: string, uses: number): Promise<void>;
};

/** A page of what is missing: bytes, unless a single one is larger, and rows. */
const PAGE_BYTES = 1 << 20;
const PAGE_ROWS = 2_000;
/** Members of one realm, those that were dismissed included: their commits stay. */
const MAX_MEMBERS = 256;
const CHANNEL = 'nymote_moved';
const CONNECTIONS = 8;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS nymote_realm (
  realm bytea PRIMARY KEY, bytes bigint NOT NULL DEFAULT 0, quota bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS nymote_member (
  realm bytea REFERENCES nymote_realm ON DELETE CASCADE, device text, key bytea NOT NULL,
  may_admit boolean NOT NULL, dismissed_at timestamptz, PRIMARY KEY (realm, device));
CREATE TABLE IF NOT EXISTS nymote_chain (
  realm bytea REFERENCES nymote_realm ON DELETE CASCADE, device text, seq bigint NOT NULL,
  id bytea NOT NULL, PRIMARY KEY (realm, device));
CREATE TABLE IF NOT EXISTS nymote_commit (
  realm bytea REFERENCES nymote_realm ON DELETE CASCADE, device text, seq bigint, id bytea NOT NULL,
  serial bigint GENERATED ALWAYS AS IDENTITY, envelope bytea NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (realm, device, seq));
CREATE TABLE IF NOT EXISTS nymote_fork (
  realm bytea REFERENCES nymote_realm ON DELETE CASCADE, device text, seq bigint, id bytea,
  envelope bytea NOT NULL, PRIMARY KEY (realm, device, seq, id));
CREATE TABLE IF NOT EXISTS nymote_invite (hash bytea PRIMARY KEY, uses integer NOT NULL);
`;

const OF_REALM = ['nymote_realm', 'nymote_member', 'nymote_chain', 'nymote_commit', 'nymote_fork'];

const POLICIES = OF_REALM.map(
  (table) => `
ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE ${table} FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS one_realm ON ${table};
CREATE POLICY one_realm ON ${table}
  USING (realm = decode(current_setting('nymote.realm', true), 'hex'));
`,
).join('');

export type HubOptions = {
  /** `postgres://…`; what is missing is taken from PGHOST and its like. */
  readonly url: string;
  /** Bytes that a new realm may take. */
  readonly quota: number;
  readonly hash: (text: string) => Uint8Array;
};

/** Opens the database and makes the tables that are missing. */
export async function openDatabase({ url, quota, hash }: HubOptions): Promise<HubDatabase> {
  const sql = postgres(url, { max: CONNECTIONS, onnotice: () => undefined });
  try {
    await sql.begin(async (transaction) => {
      // Two hubs that start at once would each find a table missing.
      await transaction`SELECT pg_advisory_xact_lock(${0x6e796d6f})`;
      await transaction.unsafe(SCHEMA + POLICIES);
    });
    await refuseBypass(sql);
  } catch (error) {
    await sql.end();
    throw error;
  }
  const within = <T>(realm: string, use: (transaction: TransactionSql) => Promise<T>) =>
    sql.begin(async (transaction) => {
      await transaction`SELECT set_config('nymote.realm', ${realm}, true)`;
      return use(transaction);
    }) as Promise<T>;
  return {
    begin: (realm, member, invite) =>
      within(realm, async (transaction) => {
        const used = await transaction`
          UPDATE nymote_invite SET uses = uses - 1 WHERE hash = ${hash(invite)} AND uses > 0`;
        if (used.count === 0) return false;
        await transaction`
          INSERT INTO nymote_realm (realm, quota) VALUES (${bytesOf(realm)}, ${quota})`;
        await addMember(transaction, realm, member);
        return true;
      }),
    member: (realm, device) =>
      within(realm, async (transaction) => {
        const [row] = await transaction`
          SELECT key, may_admit FROM nymote_member
          WHERE device = ${device} AND dismissed_at IS NULL`;
        return row && { device, key: row['key'], mayAdmit: row['may_admit'] };
      }),
    admit: (realm, member) =>
      within(realm, async (transaction) => {
        const [row] = await transaction`SELECT count(*)::int AS members FROM nymote_member`;
        if (row?.['members'] >= MAX_MEMBERS) return 'full';
        await addMember(transaction, realm, member);
        return 'admitted';
      }),
    dismiss: (realm, device) =>
      within(realm, async (transaction) => {
        await transaction`
          UPDATE nymote_member SET dismissed_at = now() WHERE device = ${device}`;
      }),
    vector: (realm) =>
      within(realm, async (transaction) => {
        const [chains, forks] = await Promise.all([
          transaction`SELECT device, seq, encode(id, 'hex') AS id FROM nymote_chain`,
          selectForks(transaction),
        ]);
        const entries = chains.map(({ device, seq, id }) => [device, [[Number(seq), id]]]);
        return { vector: Object.fromEntries(entries), forks };
      }),
    missing: (realm, known) => within(realm, (transaction) => selectMissing(transaction, known)),
    store: (realm, envelopes) =>
      within(realm, (transaction) => storeAll(transaction, realm, envelopes)),
    async listen(heard) {
      await sql.listen(CHANNEL, heard);
    },
    async invite(code, uses) {
      await sql`INSERT INTO nymote_invite (hash, uses) VALUES (${hash(code)}, ${uses})`;
    },
    [Symbol.asyncDispose]: () => sql.end({ timeout: 2 }),
  };
}

/** Row security means nothing to a superuser: a hub does not run as one. */
async function refuseBypass(sql: Sql): Promise<void> {
  const [row] = await sql`
    SELECT rolsuper OR rolbypassrls AS bypasses FROM pg_roles WHERE rolname = current_user`;
  if (row?.['bypasses'] === true) {
    throw new Error(
      'this database user passes by row security; make one that does not: CREATE ROLE nymote LOGIN',
    );
  }
}

async function addMember(
  transaction: TransactionSql,
  realm: string,
  member: Member,
): Promise<void> {
  const { device, key, mayAdmit } = member;
  // Whoever was dismissed comes back by being admitted again, and not otherwise.
  await transaction`
    INSERT INTO nymote_member (realm, device, key, may_admit)
    VALUES (${bytesOf(realm)}, ${device}, ${key}, ${mayAdmit})
    ON CONFLICT (realm, device) DO UPDATE SET may_admit = ${mayAdmit}, dismissed_at = NULL`;
}

async function selectForks(transaction: TransactionSql): Promise<readonly Fork[]> {
  const rows = await transaction`
    SELECT f.device, f.seq, encode(c.id, 'hex') AS first, array_agg(encode(f.id, 'hex')) AS others
    FROM nymote_fork f JOIN nymote_commit c USING (realm, device, seq)
    GROUP BY f.device, f.seq, c.id LIMIT ${MAX_MEMBERS}`;
  return rows.map(({ device, seq, first, others }) => ({
    device,
    seq: Number(seq),
    ids: [first, ...others],
  }));
}

async function selectMissing(transaction: TransactionSql, known: Vector): Promise<Missing> {
  const devices = Object.keys(known);
  const numbers = devices.map((device) => Math.max(...(known[device] ?? []).map(([seq]) => seq)));
  const ids = Object.values(known).flatMap((tips) => tips.map(([, id]) => id));
  const [chains, rows, evidence] = await Promise.all([
    transaction`SELECT device, seq FROM nymote_chain`,
    transaction`
      WITH known AS (
        SELECT * FROM unnest(${devices}::text[], ${numbers}::bigint[]) AS k(device, seq)),
      behind AS (
        SELECT chain.device, coalesce(known.seq, 0) AS seq
        FROM nymote_chain chain LEFT JOIN known USING (device)
        WHERE chain.seq > coalesce(known.seq, 0))
      SELECT c.envelope FROM behind
      JOIN LATERAL (
        SELECT envelope, serial FROM nymote_commit
        WHERE device = behind.device AND seq > behind.seq
        ORDER BY seq LIMIT ${PAGE_ROWS}) c ON true
      ORDER BY c.serial LIMIT ${PAGE_ROWS}`,
    // Of a fork each side is evidence for who holds the other.
    transaction`
      SELECT envelope FROM nymote_fork
      WHERE device = ANY(${devices}) AND NOT encode(id, 'hex') = ANY(${ids}) LIMIT ${MAX_MEMBERS}`,
  ]);
  const holds = Object.fromEntries(chains.map(({ device, seq }) => [device, Number(seq)]));
  const page = fitting([...rows, ...evidence].map(({ envelope }) => envelope as Uint8Array));
  const isMore = page.length < rows.length || rows.length === PAGE_ROWS;
  return { envelopes: page, isMore, holds };
}

/** As many as make a page, one at least. */
function fitting(envelopes: readonly Uint8Array[]): readonly Uint8Array[] {
  let size = 0;
  const end = envelopes.findIndex((envelope, index) => {
    size += envelope.length;
    return index > 0 && size > PAGE_BYTES;
  });
  return end < 0 ? envelopes : envelopes.slice(0, end);
}

async function storeAll(
  transaction: TransactionSql,
  realm: string,
  envelopes: readonly Envelope[],
): Promise<Stored | 'full'> {
  // One writer of a realm at a time: chains grow without gaps.
  const [room] = await transaction`SELECT bytes, quota FROM nymote_realm FOR UPDATE`;
  const incoming = envelopes.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (room === undefined || Number(room['bytes']) + incoming > Number(room['quota'])) return 'full';
  const rows = await transaction`SELECT device, seq FROM nymote_chain`;
  const chains = new Map(rows.map(({ device, seq }) => [String(device), Number(seq)]));
  const gaps = new Map<string, number>();
  const grown = new Map<string, Envelope>();
  const fresh: Envelope[] = [];
  const held: Envelope[] = [];
  for (const envelope of envelopes) {
    const { device, seq } = envelope;
    const have = grown.get(device)?.seq ?? chains.get(device) ?? 0;
    if (seq <= have) held.push(envelope);
    else if (seq > have + 1) gaps.set(device, have);
    else {
      fresh.push(envelope);
      grown.set(device, envelope);
    }
  }
  await insert(transaction, realm, fresh);
  const forked = await keepForks(transaction, realm, held);
  for (const { device, seq, id } of grown.values()) {
    await transaction`
      INSERT INTO nymote_chain (realm, device, seq, id)
      VALUES (${bytesOf(realm)}, ${device}, ${seq}, ${bytesOf(id)})
      ON CONFLICT (realm, device) DO UPDATE SET seq = ${seq}, id = ${bytesOf(id)}`;
  }
  const size = fresh.reduce((sum, { bytes }) => sum + bytes.length, forked.size);
  if (size > 0) {
    await transaction`UPDATE nymote_realm SET bytes = bytes + ${size}`;
    await transaction`SELECT pg_notify(${CHANNEL}, ${realm})`;
  }
  return {
    stored: fresh.length,
    gaps: [...gaps].map(([device, have]) => ({ device, have })),
    forks: forked.count === 0 ? [] : await selectForks(transaction),
  };
}

async function insert(
  transaction: TransactionSql,
  realm: string,
  envelopes: readonly Envelope[],
): Promise<void> {
  for (const { device, seq, id, bytes } of envelopes) {
    await transaction`
      INSERT INTO nymote_commit (realm, device, seq, id, envelope)
      VALUES (${bytesOf(realm)}, ${device}, ${seq}, ${bytesOf(id)}, ${bytes})`;
  }
}

/** Keeps those that have the number of another commit; returns how many, and their bytes. */
async function keepForks(
  transaction: TransactionSql,
  realm: string,
  envelopes: readonly Envelope[],
): Promise<{ readonly count: number; readonly size: number }> {
  let count = 0;
  let size = 0;
  for (const { device, seq, id, bytes } of envelopes) {
    const kept = await transaction`
      INSERT INTO nymote_fork (realm, device, seq, id, envelope)
      SELECT ${bytesOf(realm)}, ${device}, ${seq}, ${bytesOf(id)}, ${bytes} FROM nymote_commit
      WHERE device = ${device} AND seq = ${seq} AND id <> ${bytesOf(id)}
        AND (SELECT count(*) FROM nymote_fork WHERE device = ${device}) < ${MAX_FORKS}
      ON CONFLICT DO NOTHING`;
    if (kept.count === 0) continue;
    count += 1;
    size += bytes.length;
  }
  return { count, size };
}

/** One is proof enough; a few more show how far it went. */
const MAX_FORKS = 4;

function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex, 'hex');
}
