"""A person with a canary word in every place where something of a person is kept."""

from typing import Any

from app.domain.platform.privacy import statements
from app.domain.platform.readers import Reader
from app.services import Services
from tests.people import member

# $1 is the person's number, $2 the canary, both put in as they are. Each line fills one table; the order follows the foreign keys.
PLANTS = (
    "UPDATE users SET display_name = 'Name ' || $2, ban_reason = $2, time_zone = 'Europe/Berlin', email_disabled_why = $2 WHERE id = $1",
    "INSERT INTO users (kind, email, role_by) VALUES ('member', 'other-' || $1 || '@example.net', $1)",
    "INSERT INTO identities (user_id, provider, subject, email, email_verified) VALUES ($1, 'google', $2, $2 || '@idp.example', true)",
    "INSERT INTO oauth_states (state_hash, provider, browser_hash, nonce, verifier_enc, purpose, user_id, next, expires_at)"
    " VALUES (sha256($2::bytea), 'google', 'b', $2, $2::bytea, 'link', $1, '/' || $2, now())",
    "INSERT INTO sign_in_requests (email, purpose, token_hash, next, expires_at)"
    " SELECT email, 'sign_in', sha256($2::bytea), '/' || $2, now() FROM users WHERE id = $1",
    "INSERT INTO sessions (token_hash, user_id, method, key_print, fresh_until, ends_at, ip)"
    " VALUES (sha256($2::bytea), $1, 'test', 'x', now(), now() + interval '1 day', jsonb_build_object('agent', $2::text))",
    "INSERT INTO api_tokens (user_id, name, prefix, token_hash, scopes, expires_at)"
    " VALUES ($1, $2, 'vil_', sha256($2::bytea), '{read}', now() + interval '1 day')",
    "INSERT INTO admin_grants (user_id, permission, reason) VALUES ($1, 'moderate', $2)",
    "INSERT INTO admin_grants (user_id, permission, reason, granted_by)"
    " SELECT id, 'moderate', 'a good reason', $1 FROM users WHERE role_by = $1",
    "INSERT INTO gdpr_requests (user_id, request_type, status, reason, finished_at) VALUES ($1, 'EXPORT', 'cancelled', $2, now())",
    "INSERT INTO gdpr_requests (user_id, request_type, asked_by) SELECT id, 'EXPORT', $1 FROM users WHERE role_by = $1",
    "INSERT INTO audit_log (actor_id, actor_kind, action, target_kind, target_id, reason, after, ip)"
    " VALUES (0, 'member', 'user.helped', 'member', $1::bigint::text, $2, to_jsonb($2::text), jsonb_build_object('agent', $2::text))",
    "INSERT INTO audit_log (actor_id, actor_kind, action, target_kind, target_id, reason, ip)"
    " VALUES ($1, 'member', 'job.retried', 'job', '7', $2, jsonb_build_object('agent', $2::text))",
    "INSERT INTO impersonation_audit (impersonator_id, target_user_id, reason, ip, expires_at, ended_at)"
    " VALUES (0, $1, 'looked after ' || $2, jsonb_build_object('agent', $2::text), now(), now())",
    "INSERT INTO impersonation_audit (impersonator_id, target_user_id, reason, ip, expires_at, ended_at)"
    " VALUES ($1, 0, 'looked after ' || $2, jsonb_build_object('agent', $2::text), now(), now())",
    "INSERT INTO user_consents (user_id, policy_version, source) VALUES ($1, '1', 'settings')",
    "INSERT INTO account_merge_audit (anonymous_user_id, authenticated_user_id, consent_given, consent_policy_version, ip_address, user_agent)"
    " VALUES (0, $1, true, '1', '192.0.2.1', $2)",
    "INSERT INTO merge_questions (anonymous_user_id, authenticated_user_id) VALUES (0, $1)",
    "INSERT INTO feature_flag_evaluations (day, flag_key, subject_type, subject_id, result, reason, rollout_percentage_snapshot, consent_granted)"
    " SELECT current_date, 'stocks_widget', 'user', $1::bigint::text, 'on', 'whitelisted', 5, true",
    "INSERT INTO feature_flags (key, owner_id) SELECT 'canary_' || $1, $1",
    "INSERT INTO feature_flag_audit (flag_key, version, action, after_state, actor_id, actor_type, reason)"
    " VALUES ('canary_' || $1::bigint, 1, 'created', '{}', $1, 'member', $2)",
    "INSERT INTO rate_limit_violations (user_id, action, tier) SELECT $1, 'search', 'logged_in'",
    "UPDATE rate_limits SET updated_by = $1 WHERE action = 'search' AND tier = 'anonymous'",
    "INSERT INTO rate_limits (action, tier, limit_count, window_seconds, updated_by)"
    " SELECT 'canary', 'anonymous', 1, 1, $1",
    "INSERT INTO bans (user_id, reason, source, ends_at) VALUES ($1, $2, 'admin', now() - interval '1 day')",
    "INSERT INTO bans (network, reason, source, ends_at, lifted_by)"
    " SELECT '192.0.2.0/24', 'scraping', 'admin', now() - interval '1 day', $1",
    "INSERT INTO ai_usage_tracking (month, provider) VALUES ('2026-01-01', 'canary') ON CONFLICT DO NOTHING",
    "INSERT INTO ai_acknowledgements (month, provider, level, user_id, note) VALUES ('2026-01-01', 'canary', 75, $1, $2)",
    "INSERT INTO quality_checks (name, bad, sample, says) VALUES ('preferences', 1, ARRAY['member ' || $1::bigint], $2)",
    "INSERT INTO site_settings (key, value, updated_by, reason) VALUES ('canary_setting', '1', $1, $2)",
    "INSERT INTO emails (user_id, to_address, template, kind, subject, text_body, message_id, status)"
    " SELECT $1, email, 'digest', 'digest', $2, $2, '<' || $2 || '@x>', 'sent' FROM users WHERE id = $1",
    "INSERT INTO email_bounces (email_id, type, status, diagnostic)"
    " SELECT id, 'permanent', '5.1.1', $2 FROM emails WHERE user_id = $1",
    "INSERT INTO inbound_emails (mailbox, uidvalidity, uid, message_id, sender, subject)"
    " SELECT 'in', 1, $1, '<in-' || $2 || '@x>', email, $2 FROM users WHERE id = $1",
    "INSERT INTO notifications (user_id, type, title, body) VALUES ($1, 'news', $2, $2)",
    "INSERT INTO notification_choices (user_id, type, channel, wanted) SELECT $1, 'news', 'mail', true",
    "INSERT INTO delayed_jobs (job_type, queue, payload, subjects, run_at, last_error)"
    " VALUES ('send_email', 'HIGH', jsonb_build_object('email_id', 0, 'why', $2::text), ARRAY['member:' || $1::bigint], now() + interval '1 day', $2)",
    "INSERT INTO delayed_jobs (job_type, queue, payload, subjects, status, finished_at, last_error, actor_id)"
    " VALUES ('send_email', 'HIGH', jsonb_build_object('email_id', 0, 'why', $2::text), ARRAY['member:' || $1::bigint], 'dead', now(), $2, $1)",
    "INSERT INTO job_attempts (job_id, attempt, worker, started_at, outcome, error)"
    " SELECT id, 1, 'w', now(), 'dead', $2 FROM delayed_jobs WHERE actor_id = $1",
    "INSERT INTO job_bulk_actions (filter, action, actor_id, reason, matched, newest_id, below_id) VALUES ('{}', 'delete', $1, $2, 1, 1, 1)",
    "INSERT INTO deleted_jobs (id, bulk_action_id, job) SELECT -$1::bigint, id,"
    " jsonb_build_object('subjects', jsonb_build_array('member:' || $1), 'payload', $2::text) FROM job_bulk_actions WHERE actor_id = $1",
    "INSERT INTO delayed_job_control (scope, name, actor_id, reason) VALUES ('job_type', 'canary', $1, $2)",
    "INSERT INTO pages (user_id, slug, name) SELECT $1, 'canary', left($2, 40)",
    "INSERT INTO page_widgets (page_id, key, origin, type, title, settings, x, y, w, h)"
    " SELECT id, 'note', 'own', 'note', $2, jsonb_build_object('text', $2::text), 0, 0, 4, 4 FROM pages WHERE user_id = $1",
    "INSERT INTO page_changes (page_id, version, op, before, after) SELECT id, 1, 'add', '[]', to_jsonb($2::text) FROM pages WHERE user_id = $1",
    "INSERT INTO preferences (user_id, doc) VALUES ($1, jsonb_build_object('secret', $2::text))"
    " ON CONFLICT (user_id) DO UPDATE SET doc = EXCLUDED.doc",
    "INSERT INTO reader_versions (user_id, area) SELECT $1, 'page' ON CONFLICT DO NOTHING",
    "INSERT INTO feeds (url, url_key, visibility, added_by, suggested_by) VALUES ('https://all.example/' || $1::bigint, sha256(($2 || 'all')::bytea), 'listed', $1, $1)",
    "INSERT INTO feeds (url_enc, url_key, owner_id, visibility, title) VALUES ($2::bytea, sha256($2::bytea), $1, 'private', $2)",
    "INSERT INTO feed_items (feed_id, guid_hash, title, body_text, published_at, content_hash, words)"
    " SELECT id, sha256($2::bytea), $2, $2, now(), 'x', $2 FROM feeds WHERE owner_id = $1",
    "INSERT INTO feed_subscriptions (user_id, feed_id, title) SELECT $1, id, $2 FROM feeds WHERE owner_id = $1 ON CONFLICT DO NOTHING",
    "INSERT INTO item_states (user_id, item_id, saved_at)"
    " SELECT $1, i.id, now() FROM feed_items i JOIN feeds f ON f.id = i.feed_id WHERE f.owner_id = $1",
    "WITH told AS (INSERT INTO stories (first_at, last_at) VALUES (now(), now()) RETURNING id)"
    " INSERT INTO story_splits (user_id, item_id, story_id) SELECT $1, i.id, told.id"
    " FROM told, feed_items i JOIN feeds f ON f.id = i.feed_id WHERE f.owner_id = $1",
    "INSERT INTO news_watermarks (user_id, read_before) SELECT $1, now()",
    "INSERT INTO news_filters (user_id, kind, value) VALUES ($1, 'mute_word', $2)",
    "INSERT INTO feed_checks (token_hash, user_id, input, results) VALUES (sha256($2::bytea), $1, $2, to_jsonb($2::text))",
    "INSERT INTO opml_imports (user_id, content, report) VALUES ($1, $2, to_jsonb($2::text))",
    "INSERT INTO weather_places (user_id, name, lat, lon) VALUES ($1, $2, 52.5, 13.4)",
    "INSERT INTO stock_symbols (symbol) VALUES ('CANARY') ON CONFLICT DO NOTHING",
    "INSERT INTO stock_watches (user_id, symbol) VALUES ($1, 'CANARY')",
    "INSERT INTO tags (slug, name) VALUES ('c-' || $1, 'Canary'), ('d-' || $1, 'Canary')",
    "INSERT INTO tag_verdicts (user_id, item_id, tag_id, verdict) SELECT $1, i.id, t.id, 'wrong' FROM tags t,"
    " (SELECT id FROM feed_items ORDER BY id LIMIT 1) i WHERE t.slug = 'c-' || $1",
    "INSERT INTO tag_proposals (name, decided_by) VALUES ('word ' || $1, $1)",
    "INSERT INTO tag_merges (tag_id, into_id, merged_by) SELECT a.id, b.id, $1 FROM tags a, tags b WHERE a.slug = 'c-' || $1 AND b.slug = 'd-' || $1",
    "INSERT INTO recent_searches (user_id, words) VALUES ($1, $2)",
    "INSERT INTO social_trips (state_hash, platform, user_id, session_id, expires_at)"
    " SELECT sha256($2::bytea), 'instagram', $1, id, now() + interval '5 minutes' FROM sessions WHERE user_id = $1",
    "INSERT INTO social_accounts (user_id, platform, account_id, account_name, subject, token_enc, scopes)"
    " VALUES ($1, 'instagram', $2, $2, $2, $2::bytea, ARRAY[$2])",
    "INSERT INTO social_posts (user_id, account_id, platform, platform_post_id, post_type, caption, permalink, posted_at)"
    " SELECT $1, id, 'instagram', $2, 'image', $2, 'https://' || $2 || '.example/', now() FROM social_accounts WHERE user_id = $1",
    "INSERT INTO quick_links (user_id, title, url) VALUES ($1, $2, 'https://' || $2 || '.example/')",
)  # fmt: skip
# Places that no planted row can fill: files need a store, and the journal comes with the erasure itself.
UNPLANTED = ("stored_objects", "erasure_journal")


