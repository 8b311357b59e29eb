-- Village: the whole database, written by hand and grouped by chapter.
-- A fresh database is made from this file; a released one is changed by app/migrations/ (docs/start.md).

CREATE EXTENSION IF NOT EXISTS postgis;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS citext;
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE schema_versions (
    version integer PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE schema_versions IS 'One step of the schema that this database has taken; the largest is where it stands.';

CREATE TABLE seeds (
    name text PRIMARY KEY,
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    loaded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE seeds IS 'One seed file that was loaded, with the hash of what was loaded.';

-- Months of an append-only table. Called by migrate and by the job maintain_partitions; answers the names it made.
CREATE FUNCTION make_month_partitions(parent text, first_month date, months integer) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    starts date;
    child text;
BEGIN
    FOR n IN 0 .. months - 1 LOOP
        starts := date_trunc('month', first_month)::date + make_interval(months => n);
        child := parent || to_char(starts, '_YYYY_MM');
        IF to_regclass(child) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                child, parent, starts, (starts + interval '1 month')::date);
            RETURN NEXT child;
        END IF;
    END LOOP;
END $$;

-- ---------------------------------------------------------------------------------------------------------------------
-- Platform: people

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('visitor', 'member', 'service')),
    is_anonymous boolean GENERATED ALWAYS AS (kind = 'visitor') STORED,
    anon_hash bytea UNIQUE,
    email citext UNIQUE CHECK (length(email) <= 254),
    email_verified_at timestamptz,
    display_name text NOT NULL DEFAULT '' CHECK (length(display_name) <= 80),
    locale text NOT NULL DEFAULT 'en',
    time_zone text,
    role text CHECK (role IN ('super_admin', 'support', 'ops', 'read_only')),
    role_by bigint REFERENCES users ON DELETE SET NULL,
    role_at timestamptz,
    banned_until timestamptz,
    ban_reason text,
    email_disabled_at timestamptz,
    email_disabled_why text,
    closed_at timestamptz,
    last_seen_on date,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((kind = 'member') = (email IS NOT NULL)),
    CHECK ((kind = 'visitor') = (anon_hash IS NOT NULL))
);
COMMENT ON TABLE users IS 'One person, one service account, or one visitor who saved something.';
CREATE INDEX users_visitors ON users (last_seen_on) WHERE kind = 'visitor';
CREATE INDEX users_admins ON users (role) WHERE role IS NOT NULL;
CREATE INDEX users_services ON users (id) WHERE kind = 'service';
-- What admins search people by.
CREATE INDEX users_words ON users USING gin ((coalesce(email::text, '') || ' ' || display_name) gin_trgm_ops)
    WHERE kind <> 'visitor';

CREATE TABLE sign_in_requests (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email citext,
    purpose text NOT NULL CHECK (
        purpose IN ('sign_in', 'verify_address', 'first_admin', 'step_up', 'change_address', 'not_me')
    ),
    -- Whose account it is about, where the letter does more than to prove an address.
    user_id bigint REFERENCES users ON DELETE CASCADE,
    token_hash bytea NOT NULL UNIQUE,
    code_hash bytea,
    browser_hash bytea,
    -- The outside account (oauth_states) that is linked when this letter signs its member in.
    link_hash bytea,
    next text NOT NULL DEFAULT '/',
    tries integer NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (purpose = 'first_admin' OR email IS NOT NULL),
    CHECK (purpose NOT IN ('step_up', 'change_address', 'not_me') OR user_id IS NOT NULL)
);
COMMENT ON TABLE sign_in_requests IS
    'One letter that opens a member''s door by its link or its code; for the first admin the printed link.';
CREATE INDEX sign_in_requests_user ON sign_in_requests (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX sign_in_requests_email ON sign_in_requests (email) WHERE used_at IS NULL;
CREATE INDEX sign_in_requests_expiry ON sign_in_requests (expires_at);

CREATE TABLE oauth_states (
    state_hash bytea PRIMARY KEY,
    provider text NOT NULL CHECK (provider IN ('google', 'facebook', 'apple')),
    browser_hash bytea NOT NULL,
    nonce text NOT NULL,
    verifier_enc bytea NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('sign_in', 'link')),
    user_id bigint REFERENCES users ON DELETE CASCADE,
    next text NOT NULL DEFAULT '/',
    -- Apple's answer, kept for a minute between its form post and the GET that reads it.
    form_enc bytea,
    form_until timestamptz,
    -- Who the provider said it was, while the member's address waits to be proven.
    found_enc bytea,
    link_until timestamptz,
    -- The earlier trip that is linked when this one signs its member in.
    link_hash bytea,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((purpose = 'link') = (user_id IS NOT NULL))
);
COMMENT ON TABLE oauth_states IS 'One trip to a provider, bound to the browser that began it; its answer is taken once.';
CREATE INDEX oauth_states_expiry ON oauth_states (expires_at);
CREATE INDEX oauth_states_user ON oauth_states (user_id) WHERE user_id IS NOT NULL;

CREATE TABLE identities (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    provider text NOT NULL CHECK (provider IN ('google', 'facebook', 'apple')),
    subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    email citext CHECK (length(email) <= 254),
    email_verified boolean NOT NULL DEFAULT false,
    refresh_token_enc bytea,
    expires_at timestamptz,
    used_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (provider, subject),
    UNIQUE (user_id, provider)
);
COMMENT ON TABLE identities IS 'One outside account that opens one member''s door.';
CREATE INDEX identities_expiry ON identities (expires_at) WHERE refresh_token_enc IS NOT NULL;

CREATE TABLE token_revocations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL CHECK (provider IN ('google', 'facebook', 'apple', 'facebook_pages', 'instagram')),
    token_enc bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE token_revocations IS 'One token of an outside account that was unlinked or erased, until its provider has revoked it.';

CREATE TABLE impersonation_audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Plain numbers: the row outlives both.
    impersonator_id bigint NOT NULL,
    target_user_id bigint NOT NULL CHECK (target_user_id <> impersonator_id),
    reason text NOT NULL CHECK (length(reason) BETWEEN 10 AND 500),
    writes boolean NOT NULL DEFAULT false,
    started_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    pages integer NOT NULL DEFAULT 0,
    ip jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (expires_at <= started_at + interval '60 minutes')
);
COMMENT ON TABLE impersonation_audit IS 'One stretch of seeing the site as someone.';
-- One at a time.
CREATE UNIQUE INDEX impersonation_audit_open ON impersonation_audit (impersonator_id) WHERE ended_at IS NULL;
CREATE INDEX impersonation_audit_target ON impersonation_audit (target_user_id, id DESC);

CREATE TABLE sessions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    previous_hash bytea UNIQUE,
    next_seen_at timestamptz,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    method text NOT NULL,
    key_print text NOT NULL,
    rotated_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    fresh_until timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    ip jsonb NOT NULL DEFAULT '{}',
    -- Which browser it is, so that a new one is told to the member.
    browser_hash bytea,
    impersonation_id bigint REFERENCES impersonation_audit,
    ended_at timestamptz,
    ended_why text,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE sessions IS 'One browser that is signed in. next_seen_at: when the value made by the last rotation was first used.';
