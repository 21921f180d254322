/**
 * The hub's tables, and what is asked of them often: each a function, so that a request is one
 * statement, one round trip and one transaction.
 *
 *     nymote_commit   one row for each number of a device: the first envelope that was given for it
 *     nymote_fork     the others: of a fork, or of a member that means ill; a hub cannot tell (ADR 18)
 *     nymote_chain    the highest number of each device that anybody gave
 *     nymote_member   who may ask, what it gave us in all and today
 *     nymote_realm    what a realm may take, and takes; and whether everybody may read it
 *     nymote_invite   who may begin a realm here; only hashes of what was given out
 *
 * Every statement sees one realm, by row security: a mistake in a query shows nobody else's rows.
 * Functions carry a number: hubs of two versions can share a database while one is replaced.
 *
 * @see https://www.postgresql.org/docs/15/ddl-rowsecurity.html
 */

import { EXCHANGE, MAX_TOLD } from './schema-exchange.ts';

/** Members of one realm, those that were dismissed included: their commits stay. */
export const MAX_MEMBERS = 256;
/** Where hubs of one database tell each other who is to prove anew that it may listen. */
export const ENDED = 'nymote_ended';

const TABLES = `
-- An index over many commits takes longer than a request may.
SET LOCAL statement_timeout = 0;
CREATE TABLE IF NOT EXISTS nymote_realm (
  realm bytea PRIMARY KEY, bytes bigint NOT NULL DEFAULT 0, quota bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now());
ALTER TABLE nymote_realm ADD COLUMN IF NOT EXISTS is_public boolean NOT NULL DEFAULT false;
CREATE TABLE IF NOT EXISTS nymote_member (
  realm bytea REFERENCES nymote_realm ON DELETE CASCADE, device text, key bytea NOT NULL,
  may_admit boolean NOT NULL, dismissed_at timestamptz, PRIMARY KEY (realm, device));
ALTER TABLE nymote_member ADD COLUMN IF NOT EXISTS day date;
ALTER TABLE nymote_member ADD COLUMN IF NOT EXISTS day_bytes bigint NOT NULL DEFAULT 0;
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
ALTER TABLE nymote_member ADD COLUMN IF NOT EXISTS bytes bigint NOT NULL DEFAULT 0;
ALTER TABLE nymote_member ADD COLUMN IF NOT EXISTS given jsonb NOT NULL DEFAULT '{}';
ALTER TABLE nymote_fork DROP CONSTRAINT IF EXISTS nymote_fork_pkey;
ALTER TABLE nymote_fork
  ADD COLUMN IF NOT EXISTS digest bytea GENERATED ALWAYS AS (sha256(envelope)) STORED,
  ADD COLUMN IF NOT EXISTS giver text NOT NULL DEFAULT '',
  ADD COLUMN IF NOT EXISTS serial bigint NOT NULL DEFAULT nextval('nymote_commit_serial_seq');
CREATE UNIQUE INDEX IF NOT EXISTS nymote_fork_digest ON nymote_fork (realm, device, seq, digest);
CREATE INDEX IF NOT EXISTS nymote_fork_serial ON nymote_fork (realm, serial);
CREATE INDEX IF NOT EXISTS nymote_commit_serial ON nymote_commit (realm, serial)
  INCLUDE (device, seq);
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

/** Chooses the realm whose rows are seen; what the device may do there, NULL when nothing. */
const ENTER = `
CREATE OR REPLACE FUNCTION nymote_enter_1(p_realm text, p_device text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  role text;
BEGIN
  PERFORM set_config('nymote.realm', p_realm, true);
  SELECT CASE WHEN may_admit THEN 'admitter' ELSE 'member' END INTO role
    FROM nymote_member WHERE device = p_device AND dismissed_at IS NULL;
  IF role IS NULL THEN
    SELECT 'reader' INTO role FROM nymote_realm WHERE is_public;
  END IF;
  RETURN role;
END $$;
`;

/** Numbers for which commits of two names were given. */
const FORKS = `
CREATE OR REPLACE FUNCTION nymote_forks_2() RETURNS json
LANGUAGE sql STABLE AS $$
  SELECT coalesce(json_agg(json_build_object('device', device, 'seq', seq, 'ids', ids)), '[]')
  FROM (
    SELECT device, seq, array_agg(encode(id, 'hex') ORDER BY id) AS ids
    FROM (
      SELECT device, seq, id FROM nymote_fork
      UNION SELECT c.device, c.seq, c.id
        FROM nymote_commit c JOIN nymote_fork USING (realm, device, seq)) AS sides
    GROUP BY device, seq HAVING count(*) > 1 LIMIT ${MAX_MEMBERS}) AS forks
$$;
`;

const STATE = `
CREATE OR REPLACE FUNCTION nymote_state_2(p_realm text, p_device text,
  OUT role text, OUT vector json, OUT forks json, OUT given json)
LANGUAGE plpgsql AS $$
BEGIN
  role := nymote_enter_1(p_realm, p_device);
  IF role IS NULL THEN RETURN; END IF;
  SELECT coalesce(json_object_agg(device,
      json_build_array(json_build_array(seq, encode(id, 'hex')))), '{}') INTO vector
    FROM (SELECT * FROM nymote_chain LIMIT ${MAX_TOLD}) AS chain;
  forks := nymote_forks_2();
  SELECT m.given INTO given FROM nymote_member m WHERE device = p_device AND dismissed_at IS NULL;
END $$;
`;

/** All of it, to be run by each hub that starts. */
export const SCHEMA = [TABLES, POLICIES, ENTER, FORKS, STATE, EXCHANGE].join('');
