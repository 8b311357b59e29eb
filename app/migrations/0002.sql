-- From schema 1 to 2: people, rights, flags, limits, privacy, audit, mail and files (chapter 10).

ALTER TABLE sign_in_requests
    DROP CONSTRAINT sign_in_requests_purpose_check,
    ADD CONSTRAINT sign_in_requests_purpose_check CHECK (
        purpose IN ('sign_in', 'verify_address', 'first_admin', 'step_up', 'change_address', 'not_me')
    ),
    ADD COLUMN user_id bigint REFERENCES users ON DELETE CASCADE,
    ADD COLUMN link_hash bytea,
    ADD CHECK (purpose NOT IN ('step_up', 'change_address', 'not_me') OR user_id IS NOT NULL);
ALTER TABLE sessions ADD COLUMN browser_hash bytea;
ALTER TABLE emails ADD COLUMN repeats integer NOT NULL DEFAULT 0;
ALTER TABLE stored_objects ADD COLUMN deleted_at timestamptz;
ALTER TABLE audit_log
    ALTER COLUMN timestamp SET DEFAULT clock_timestamp(),
    ADD COLUMN person_salt bytea,
    ADD COLUMN person_print bytea,
    ADD COLUMN change_salt bytea,
    ADD COLUMN change_print bytea,
    ADD COLUMN cleared_for bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();
DROP INDEX audit_log_action;
CREATE INDEX audit_log_action ON audit_log (action text_pattern_ops, id DESC);
DROP TRIGGER audit_log_only_grows ON audit_log;

CREATE INDEX users_services ON users (id) WHERE kind = 'service';
CREATE INDEX users_words ON users USING gin ((coalesce(email::text, '') || ' ' || display_name) gin_trgm_ops)
    WHERE kind <> 'visitor';
CREATE INDEX sign_in_requests_user ON sign_in_requests (user_id) WHERE user_id IS NOT NULL;
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
CREATE UNIQUE INDEX impersonation_audit_open ON impersonation_audit (impersonator_id) WHERE ended_at IS NULL;
CREATE INDEX impersonation_audit_target ON impersonation_audit (target_user_id, id DESC);
ALTER TABLE sessions ADD COLUMN impersonation_id bigint REFERENCES impersonation_audit;
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
CREATE INDEX audit_log_as ON audit_log (as_user_id, id DESC) WHERE as_user_id IS NOT NULL;
CREATE FUNCTION tell_memories() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('village_memories', TG_ARGV[0]);
    RETURN NULL;
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

-- Acts that were written before rows had prints get theirs now.
UPDATE audit_log SET created_at = timestamp, person_salt = uuid_send(gen_random_uuid()), change_salt = uuid_send(gen_random_uuid());
UPDATE audit_log SET person_print = audit_text_print(person_salt, ip, to_jsonb(reason)),
                     change_print = audit_text_print(change_salt, before, after);
CREATE TRIGGER audit_log_only_grows BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION keep_audit_log();

COMMENT ON TABLE emails IS
    'One letter out. repeats counts hand-overs that may be second ones: the one before ended in the dark.';
COMMENT ON TABLE stored_objects IS 'One file we keep in the object store. A deleted one of a bucket with versions stays as a row for 90 days.';