CREATE INDEX sessions_user ON sessions (user_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_seen_as ON sessions (impersonation_id) WHERE impersonation_id IS NOT NULL;

CREATE TABLE api_tokens (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    prefix text NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    allowed_ips cidr[] NOT NULL DEFAULT '{}',
    expires_at timestamptz NOT NULL,
    used_on date,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (expires_at <= created_at + interval '365 days')
);
COMMENT ON TABLE api_tokens IS 'One key of a script. prefix: the first letters, by which its owner tells it from others.';
CREATE INDEX api_tokens_user ON api_tokens (user_id, id DESC);

CREATE TABLE admin_grants (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    permission text NOT NULL,
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    granted_by bigint REFERENCES users ON DELETE SET NULL,
    expires_at timestamptz,
    ended_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE admin_grants IS 'One permission beyond a role.';
CREATE UNIQUE INDEX admin_grants_live ON admin_grants (user_id, permission) WHERE ended_at IS NULL;

CREATE TABLE user_consents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    analytics boolean NOT NULL DEFAULT false,
    marketing boolean NOT NULL DEFAULT false,
    personalisation boolean NOT NULL DEFAULT false,
    policy_version text NOT NULL,
    source text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE user_consents IS 'One answer about consent; rows are only added, and the latest holds.';
CREATE INDEX user_consents_latest ON user_consents (user_id, id DESC);

CREATE TABLE account_merge_audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Plain numbers: the row outlives both.
    anonymous_user_id bigint NOT NULL,
    authenticated_user_id bigint NOT NULL,
    consent_given boolean NOT NULL,
    consent_timestamp timestamptz NOT NULL DEFAULT now(),
    consent_policy_version text NOT NULL,
    -- By noun what moved and what stayed behind: {"links": {"moved": 3, "stayed": 1}}.
    merged_data_summary jsonb NOT NULL DEFAULT '{}',
    ip_address inet,
    user_agent text CHECK (length(user_agent) <= 200),
    purge_after timestamptz NOT NULL DEFAULT now() + interval '90 days',
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Decides races, and that the same answer twice changes nothing.
    UNIQUE (anonymous_user_id, authenticated_user_id)
);
COMMENT ON TABLE account_merge_audit IS
    'One answer to "keep what you set up here?"; without an address it is the no of whoever did not answer in 30 days.';
CREATE INDEX account_merge_audit_member ON account_merge_audit (authenticated_user_id, id DESC);
CREATE INDEX account_merge_audit_age ON account_merge_audit (purge_after);

CREATE TABLE merge_questions (
    -- Plain numbers: the question is answered with no when the visitor's row has gone.
    anonymous_user_id bigint NOT NULL,
    authenticated_user_id bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (anonymous_user_id, authenticated_user_id)
);
COMMENT ON TABLE merge_questions IS 'One "keep what you set up here?" that a member was asked and has not answered yet.';
CREATE INDEX merge_questions_member ON merge_questions (authenticated_user_id);
CREATE INDEX merge_questions_age ON merge_questions (created_at);

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The clock's time and not the transaction's: a day can be sealed once its writers have ended.
    timestamp timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor_id bigint,
    actor_kind text NOT NULL CHECK (actor_kind IN ('member', 'service', 'system', 'cli')),
    actor_role text,
    as_user_id bigint,
    action text NOT NULL,
    target_kind text,
    target_id text,
    reason text,
    before jsonb,
    after jsonb,
    ip jsonb,
    request_id text,
    trace_id text,
    -- Salted prints of (ip, reason) and (before, after). The seal covers the prints, so it survives that the texts of an
    -- erased person are cleared; the salt goes with the texts, so nothing can be guessed from the print.
    person_salt bytea,
    person_print bytea,
    change_salt bytea,
    change_print bytea,
    -- The erased people for whom texts of this row were cleared.
    cleared_for bigint[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE audit_log IS 'One act of someone with power; rows are only added.';
CREATE INDEX audit_log_time ON audit_log (timestamp);
CREATE INDEX audit_log_actor ON audit_log (actor_id, id DESC);
CREATE INDEX audit_log_target ON audit_log (target_kind, target_id, id DESC);
CREATE INDEX audit_log_action ON audit_log (action text_pattern_ops, id DESC);
CREATE INDEX audit_log_as ON audit_log (as_user_id, id DESC) WHERE as_user_id IS NOT NULL;

-- Each process keeps flags, limits and the like in memory; the payload names what it has to read again.
CREATE FUNCTION tell_memories() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('village_memories', TG_ARGV[0]);
    RETURN NULL;
END $$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% keeps what was written: rows are only added', TG_TABLE_NAME;
END $$;
CREATE FUNCTION audit_text_print(salt bytea, one jsonb, other jsonb) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(salt || convert_to(jsonb_build_array(one, other)::text, 'UTF8'))
$$;
CREATE FUNCTION print_audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.person_salt := uuid_send(gen_random_uuid());
    NEW.change_salt := uuid_send(gen_random_uuid());
    NEW.person_print := audit_text_print(NEW.person_salt, NEW.ip, to_jsonb(NEW.reason));
    NEW.change_print := audit_text_print(NEW.change_salt, NEW.before, NEW.after);
    RETURN NEW;
END $$;
CREATE TRIGGER audit_log_printed BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION print_audit_row();

-- What is written stays. Two functions are let through, told by the stack of calls: one clears texts of an erased
-- person, which the row's other columns have to survive, the other forgets what is past its age. Only the stack's end
-- is looked at: what stands before it are the words of statements, in which anybody could name a function.
CREATE FUNCTION keep_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stack text;
    clearable text[] := '{ip,reason,before,after,person_salt,change_salt,cleared_for}';
BEGIN
    GET DIAGNOSTICS stack = PG_CONTEXT;
    IF TG_OP = 'UPDATE' AND stack ~ 'function audit_forget\(bigint\) line \d+ at SQL statement$'
        AND to_jsonb(OLD) - clearable = to_jsonb(NEW) - clearable THEN
        RETURN NEW;
    ELSIF TG_OP = 'DELETE' AND stack ~ 'function audit_expire\(interval\) line \d+ at SQL statement$' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% keeps what was written: rows are only added', TG_TABLE_NAME;
END $$;
CREATE TRIGGER audit_log_only_grows BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION keep_audit_log();

CREATE TABLE audit_seals (
    day date PRIMARY KEY,
    rows bigint NOT NULL,
    last_id bigint NOT NULL,
    -- The print of the day's rows, and the seal: this print chained to the seal of the day before.
    rows_sha256 bytea NOT NULL,
    sha256 bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE audit_seals IS 'One day of the audit log (UTC), sealed after its end and chained to the day before.';
CREATE TRIGGER audit_seals_only_grow BEFORE UPDATE OR DELETE ON audit_seals
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE VIEW audit_prints AS
    SELECT id, timestamp, (timestamp AT TIME ZONE 'UTC')::date AS day,
        sha256(convert_to(jsonb_build_array(id, (extract(epoch FROM timestamp) * 1000000)::bigint, actor_id, actor_kind,
            actor_role, as_user_id, action, target_kind, target_id, request_id, trace_id)::text, 'UTF8')
            || person_print || change_print) AS print,
        -- Cleared texts fit when the clearing itself is on record.
        coalesce(CASE WHEN person_salt IS NULL THEN ip IS NULL AND reason IS NULL
            ELSE audit_text_print(person_salt, ip, to_jsonb(reason)) = person_print END
        AND CASE WHEN change_salt IS NULL THEN before IS NULL AND after IS NULL
            ELSE audit_text_print(change_salt, before, after) = change_print END
        AND CASE WHEN person_salt IS NULL OR change_salt IS NULL THEN EXISTS (
            SELECT FROM audit_log AS clearing
            WHERE clearing.action = 'privacy.audit_cleared' AND clearing.target_kind = 'member'
              AND clearing.target_id = ANY(rows.cleared_for::text[])) ELSE true END, false) AS fits
    FROM audit_log AS rows;
COMMENT ON VIEW audit_prints IS 'What a seal covers of each row, and whether the row''s texts are those that were written.';

-- Clears the address and the texts of an erased person: all texts of acts on them or as them, and of their own acts
-- the address and the reason. Answers how many rows; a second call finds none.
CREATE FUNCTION audit_forget(erased bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    cleared bigint;
BEGIN
    UPDATE audit_log AS found
    SET ip = NULL, reason = NULL, person_salt = NULL, cleared_for = found.cleared_for || erased,
        before = CASE WHEN about.them THEN NULL ELSE found.before END,
        after = CASE WHEN about.them THEN NULL ELSE found.after END,
        change_salt = CASE WHEN about.them THEN NULL ELSE found.change_salt END
    FROM (
        SELECT id, coalesce(as_user_id = erased, false)
            OR coalesce(target_kind IN ('member', 'user', 'visitor') AND target_id = erased::text, false) AS them
        FROM audit_log
        WHERE actor_id = erased OR as_user_id = erased
            OR target_kind IN ('member', 'user', 'visitor') AND target_id = erased::text
    ) AS about
    WHERE found.id = about.id AND (found.ip IS NOT NULL OR found.reason IS NOT NULL
        OR about.them AND (found.before IS NOT NULL OR found.after IS NOT NULL));
    GET DIAGNOSTICS cleared = ROW_COUNT;
    IF cleared > 0 THEN
        INSERT INTO audit_log (actor_kind, action, target_kind, target_id)
        VALUES ('system', 'privacy.audit_cleared', 'member', erased::text);
    END IF;
    RETURN cleared;
END $$;

-- Forgets sealed days past an age, which is never under 730 days; roles and impersonation are kept for good.
CREATE FUNCTION audit_expire(age interval) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    gone bigint;
BEGIN
    IF now() - age > now() - interval '730 days' THEN
        RAISE EXCEPTION 'the audit log is kept for 730 days at least';
    END IF;
    DELETE FROM audit_log
    WHERE timestamp < now() - age AND (timestamp AT TIME ZONE 'UTC')::date <= (SELECT max(day) FROM audit_seals)
      AND split_part(action, '.', 1) NOT IN ('role', 'grant', 'impersonation');
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;

CREATE TABLE site_settings (
    key text PRIMARY KEY CHECK (key ~ '^[a-z][a-z0-9_]{2,63}$'),
    value jsonb NOT NULL,
    updated_by bigint REFERENCES users ON DELETE SET NULL,
    reason text CHECK (length(reason) <= 500),
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE site_settings IS 'One setting that was changed at run time; what is not here has its default.';
CREATE TRIGGER site_settings_told AFTER INSERT OR UPDATE OR DELETE ON site_settings
    FOR EACH STATEMENT EXECUTE FUNCTION tell_memories('settings');

-- ---------------------------------------------------------------------------------------------------------------------
-- Platform: feature flags, and the figures that their plans go by

CREATE TABLE feature_flags (
    key text PRIMARY KEY CHECK (key ~ '^[a-z][a-z0-9_]{2,63}$'),
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 500),
    kind text NOT NULL DEFAULT 'release' CHECK (kind IN ('release', 'experiment', 'ops', 'kill_switch')),
    enabled boolean NOT NULL DEFAULT false,
    rollout_percentage smallint NOT NULL DEFAULT 0 CHECK (rollout_percentage BETWEEN 0 AND 100),
    whitelist jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(whitelist) = 'array'),
    analytics_enabled boolean NOT NULL DEFAULT true,
    -- A plain number: versions outlive people, and a restored one has to equal the old.
    owner_id bigint,
    review_on date,
    needs_metrics text[] NOT NULL DEFAULT '{}',
    plan jsonb CHECK (jsonb_typeof(plan) = 'object'),
    version bigint NOT NULL DEFAULT 1,
    -- What follows is no part of a version: since when it is on for so many, why its plan waits, when code last asked.
    step_since timestamptz NOT NULL DEFAULT now(),
    plan_waits text,
    asked_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE feature_flags IS 'One switch, as it stands.';

-- The whole flag as its versions keep it; equal flags are equal bytes.
CREATE FUNCTION flag_state(flag feature_flags) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'key', flag.key, 'description', flag.description, 'kind', flag.kind, 'enabled', flag.enabled,
        'rollout_percentage', flag.rollout_percentage, 'whitelist', flag.whitelist,
        'analytics_enabled', flag.analytics_enabled, 'owner_id', flag.owner_id, 'review_on', flag.review_on,
        'needs_metrics', to_jsonb(flag.needs_metrics), 'plan', flag.plan)
$$;

CREATE TRIGGER feature_flags_told AFTER INSERT OR DELETE OR UPDATE OF
    key, description, kind, enabled, rollout_percentage, whitelist, analytics_enabled, owner_id, review_on, needs_metrics, plan
    ON feature_flags FOR EACH STATEMENT EXECUTE FUNCTION tell_memories('flags');

CREATE TABLE feature_flag_audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    flag_key text NOT NULL,
    version bigint NOT NULL,
    action text NOT NULL CHECK (action IN ('created', 'changed', 'restored', 'stopped', 'advanced')),
    before_state jsonb,
    after_state jsonb NOT NULL,
    actor_id bigint,
    actor_type text NOT NULL CHECK (actor_type IN ('member', 'service', 'system', 'cli')),
    reason text CHECK (length(reason) <= 500),
    trace_id text,
    timestamp timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (flag_key, version)
);
COMMENT ON TABLE feature_flag_audit IS 'One version of one flag; rows are only added.';
CREATE INDEX feature_flag_audit_unexplained ON feature_flag_audit (timestamp)
    WHERE reason IS NULL AND actor_type IN ('member', 'service');
-- Versions stay as they were; the reasons that an erased person wrote beside them are cleared by one function.
CREATE FUNCTION keep_flag_audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stack text;
BEGIN
    GET DIAGNOSTICS stack = PG_CONTEXT;
    IF TG_OP = 'UPDATE' AND stack ~ 'function flag_audit_forget\(bigint\) line \d+ at SQL statement$' AND NEW.reason IS NULL
        AND to_jsonb(OLD) - 'reason' = to_jsonb(NEW) - 'reason' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% keeps what was written: rows are only added', TG_TABLE_NAME;
END $$;
CREATE FUNCTION flag_audit_forget(erased bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    cleared bigint;
BEGIN
    UPDATE feature_flag_audit SET reason = NULL WHERE actor_id = erased AND reason IS NOT NULL;
    GET DIAGNOSTICS cleared = ROW_COUNT;
    RETURN cleared;
END $$;
CREATE TRIGGER feature_flag_audit_only_grows BEFORE UPDATE OR DELETE ON feature_flag_audit
    FOR EACH ROW EXECUTE FUNCTION keep_flag_audit();

CREATE TABLE feature_flag_evaluations (
    day date NOT NULL,
    flag_key text NOT NULL,
    subject_type text NOT NULL CHECK (subject_type IN ('user', 'session')),
    subject_id text NOT NULL,
    result text NOT NULL CHECK (result IN ('on', 'off')),
    reason text NOT NULL,
    rollout_percentage_snapshot smallint NOT NULL,
    consent_granted boolean NOT NULL,
    timestamp timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (day, flag_key, subject_type, subject_id, result),
    CHECK ((subject_type = 'user') = consent_granted)
) PARTITION BY RANGE (day);
COMMENT ON TABLE feature_flag_evaluations IS
    'One exposure of one subject to one flag on one day: a person who agreed to it, else a hash that nothing can be joined to.';
CREATE INDEX feature_flag_evaluations_subject ON feature_flag_evaluations (subject_type, subject_id);

CREATE TABLE flag_day_keys (
    day date PRIMARY KEY,
    key bytea NOT NULL CHECK (octet_length(key) = 32),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE flag_day_keys IS 'The random key with which one day''s session hashes are made; destroyed after two days.';

CREATE TABLE metric_minutes (
    span text NOT NULL DEFAULT 'minute' CHECK (span IN ('minute', 'five_minutes', 'hour')),
    starts_at timestamptz NOT NULL,
    name text NOT NULL,
    labels jsonb NOT NULL DEFAULT '{}',
    count bigint NOT NULL,
    sum double precision NOT NULL,
    buckets bigint[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (span, starts_at, name, labels)
);
COMMENT ON TABLE metric_minutes IS
    'One series in one minute, summed over processes. buckets: how many fell into each, not cumulated.';

CREATE TABLE metric_sightings (
    name text PRIMARY KEY,
    seen_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE metric_sightings IS 'When one metric family was last exposed by any process.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Platform: letters and files

CREATE TABLE emails (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint REFERENCES users ON DELETE CASCADE,
    to_address citext NOT NULL,
    template text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('transactional', 'notice', 'digest', 'ops')),
    subject text NOT NULL,
    text_body text,
    html_body text,
    message_id text NOT NULL UNIQUE,
    dedupe_key text UNIQUE,
    status text NOT NULL DEFAULT 'queued'
        CHECK (status IN ('queued', 'sending', 'sent', 'failed', 'bounced', 'suppressed')),
    attempts integer NOT NULL DEFAULT 0,
    repeats integer NOT NULL DEFAULT 0,
    smtp_reply text,
    error text,
    sent_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE emails IS
    'One letter out. repeats counts hand-overs that may be second ones: the one before ended in the dark.';
CREATE INDEX emails_waiting ON emails (created_at) WHERE status IN ('queued', 'sending');
CREATE INDEX emails_user ON emails (user_id, id DESC);
CREATE INDEX emails_address ON emails (to_address, created_at);
CREATE INDEX emails_list ON emails (status, id DESC);
CREATE INDEX emails_age ON emails (created_at);

CREATE TABLE email_bounces (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email_id bigint NOT NULL REFERENCES emails ON DELETE CASCADE,
    type text NOT NULL CHECK (type IN ('permanent', 'temporary', 'delayed')),
    status text NOT NULL CHECK (status ~ '^[245]\.[0-9]{1,3}\.[0-9]{1,3}$'),
    diagnostic text NOT NULL DEFAULT '' CHECK (length(diagnostic) <= 500),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE email_bounces IS
    'One report that a letter did not arrive (permanent, temporary) or has not yet (delayed).';
CREATE INDEX email_bounces_letter ON email_bounces (email_id);

CREATE TABLE stored_objects (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bucket text NOT NULL,
    key text NOT NULL,
    owner_id bigint REFERENCES users ON DELETE SET NULL,
    subject text,
    variant text,
    content_type text NOT NULL,
    bytes bigint NOT NULL DEFAULT 0,
    sha256 bytea,
    width integer,
    height integer,
    version_id text,
    visibility text NOT NULL DEFAULT 'public' CHECK (visibility IN ('public', 'private')),
    expires_at timestamptz,
    state text NOT NULL DEFAULT 'uploading' CHECK (state IN ('uploading', 'live', 'deleting')),
    deleted_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (bucket, key)
);
COMMENT ON TABLE stored_objects IS 'One file we keep in the object store. A deleted one of a bucket with versions stays as a row for 90 days.';
CREATE INDEX stored_objects_unfinished ON stored_objects (created_at) WHERE state <> 'live';
CREATE INDEX stored_objects_expiry ON stored_objects (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX stored_objects_subject ON stored_objects (subject);
CREATE INDEX stored_objects_owner ON stored_objects (owner_id, id) WHERE owner_id IS NOT NULL;
CREATE INDEX stored_objects_walk ON stored_objects (bucket, key COLLATE "C");

CREATE TABLE mailboxes (
    name text PRIMARY KEY,
    uidvalidity bigint NOT NULL DEFAULT 0,
    last_uid bigint NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    last_error text CHECK (length(last_error) <= 200),
    last_ok_at timestamptz,
    polled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mailboxes IS 'One mailbox that is polled: how far it was read, and how many polls in a row have failed.';

CREATE TABLE inbound_emails (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mailbox text NOT NULL,
    uidvalidity bigint NOT NULL,
    uid bigint NOT NULL,
    message_id text NOT NULL UNIQUE CHECK (length(message_id) <= 998),
    sender citext NOT NULL DEFAULT '' CHECK (length(sender) <= 320),
    recipient citext NOT NULL DEFAULT '' CHECK (length(recipient) <= 320),
    subject text NOT NULL DEFAULT '' CHECK (length(subject) <= 300),
    handler text,
    status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'handled', 'ignored', 'unparsable', 'held')),
    why text CHECK (length(why) <= 300),
    automatic boolean NOT NULL DEFAULT false,
    spf text,
    dkim text,
    bytes bigint NOT NULL DEFAULT 0,
    object_id bigint REFERENCES stored_objects ON DELETE SET NULL,
    handled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (mailbox, uidvalidity, uid)
);
COMMENT ON TABLE inbound_emails IS 'One letter in. spf and dkim are what our own server found; why says what became of it.';
CREATE INDEX inbound_emails_list ON inbound_emails (status, id DESC);
CREATE INDEX inbound_emails_sender ON inbound_emails (sender, created_at);
CREATE INDEX inbound_emails_age ON inbound_emails (created_at);

CREATE TABLE notifications (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    type text NOT NULL,
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    body text NOT NULL DEFAULT '' CHECK (length(body) <= 1000),
    url text CHECK (url ~ '^/'),
    dedupe_key text,
    by_bell boolean NOT NULL DEFAULT true,
    by_mail boolean NOT NULL DEFAULT true,
    read_at timestamptz,
    mailed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, dedupe_key)
);
COMMENT ON TABLE notifications IS 'One line in the bell of one person, and perhaps in their next digest.';
CREATE INDEX notifications_list ON notifications (user_id, id DESC) WHERE by_bell;
CREATE INDEX notifications_unread ON notifications (user_id) WHERE by_bell AND read_at IS NULL;
CREATE INDEX notifications_unmailed ON notifications (user_id, created_at) WHERE by_mail AND mailed_at IS NULL AND read_at IS NULL;
CREATE INDEX notifications_age ON notifications (created_at);

-- The bells of a person's open pages renew themselves.
CREATE FUNCTION tell_notices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('village_changes', 'reader:' || user_id || ':notices')
    FROM (SELECT DISTINCT user_id FROM changed WHERE by_bell) AS people;
    RETURN NULL;
END $$;
CREATE TRIGGER notifications_come AFTER INSERT ON notifications
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tell_notices();
CREATE TRIGGER notifications_change AFTER UPDATE ON notifications
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tell_notices();

CREATE TABLE notification_choices (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    type text NOT NULL CHECK (type ~ '^[a-z][a-z_]{0,39}$'),
    channel text NOT NULL CHECK (channel IN ('bell', 'mail')),
    wanted boolean NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, type, channel)
);
COMMENT ON TABLE notification_choices IS 'Whether one person wants one type of notice in one way; without a row the default holds.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Platform: privacy (app/domain/platform/privacy)

CREATE TABLE gdpr_requests (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- A plain number: the row outlives the person.
    user_id bigint NOT NULL,
    request_type text NOT NULL CHECK (request_type IN ('EXPORT', 'DELETION')),
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('waiting', 'pending', 'processing', 'completed', 'failed', 'cancelled')),
    asked_by bigint,
    reason text CHECK (length(reason) <= 500),
    run_at timestamptz NOT NULL DEFAULT now(),
    steps jsonb NOT NULL DEFAULT '[]',
    object_id bigint REFERENCES stored_objects ON DELETE SET NULL,
    expires_at timestamptz,
    receipt_id text,
    undo_hash bytea UNIQUE,
    farewell_id bigint REFERENCES emails ON DELETE SET NULL,
    finished_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE gdpr_requests IS
    'One wish to see or erase what we keep of a person. steps: what was done when; farewell_id: the last letter, gone once sent.';
CREATE UNIQUE INDEX gdpr_requests_open ON gdpr_requests (user_id, request_type)
    WHERE status IN ('waiting', 'pending', 'processing');
CREATE INDEX gdpr_requests_person ON gdpr_requests (user_id, id DESC);

CREATE TABLE erasure_receipts (
    token text PRIMARY KEY,
    sha256 bytea NOT NULL,
    signature bytea NOT NULL,
    -- The signed bytes; counts says the same for people and queries.
    document text NOT NULL,
    counts jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE erasure_receipts IS 'One proof that a person was erased: places and rows, signed, naming nobody.';

CREATE TABLE erasure_journal (
    user_id bigint PRIMARY KEY,
    erased_at timestamptz NOT NULL DEFAULT now(),
    -- When the bucket gdpr-journal had the line too; a restored dump is made to forget by it.
    stored_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE erasure_journal IS 'One number that was a person until erased_at; replayed after a restore.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Platform: limits and bans

CREATE TABLE rate_limits (
    action text NOT NULL CHECK (action ~ '^[a-z][a-z_]{1,39}$'),
    tier text NOT NULL CHECK (tier IN ('anonymous', 'logged_in', 'trusted')),
    -- 0: not for this tier.
    limit_count integer NOT NULL CHECK (limit_count BETWEEN 0 AND 1000000000),
    window_seconds integer NOT NULL CHECK (window_seconds BETWEEN 1 AND 604800),
    updated_by bigint REFERENCES users ON DELETE SET NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (action, tier)
);
COMMENT ON TABLE rate_limits IS 'How often one tier may do one thing; seeded once, then changed by admins.';
CREATE TRIGGER rate_limits_told AFTER INSERT OR UPDATE OR DELETE ON rate_limits
    FOR EACH STATEMENT EXECUTE FUNCTION tell_memories('limits');

CREATE TABLE rate_limit_windows (
    name text PRIMARY KEY CHECK (length(name) <= 200),
    began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    previous integer NOT NULL DEFAULT 0,
    current integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE rate_limit_windows IS
    'What one subject did in the present and the last window, for the few actions that are counted with or without Redis.';
CREATE INDEX rate_limit_windows_age ON rate_limit_windows (began_at);

CREATE TABLE rate_limit_violations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint REFERENCES users ON DELETE CASCADE,
    -- A whole network of 64 bits for IPv6.
    ip_address inet,
    action text NOT NULL,
    tier text NOT NULL,
    day date NOT NULL DEFAULT current_date,
    violation_count integer NOT NULL DEFAULT 1,
    first_at timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nonnulls(user_id, ip_address) = 1),
    UNIQUE NULLS NOT DISTINCT (user_id, ip_address, action, tier, day)
);
COMMENT ON TABLE rate_limit_violations IS 'One subject over one limit on one day.';
CREATE INDEX rate_limit_violations_last ON rate_limit_violations (last_at);
CREATE INDEX rate_limit_violations_ip ON rate_limit_violations (ip_address, last_at) WHERE ip_address IS NOT NULL;

CREATE TABLE bans (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    network cidr,
    user_id bigint REFERENCES users ON DELETE CASCADE,
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    source text NOT NULL CHECK (source IN ('admin', 'rule')),
    ends_at timestamptz NOT NULL,
    lifted_at timestamptz,
    lifted_by bigint REFERENCES users ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nonnulls(network, user_id) = 1)
);
COMMENT ON TABLE bans IS 'One refusal, of a network or of a member, until its end.';
CREATE TRIGGER bans_told AFTER INSERT OR UPDATE OR DELETE ON bans
    FOR EACH STATEMENT EXECUTE FUNCTION tell_memories('limits');
CREATE INDEX bans_live ON bans (ends_at, id) WHERE lifted_at IS NULL;
CREATE INDEX bans_user ON bans (user_id, id DESC) WHERE user_id IS NOT NULL;
CREATE INDEX bans_network ON bans (network, id DESC) WHERE network IS NOT NULL;

-- ---------------------------------------------------------------------------------------------------------------------
-- Platform: delayed jobs

CREATE TABLE delayed_jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_type text NOT NULL,
    queue text NOT NULL CHECK (queue IN ('DEFAULT', 'HIGH', 'LOW', 'BULK', 'SCREENSHOT')),
    priority smallint NOT NULL DEFAULT 5 CHECK (priority BETWEEN 0 AND 9),
    payload jsonb NOT NULL DEFAULT '{}' CHECK (length(payload::text) <= 8192),
    subjects text[] NOT NULL DEFAULT '{}',
    run_at timestamptz NOT NULL DEFAULT now(),
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'done', 'dead', 'cancelled')),
    failed boolean GENERATED ALWAYS AS (status = 'dead') STORED,
    attempts integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL DEFAULT 5 CHECK (max_attempts > 0),
    last_error text CHECK (length(last_error) <= 2000),
    idempotency_key text,
    once boolean NOT NULL DEFAULT false,
    relayed_at timestamptz,
    locked_by text,
    locked_until timestamptz,
    progress jsonb,
    trace jsonb,
    actor_id bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CHECK ((status = 'running') = (locked_by IS NOT NULL)),
    CHECK ((status IN ('pending', 'running')) = (finished_at IS NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE delayed_jobs IS 'One wish to have something done.';
-- What the relay, the workers and the sweeper look for.
CREATE INDEX delayed_jobs_next ON delayed_jobs (queue, priority, run_at, id) WHERE status = 'pending';
CREATE INDEX delayed_jobs_due ON delayed_jobs (queue, run_at) WHERE status = 'pending';
CREATE INDEX delayed_jobs_running ON delayed_jobs (locked_until) WHERE status = 'running';
CREATE UNIQUE INDEX delayed_jobs_live_key ON delayed_jobs (job_type, idempotency_key)
    WHERE status IN ('pending', 'running') AND idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX delayed_jobs_once_key ON delayed_jobs (job_type, idempotency_key)
    WHERE once AND idempotency_key IS NOT NULL;
CREATE INDEX delayed_jobs_ended ON delayed_jobs (status, finished_at) WHERE finished_at IS NOT NULL;
-- What the console filters by: each list is a merge of a few short walks from the newest id downwards. They are in
-- the order of (-id), which the primary key does not have: no plan can take that one and walk past millions instead.
CREATE INDEX delayed_jobs_failed ON delayed_jobs (run_at DESC, id DESC) WHERE failed;
CREATE INDEX delayed_jobs_subjects ON delayed_jobs USING gin (subjects) WHERE subjects <> '{}';
CREATE INDEX delayed_jobs_keys ON delayed_jobs (idempotency_key, (-id)) WHERE idempotency_key IS NOT NULL;
CREATE INDEX delayed_jobs_of_queue ON delayed_jobs (queue, status, (-id));
CREATE INDEX delayed_jobs_of_type ON delayed_jobs (job_type, queue, status, (-id));
-- Ids rise with time: the first id made at or after a moment is found by halving, without an index on created_at,
-- which every write would pay for. Transactions end in another order than they begin, so callers allow for minutes.
CREATE FUNCTION first_job_since(moment timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    low bigint := 1;
    high bigint := coalesce((SELECT max(id) FROM delayed_jobs), 0) + 1;
    middle bigint;
    made timestamptz;
BEGIN
    IF moment IS NULL THEN
        RETURN NULL;
    END IF;
    WHILE low < high LOOP
        middle := (low + high) / 2;
        SELECT created_at INTO made FROM delayed_jobs WHERE id >= middle ORDER BY id LIMIT 1;
        IF made >= moment THEN
            high := middle;
        ELSE
            low := middle + 1;
        END IF;
    END LOOP;
    RETURN low;
END $$;
CREATE VIEW delayed_jobs_dlq AS
    SELECT id, job_type, queue, payload, subjects, run_at, attempts, max_attempts, last_error, idempotency_key,
           actor_id, created_at, finished_at
    FROM delayed_jobs WHERE failed;
COMMENT ON VIEW delayed_jobs_dlq IS 'The dead letters: jobs that used up their attempts.';

CREATE TABLE job_attempts (
    job_id bigint NOT NULL,
    attempt integer NOT NULL,
    worker text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL DEFAULT now(),
    outcome text NOT NULL CHECK (outcome IN ('ok', 'retry', 'dead', 'lost', 'deferred', 'cancelled')),
    error text,
    wait_ms integer,
    run_ms integer,
    created_at timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (ended_at);
COMMENT ON TABLE job_attempts IS 'One try of one job.';
CREATE INDEX job_attempts_job ON job_attempts (job_id, attempt);

CREATE TABLE job_effects (
    job_id bigint NOT NULL,
    step text NOT NULL CHECK (length(step) <= 200),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, step)
);
COMMENT ON TABLE job_effects IS 'One step of one job that took effect outside the database; a repeat skips it.';

CREATE TABLE delayed_job_control (
    scope text NOT NULL CHECK (scope IN ('queue', 'job_type')),
    name text NOT NULL,
    paused boolean NOT NULL DEFAULT false,
    slots integer CHECK (slots > 0),
    per_minute integer CHECK (per_minute > 0),
    reason text CHECK (length(reason) <= 500),
    actor_id bigint,
    until timestamptz,
    claimed_at timestamptz[] NOT NULL DEFAULT '{}',
    claimed integer[] NOT NULL DEFAULT '{}',
    changed_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, name)
);
COMMENT ON TABLE delayed_job_control IS
    'One brake on one family or one type of jobs. until ends a pause; claimed_at and claimed: the claims of the last minute.';

CREATE VIEW job_brakes AS
    SELECT scope, name, paused AND (until IS NULL OR until > now()) AS paused, slots, per_minute
    FROM delayed_job_control
    WHERE paused AND (until IS NULL OR until > now()) OR slots IS NOT NULL OR per_minute IS NOT NULL;
COMMENT ON VIEW job_brakes IS 'The brakes that are on now.';

-- Brakes act at once: every worker listens.
CREATE FUNCTION tell_brakes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('village_jobs', 'brakes');
    RETURN NULL;
END $$;
CREATE TRIGGER delayed_job_control_told AFTER INSERT OR DELETE OR UPDATE OF paused, slots, per_minute, until
    ON delayed_job_control FOR EACH STATEMENT EXECUTE FUNCTION tell_brakes();

CREATE TABLE job_bulk_actions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    filter jsonb NOT NULL,
    action text NOT NULL CHECK (action IN ('retry', 'cancel', 'delete')),
    status text NOT NULL DEFAULT 'shown' CHECK (
        status IN ('shown', 'waiting', 'running', 'stopping', 'done', 'stopped', 'undone', 'restored')
    ),
    actor_id bigint,
    reason text CHECK (length(reason) <= 500),
    -- How many fitted when it was shown, at most 100,001: one more than is counted.
    matched bigint NOT NULL,
    -- Jobs made later are left alone; those from below_id on have had their turn.
    newest_id bigint NOT NULL,
    below_id bigint NOT NULL,
    changed bigint NOT NULL DEFAULT 0,
    passed_over bigint NOT NULL DEFAULT 0,
    job_id bigint,
    starts_at timestamptz,
    finished_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE job_bulk_actions IS 'One action on many jobs: shown first, then confirmed, then run by a job of its own.';

CREATE TABLE deleted_jobs (
    id bigint PRIMARY KEY,
    bulk_action_id bigint NOT NULL REFERENCES job_bulk_actions ON DELETE CASCADE,
    job jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE deleted_jobs IS 'One job that a bulk action deleted; it can be brought back for 24 hours.';
CREATE INDEX deleted_jobs_action ON deleted_jobs (bulk_action_id, id);
CREATE INDEX deleted_jobs_age ON deleted_jobs (created_at);

CREATE TABLE job_schedules (
    name text PRIMARY KEY,
    job_type text NOT NULL,
    spec text NOT NULL,
    time_zone text NOT NULL DEFAULT 'UTC',
    misfire interval NOT NULL DEFAULT '10 minutes',
    enabled boolean NOT NULL DEFAULT true,
    next_run_at timestamptz,
    last_run_at timestamptz,
    skipped bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE job_schedules IS 'One line of the clock. skipped: ticks that were missed by more than misfire.';

CREATE TABLE leases (
    name text PRIMARY KEY,
    holder text NOT NULL,
    until timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE leases IS 'One duty that one process at a time holds.';

CREATE TABLE workers (
    id text PRIMARY KEY,
    host text NOT NULL,
    version text NOT NULL,
    families text[] NOT NULL,
    slots jsonb NOT NULL DEFAULT '{}',
    busy jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE workers IS 'One worker process.';

CREATE TABLE job_count_deltas (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue text NOT NULL,
    job_type text NOT NULL,
    status text NOT NULL,
    difference bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE job_count_deltas IS 'One difference in the counts of jobs, not yet folded into job_counts.';

CREATE TABLE job_counts (
    queue text NOT NULL,
    job_type text NOT NULL,
    status text NOT NULL,
    jobs bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (queue, job_type, status)
);
COMMENT ON TABLE job_counts IS 'How many jobs of one family, type and status there are, with job_count_deltas added.';

CREATE VIEW job_totals AS
    SELECT queue, job_type, status, sum(jobs)::bigint AS jobs
    FROM (
        SELECT queue, job_type, status, jobs FROM job_counts
        UNION ALL
        SELECT queue, job_type, status, difference FROM job_count_deltas
    ) AS counted
    GROUP BY queue, job_type, status;
COMMENT ON VIEW job_totals IS 'How many jobs there are, exactly, by family, type and status.';

CREATE TABLE job_stats (
    span text NOT NULL CHECK (span IN ('minute', 'hour')),
    starts_at timestamptz NOT NULL,
    queue text NOT NULL,
    job_type text NOT NULL,
    ok bigint NOT NULL DEFAULT 0,
    retry bigint NOT NULL DEFAULT 0,
    dead bigint NOT NULL DEFAULT 0,
    wait_max_ms bigint NOT NULL DEFAULT 0,
    wait_buckets bigint[] NOT NULL DEFAULT '{}',
    run_buckets bigint[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (span, starts_at, queue, job_type)
) WITH (fillfactor = 50);
COMMENT ON TABLE job_stats IS
    'What one type of jobs did in one minute or hour; the buckets count waits and runs by length (jobs/stats.py).';

CREATE FUNCTION add_buckets(one bigint[], other bigint[]) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(coalesce(a, 0) + coalesce(b, 0) ORDER BY n), '{}')
    FROM unnest(one, other) WITH ORDINALITY AS both_of (a, b, n)
$$;
CREATE AGGREGATE sum_buckets(bigint[]) (SFUNC = add_buckets, STYPE = bigint[], INITCOND = '{}');

CREATE TABLE job_figures (
    queue text PRIMARY KEY,
    depth bigint NOT NULL,
    oldest_seconds double precision NOT NULL,
    workers integer NOT NULL,
    slots integer NOT NULL,
    busy integer NOT NULL,
    read_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE job_figures IS
    'The depth, oldest wait and workers of one family (and of FEED_REFRESH, feeds due), as every process shows them.';

CREATE TABLE job_beats (
    loop text PRIMARY KEY CHECK (loop IN ('clock', 'sweeper', 'relay')),
    at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE job_beats IS 'When one loop of the job ledger last went round, in whichever process.';

CREATE FUNCTION count_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO job_count_deltas (queue, job_type, status, difference)
        SELECT queue, job_type, status, count(*) FROM new_rows GROUP BY 1, 2, 3;
        -- Woken once a statement, at commit: the relay looks for what is due.
        PERFORM pg_notify('village_jobs', queue) FROM new_rows WHERE status = 'pending' AND run_at <= now() GROUP BY queue;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO job_count_deltas (queue, job_type, status, difference)
        SELECT queue, job_type, status, -count(*) FROM old_rows GROUP BY 1, 2, 3;
    ELSE
        INSERT INTO job_count_deltas (queue, job_type, status, difference)
        SELECT queue, job_type, status, sum(n) FROM (
            SELECT queue, job_type, status, 1 AS n FROM new_rows
            UNION ALL
            SELECT queue, job_type, status, -1 FROM old_rows
        ) AS moved GROUP BY 1, 2, 3 HAVING sum(n) <> 0;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER delayed_jobs_counted_in AFTER INSERT ON delayed_jobs
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_jobs();
CREATE TRIGGER delayed_jobs_counted_out AFTER DELETE ON delayed_jobs
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION count_jobs();
CREATE TRIGGER delayed_jobs_counted_over AFTER UPDATE ON delayed_jobs
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_jobs();

-- ---------------------------------------------------------------------------------------------------------------------
-- Platform: what models cost (chapter 20 rules 42 to 47); each chapter that asks a model is billed here.
-- Money is in micros, a millionth of a dollar: a price in dollars per million tokens is micros per token.

CREATE TABLE ai_usage_tracking (
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    provider text NOT NULL,
    requests bigint NOT NULL DEFAULT 0,
    tokens_in bigint NOT NULL DEFAULT 0,
    tokens_out bigint NOT NULL DEFAULT 0,
    spent_micros numeric NOT NULL DEFAULT 0 CHECK (spent_micros >= 0),
    reserved_micros numeric NOT NULL DEFAULT 0 CHECK (reserved_micros >= 0),
    budget_limit_cents bigint NOT NULL DEFAULT 50000 CHECK (budget_limit_cents >= 0),
    alerted smallint NOT NULL DEFAULT 0 CHECK (alerted IN (0, 75, 90, 100)),
    -- With nothing under way, what is left was less than one more call may cost: no call until the limit is raised.
    is_full boolean NOT NULL DEFAULT false,
    -- What the running day and each feature have taken, spent or reserved. All ceilings are judged by this one row,
    -- which every reservation locks: two of them can never both take what is left for one.
    day date,
    day_micros numeric NOT NULL DEFAULT 0,
    feature_micros jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (month, provider)
) WITH (fillfactor = 50);
COMMENT ON TABLE ai_usage_tracking IS 'One month of one provider of models: what was spent, what calls under way may cost, and the limit.';

CREATE TABLE ai_usage_days (
    day date NOT NULL,
    provider text NOT NULL,
    feature text NOT NULL,
    model text NOT NULL,
    requests bigint NOT NULL DEFAULT 0,
    items bigint NOT NULL DEFAULT 0,
    tokens_in bigint NOT NULL DEFAULT 0,
    tokens_out bigint NOT NULL DEFAULT 0,
    spent_micros numeric NOT NULL DEFAULT 0,
    lost_micros numeric NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (day, provider, feature, model)
) WITH (fillfactor = 50);
COMMENT ON TABLE ai_usage_days IS 'One day of one feature with one model; lost_micros is that part of spent_micros for which no answer came.';

CREATE TABLE ai_batches (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL,
    outside_id text,
    feature text NOT NULL,
    state text NOT NULL DEFAULT 'sending' CHECK (state IN ('sending', 'waiting', 'done', 'lost')),
    calls integer NOT NULL,
    -- What its model cost when it was handed over; null in batches of before this was kept.
    price text CHECK (length(price) <= 200),
    ended_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ai_batches IS 'Many calls handed to a provider together, at half price; the answers come within a day.';
CREATE INDEX ai_batches_open ON ai_batches (created_at) WHERE state IN ('sending', 'waiting');

CREATE TABLE ai_calls (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    month date NOT NULL,
    provider text NOT NULL,
    feature text NOT NULL,
    model text NOT NULL,
    state text NOT NULL DEFAULT 'reserved' CHECK (state IN ('reserved', 'settled', 'released', 'lost')),
    reserved_micros numeric NOT NULL CHECK (reserved_micros >= 0),
    cost_micros numeric CHECK (cost_micros >= 0),
    tokens_in integer,
    tokens_out integer,
    items integer NOT NULL,
    job_id bigint,
    batch_id bigint REFERENCES ai_batches ON DELETE CASCADE,
    about jsonb,
    error_code text,
    made_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'reserved') = (settled_at IS NULL))
) WITH (fillfactor = 80);
COMMENT ON TABLE ai_calls IS
    'One call to a model: what was set aside for it and what it cost; a lost one costs all of that. about says to a batch''s sender what it was.';
CREATE INDEX ai_calls_open ON ai_calls (made_at) WHERE state = 'reserved';
CREATE INDEX ai_calls_batch ON ai_calls (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX ai_calls_made ON ai_calls (made_at);

CREATE TABLE ai_results (
    key bytea PRIMARY KEY CHECK (length(key) = 32),
    feature text NOT NULL,
    answer jsonb NOT NULL,
    hits integer NOT NULL DEFAULT 0,
    used_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ai_results IS
    'One paid answer, by the SHA-256 of feature, model, prompt version, tag-list version and text; kept 30 days after its last use.';
CREATE INDEX ai_results_used ON ai_results (used_at) INCLUDE (hits);

CREATE TABLE ai_acknowledgements (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    month date NOT NULL,
    provider text NOT NULL,
    level smallint NOT NULL CHECK (level IN (75, 90, 100)),
    user_id bigint REFERENCES users ON DELETE SET NULL,
    note text NOT NULL DEFAULT '' CHECK (length(note) <= 500),
    created_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (month, provider) REFERENCES ai_usage_tracking ON DELETE CASCADE
);
COMMENT ON TABLE ai_acknowledgements IS 'Somebody has seen that this much of a month''s budget is spent.';
CREATE INDEX ai_acknowledgements_month ON ai_acknowledgements (month, provider);

-- ---------------------------------------------------------------------------------------------------------------------
-- Platform: outside services and the quality of what we keep (chapter 90)

CREATE TABLE integration_states (
    service text PRIMARY KEY,
    breaker text NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'half_open')),
    since timestamptz NOT NULL DEFAULT now(),
    failures integer NOT NULL DEFAULT 0,
    next_try timestamptz,
    last_ok_at timestamptz,
    last_error text,
    quota_left bigint,
    quota_resets_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE integration_states IS 'One outside service as the processes that ask it see it.';

CREATE TABLE quality_checks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    looked_at timestamptz NOT NULL DEFAULT now(),
    bad bigint NOT NULL CHECK (bad >= 0),
    sample text[] NOT NULL DEFAULT '{}' CHECK (cardinality(sample) <= 20),
    says text NOT NULL DEFAULT '' CHECK (length(says) <= 500),
    closed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (bad > 0 OR closed_at IS NOT NULL)
);
COMMENT ON TABLE quality_checks IS
    'One check of our data at one time: how much was bad, and ids of some of it; it is a finding until closed_at.';
CREATE UNIQUE INDEX quality_checks_open ON quality_checks (name, (sample[1])) WHERE closed_at IS NULL;
CREATE INDEX quality_checks_looked ON quality_checks (name, looked_at);

-- ---------------------------------------------------------------------------------------------------------------------
-- Platform: places (chapter 30), used by weather too

CREATE TABLE geo_regions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    country char(2) NOT NULL CHECK (country IN ('US', 'CA')),
    code text NOT NULL CHECK (code ~ '^[A-Z]{2}$'),
    name text NOT NULL,
    UNIQUE (country, code)
);
COMMENT ON TABLE geo_regions IS 'A row is one state of the US (with DC) or one province or territory of Canada.';

CREATE TABLE geo_places (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('city', 'postal')),
    source_id text COLLATE "C" NOT NULL,
    country char(2) NOT NULL,
    region_id bigint REFERENCES geo_regions (id) ON DELETE RESTRICT,
    name text NOT NULL,
    -- Lower case, without accents and signs, made by app.domain.platform.gazetteer.key; C order makes prefixes ranges.
    name_key text COLLATE "C" NOT NULL,
    postal_code text COLLATE "C",
    population integer NOT NULL DEFAULT 0 CHECK (population >= 0),
    time_zone text NOT NULL,
    slug text COLLATE "C" NOT NULL UNIQUE,
    location geography (Point, 4326) NOT NULL,
    active_count integer NOT NULL DEFAULT 0 CHECK (active_count >= 0),
    UNIQUE (kind, source_id),
    CHECK ((kind = 'postal') = (postal_code IS NOT NULL)),
    CHECK ((country IN ('US', 'CA')) = (region_id IS NOT NULL))
);
COMMENT ON TABLE geo_places IS
'A row is one spot where listings stand and searches and forecasts begin: a city of the world or a US postal area.';
CREATE INDEX geo_places_name_prefix ON geo_places (name_key, population DESC) WHERE kind = 'city';
CREATE INDEX geo_places_two_letters ON geo_places (left(name_key, 2), population DESC) WHERE kind = 'city';
CREATE INDEX geo_places_postal_prefix ON geo_places (postal_code) WHERE kind = 'postal';
CREATE INDEX geo_places_name_trigrams ON geo_places USING gin (name_key gin_trgm_ops) WHERE kind = 'city';
CREATE INDEX geo_places_location ON geo_places USING gist (location);

CREATE VIEW geo_cities AS
SELECT
    id, source_id, country, region_id, name, name_key, population, time_zone, slug, location, active_count
FROM geo_places
WHERE kind = 'city';
COMMENT ON VIEW geo_cities IS 'A row is one city of geo_places.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Homepage: what changes tell the open pages (chapter 20 rule 15)

CREATE TABLE reader_versions (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    area text NOT NULL CHECK (area IN ('page', 'news', 'weather', 'stocks', 'links', 'preferences', 'social')),
    version bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (user_id, area)
);
COMMENT ON TABLE reader_versions IS 'How often one person changed one area of their own; fragments and event streams go by it.';

-- The payload names what changed (feed:7, reader:7:news, weather:45.5:-73.6), never what it says.
CREATE FUNCTION tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'reader_versions' THEN
        PERFORM pg_notify('village_changes', 'reader:' || NEW.user_id || ':' || NEW.area);
    ELSIF TG_TABLE_NAME = 'feeds' THEN
        PERFORM pg_notify('village_changes', 'feed:' || NEW.id);
    ELSE
        PERFORM pg_notify('village_changes', 'weather:' || NEW.location_key);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER reader_versions_told AFTER INSERT OR UPDATE ON reader_versions
    FOR EACH ROW EXECUTE FUNCTION tell_change();

-- ---------------------------------------------------------------------------------------------------------------------
-- Homepage: pages

CREATE TABLE layout_templates (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    audience text NOT NULL DEFAULT 'all' CHECK (audience IN ('visitors', 'members', 'all')),
    flag_key text REFERENCES feature_flags,
    priority integer NOT NULL DEFAULT 0 CHECK (priority BETWEEN -1000 AND 1000),
    state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'published', 'retired')),
    -- The version that people have; what is being drawn up is the next one.
    version integer NOT NULL DEFAULT 0,
    published_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'draft') = (version = 0))
);
COMMENT ON TABLE layout_templates IS 'One page designed by the operator, which people''s front pages start from.';
CREATE INDEX layout_templates_flag ON layout_templates (flag_key) WHERE flag_key IS NOT NULL;

CREATE TABLE template_widgets (
    template_id bigint NOT NULL REFERENCES layout_templates ON DELETE CASCADE,
    version integer NOT NULL CHECK (version > 0),
    key text NOT NULL CHECK (key ~ '^[a-z0-9_]{1,32}$'),
    type text NOT NULL,
    title text CHECK (length(title) <= 80),
    settings jsonb NOT NULL DEFAULT '{}' CHECK (length(settings::text) <= 4096),
    x smallint NOT NULL CHECK (x BETWEEN 0 AND 10),
    y smallint NOT NULL CHECK (y BETWEEN 0 AND 999),
    w smallint NOT NULL CHECK (w BETWEEN 2 AND 12),
    h smallint NOT NULL CHECK (h BETWEEN 2 AND 20),
    phone_order smallint,
    phone_w smallint NOT NULL DEFAULT 2 CHECK (phone_w IN (1, 2)),
    phone_hidden boolean NOT NULL DEFAULT false,
    lock text NOT NULL DEFAULT 'free' CHECK (lock IN ('locked', 'pinned', 'free')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (template_id, version, key),
    CHECK (x + w <= 12)
);
COMMENT ON TABLE template_widgets IS 'One widget in one version of a template; rows of a published version never change.';

-- Whoever refers to a version has to find it as it was. With its template a draft goes whole.
CREATE FUNCTION refuse_published() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM layout_templates t
        WHERE (TG_OP <> 'INSERT' AND t.id = OLD.template_id AND t.version >= OLD.version)
           OR (TG_OP <> 'DELETE' AND t.id = NEW.template_id AND t.version >= NEW.version)
    ) THEN
        RAISE EXCEPTION 'a published version of a template never changes';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER template_widgets_stay BEFORE INSERT OR UPDATE OR DELETE ON template_widgets
    FOR EACH ROW EXECUTE FUNCTION refuse_published();

CREATE FUNCTION refuse_older_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the versions of a template only rise';
END $$;
CREATE TRIGGER layout_templates_rise BEFORE UPDATE OF version ON layout_templates
    FOR EACH ROW WHEN (NEW.version < OLD.version) EXECUTE FUNCTION refuse_older_version();
CREATE TRIGGER layout_templates_told AFTER INSERT OR UPDATE OR DELETE ON layout_templates
    FOR EACH STATEMENT EXECUTE FUNCTION tell_memories('templates');

-- As text: what stands in settings need be no number of a feed.
CREATE VIEW template_feeds AS
    SELECT w.settings ->> 'feed_id' AS feed_id
    FROM layout_templates t JOIN template_widgets w ON w.template_id = t.id AND w.version = t.version
    WHERE t.state = 'published' AND w.type = 'rss_feed';
COMMENT ON VIEW template_feeds IS 'The feeds that pages designed by the operator show by themselves.';

CREATE TABLE pages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    slug text NOT NULL CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 40),
    sort integer NOT NULL DEFAULT 0,
    -- The template, and its version, whose changes the person was told of last; null: the built-in page.
    template_id bigint REFERENCES layout_templates ON DELETE SET NULL,
    template_version integer NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, slug)
);
COMMENT ON TABLE pages IS 'One page (tab) of one person.';
CREATE INDEX pages_template ON pages (template_id) WHERE template_id IS NOT NULL;

CREATE TABLE page_widgets (
    page_id bigint NOT NULL REFERENCES pages ON DELETE CASCADE,
    key text NOT NULL CHECK (key ~ '^[a-z0-9_]{1,32}$'),
    origin text NOT NULL CHECK (origin IN ('template', 'own')),
    type text,
    title text CHECK (length(title) <= 80),
    settings jsonb CHECK (length(settings::text) <= 4096),
    x smallint CHECK (x BETWEEN 0 AND 10),
    y smallint CHECK (y BETWEEN 0 AND 999),
    w smallint CHECK (w BETWEEN 2 AND 12),
    h smallint CHECK (h BETWEEN 2 AND 20),
    phone_order smallint,
    phone_w smallint CHECK (phone_w IN (1, 2)),
    phone_hidden boolean,
    removed boolean NOT NULL DEFAULT false,
    PRIMARY KEY (page_id, key),
    CHECK (x + w <= 12),
    CHECK (origin = 'template' OR (type IS NOT NULL AND x IS NOT NULL AND y IS NOT NULL AND w IS NOT NULL AND h IS NOT NULL))
);
COMMENT ON TABLE page_widgets IS
    'One own widget, or one person''s difference from the template''s widget of that key (null: as the template says).';

CREATE TABLE page_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    page_id bigint NOT NULL REFERENCES pages ON DELETE CASCADE,
    version bigint NOT NULL,
    op text NOT NULL,
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    undone_at timestamptz
);
COMMENT ON TABLE page_changes IS 'One change of a page that can be undone: its widget rows before and after.';
CREATE INDEX page_changes_page ON page_changes (page_id, id DESC);

CREATE TABLE preferences (
    user_id bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    schema_version integer NOT NULL DEFAULT 1,
    doc jsonb NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE preferences IS 'One person''s choices: theme, units, clock, news order and the like.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Homepage: news

CREATE TABLE tags (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 200),
    keywords text[] NOT NULL DEFAULT '{}',
    sort integer NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'retired', 'merged')),
    merged_into bigint REFERENCES tags
);
COMMENT ON TABLE tags IS 'One word of the closed list that news is sorted by.';

