/**
 * The hub's tables, and what is asked of them often: each a function, so that a request is one
 * statement, one round trip and one transaction.
 *
 *     nymote_commit   one row a commit; two of a device with one number are a fork, by the key
 *     nymote_fork     the other commit of a fork: evidence, not a choice
 *     nymote_chain    the newest commit of each device: a realm's version vector
 *     nymote_member   who may ask, and what it gave us today
 *     nymote_realm    what a realm may take, and takes; and whether everybody may read it
 *     nymote_invite   who may begin a realm here; only hashes of what was given out
 *
 * Every statement sees one realm, by row security: a mistake in a query shows nobody else's rows.
 * Functions carry a number: hubs of two versions can share a database while one is replaced.
 *
 * @see https://www.postgresql.org/docs/15/ddl-rowsecurity.html
 */

/** A page of what is missing: bytes, unless a single one is larger, and rows. */
const PAGE_BYTES = 1 << 20;
const PAGE_ROWS = 2_000;
/** Of a fork one is proof enough; a few more show how far it went. */
const MAX_FORKS = 4;
/** Members of one realm, those that were dismissed included: their commits stay. */
export const MAX_MEMBERS = 256;
/** Where hubs of one database tell each other which realm changed. */
export const CHANNEL = 'nymote_moved';
/** And who is to prove anew that it may listen. */
export const ENDED = 'nymote_ended';

const TABLES = `
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

const FORKS = `
CREATE OR REPLACE FUNCTION nymote_forks_1() RETURNS json
LANGUAGE sql STABLE AS $$
  SELECT coalesce(json_agg(json_build_object('device', device, 'seq', seq, 'ids', ids)), '[]')
  FROM (
    SELECT f.device, f.seq,
      array_prepend(encode(c.id, 'hex'), array_agg(encode(f.id, 'hex') ORDER BY f.id)) AS ids
    FROM nymote_fork f JOIN nymote_commit c USING (realm, device, seq)
    GROUP BY f.device, f.seq, c.id LIMIT ${MAX_MEMBERS}) AS forks
$$;
`;

const STATE = `
CREATE OR REPLACE FUNCTION nymote_state_1(p_realm text, p_device text,
  OUT role text, OUT vector json, OUT forks json)
LANGUAGE plpgsql AS $$
BEGIN
  role := nymote_enter_1(p_realm, p_device);
  IF role IS NULL THEN RETURN; END IF;
  SELECT coalesce(json_object_agg(device,
      json_build_array(json_build_array(seq, encode(id, 'hex')))), '{}')
    INTO vector FROM nymote_chain;
  forks := nymote_forks_1();
END $$;
`;

/** Of a fork each side is evidence for who holds the other. */
const PULL = `
CREATE OR REPLACE FUNCTION nymote_pull_1(p_realm text, p_device text,
  p_devices text[], p_seqs bigint[], p_ids text[],
  OUT role text, OUT holds json, OUT page bytea, OUT is_more boolean)
LANGUAGE plpgsql AS $$
DECLARE
  evidence bytea;
BEGIN
  role := nymote_enter_1(p_realm, p_device);
  IF role IS NULL THEN RETURN; END IF;
  SELECT coalesce(json_object_agg(device, seq), '{}') INTO holds FROM nymote_chain;
  WITH behind AS (
    SELECT chain.device, coalesce(known.seq, 0) AS seq
    FROM nymote_chain chain
    LEFT JOIN unnest(p_devices, p_seqs) AS known(device, seq) USING (device)
    WHERE chain.seq > coalesce(known.seq, 0)),
  ahead AS (
    SELECT c.serial, c.envelope,
      row_number() OVER (ORDER BY c.serial) AS place,
      sum(octet_length(c.envelope)) OVER (ORDER BY c.serial) AS size
    FROM behind
    JOIN LATERAL (
      SELECT serial, envelope FROM nymote_commit
      WHERE device = behind.device AND seq > behind.seq
      ORDER BY seq LIMIT ${PAGE_ROWS + 1}) c ON true
    ORDER BY c.serial LIMIT ${PAGE_ROWS + 1})
  SELECT
    string_agg(envelope, ''::bytea ORDER BY serial)
      FILTER (WHERE place = 1 OR (place <= ${PAGE_ROWS} AND size <= ${PAGE_BYTES})),
    bool_or(place > ${PAGE_ROWS} OR (place > 1 AND size > ${PAGE_BYTES}))
    INTO page, is_more FROM ahead;
  page := coalesce(page, ''::bytea);
  is_more := coalesce(is_more, false);
  IF NOT is_more THEN
    SELECT string_agg(envelope, ''::bytea) INTO evidence FROM (
      SELECT envelope, sum(octet_length(envelope)) OVER (ORDER BY device, seq, id) AS size
      FROM nymote_fork
      WHERE device = ANY(p_devices) AND NOT encode(id, 'hex') = ANY(p_ids)) AS sides
      WHERE size + octet_length(page) <= ${PAGE_BYTES};
    page := page || coalesce(evidence, ''::bytea);
  END IF;
