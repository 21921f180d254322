/**
 * What a hub keeps in PostgreSQL: sealed commits of many realms, and whose they are (schema.ts).
 *
 * Who may ask is looked up where it is answered, in the same transaction: whoever is dismissed is out
 * at once on every hub. Trust is not here: what is in the rows is signed, and sealed for who holds
 * the realm's key.
 */

import postgres, { type Sql, type TransactionSql } from 'postgres';
import type { Envelope, Vector } from '#storage';
import { ENDED, MAX_MEMBERS, SCHEMA } from './schema.ts';
import { CHANNEL } from './schema-exchange.ts';

/** What a device may do with a realm: `reader` where everybody may read it. */
export type Role = 'admitter' | 'member' | 'reader';

export type Fork = {
  readonly device: string;
  readonly seq: number;
  readonly ids: readonly string[];
};

/** What became of envelopes that were pushed. */
export type Stored = {
  readonly stored: number;
  /** Not taken because the giver has not given the one before. */
  readonly gaps: readonly { readonly device: string; readonly have: number }[];
  readonly forks: readonly Fork[];
  /** All that the giver gave by now. */
  readonly given: Vector;
};

export type Missing = {
  readonly role: Role;
  /** Envelopes, one behind the other, in an order that has the past first. */
  readonly page: Uint8Array;
  readonly isMore: boolean;
  /** The highest number of each device that anybody gave. */
  readonly holds: Readonly<Record<string, number>>;
  /** What the asker itself gave; undefined for who may only read. */
  readonly given: Vector | undefined;
  /** Where the page ends, to go on from; undefined for who did not say what it saw. */
  readonly seen: number | undefined;
};

export type Holdings = {
  readonly role: Role;
  readonly vector: Vector;
  readonly forks: readonly Fork[];
  readonly given: Vector | undefined;
};

export type Member = {
  readonly device: string;
  readonly key: Uint8Array;
  readonly mayAdmit: boolean;
};

/** Who asks, and about which realm. */
export type Visit = { readonly realm: string; readonly device: string };

export type HubDatabase = AsyncDisposable & {
  /** Begins a realm with its first member; false when the invitation is of no use. */
  begin(realm: string, member: Member, invite: string): Promise<boolean>;
  /** Undefined: nobody here; so answer the three below. */
  role(visit: Visit): Promise<Role | undefined>;
  state(visit: Visit): Promise<Holdings | undefined>;
  /** What is missing where `known` is held and all up to `after` was seen; undefined: not told. */
  missing(visit: Visit, known: Vector, after?: number): Promise<Missing | undefined>;
  /** Keeps what follows what this member gave; all of it or, when there is no room left, nothing. */
  store(
    visit: Visit,
    page: Uint8Array,
    envelopes: readonly Envelope[],
  ): Promise<Stored | 'full' | 'enough-today' | undefined>;
  admit(realm: string, member: Member): Promise<'admitted' | 'full'>;
  dismiss(realm: string, device: string): Promise<void>;
  /** Lets everybody read a realm, or no longer; false when it is not here. */
  publish(realm: string, isPublic: boolean): Promise<boolean>;
  /** Deletes all that is kept of a realm; false when it is not here. */
  forget(realm: string): Promise<boolean>;
  /** Hears of realms that changed or whose listeners are to go, on whichever hub of this database. */
  listen(heard: Heard): Promise<void>;
  /** Makes an invitation, to be shown once. */
  invite(code: string, uses: number): Promise<void>;
  /** Bytes on the disk; throws when the database cannot be asked. */
  size(): Promise<number>;
};

export type Heard = {
  readonly moved: (realm: string) => void;
  readonly ended: (realm: string) => void;
  /** Something may have been missed. */
  readonly again: () => void;
};

const CONNECTIONS = 8;
/** A statement that takes longer waits for a lock that is not let go, or for a disk. */
const STATEMENT_MS = 10_000;
const CONNECT_SECONDS = 5;
/** Whoever asks is told soon that the database is away, and it is found again soon. */
const RECONNECT_SECONDS = 0.5;

export type HubOptions = {
  /** `postgres://…`; what is missing is taken from PGHOST and its like. */
  readonly url: string;
  /** Bytes that a new realm may take. */
  readonly quota: number;
  /** Bytes that a device may give in a day. */
  readonly daily: number;
  readonly hash: (text: string) => Uint8Array;
};