CREATE TABLE feeds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url text,
    url_enc bytea,
    url_key bytea NOT NULL,
    owner_id bigint REFERENCES users ON DELETE CASCADE,
    visibility text NOT NULL CHECK (visibility IN ('listed', 'member', 'private')),
    title text NOT NULL DEFAULT '' CHECK (length(title) <= 300),
    site_url text,
    description text NOT NULL DEFAULT '',
    language text,
    tag_id bigint REFERENCES tags,
    pace text NOT NULL DEFAULT 'normal' CHECK (pace IN ('breaking', 'normal', 'slow')),
    refresh_minutes integer CHECK (refresh_minutes BETWEEN 5 AND 1440),
    default_on boolean NOT NULL DEFAULT false,
    ai_critical boolean NOT NULL DEFAULT false,
    etag text,
    last_modified text,
    body_hash bytea,
    moved_to text,
    moved_times integer NOT NULL DEFAULT 0,
    next_fetch_at timestamptz DEFAULT now(),
    last_try_at timestamptz,
    last_ok_at timestamptz,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'failing', 'suspended', 'gone', 'disabled')),
    failures integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    error_code text,
    ttl_minutes integer,
    repairs text[] NOT NULL DEFAULT '{}',
    added_by bigint REFERENCES users ON DELETE SET NULL,
    suggested_by bigint REFERENCES users ON DELETE SET NULL,
    suggested_at timestamptz,
    decided_by bigint REFERENCES users ON DELETE SET NULL,
    decided_at timestamptz,
    rejected_for text CHECK (rejected_for IN ('adult', 'hate', 'malware', 'piracy', 'spam')),
    default_changed_at timestamptz,
    version bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((visibility = 'private') = (owner_id IS NOT NULL)),
    CHECK ((visibility = 'private') = (url IS NULL)),
    CHECK ((url IS NULL) <> (url_enc IS NULL))
);
COMMENT ON TABLE feeds IS 'One source of news. A private feed belongs to its owner and its address is encrypted.';
CREATE UNIQUE INDEX feeds_url ON feeds (url_key) WHERE owner_id IS NULL;
CREATE UNIQUE INDEX feeds_private_url ON feeds (owner_id, url_key) WHERE owner_id IS NOT NULL;
CREATE INDEX feeds_due ON feeds (next_fetch_at) WHERE next_fetch_at IS NOT NULL;
CREATE INDEX feeds_catalogue ON feeds (tag_id, title) WHERE visibility = 'listed';
CREATE INDEX feeds_default_changed ON feeds (default_changed_at) WHERE default_changed_at IS NOT NULL;
CREATE INDEX feeds_suggested ON feeds (suggested_at) WHERE suggested_at IS NOT NULL AND decided_at IS NULL;
CREATE INDEX feeds_default ON feeds (id) WHERE default_on AND visibility = 'listed';
CREATE TRIGGER feeds_told AFTER UPDATE OF version ON feeds
    FOR EACH ROW WHEN (OLD.version IS DISTINCT FROM NEW.version) EXECUTE FUNCTION tell_change();

