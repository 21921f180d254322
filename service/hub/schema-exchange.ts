/**
 * What a hub does for an exchange, as functions of the database: it gives what somebody lacks, and keeps
 * what somebody gives, without deciding what is true (ADR 18). Sizes of both are bounded here.
 */

/** A page of what is missing: bytes, unless a single one is larger, and rows. */
const PAGE_BYTES = 1 << 20;
const PAGE_ROWS = 2_000;
/** Rows that one request looks at, in the order in which they came. */
const WINDOW_ROWS = 4_000;
/** Envelopes that one member gives for one number: branches of a fork, and the parts of a base. */
const MAX_FORKS = 8;
/** Names of authors under which one member gives anything: more than a realm will ever have. */
const MAX_AUTHORS = 512;
/** Branches of one author that are remembered of what a member gave. */
const MAX_TIPS = 16;
/** Authors whose numbers are told. */
export const MAX_TOLD = 1_024;
/** Where hubs of one database tell each other which realm changed. */
export const CHANNEL = 'nymote_moved';

/**
 * What is beyond the numbers that somebody has, and both sides wherever there are two, in the order in
 * which they came: who gives has the past first. Rows up to `p_after` the asker has seen; rows of one
 * place are never parted. Devices of before do not say what they saw: they get what follows their
 * numbers.
 */
const PULL = `
CREATE OR REPLACE FUNCTION nymote_pull_2(p_realm text, p_device text,
  p_devices text[], p_seqs bigint[], p_ids text[], p_after bigint,
  OUT role text, OUT holds json, OUT given json, OUT page bytea, OUT is_more boolean,
  OUT seen bigint)
LANGUAGE plpgsql AS $$
DECLARE
  v_end bigint;
  v_last bigint;
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
  commits AS (
    SELECT serial, device, seq FROM nymote_commit
    WHERE serial > p_after ORDER BY serial LIMIT ${WINDOW_ROWS}),
  forks AS (
    SELECT realm, device, seq, id, digest, serial FROM nymote_fork
    WHERE serial > coalesce(p_after, 0) ORDER BY serial LIMIT ${WINDOW_ROWS}),
  ends AS (
    SELECT max(serial) AS serial, count(*) AS count FROM commits
    UNION ALL SELECT max(serial), count(*) FROM forks),
  bound AS (
    SELECT min(serial) FILTER (WHERE count = ${WINDOW_ROWS}) AS hard, max(serial) AS last FROM ends),
  ahead AS (
    SELECT w.serial, c.envelope
    FROM (
      SELECT w.* FROM commits w LEFT JOIN known USING (device)
      WHERE w.seq > coalesce(known.seq, 0) ORDER BY w.serial LIMIT ${PAGE_ROWS + 1}) w
    JOIN nymote_commit c USING (device, seq)),
  behind AS (
    SELECT c.serial, c.envelope
    FROM nymote_chain chain
    LEFT JOIN known USING (device)
    JOIN LATERAL (
      SELECT serial, envelope FROM nymote_commit
      WHERE device = chain.device AND seq > coalesce(known.seq, 0)
      ORDER BY seq LIMIT ${PAGE_ROWS + 1}) c ON true
    WHERE p_after IS NULL AND chain.seq > coalesce(known.seq, 0)),
  other AS (
    SELECT w.serial, f.envelope
    FROM (
      SELECT w.* FROM forks w LEFT JOIN known USING (device)
      WHERE w.seq > coalesce(known.seq, 0) OR NOT encode(w.id, 'hex') = ANY(p_ids)
      ORDER BY w.serial LIMIT ${PAGE_ROWS + 1}) w
    JOIN nymote_fork f USING (realm, device, seq, digest)),
  beside AS (
    SELECT w.serial, c.envelope
    FROM (SELECT device, seq, min(serial) AS serial FROM forks GROUP BY device, seq) w
    JOIN known USING (device)
    JOIN nymote_commit c ON c.device = w.device AND c.seq = w.seq
    WHERE w.seq <= known.seq AND NOT encode(c.id, 'hex') = ANY(p_ids)
    ORDER BY w.serial LIMIT ${PAGE_ROWS + 1}),
  placed AS (
    SELECT serial, envelope,
      rank() OVER (ORDER BY serial) AS place,
      sum(octet_length(envelope)) OVER (ORDER BY serial) AS size
    FROM (TABLE ahead UNION ALL TABLE behind UNION ALL TABLE other UNION ALL TABLE beside) AS rows
    WHERE p_after IS NULL OR serial <= (SELECT coalesce(hard, serial) FROM bound)
    ORDER BY serial LIMIT ${PAGE_ROWS + 2}),
  cut AS (
    SELECT *, place = 1 OR (place <= ${PAGE_ROWS} AND size <= ${PAGE_BYTES}) AS fits FROM placed)
  SELECT
    string_agg(envelope, ''::bytea ORDER BY serial) FILTER (WHERE fits),
    bool_or(NOT fits), max(serial) FILTER (WHERE fits), min(bound.hard), min(bound.last)
    INTO page, is_more, seen, v_end, v_last FROM bound LEFT JOIN cut ON true;
  page := coalesce(page, ''::bytea);
  is_more := coalesce(is_more, false);
  IF p_after IS NULL THEN
    seen := NULL;
  ELSIF NOT is_more THEN
    is_more := v_end IS NOT NULL;
    seen := coalesce(v_end, v_last, p_after);
  END IF;
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
 * whoever wrote it, and takes no more than it leaves to the others: nobody fills a realm alone.
 */
const PUSH = `
CREATE OR REPLACE FUNCTION nymote_push_3(p_realm text, p_device text, p_page bytea, p_daily bigint,
  p_devices text[], p_seqs bigint[], p_ids text[], p_ends int[],
  OUT role text, OUT outcome text, OUT stored int, OUT gaps json, OUT forks json, OUT given json)
LANGUAGE plpgsql AS $$
DECLARE
  v_room nymote_realm%ROWTYPE;
  v_mine bigint;
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
  SELECT m.bytes, CASE WHEN day = current_date THEN day_bytes ELSE 0 END, m.given
    INTO v_mine, v_today, v_given FROM nymote_member m WHERE device = p_device;
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
    -- One chain that goes on, almost always.
    v_given := v_given || jsonb_build_object(p_devices[i], CASE
      WHEN v_tips IS NULL OR (jsonb_array_length(v_tips) = 1 AND v_have = p_seqs[i] - 1)
        THEN jsonb_build_array(jsonb_build_array(p_seqs[i], p_ids[i]))
      ELSE nymote_tips_2(v_tips, p_seqs[i], p_ids[i]) END);
    outcome := CASE
      WHEN v_mine + v_taken > v_room.quota - v_room.bytes - v_taken THEN 'full'
      WHEN v_today + v_taken > p_daily THEN 'enough-today'
      ELSE 'stored' END;
    IF v_taken > 0 AND outcome <> 'stored' THEN RAISE SQLSTATE 'NYM01'; END IF;
  END LOOP;
  outcome := 'stored';
  IF v_taken > 0 THEN
    UPDATE nymote_realm SET bytes = bytes + v_taken;
    PERFORM pg_notify('${CHANNEL}', p_realm);
  END IF;
  -- Garbage under a name that was given before is paid for as well.
  IF v_given <> v_before OR v_taken > 0 THEN
    UPDATE nymote_member SET given = v_given, bytes = v_mine + v_taken,
      day = current_date, day_bytes = v_today + v_taken WHERE device = p_device;
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

/** All of them. */
export const EXCHANGE = [PULL, TIPS, PUSH].join('');