async def plant(services: Services, canary: str) -> Reader:
    """A member whose name, address and every kept thing hold the canary (lower case letters)."""
    who = await member(services, f"{canary}@example.org")
    for statement in PLANTS:
        words = statement.replace("$1", str(who.id)).replace("$2", f"'{canary}'::text")
        await services.db.execute(words)
    return who


async def unplanted(services: Services, who: Reader) -> list[str]:
    """Places of the registry that hold nothing of this person."""
    found: list[Any] = []
    for place in statements.tables():
        rows = await services.db.fetchval(statements.counting(place), who.id)
        if not rows and place.name not in UNPLANTED:
            found.append(f"{place.name}: {place.about}")
    return found


TEXTS = """
SELECT c.table_name::text AS "table" FROM information_schema.columns c
JOIN information_schema.tables t USING (table_schema, table_name)
WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER'
GROUP BY c.table_name ORDER BY 1
"""


async def found_in(services: Services, canary: str) -> list[str]:
    """Tables any row of which holds the canary, as text or as bytes."""
    tables = [row["table"] for row in await services.db.fetch(TEXTS)]
    digits = canary.encode().hex()
    found = []
    for table in tables:
        rows = await services.db.fetchval(
            f'SELECT count(*) FROM "{table}" AS row WHERE lower(row::text) LIKE ANY($1)',
            [f"%{canary}%", f"%{digits}%"],
        )
        found += [f"{table}: {rows}"] if rows else []
    return found