CREATE TABLE feed_fetches (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    feed_id bigint NOT NULL REFERENCES feeds ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT now(),
    status integer,
    ms integer,
    bytes integer,
    new_items integer NOT NULL DEFAULT 0,
    error_code text
);
COMMENT ON TABLE feed_fetches IS 'One attempt to fetch one feed; kept 14 days.';
CREATE INDEX feed_fetches_feed ON feed_fetches (feed_id, at DESC);
CREATE INDEX feed_fetches_age ON feed_fetches (at);

CREATE TABLE feed_subscriptions (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    feed_id bigint NOT NULL REFERENCES feeds ON DELETE CASCADE,
    title text CHECK (length(title) <= 300),
    folder text CHECK (length(folder) <= 80),
    pinned boolean NOT NULL DEFAULT false,
    latest_n smallint CHECK (latest_n BETWEEN 1 AND 20),
    muted_until timestamptz,
    origin text NOT NULL DEFAULT 'own' CHECK (origin IN ('default', 'own', 'opml')),
    subscribed_at timestamptz NOT NULL DEFAULT now(),
    unsubscribed_at timestamptz,
    PRIMARY KEY (user_id, feed_id)
);
COMMENT ON TABLE feed_subscriptions IS 'One person reads one feed; a row with unsubscribed_at keeps a default away.';
CREATE INDEX feed_subscriptions_feed ON feed_subscriptions (feed_id) WHERE unsubscribed_at IS NULL;

