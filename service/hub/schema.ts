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

/** A page of what is missing: bytes, unless a single one is larger, and rows. */
const PAGE_BYTES = 1 << 20;
const PAGE_ROWS = 2_000;
/** Envelopes that one member gives for one number: branches of a fork, and the parts of a base. */
const MAX_FORKS = 8;
/** Names of authors under which one member gives anything: more than a realm will ever have. */
const MAX_AUTHORS = 512;
/** Branches of one author that are remembered of what a member gave. */
const MAX_TIPS = 16;
/** Authors whose numbers are told. */
const MAX_TOLD = 1_024;
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
ALTER TABLE nymote_member ADD COLUMN IF NOT EXISTS given jsonb NOT NULL DEFAULT '{}';
ALTER TABLE nymote_fork DROP CONSTRAINT IF EXISTS nymote_fork_pkey;
ALTER TABLE nymote_fork
  ADD COLUMN IF NOT EXISTS digest bytea GENERATED ALWAYS AS (sha256(envelope)) STORED,
  ADD COLUMN IF NOT EXISTS giver text NOT NULL DEFAULT '',
  ADD COLUMN IF NOT EXISTS serial bigint NOT NULL DEFAULT nextval('nymote_commit_serial_seq');
CREATE UNIQUE INDEX IF NOT EXISTS nymote_fork_digest ON nymote_fork (realm, device, seq, digest);
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

/**
 * What is beyond the numbers that somebody has, and both sides wherever there are two, in the order in
 * which they came: who gives has the past first. Rows up to \`p_after\` the asker has seen; rows of one
 * place are never parted.
 */
const PULL = `
CREATE OR REPLACE FUNCTION nymote_pull_2(p_realm text, p_device text,
  p_devices text[], p_seqs bigint[], p_ids text[], p_after bigint,
  OUT role text, OUT holds json, OUT given json, OUT page bytea, OUT is_more boolean,
  OUT seen bigint)
LANGUAGE plpgsql AS $$
BEGIN
  role := nymote_enter_1(p_realm, p_device);
  IF role IS NULL THEN RETURN; END IF;
  SELECT coalesce(json_object_agg(device, seq), '{}') INTO holds
    FROM (SELECT device, seq FROM nymote_chain LIMIT ${MAX_TOLD}) AS chain;
  SELECT m.given INTO given FROM nymote_member m WHERE device = p_device AND dismissed_at IS NULL;
  -- A database that was taken back in time has fewer rows than were seen.
  IF p_after > (SELECT last_value FROM nymote_commit_serial_seq) THEN p_after := 0; END IF;
  WITH known AS (
    SELECT device, seq FROM unnest(p_devices, p_seqs) AS known(device, seq)),
  ahead AS (
    SELECT c.serial, c.envelope
    FROM nymote_chain chain
    LEFT JOIN known USING (device)
    JOIN LATERAL (
      SELECT serial, envelope FROM nymote_commit
      WHERE device = chain.device AND seq > coalesce(known.seq, 0) AND serial > p_after
      ORDER BY serial LIMIT ${PAGE_ROWS + 1}) c ON true
    WHERE chain.seq > coalesce(known.seq, 0)),
  other AS (
    SELECT f.serial, f.envelope
    FROM nymote_fork f
    LEFT JOIN known USING (device)
    WHERE f.serial > p_after
      AND (f.seq > coalesce(known.seq, 0) OR NOT encode(f.id, 'hex') = ANY(p_ids))
    ORDER BY f.serial LIMIT ${PAGE_ROWS + 1}),
  beside AS (
    SELECT f.serial, c.envelope
    FROM (
      SELECT realm, device, seq, min(serial) AS serial FROM nymote_fork
      WHERE serial > p_after GROUP BY realm, device, seq) f
    JOIN nymote_commit c USING (realm, device, seq)
    JOIN known USING (device)
    WHERE f.seq <= known.seq AND NOT encode(c.id, 'hex') = ANY(p_ids)
    ORDER BY f.serial LIMIT ${PAGE_ROWS + 1}),
  placed AS (
    SELECT serial, envelope,
      rank() OVER (ORDER BY serial) AS place,
      sum(octet_length(envelope)) OVER (ORDER BY serial) AS size
    FROM (TABLE ahead UNION ALL TABLE other UNION ALL TABLE beside) AS rows
    ORDER BY serial LIMIT ${PAGE_ROWS + 2})
  SELECT
    string_agg(envelope, ''::bytea ORDER BY serial)
      FILTER (WHERE place = 1 OR (place <= ${PAGE_ROWS} AND size <= ${PAGE_BYTES})),
    bool_or(place > ${PAGE_ROWS} OR (place > 1 AND size > ${PAGE_BYTES})),
    max(serial) FILTER (WHERE place = 1 OR (place <= ${PAGE_ROWS} AND size <= ${PAGE_BYTES}))
    INTO page, is_more, seen FROM placed;
  page := coalesce(page, ''::bytea);
  is_more := coalesce(is_more, false);
  seen := coalesce(seen, p_after);
END $$;
`;

/**
 * What a member gave of one author: the ends of its branches. The one that a commit follows is no end
 * any more, if only one can be meant.
 */
const TIPS = `
CREATE OR REPLACE FUNCTION nymote_tips_2(p_tips jsonb, p_seq bigint, p_id text) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
  WITH tips AS (
    SELECT (tip->>0)::bigint AS seq, tip->>1 AS id FROM jsonb_array_elements(p_tips) AS tip),
  kept AS (
    SELECT seq, id FROM tips
    WHERE seq <> p_seq - 1 OR (SELECT count(*) FROM tips WHERE seq = p_seq - 1) > 1
    UNION SELECT p_seq, p_id
    ORDER BY seq DESC, id LIMIT ${MAX_TIPS})
  SELECT jsonb_agg(jsonb_build_array(seq, id) ORDER BY seq, id) FROM kept
$$;
`;