/** Opens the database and makes the tables that are missing. */
export async function openDatabase(options: HubOptions): Promise<HubDatabase> {
  const sql = postgres(options.url, {
    max: CONNECTIONS,
    connect_timeout: CONNECT_SECONDS,
    backoff: () => RECONNECT_SECONDS,
    connection: { statement_timeout: STATEMENT_MS },
    onnotice: () => undefined,
  });
  try {
    // Before there are tables: the right user could not use those of the wrong one.
    await refuseBypass(sql);
    await sql.begin(async (transaction) => {
      // Two hubs that start at once would each find a table missing.
      await transaction`SELECT pg_advisory_xact_lock(${0x6e796d6f})`;
      await transaction.unsafe(SCHEMA);
    });
  } catch (error) {
    await sql.end({ timeout: 1 });
    throw error;
  }
  return {
    ...commitsOf(sql, options),
    ...realmsOf(sql, options),
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

/** What devices ask for all the time. */
function commitsOf(
  sql: Sql,
  { daily }: HubOptions,
): Pick<HubDatabase, 'role' | 'state' | 'missing' | 'store'> {
  return {
    async role({ realm, device }) {
      const [row] = await sql`SELECT nymote_enter_1(${realm}, ${device}) AS role`;
      return (row?.['role'] as Role | null) ?? undefined;
    },
    async state({ realm, device }) {
      const [row] = await sql`SELECT * FROM nymote_state_2(${realm}, ${device})`;
      if (row?.['role'] == null) return undefined;
      const { role, vector, forks, given } = row;
      return { role, vector, forks, given: given ?? undefined };
    },
    async missing({ realm, device }, known, after) {
      const devices = Object.keys(known);
      const numbers = devices.map((each) =>
        Math.max(0, ...(known[each] ?? []).map(([seq]) => seq)),
      );
      const ids = Object.values(known).flatMap((tips) => tips.map(([, id]) => id));
      const [row] = await sql`
        SELECT * FROM nymote_pull_2(
          ${realm}, ${device}, ${devices}::text[], ${numbers}::bigint[], ${ids}::text[],
          ${after ?? null})`;
      if (row?.['role'] == null) return undefined;
      const { role, page, is_more: isMore, holds, given, seen } = row;
      return {
        role,
        page,
        isMore,
        holds,
        given: given ?? undefined,
        seen: seen === null ? undefined : Number(seen),
      };
    },
    async store({ realm, device }, page, envelopes) {
      const [devices, numbers, ids, ends] = columnsOf(envelopes);
      const [row] = await sql`
        SELECT * FROM nymote_push_3(
          ${realm}, ${device}, ${page}, ${daily},
          ${devices}::text[], ${numbers}::bigint[], ${ids}::text[], ${ends}::int[])`;
      if (row?.['role'] == null || row['role'] === 'reader') return undefined;
      if (row['outcome'] !== 'stored') return row['outcome'];
      const { stored, gaps, forks, given } = row;
      return { stored, gaps, forks, given };
    },
  };
}

type Columns = readonly [devices: string[], numbers: number[], ids: string[], ends: number[]];

function columnsOf(envelopes: readonly Envelope[]): Columns {
  const columns: Columns = [[], [], [], []];
  let end = 0;
  for (const { device, seq, id, bytes } of envelopes) {
    end += bytes.length;
    columns[0].push(device);
    columns[1].push(seq);
    columns[2].push(id);
    columns[3].push(end);
  }
  return columns;
}

/** What is asked seldom: realms, members, invitations, and what is going on. */
function realmsOf(
  sql: Sql,
  { quota, hash }: HubOptions,
): Omit<HubDatabase, 'role' | 'state' | 'missing' | 'store' | typeof Symbol.asyncDispose> {
  const within = <T>(realm: string, use: (transaction: TransactionSql) => Promise<T>) =>
    sql.begin(async (transaction) => {
      await transaction`SELECT set_config('nymote.realm', ${realm}, true)`;
      return use(transaction);
    }) as Promise<T>;
  return {
    begin: (realm, member, invite) =>
      within(realm, async (transaction) => {
        const [taken] = await transaction`SELECT 1 FROM nymote_realm`;
        if (taken !== undefined) return false;
        const used = await transaction`
          UPDATE nymote_invite SET uses = uses - 1 WHERE hash = ${hash(invite)} AND uses > 0`;
        if (used.count === 0) return false;
        await transaction`
          INSERT INTO nymote_realm (realm, quota) VALUES (${bytesOf(realm)}, ${quota})`;
        await addMember(transaction, realm, member);
        return true;
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
        await transaction`SELECT pg_notify(${ENDED}, ${realm})`;
      }),
    publish: (realm, isPublic) =>
      within(realm, async (transaction) => {
        const { count } = await transaction`UPDATE nymote_realm SET is_public = ${isPublic}`;
        return count > 0;
      }),
    forget: (realm) =>
      within(realm, async (transaction) => {
        const { count } = await transaction`DELETE FROM nymote_realm`;
        await transaction`SELECT pg_notify(${ENDED}, ${realm})`;
        return count > 0;
      }),
    async listen({ moved, ended, again }) {
      // Called with each connection: in between, nobody told us anything.
      await sql.listen(CHANNEL, moved, again);
      await sql.listen(ENDED, ended);
    },
    async invite(code, uses) {
      await sql`INSERT INTO nymote_invite (hash, uses) VALUES (${hash(code)}, ${uses})`;
    },
    async size() {
      const [row] = await sql`SELECT pg_database_size(current_database()) AS size`;
      return Number(row?.['size']);
    },
  };
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

function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex, 'hex');
}