CREATE TABLE stories (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lead_item_id bigint,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    items integer NOT NULL DEFAULT 1,
    language text
);
COMMENT ON TABLE stories IS
    'One event, told by one or several items. items, lead and times go by listed feeds, where one of those tells it.';

CREATE TABLE feed_items (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    feed_id bigint NOT NULL REFERENCES feeds ON DELETE CASCADE,
    guid_hash bytea NOT NULL,
    url text,
    url_key bytea,
    title text NOT NULL CHECK (length(title) <= 300),
    summary_html text NOT NULL DEFAULT '' CHECK (length(summary_html) <= 2000),
    body_text text NOT NULL DEFAULT '' CHECK (length(body_text) <= 8000),
    author text NOT NULL DEFAULT '' CHECK (length(author) <= 200),
    image_url text,
    image_key text,
    language text,
    published_at timestamptz NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT now(),
    content_hash bytea NOT NULL,
    story_id bigint REFERENCES stories ON DELETE SET NULL,
    tagged_by text NOT NULL DEFAULT 'none' CHECK (tagged_by IN ('none', 'feed', 'rules', 'ai', 'person')),
    tag_attempts smallint NOT NULL DEFAULT 0,
    tag_asked_until timestamptz,
    words text NOT NULL DEFAULT '',
    story_keys integer[],
    search tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', left(body_text, 4000)), 'B')
    ) STORED,
    UNIQUE (feed_id, guid_hash)
);
COMMENT ON TABLE feed_items IS
    'One article of one feed. words: title and summary without case and accents, what mute words look at. story_keys: what items of the same event are found by; null where the feed is private.';