/**
 * Envelopes lie in one page, each from the end of the one before. Each member gives each chain itself,
 * without gaps, wherever it begins; what somebody gave already lies here once. So nobody's claim to a
 * number keeps out anybody else's. A writer of a realm at a time. Who pushes pays for what is new,
 * whoever wrote it.
 */
const PUSH = `
CREATE OR REPLACE FUNCTION nymote_push_2(p_realm text, p_device text, p_page bytea, p_daily bigint,
  p_devices text[], p_seqs bigint[], p_ids text[], p_ends int[],
  OUT role text, OUT outcome text, OUT stored int, OUT gaps json, OUT forks json, OUT given json)
LANGUAGE plpgsql AS $$
DECLARE
  v_room nymote_realm%ROWTYPE;
  v_today bigint;
  v_given jsonb;
  v_before jsonb;
  v_tips jsonb;
  v_have bigint;
  v_start int := 0;
  v_envelope bytea;
  v_held bytea;
  v_id bytea;
  v_taken bigint := 0;
  v_forked int := 0;
  v_gaps jsonb := '{}';
BEGIN
  stored := 0;
  role := nymote_enter_1(p_realm, p_device);
  IF role IS NULL OR role = 'reader' THEN RETURN; END IF;
  SELECT * INTO v_room FROM nymote_realm FOR UPDATE;
  SELECT CASE WHEN day = current_date THEN day_bytes ELSE 0 END, m.given INTO v_today, v_given
    FROM nymote_member m WHERE device = p_device;
  v_before := v_given;
  outcome := 'stored';
  FOR i IN 1 .. cardinality(p_devices) LOOP
    v_envelope := substr(p_page, v_start + 1, p_ends[i] - v_start);
    v_start := p_ends[i];
    v_id := decode(p_ids[i], 'hex');
    v_tips := v_given->p_devices[i];
    SELECT max((tip->>0)::bigint) INTO v_have FROM jsonb_array_elements(v_tips) AS tip;
    -- Devices of before skip what others gave.
    IF p_seqs[i] > v_have + 1 AND NOT EXISTS (
        SELECT FROM nymote_commit WHERE device = p_devices[i] AND seq = p_seqs[i] - 1) THEN
      v_gaps := v_gaps || jsonb_build_object(p_devices[i], v_have);
      CONTINUE;
    END IF;
    IF v_tips IS NULL AND (SELECT count(*) FROM jsonb_object_keys(v_given)) >= ${MAX_AUTHORS} THEN
      CONTINUE;
    END IF;
    SELECT envelope INTO v_held FROM nymote_commit WHERE device = p_devices[i] AND seq = p_seqs[i];
    IF v_held IS NULL THEN
      INSERT INTO nymote_commit (realm, device, seq, id, envelope)
        VALUES (v_room.realm, p_devices[i], p_seqs[i], v_id, v_envelope);
      INSERT INTO nymote_chain AS chain (realm, device, seq, id)
        VALUES (v_room.realm, p_devices[i], p_seqs[i], v_id)
        ON CONFLICT (realm, device) DO UPDATE SET seq = excluded.seq, id = excluded.id
          WHERE excluded.seq > chain.seq;
      stored := stored + 1;
      v_taken := v_taken + octet_length(v_envelope);
    ELSIF v_held <> v_envelope AND NOT EXISTS (SELECT FROM nymote_fork
        WHERE device = p_devices[i] AND seq = p_seqs[i] AND digest = sha256(v_envelope)) THEN
      IF (SELECT count(*) FROM nymote_fork
          WHERE device = p_devices[i] AND seq = p_seqs[i] AND giver = p_device) >= ${MAX_FORKS} THEN
        CONTINUE;
      END IF;
      INSERT INTO nymote_fork (realm, device, seq, id, envelope, giver)
        VALUES (v_room.realm, p_devices[i], p_seqs[i], v_id, v_envelope, p_device);
      stored := stored + 1;
      v_forked := v_forked + 1;
      v_taken := v_taken + octet_length(v_envelope);
    END IF;
    v_given := v_given || jsonb_build_object(p_devices[i],
      nymote_tips_2(coalesce(v_tips, '[]'), p_seqs[i], p_ids[i]));
    outcome := CASE
      WHEN v_room.bytes + v_taken > v_room.quota THEN 'full'
      WHEN v_today + v_taken > p_daily THEN 'enough-today'
      ELSE 'stored' END;
    IF v_taken > 0 AND outcome <> 'stored' THEN RAISE SQLSTATE 'NYM01'; END IF;
  END LOOP;
  outcome := 'stored';
  IF v_taken > 0 THEN
    UPDATE nymote_realm SET bytes = bytes + v_taken;
    PERFORM pg_notify('${CHANNEL}', p_realm);
  END IF;
  IF v_given <> v_before THEN
    UPDATE nymote_member SET given = v_given, day = current_date, day_bytes = v_today + v_taken
      WHERE device = p_device;
  END IF;
  SELECT coalesce(json_agg(json_build_object('device', key, 'have', value)), '[]')
    INTO gaps FROM jsonb_each(v_gaps);
  forks := CASE WHEN v_forked > 0 THEN nymote_forks_2() ELSE '[]' END;
  given := v_given;
EXCEPTION WHEN SQLSTATE 'NYM01' THEN
  -- Nothing of it was kept.
  stored := 0;
END $$;
`;

/** All of it, to be run by each hub that starts. */
export const SCHEMA = [TABLES, POLICIES, ENTER, FORKS, STATE, PULL, TIPS, PUSH].join('');