END $$;
`;

/**
 * Envelopes lie in one page, each from the end of the one before. A writer of a realm at a time:
 * chains grow without gaps. Who pushes pays for it, whoever wrote it.
 */
const PUSH = `
CREATE OR REPLACE FUNCTION nymote_push_1(p_realm text, p_device text, p_page bytea, p_daily bigint,
  p_devices text[], p_seqs bigint[], p_ids text[], p_ends int[],
  OUT role text, OUT outcome text, OUT stored int, OUT gaps json, OUT forks json)
LANGUAGE plpgsql AS $$
DECLARE
  v_room nymote_realm%ROWTYPE;
  v_given bigint;
  v_have bigint;
  v_start int := 0;
  v_envelope bytea;
  v_id bytea;
  v_taken bigint := 0;
  v_forked int := 0;
  v_gaps jsonb := '{}';
BEGIN
  stored := 0;
  role := nymote_enter_1(p_realm, p_device);
  IF role IS NULL OR role = 'reader' THEN RETURN; END IF;
  SELECT * INTO v_room FROM nymote_realm FOR UPDATE;
  SELECT CASE WHEN day = current_date THEN day_bytes ELSE 0 END INTO v_given
    FROM nymote_member WHERE device = p_device;
  outcome := CASE
    WHEN v_room.bytes + octet_length(p_page) > v_room.quota THEN 'full'
    WHEN v_given + octet_length(p_page) > p_daily THEN 'enough-today'
    ELSE 'stored' END;
  IF outcome <> 'stored' THEN RETURN; END IF;
  FOR i IN 1 .. cardinality(p_devices) LOOP
    v_envelope := substr(p_page, v_start + 1, p_ends[i] - v_start);
    v_start := p_ends[i];
    v_id := decode(p_ids[i], 'hex');
    SELECT seq INTO v_have FROM nymote_chain WHERE device = p_devices[i];
    v_have := coalesce(v_have, 0);
    IF p_seqs[i] = v_have + 1 THEN
      INSERT INTO nymote_commit (realm, device, seq, id, envelope)
        VALUES (v_room.realm, p_devices[i], p_seqs[i], v_id, v_envelope);
      INSERT INTO nymote_chain AS chain (realm, device, seq, id)
        VALUES (v_room.realm, p_devices[i], p_seqs[i], v_id)
        ON CONFLICT (realm, device) DO UPDATE SET seq = excluded.seq, id = excluded.id;
      stored := stored + 1;
      v_taken := v_taken + octet_length(v_envelope);
    ELSIF p_seqs[i] > v_have THEN
      v_gaps := v_gaps || jsonb_build_object(p_devices[i], v_have);
    ELSE
      INSERT INTO nymote_fork (realm, device, seq, id, envelope)
        SELECT v_room.realm, held.device, held.seq, v_id, v_envelope FROM nymote_commit held
        WHERE held.device = p_devices[i] AND held.seq = p_seqs[i] AND held.id <> v_id
          AND (SELECT count(*) FROM nymote_fork f WHERE f.device = held.device) < ${MAX_FORKS}
        ON CONFLICT DO NOTHING;
      IF FOUND THEN
        v_forked := v_forked + 1;
        v_taken := v_taken + octet_length(v_envelope);
      END IF;
    END IF;
  END LOOP;
  IF v_taken > 0 THEN
    UPDATE nymote_realm SET bytes = bytes + v_taken;
    UPDATE nymote_member SET day = current_date, day_bytes = v_given + v_taken
      WHERE device = p_device;
    PERFORM pg_notify('${CHANNEL}', p_realm);
  END IF;
  SELECT coalesce(json_agg(json_build_object('device', key, 'have', value)), '[]')
    INTO gaps FROM jsonb_each(v_gaps);
  forks := CASE WHEN v_forked > 0 THEN nymote_forks_1() ELSE '[]' END;
END $$;
`;

/** All of it, to be run by each hub that starts. */
export const SCHEMA = [TABLES, POLICIES, ENTER, FORKS, STATE, PULL, PUSH].join('');