CREATE INDEX feed_items_feed ON feed_items (feed_id, published_at DESC, id DESC) INCLUDE (fetched_at);
CREATE INDEX feed_items_latest ON feed_items (published_at DESC, id DESC);
-- What was found long after it was published: it may be unread though its neighbours in time are read.
CREATE INDEX feed_items_late ON feed_items (feed_id, fetched_at) INCLUDE (published_at, id)
    WHERE fetched_at - published_at > interval '1 hour';
-- The same of all feeds together, for who marked all of them read; few items are in either.
CREATE INDEX feed_items_late_of_all ON feed_items (fetched_at) INCLUDE (published_at, id)
    WHERE fetched_at - published_at > interval '1 hour';
CREATE INDEX feed_items_story ON feed_items (story_id);
-- By day of arrival only the nightly checks ask, so the smallest index will do.
CREATE INDEX feed_items_fetched ON feed_items USING brin (fetched_at) WITH (autosummarize = on);
CREATE INDEX feed_items_url ON feed_items (url_key);
CREATE INDEX feed_items_untagged ON feed_items (published_at DESC)
    WHERE tagged_by IN ('none', 'feed', 'rules') AND tag_attempts < 3;
CREATE INDEX feed_items_same_text ON feed_items (content_hash) WHERE tagged_by = 'ai';
CREATE INDEX feed_items_search ON feed_items USING gin (search);
CREATE INDEX feed_items_typos ON feed_items USING gin (title gin_trgm_ops);
-- Searched while others wait for their turn: no list of pending entries is to be read as well.
CREATE INDEX feed_items_keys ON feed_items USING gin (story_keys) WITH (fastupdate = off);

