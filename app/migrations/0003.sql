-- From schema 2 to 3: stories, tags and models under a budget, stocks, social feeds, page templates, search (chapter 20).

ALTER TABLE delayed_job_control
    DROP COLUMN minute_starts,
    DROP COLUMN minute_used,
    ADD COLUMN claimed_at timestamptz[] NOT NULL DEFAULT '{}',
    ADD COLUMN claimed integer[] NOT NULL DEFAULT '{}';
ALTER TABLE reader_versions
    DROP CONSTRAINT reader_versions_area_check,
    ADD CONSTRAINT reader_versions_area_check CHECK (
        area IN ('page', 'news', 'weather', 'stocks', 'links', 'preferences', 'social')
    );
ALTER TABLE pages ADD COLUMN template_version integer NOT NULL DEFAULT 0;
ALTER TABLE feeds
    ADD COLUMN decided_by bigint REFERENCES users ON DELETE SET NULL,
    ADD COLUMN decided_at timestamptz,
    ADD COLUMN rejected_for text CHECK (rejected_for IN ('adult', 'hate', 'malware', 'piracy', 'spam')),
    ADD COLUMN default_changed_at timestamptz;
ALTER TABLE feed_items
    ADD COLUMN tag_asked_until timestamptz,
    ADD COLUMN story_keys integer[];
ALTER TABLE news_watermarks ADD COLUMN previous timestamptz;
ALTER TABLE provider_quotas
    ADD COLUMN last_at timestamptz,
    ADD COLUMN rests_until timestamptz;

CREATE TABLE token_revocations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL CHECK (provider IN ('google', 'facebook', 'apple')),
    token_enc bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE token_revocations IS 'One token of an outside account that was unlinked, until its provider has revoked it.';
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
CREATE INDEX ai_results_used ON ai_results (used_at);
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
CREATE INDEX pages_template ON pages (template_id) WHERE template_id IS NOT NULL;
CREATE INDEX feeds_default_changed ON feeds (default_changed_at) WHERE default_changed_at IS NOT NULL;
CREATE INDEX feeds_suggested ON feeds (suggested_at) WHERE suggested_at IS NOT NULL AND decided_at IS NULL;
CREATE INDEX feeds_default ON feeds (id) WHERE default_on AND visibility = 'listed';
CREATE INDEX feed_items_late ON feed_items (feed_id, fetched_at) INCLUDE (published_at, id)
    WHERE fetched_at - published_at > interval '1 hour';
CREATE INDEX feed_items_untagged ON feed_items (published_at DESC)
    WHERE tagged_by IN ('none', 'feed', 'rules') AND tag_attempts < 3;
CREATE INDEX feed_items_same_text ON feed_items (content_hash) WHERE tagged_by = 'ai';
CREATE INDEX feed_items_keys ON feed_items USING gin (story_keys) WITH (fastupdate = off);
CREATE TABLE story_words (
    key integer PRIMARY KEY,
    span integer NOT NULL,
    items integer NOT NULL
);
COMMENT ON TABLE story_words IS
    'How many items of two days have one word, by the key of both; items of an event are looked for by their rarest words.';
CREATE INDEX story_words_span ON story_words (span);
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
    PRIMARY KEY (merge_id, item_id)
);
COMMENT ON TABLE tag_merge_items IS 'One item whose tag was moved by a merge; added: it had not the other tag before.';
CREATE INDEX tag_merge_items_item ON tag_merge_items (item_id);
CREATE INDEX item_states_lifted ON item_states (user_id, item_id) WHERE unread_at IS NOT NULL;
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
COMMENT ON TABLE delayed_job_control IS
    'One brake on one family or one type of jobs. until ends a pause; claimed_at and claimed: the claims of the last minute.';
COMMENT ON TABLE stories IS
    'One event, told by one or several items. items, lead and times go by listed feeds, where one of those tells it.';
COMMENT ON TABLE feed_items IS
    'One article of one feed. words: title and summary without case and accents, what mute words look at. story_keys: what items of the same event are found by; null where the feed is private.';
DROP INDEX feed_items_feed;
CREATE INDEX feed_items_feed ON feed_items (feed_id, published_at DESC, id DESC) INCLUDE (fetched_at);
COMMENT ON TABLE news_watermarks IS
    'One person has read all that had arrived by then, of one feed or (0) of all. previous: what an undo returns to.';

ALTER TABLE pages ADD FOREIGN KEY (template_id) REFERENCES layout_templates ON DELETE SET NULL;