CREATE TABLE story_words (
    key integer PRIMARY KEY,
    span integer NOT NULL,
    items integer NOT NULL
);
COMMENT ON TABLE story_words IS
    'How many items of two days have one word, by the key of both; items of an event are looked for by their rarest words.';
CREATE INDEX story_words_span ON story_words (span);

-- What listed feeds tell stands in a story's figures; what only some may read does not, unless nobody else tells it.
CREATE FUNCTION recount_stories(ids bigint[]) RETURNS void LANGUAGE sql AS $$
    -- Apart from the count: whoever waits here must count what came in meanwhile.
    SELECT id FROM stories WHERE id = ANY(ids) ORDER BY id FOR UPDATE;
    WITH counted AS (
        SELECT s.id, count(i.id)::int AS items, count(i.id) FILTER (WHERE f.visibility = 'listed')::int AS listed,
               min(i.published_at) AS first_at, max(i.published_at) AS last_at,
               min(i.published_at) FILTER (WHERE f.visibility = 'listed') AS listed_first,
               max(i.published_at) FILTER (WHERE f.visibility = 'listed') AS listed_last,
               (array_agg(i.id ORDER BY i.image_url IS NULL, i.published_at, i.id)
                   FILTER (WHERE f.visibility = 'listed'))[1] AS lead
        FROM stories s LEFT JOIN feed_items i ON i.story_id = s.id LEFT JOIN feeds f ON f.id = i.feed_id
        WHERE s.id = ANY(ids) GROUP BY s.id
    ), ended AS (
        DELETE FROM stories s USING counted c WHERE s.id = c.id AND c.items = 0
    )
    UPDATE stories s
    SET items = coalesce(nullif(c.listed, 0), c.items), lead_item_id = c.lead,
        first_at = coalesce(c.listed_first, c.first_at), last_at = coalesce(c.listed_last, c.last_at)
    FROM counted c WHERE s.id = c.id AND c.items > 0
$$;
CREATE FUNCTION stories_after_items_go() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM recount_stories(array(SELECT DISTINCT story_id FROM gone WHERE story_id IS NOT NULL));
    RETURN NULL;
END
$$;
CREATE TRIGGER feed_items_gone AFTER DELETE ON feed_items REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION stories_after_items_go();
CREATE FUNCTION stories_after_feed_opens() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM recount_stories(array(SELECT DISTINCT story_id FROM feed_items WHERE feed_id = NEW.id AND story_id IS NOT NULL));
    RETURN NULL;
END
$$;
CREATE TRIGGER feeds_opened AFTER UPDATE OF visibility ON feeds
    FOR EACH ROW WHEN (OLD.visibility IS DISTINCT FROM NEW.visibility) EXECUTE FUNCTION stories_after_feed_opens();

CREATE TABLE story_rules (
    item_id bigint NOT NULL REFERENCES feed_items ON DELETE CASCADE,
    story_id bigint NOT NULL REFERENCES stories ON DELETE CASCADE,
    origin text NOT NULL CHECK (origin IN ('readers', 'admin')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (item_id, story_id)
);
COMMENT ON TABLE story_rules IS 'This item never joins that story, for everybody: two readers said so, or an admin.';
CREATE INDEX story_rules_story ON story_rules (story_id);

CREATE TABLE story_splits (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    item_id bigint NOT NULL REFERENCES feed_items ON DELETE CASCADE,
    story_id bigint NOT NULL REFERENCES stories ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, item_id, story_id)
);
COMMENT ON TABLE story_splits IS 'This item is no part of that story, for one person.';
CREATE INDEX story_splits_item ON story_splits (item_id, story_id);
CREATE INDEX story_splits_story ON story_splits (story_id);

CREATE TABLE story_moves (
    -- A plain number: the story is gone, as a rule.
    story_id bigint NOT NULL,
    item_id bigint NOT NULL REFERENCES feed_items ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (story_id, item_id)
);
COMMENT ON TABLE story_moves IS
    'This item once stood in that story. Who asks for a story that is gone is led to where what they may see of it stands now.';
CREATE INDEX story_moves_item ON story_moves (item_id);
CREATE FUNCTION note_story_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO story_moves (story_id, item_id) VALUES (OLD.story_id, OLD.id) ON CONFLICT (story_id, item_id) DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER feed_items_moved AFTER UPDATE OF story_id ON feed_items
    FOR EACH ROW WHEN (OLD.story_id IS DISTINCT FROM NEW.story_id AND OLD.story_id IS NOT NULL)
    EXECUTE FUNCTION note_story_move();

CREATE TABLE item_tags (
    item_id bigint NOT NULL REFERENCES feed_items ON DELETE CASCADE,
    tag_id bigint NOT NULL REFERENCES tags ON DELETE CASCADE,
    origin text NOT NULL CHECK (origin IN ('feed', 'rules', 'ai', 'person')),
    confidence real,
    PRIMARY KEY (item_id, tag_id)
);
COMMENT ON TABLE item_tags IS 'One tag on one item, and who put it there.';
CREATE INDEX item_tags_tag ON item_tags (tag_id, item_id DESC);

CREATE TABLE tag_verdicts (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    item_id bigint NOT NULL REFERENCES feed_items ON DELETE CASCADE,
    tag_id bigint NOT NULL REFERENCES tags ON DELETE CASCADE,
    verdict text NOT NULL CHECK (verdict IN ('right', 'wrong', 'missing')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, item_id, tag_id)
);
COMMENT ON TABLE tag_verdicts IS 'What one person holds of one tag on one item; three who agree change it for all.';
CREATE INDEX tag_verdicts_item ON tag_verdicts (item_id, tag_id);
CREATE INDEX tag_verdicts_tag ON tag_verdicts (tag_id, verdict);

CREATE TABLE tag_proposals (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name citext NOT NULL UNIQUE CHECK (length(name) BETWEEN 2 AND 40),
    seen integer NOT NULL DEFAULT 1,
    examples text[] NOT NULL DEFAULT '{}' CHECK (cardinality(examples) <= 5),
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'accepted', 'merged', 'rejected')),
    decided_by bigint REFERENCES users ON DELETE SET NULL,
    decided_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE tag_proposals IS 'A word that a model would have as a tag, with headlines that it was for.';
CREATE INDEX tag_proposals_open ON tag_proposals (seen DESC, id) WHERE state = 'open';

CREATE TABLE tag_merges (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tag_id bigint NOT NULL REFERENCES tags ON DELETE CASCADE,
    into_id bigint NOT NULL REFERENCES tags ON DELETE CASCADE,
    feeds bigint[] NOT NULL DEFAULT '{}',
    merged_by bigint REFERENCES users ON DELETE SET NULL,
    undone_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (tag_id <> into_id)
);
COMMENT ON TABLE tag_merges IS 'One tag that went into another; what it takes to undo it is kept for 7 days.';
CREATE INDEX tag_merges_tag ON tag_merges (tag_id, created_at DESC);

CREATE TABLE tag_merge_items (
    merge_id bigint NOT NULL REFERENCES tag_merges ON DELETE CASCADE,
    item_id bigint NOT NULL REFERENCES feed_items ON DELETE CASCADE,
    origin text NOT NULL,
    confidence real,
    added boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (merge_id, item_id)
);
COMMENT ON TABLE tag_merge_items IS 'One item whose tag was moved by a merge; added: it had not the other tag before.';
CREATE INDEX tag_merge_items_item ON tag_merge_items (item_id);

CREATE TABLE item_states (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    item_id bigint NOT NULL REFERENCES feed_items ON DELETE CASCADE,
    read_at timestamptz,
    unread_at timestamptz,
    saved_at timestamptz,
    hidden_at timestamptz,
    PRIMARY KEY (user_id, item_id)
);
COMMENT ON TABLE item_states IS 'What one person did with one item; unread_at lifts it over a watermark.';
CREATE INDEX item_states_saved ON item_states (user_id, saved_at DESC) WHERE saved_at IS NOT NULL;
CREATE INDEX item_states_kept ON item_states (item_id) WHERE saved_at IS NOT NULL;
CREATE INDEX item_states_lifted ON item_states (user_id, item_id) WHERE unread_at IS NOT NULL;

CREATE TABLE news_watermarks (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    feed_id bigint NOT NULL DEFAULT 0,
    read_before timestamptz NOT NULL,
    previous timestamptz,
    PRIMARY KEY (user_id, feed_id)
);
COMMENT ON TABLE news_watermarks IS
    'One person has read all that had arrived by then, of one feed or (0) of all. previous: what an undo returns to.';

CREATE TABLE news_filters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('mute_word', 'mute_tag', 'only_word')),
    feed_id bigint REFERENCES feeds ON DELETE CASCADE,
    value text NOT NULL CHECK (length(value) BETWEEN 1 AND 60),
    pattern text NOT NULL DEFAULT '',
    until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE news_filters IS
    'One rule of one person on what news to leave out. pattern: the value as it is looked for among the words of items.';
CREATE UNIQUE INDEX news_filters_once ON news_filters (user_id, kind, coalesce(feed_id, 0), lower(value));

CREATE TABLE feed_checks (
    token_hash bytea PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    input text NOT NULL,
    state text NOT NULL DEFAULT 'checking' CHECK (state IN ('checking', 'found', 'failed')),
    private boolean NOT NULL DEFAULT false,
    results jsonb NOT NULL DEFAULT '[]',
    error_code text,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE feed_checks IS 'One address under examination: is it a feed, has it one? Gone after 24 hours.';
CREATE INDEX feed_checks_age ON feed_checks (created_at);

CREATE TABLE opml_imports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    content text,
    total integer NOT NULL DEFAULT 0,
    added integer NOT NULL DEFAULT 0,
    known integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    report jsonb NOT NULL DEFAULT '[]',
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    error_code text,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
COMMENT ON TABLE opml_imports IS 'One list of feeds that a person brought, and what became of each line.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Homepage: weather and links

CREATE TABLE weather_places (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    lat numeric(5,2) NOT NULL CHECK (lat BETWEEN -90 AND 90),
    lon numeric(6,2) NOT NULL CHECK (lon BETWEEN -180 AND 180),
    city_id bigint,
    country text,
    time_zone text,
    sort integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, lat, lon)
);
COMMENT ON TABLE weather_places IS 'One place whose weather one person wants to see.';

CREATE TABLE weather_cache (
    location_key text PRIMARY KEY,
    provider text CHECK (provider IN ('nws', 'open_meteo')),
    country text,
    forecast jsonb,
    alerts jsonb,
    forecast_at timestamptz,
    alerts_at timestamptz,
    expires_at timestamptz,
    forecast_due_at timestamptz NOT NULL DEFAULT now(),
    alerts_due_at timestamptz,
    tried_at timestamptz,
    failures integer NOT NULL DEFAULT 0,
    error_code text,
    viewed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE weather_cache IS 'The weather of one spot (metric), as last heard, and when to ask again.';
CREATE INDEX weather_cache_due ON weather_cache (forecast_due_at);
CREATE INDEX weather_cache_alerts_due ON weather_cache (alerts_due_at) WHERE alerts_due_at IS NOT NULL;
CREATE TRIGGER weather_cache_told AFTER UPDATE OF forecast_at, alerts_at, error_code ON weather_cache
    FOR EACH ROW EXECUTE FUNCTION tell_change();

CREATE TABLE provider_quotas (
    provider text NOT NULL,
    span text NOT NULL CHECK (span IN ('minute', 'day')),
    span_start timestamptz NOT NULL,
    used integer NOT NULL DEFAULT 0,
    allowed integer NOT NULL,
    -- When the source was last asked, and until when it wants to be left alone; kept in the row of its longest span.
    last_at timestamptz,
    rests_until timestamptz,
    PRIMARY KEY (provider, span)
);
COMMENT ON TABLE provider_quotas IS 'How much of one metered source was used in the span that runs.';

CREATE TABLE stock_symbols (
    symbol text COLLATE "C" PRIMARY KEY CHECK (symbol ~ '^[A-Z0-9^][A-Z0-9.^=-]{0,11}$'),
    name text CHECK (length(name) BETWEEN 1 AND 80),
    exchange text CHECK (length(exchange) <= 20),
    currency text CHECK (currency ~ '^[A-Z]{3}$'),
    state text NOT NULL DEFAULT 'unknown' CHECK (state IN ('unknown', 'ok', 'not_found')),
    -- The sources that said they have no such symbol: they are not asked again.
    unknown_to text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE stock_symbols IS 'A row is one symbol: its name where a list told it, and whether a source knows it.';
CREATE INDEX stock_symbols_name ON stock_symbols USING gin (lower(name) gin_trgm_ops) WHERE name IS NOT NULL;

CREATE TABLE stock_watches (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    symbol text COLLATE "C" NOT NULL REFERENCES stock_symbols,
    sort integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, symbol)
);
COMMENT ON TABLE stock_watches IS 'A row is one symbol that one person watches.';
CREATE INDEX stock_watches_symbol ON stock_watches (symbol);

CREATE TABLE stock_quotes (
    symbol text COLLATE "C" PRIMARY KEY REFERENCES stock_symbols ON DELETE CASCADE,
    price numeric(18,6) CHECK (price > 0),
    change numeric(18,6),
    change_percent numeric(18,6),
    quoted_at timestamptz,
    fetched_at timestamptz,
    expires_at timestamptz,
    tried_at timestamptz,
    -- When its turn is likely to come, where the sources' quotas do not suffice for all.
    next_at timestamptz,
    source text,
    failures integer NOT NULL DEFAULT 0,
    error_code text,
    watched_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE stock_quotes IS 'A row is the last price of one symbol, as last heard, and when to ask again.';

CREATE TABLE stock_closes (
    symbol text COLLATE "C" NOT NULL REFERENCES stock_symbols ON DELETE CASCADE,
    day date NOT NULL,
    close numeric(18,6) NOT NULL CHECK (close > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (symbol, day)
);
COMMENT ON TABLE stock_closes IS 'A row is what one symbol closed at on one day of trading; kept 400 days.';

CREATE TABLE market_days (
    exchange text NOT NULL CHECK (exchange IN ('XNYS')),
    day date NOT NULL,
    kind text NOT NULL CHECK (kind IN ('holiday', 'half_day')),
    -- The hour of the exchange's own zone at which a half day ends.
    closes_at time,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (exchange, day),
    CHECK ((kind = 'half_day') = (closes_at IS NOT NULL))
);
COMMENT ON TABLE market_days IS 'A row is one day on which an exchange is closed, or closes early.';

CREATE TABLE recent_searches (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    words text NOT NULL CHECK (length(words) BETWEEN 2 AND 200),
    searched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, words)
);
COMMENT ON TABLE recent_searches IS 'One of the last ten searches of a member who lets them be kept.';

CREATE TABLE quick_links (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    list text NOT NULL DEFAULT 'main' CHECK (length(list) BETWEEN 1 AND 40),
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 80),
    url text NOT NULL CHECK (length(url) <= 2000),
    icon_key text,
    sort integer NOT NULL DEFAULT 0,
    deleted_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE quick_links IS 'One link that one person keeps at hand; deleted_at waits for an undo.';
CREATE INDEX quick_links_user ON quick_links (user_id, list, sort, id);

-- ---------------------------------------------------------------------------------------------------------------------
-- Homepage: social

CREATE TABLE social_accounts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    platform text NOT NULL CHECK (platform IN ('instagram', 'facebook')),
    account_id text NOT NULL CHECK (length(account_id) BETWEEN 1 AND 100),
    account_name text NOT NULL DEFAULT '' CHECK (length(account_name) <= 200),
    -- The platform's number for the person who said yes: its signed requests name them by it.
    subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 100),
    token_enc bytea,
    scopes text[] NOT NULL DEFAULT '{}',
    granted_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    last_ok_at timestamptz,
    last_try_at timestamptz,
    -- Whoever fetches its posts has it until then.
    taken_until timestamptz,
    refresh_failures integer NOT NULL DEFAULT 0,
    -- When the token was last to be renewed: once a day, whoever runs.
    renew_tried_at timestamptz,
    error_code text,
    -- Older posts were deleted by the member and are not fetched again.
    posts_after timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (revoked_at IS NULL OR token_enc IS NULL)
);
COMMENT ON TABLE social_accounts IS 'One account at a social network that one member connected; a revoked one only keeps its posts.';
CREATE UNIQUE INDEX social_accounts_live ON social_accounts (user_id, platform, account_id) WHERE revoked_at IS NULL;
CREATE INDEX social_accounts_user ON social_accounts (user_id, id);
CREATE INDEX social_accounts_subject ON social_accounts (platform, subject);
CREATE INDEX social_accounts_expiry ON social_accounts (expires_at) WHERE revoked_at IS NULL;

CREATE TABLE social_posts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    account_id bigint NOT NULL REFERENCES social_accounts ON DELETE CASCADE,
    platform text NOT NULL CHECK (platform IN ('instagram', 'facebook')),
    platform_post_id text NOT NULL CHECK (length(platform_post_id) BETWEEN 1 AND 100),
    post_type text NOT NULL CHECK (post_type IN ('image', 'video', 'carousel', 'story', 'reel', 'text', 'link')),
    caption text NOT NULL DEFAULT '' CHECK (length(caption) <= 2200),
    permalink text CHECK (length(permalink) <= 2000),
    -- Keys of our thumbnails; null until they have been tried.
    media jsonb,
    posted_at timestamptz NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT now(),
    engagement jsonb NOT NULL DEFAULT '{}',
    archived boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, platform, platform_post_id)
);
COMMENT ON TABLE social_posts IS 'One post of a connected account, as last fetched; only its owner sees it.';
CREATE INDEX social_posts_newest ON social_posts (user_id, posted_at DESC, id DESC);
CREATE INDEX social_posts_account ON social_posts (account_id, posted_at DESC, id DESC);

CREATE TABLE social_trips (
    state_hash bytea PRIMARY KEY,
    platform text NOT NULL CHECK (platform IN ('instagram', 'facebook')),
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    session_id bigint NOT NULL REFERENCES sessions ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE social_trips IS 'One trip to a social network to connect an account, bound to the session that began it; its answer is taken once.';
CREATE INDEX social_trips_user ON social_trips (user_id);
CREATE INDEX social_trips_session ON social_trips (session_id);
CREATE INDEX social_trips_expiry ON social_trips (expires_at);

CREATE TABLE social_deletions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code_hash bytea NOT NULL UNIQUE,
    platform text NOT NULL CHECK (platform IN ('instagram', 'facebook')),
    accounts integer NOT NULL DEFAULT 0,
    posts integer NOT NULL DEFAULT 0,
    done_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE social_deletions IS 'One deletion that a social network asked for by a signed request, and how far it is; it names nobody.';
CREATE INDEX social_deletions_age ON social_deletions (created_at);
