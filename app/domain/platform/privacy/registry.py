"""The one registry of personal data: every table, bucket, index, cache, payload, log, letter and backup (00 §3).

A line says: name, what it is; then step and condition; then personal columns; then purpose, basis, retention; then
what is special about it. A chapter that keeps something about people adds its lines to its part of the table.
"""

from app.domain.platform.privacy.kinds import (
    CONSENT,
    CONTRACT,
    DUTY,
    INTEREST,
    Age,
    Place,
    by,
    clear,
    expires,
    keep,
)

ACCOUNT_LIFE = "as long as the account"
YOURS = "until you delete it, at most as long as the account"
NUMBER = "the number alone, which leads to nobody any more"

# fmt: off
PEOPLE: tuple[Place, ...] = (
    Place("site_settings", "Settings of the site that you changed", "account", "updated_by = :me", "updated_by reason value",
        "To know who changed what", INTEREST, "until the next change", clear("updated_by = NULL, reason = NULL"), withheld="*"),
    Place("users", "Roles you gave to others", "account", "role_by = :me",
        "role_by", "To know who gave a role", INTEREST, ACCOUNT_LIFE, clear("role_by = NULL"), withheld="*"),
    Place("token_revocations", "Tokens of outside accounts that you gave up, until their provider revoked them", "tokens", "", "token_enc",
        "To take back what you allowed there", CONTRACT, "7 days", expires("7 days"), withheld="*",
        age=Age("created_at < now() - interval '7 days'")),
    Place("identities", "Outside accounts that sign you in", "account", "user_id = :me",
        "user_id provider subject email refresh_token_enc", "To sign you in the way you chose", CONTRACT,
        "until you unlink it", secrets="refresh_token_enc"),
    Place("oauth_states", "Trips to a provider that you began", "tokens", "user_id = :me",
        "user_id browser_hash verifier_enc form_enc found_enc next", "To recognise you when you come back", CONTRACT, "a day",
        secrets="state_hash browser_hash nonce verifier_enc form_enc found_enc link_hash",
        age=Age("expires_at < now() - interval '1 day'")),
    Place("sign_in_requests", "Letters that sign you in or prove your address", "tokens", "email IN :addresses OR user_id = :me",
        "email user_id browser_hash next", "To let you in by letter", CONTRACT, "a day after they expire",
        secrets="token_hash code_hash browser_hash link_hash", age=Age("expires_at < now() - interval '1 day'")),
    Place("sessions", "Browsers where you are signed in: address, agent, times", "tokens", "user_id = :me",
        "user_id ip browser_hash", "To keep you signed in and to show you where", CONTRACT, "30 days after they end",
        secrets="token_hash previous_hash key_print browser_hash",
        age=Age("ended_at < now() - interval '30 days' OR ends_at < now() - interval '30 days'")),
    Place("admin_grants", "Permissions given to you", "account", "user_id = :me",
        "user_id reason granted_by", "To know what you may do", INTEREST, ACCOUNT_LIFE, withheld="granted_by"),
    Place("admin_grants", "Permissions you gave to others", "account", "granted_by = :me",
        "granted_by", "To know who gave a permission", INTEREST, ACCOUNT_LIFE, clear("granted_by = NULL"), withheld="*"),
    Place("gdpr_requests", "Your wishes to see or erase what we keep", "account", "user_id = :me",
        "user_id asked_by reason object_id farewell_id", "To show that we did what you asked", DUTY, "3 years",
        clear("reason = NULL, undo_hash = NULL,"
            " status = CASE WHEN request_type = 'EXPORT' AND finished_at IS NULL THEN 'cancelled' ELSE status END",
            f"{NUMBER}, with the dates", "3 years"), secrets="undo_hash",
        withheld="asked_by", age=Age("finished_at < now() - interval '3 years'")),
    Place("gdpr_requests", "Wishes that you entered for others", "account", "asked_by = :me AND user_id <> :me",
        "asked_by", "To know who asked", DUTY, "3 years", keep(NUMBER, "3 years"), withheld="*"),
    Place("erasure_journal", "Your number, once you are erased", "account", "user_id = :me",
        "user_id", "So that a restored backup does not bring you back", DUTY, "as long as the site",
        keep(f"{NUMBER}; backups are made to forget by it", "as long as the site")),
    Place("impersonation_audit", "Times when an admin saw the site as you", "account", "target_user_id = :me",
        "target_user_id impersonator_id reason ip", "So that power can be looked into", INTEREST, "for good",
        clear("ip = '{}', reason = 'cleared with an erasure'", NUMBER, "for good"), withheld="impersonator_id ip"),
    # As whom, and why, is about somebody else.
    Place("impersonation_audit", "Times when you, as an admin, saw the site as somebody", "account", "impersonator_id = :me",
        "target_user_id impersonator_id reason ip", "So that power can be looked into", INTEREST, "for good",
        clear("ip = '{}', reason = 'cleared with an erasure'", NUMBER, "for good"), withheld="target_user_id reason"),
    Place("user_consents", "What you agreed to", "account", "user_id = :me", "user_id", "To show what you answered", DUTY, ACCOUNT_LIFE),
    Place("account_merge_audit", "Whether you kept what you had set up before you signed in", "account",
        "authenticated_user_id = :me OR anonymous_user_id = :me", "anonymous_user_id authenticated_user_id ip_address user_agent",
        "To show what you answered", DUTY, "90 days", clear("ip_address = NULL, user_agent = NULL", NUMBER, "90 days"),
        age=Age("purge_after < now()")),
    Place("merge_questions", "That you were asked whether to keep what you had set up before you signed in", "account",
        "authenticated_user_id = :me OR anonymous_user_id = :me", "anonymous_user_id authenticated_user_id",
        "To ask you once", CONTRACT, "30 days"),
    Place("audit_log", "Acts of people with power on your account", "account",
        "as_user_id = :me OR (target_kind IN ('member', 'user', 'visitor') AND target_id = (:me)::text)",
        "actor_id as_user_id target_id reason before after ip", "So that power can be looked into", INTEREST,
        "3 years; roles and impersonation for good",
        by("audit_forget(:me)", "the number and the act, without address and texts", "3 years; roles and impersonation for good"),
        withheld="actor_id as_user_id ip request_id trace_id cleared_for",
        secrets="person_salt person_print change_salt change_print",
        age=Age("", by("audit_expire(interval '3 years')", "", ""))),
    # Whom and what they were about is somebody else's. The function above clears these too.
    Place("audit_log", "Acts of yours, as someone with power", "account", "actor_id = :me", "actor_id", "So that power can be looked into",
        INTEREST, "3 years; roles and impersonation for good",
        keep("the number and the act, without address and reason", "3 years; roles and impersonation for good"),
        withheld="as_user_id target_id reason before after request_id trace_id cleared_for",
        secrets="person_salt person_print change_salt change_print"),
    Place("api_tokens", "Keys of your scripts", "tokens", "user_id = :me", "user_id name allowed_ips", "To let your scripts in", CONTRACT,
        "until you revoke them", secrets="token_hash"),
)

FLAGS: tuple[Place, ...] = (
    Place("feature_flag_evaluations", "Which new things you were shown", "evaluations", "subject_type = 'user' AND subject_id = (:me)::text",
        "subject_id", "To see whether a new thing is better", CONSENT, "90 days", age=Age("day < current_date - 90")),
    Place("feature_flags", "Flags you look after", "account", "owner_id = :me", "owner_id whitelist", "To know whom to ask", INTEREST,
        "until another owner is named", keep(NUMBER, "until another owner is named"), withheld="*"),
    Place("feature_flag_audit", "Flags you changed", "account", "actor_id = :me", "actor_id reason before_state after_state",
        "To know who changed what", INTEREST, "for good",
        by("flag_audit_forget(:me)", "the number and the version, without the reason", "for good"),
        withheld="actor_id trace_id before_state after_state"),
)

LIMITS: tuple[Place, ...] = (
    Place("rate_limit_violations", "When you went over a limit", "account", "user_id = :me", "user_id ip_address",
        "To keep the site usable for all", INTEREST, "90 days", age=Age("last_at < now() - interval '90 days'")),
    Place("rate_limit_windows", "How often you did something lately", "account", "", "name", "To keep the site usable for all",
        INTEREST, "14 days", expires("14 days"), withheld="*", age=Age("began_at < now() - interval '14 days'")),
    Place("rate_limits", "Limits you set", "account", "updated_by = :me", "updated_by", "To know who set a limit", INTEREST, ACCOUNT_LIFE,
        clear("updated_by = NULL"), withheld="*"),
    Place("bans", "Bans of you", "account", "user_id = :me", "user_id network reason", "To keep the site usable for all", INTEREST,
        ACCOUNT_LIFE, hold="SELECT ends_at AS until, 'a ban that still runs' AS why FROM bans"
        " WHERE user_id = :me AND lifted_at IS NULL AND ends_at > now() ORDER BY ends_at DESC LIMIT 1"),
    Place("bans", "Bans you lifted", "account", "lifted_by = :me", "lifted_by", "To know who lifted a ban", INTEREST, ACCOUNT_LIFE,
        clear("lifted_by = NULL"), withheld="*"),
)

AI: tuple[Place, ...] = (
    Place("ai_acknowledgements", "Alerts of the AI budget that you saw", "account", "user_id = :me", "user_id note",
        "To know that somebody knew", INTEREST, "for good, without you", clear("user_id = NULL, note = ''"), withheld="provider"),
    Place("quality_checks", "Findings about documents of yours that could not be read", "content",
        "sample && ARRAY['member ' || :me, 'preferences of ' || :me]", "sample", "To mend them", INTEREST, "90 days after they are mended",
        withheld="sample says", age=Age("closed_at < now() - interval '90 days'")),
)

FILES: tuple[Place, ...] = (
    Place("stored_objects", "Files of yours", "objects",
        "owner_id = :me OR id IN (SELECT object_id FROM inbound_emails WHERE sender IN :addresses OR recipient IN :addresses)"
        " OR subject IN (SELECT 'item:' || i.id FROM feed_items i JOIN feeds f ON f.id = i.feed_id WHERE f.owner_id = :me)",
        "owner_id subject key", "To keep what you brought", CONTRACT, YOURS),
)

MAIL: tuple[Place, ...] = (
    Place("email_bounces", "Reports that a letter to you did not arrive", "mail",
        "email_id IN (SELECT id FROM emails WHERE user_id = :me OR to_address IN :addresses)",
        "email_id diagnostic", "To stop writing to an address that does not work", INTEREST, "400 days",
        age=Age("created_at < now() - interval '400 days'")),
    Place("emails", "Letters we sent you", "mail", "user_id = :me OR to_address IN :addresses",
        "user_id to_address subject text_body html_body smtp_reply error dedupe_key", "To send them, and to know that we did", CONTRACT,
        "text 30 days, the rest 400 days", withheld="smtp_reply error dedupe_key message_id",
        age=Age("created_at < now() - interval '400 days'")),
    Place("inbound_emails", "Letters you sent us", "mail", "sender IN :addresses OR recipient IN :addresses",
        "sender recipient subject why", "To answer them", INTEREST, "text 30 days, the rest 400 days",
        age=Age("created_at < now() - interval '400 days'")),
    Place("notifications", "Lines in your bell", "mail", "user_id = :me",
        "user_id title body url dedupe_key", "To tell you what happened", CONTRACT, "180 days",
        age=Age("created_at < now() - interval '180 days'")),
    Place("notification_choices", "What you want to be told", "mail", "user_id = :me",
        "user_id", "To tell you only that", CONTRACT, ACCOUNT_LIFE),
)

JOBS: tuple[Place, ...] = (
    Place("delayed_jobs", "Work that is about you and still to be done", "jobs",
        "subjects && ARRAY['member:' || :me, 'visitor:' || :me] AND status = 'pending' AND job_type <> 'erase_person'",
        "subjects payload last_error", "To do what you asked for", CONTRACT, "30 days",
        clear("status = 'cancelled', finished_at = now(), payload = '{}', last_error = NULL, progress = NULL, idempotency_key = NULL",
            NUMBER, "30 days"), withheld="trace locked_by idempotency_key actor_id", kind="payload"),
    Place("delayed_jobs", "Work that was about you", "jobs",
        "subjects && ARRAY['member:' || :me, 'visitor:' || :me] AND status <> 'pending' AND job_type <> 'erase_person'"
        " AND (payload <> '{}' OR num_nonnulls(last_error, progress, idempotency_key) > 0)",
        "subjects payload last_error progress idempotency_key", "To find out what went wrong", INTEREST, "30 days, what failed 90",
        clear("payload = '{}', last_error = NULL, progress = NULL, idempotency_key = NULL", NUMBER, "90 days"),
        withheld="trace locked_by idempotency_key actor_id", kind="payload"),
    Place("delayed_jobs", "Work that you started", "jobs", "actor_id = :me", "actor_id trace",
        "To know who started it", INTEREST, "30 days, what failed 90", keep(NUMBER, "90 days"), withheld="*"),
    Place("job_attempts", "What went wrong with work about you", "jobs",
        "error IS NOT NULL AND job_id IN (SELECT id FROM delayed_jobs WHERE subjects && ARRAY['member:' || :me, 'visitor:' || :me]"
        " UNION ALL SELECT id FROM deleted_jobs WHERE job -> 'subjects' ?| ARRAY['member:' || :me, 'visitor:' || :me])",
        "error", "To find out what went wrong", INTEREST, "90 days", clear("error = NULL", NUMBER, "90 days"), withheld="worker"),
    Place("deleted_jobs", "Deleted work about you, while it can be brought back", "jobs",
        "job -> 'subjects' ?| ARRAY['member:' || :me, 'visitor:' || :me]", "job", "To undo a deletion", INTEREST, "24 hours", withheld="*",
        kind="payload"),
    Place("job_bulk_actions", "Actions on many jobs at once, by you", "jobs", "actor_id = :me", "actor_id reason filter",
        "To know who did what", INTEREST, "as long as the site", clear("reason = NULL", NUMBER, "as long as the site"), withheld="*"),
    Place("delayed_job_control", "Pauses that you set", "jobs", "actor_id = :me", "actor_id reason",
        "To know who stopped what", INTEREST, "until it is lifted", clear("actor_id = NULL, reason = NULL"), withheld="*"),
)

HOMEPAGE: tuple[Place, ...] = (
    Place("page_changes", "What can be undone on your pages", "content",
        "page_id IN (SELECT id FROM pages WHERE user_id = :me)", "before after", "Undo", CONTRACT, "50 changes a page"),
    Place("page_widgets", "Widgets on your pages, with their settings and notes", "content",
        "page_id IN (SELECT id FROM pages WHERE user_id = :me)", "title settings", "To show you your page", CONTRACT, YOURS),
    Place("pages", "Your pages", "content", "user_id = :me", "user_id slug name", "To show you your page", CONTRACT, YOURS),
    Place("preferences", "Your choices: theme, units, clock", "content", "user_id = :me", "user_id doc",
        "To show the site your way", CONTRACT, ACCOUNT_LIFE),
    Place("reader_versions", "How often you changed something", "content", "user_id = :me", "user_id",
        "To keep your open pages fresh", CONTRACT, ACCOUNT_LIFE),
    Place("item_states", "What you read, saved and hid", "content", "user_id = :me", "user_id",
        "To show you what is new", CONTRACT, "as long as the item"),
    Place("story_splits", "Items that you took out of a story", "content", "user_id = :me", "user_id",
        "To show you stories as you see them", CONTRACT, "as long as the item"),
    Place("news_watermarks", "Up to when you have read", "content", "user_id = :me", "user_id",
        "To show you what is new", CONTRACT, ACCOUNT_LIFE),
    Place("news_filters", "Words and tags you mute", "content", "user_id = :me", "user_id value pattern",
        "To leave out what you do not want", CONTRACT, YOURS),
    Place("feed_checks", "Addresses you had examined", "content", "user_id = :me", "user_id input results",
        "To find the feed behind an address", CONTRACT, "24 hours", secrets="token_hash",
        age=Age("created_at < now() - interval '24 hours'")),
    Place("opml_imports", "Lists of feeds you brought", "content", "user_id = :me", "user_id content report",
        "To subscribe you to them", CONTRACT, "30 days", age=Age("finished_at < now() - interval '30 days'")),
    Place("feed_subscriptions", "Feeds you read", "content", "user_id = :me", "user_id title folder",
        "To show you your news", CONTRACT, YOURS),
    Place("feed_items", "Articles of your private feeds", "search", "feed_id IN (SELECT id FROM feeds WHERE owner_id = :me)",
        "url title summary_html body_text author image_url words", "To show you your news", CONTRACT, "90 days",
        secrets="guid_hash url_key content_hash", withheld="search words story_keys"),
    Place("feeds", "Your private feeds", "content", "owner_id = :me", "owner_id url url_enc url_key title site_url description moved_to",
        "To fetch your news", CONTRACT, YOURS, secrets="url_enc url_key body_hash etag last_modified"),
    Place("feeds", "Feeds you added or suggested for all", "content", "added_by = :me OR suggested_by = :me OR decided_by = :me",
        "added_by suggested_by decided_by", "To know who brought a feed", INTEREST, ACCOUNT_LIFE,
        clear("added_by = CASE WHEN added_by <> :me THEN added_by END, suggested_by = CASE WHEN suggested_by <> :me THEN suggested_by END,"
            " decided_by = CASE WHEN decided_by <> :me THEN decided_by END"),
        withheld="added_by suggested_by decided_by url_enc url_key body_hash etag last_modified"),
    Place("weather_places", "Places whose weather you see", "content", "user_id = :me", "user_id name lat lon",
        "To show you the weather there", CONTRACT, YOURS),
    Place("stock_watches", "Stocks you follow", "content", "user_id = :me", "user_id symbol",
        "To show you their prices", CONTRACT, YOURS),
    Place("tag_verdicts", "What you held of tags on stories", "content", "user_id = :me", "user_id verdict",
        "To hide tags that you called wrong", CONTRACT, "as long as the story"),
    Place("tag_proposals", "Proposed tags that you decided on", "content", "decided_by = :me", "decided_by",
        "To know who decided", INTEREST, ACCOUNT_LIFE, clear("decided_by = NULL"), withheld="*"),
    Place("tag_merges", "Tags that you merged", "content", "merged_by = :me", "merged_by",
        "To know who merged", INTEREST, ACCOUNT_LIFE, clear("merged_by = NULL"), withheld="*"),
    Place("recent_searches", "Your last ten searches", "content", "user_id = :me", "user_id words",
        "To offer them again", CONTRACT, "until ten newer ones, or until you switch it off"),
    Place("social_trips", "Trips to connect an account", "content", "user_id = :me", "user_id session_id",
        "To know whose answer comes back", CONTRACT, "a day", secrets="state_hash", age=Age("expires_at < now() - interval '1 day'")),
    Place("social_posts", "Posts of accounts you connected", "content", "user_id = :me",
        "user_id account_id platform_post_id caption permalink media engagement", "To show you your posts", CONTRACT, YOURS),
    Place("social_accounts", "Accounts you connected", "content", "user_id = :me",
        "user_id account_id account_name subject token_enc scopes posts_after", "To fetch your posts", CONTRACT, YOURS, secrets="token_enc"),
    Place("quick_links", "Links you keep at hand", "content", "user_id = :me", "user_id title url",
        "To keep them at hand", CONTRACT, YOURS, age=Age("deleted_at < now() - interval '1 day'")),
)

# The account goes last of all: other places are found by its address, and rows that hang on it would go uncounted.
ACCOUNT: tuple[Place, ...] = (
    Place("users", "Your account: name, address, language, last day here", "account", "id = :me",
        "id email email_verified_at display_name locale time_zone role_by banned_until ban_reason email_disabled_why anon_hash last_seen_on",
        "To know you and to write to you", CONTRACT, ACCOUNT_LIFE, secrets="anon_hash",
        age=Age("kind = 'visitor' AND last_seen_on < current_date - 30"),
        hold="SELECT banned_until AS until, 'a ban that still runs' AS why FROM users WHERE id = :me AND banned_until > now()"),
)

# What is no table. Erasure reaches the first of them by its own steps; the others go by themselves.
ELSEWHERE: tuple[Place, ...] = (
    Place("buckets", "The files themselves, every version", "objects", "", "", "To keep what you brought", CONTRACT, YOURS, kind="bucket"),
    Place("gdpr-exports", "Copies of your data that you asked for", "objects", "", "", "To hand them to you", DUTY, "7 days", kind="bucket"),
    Place("gdpr-journal", "Your number, once you are erased", "account", "", "", "So that a restored backup does not bring you back", DUTY,
        "as long as the site", keep(NUMBER, "as long as the site"), kind="bucket"),
    Place("full-text index", "Words of your private articles and pages", "search", "", "", "To search", CONTRACT,
        "as the rows they are made of", kind="index"),
    Place("kept pages", "Parts of your pages in the memory of the web processes", "caches", "", "", "To answer quickly", CONTRACT,
        "minutes", kind="cache"),
    Place("Redis", "Counters of limits under your number, and hints of jobs", "caches", "", "", "To keep the site usable for all", INTEREST,
        "at most a day", expires("a day"), kind="cache"),
    Place("log lines", "Numbers and times; never names, addresses or texts", "account", "", "", "To find out what went wrong", INTEREST,
        "30 days", expires("30 days"), kind="log"),
    Place("delivered letters", "Letters that lie in your mailbox, and the mail server's own log", "mail", "", "", "To reach you", CONTRACT,
        "30 days in the log", expires("30 days"), kind="mail"),
    Place("backups", "Dumps of the database", "account", "", "", "To bring the site back after a disaster", INTEREST, "30 days",
        expires("30 days; a restored one is made to forget by the journal"), kind="backup"),
)
# fmt: on

PLACES: tuple[Place, ...] = (
    *FLAGS,
    *LIMITS,
    *AI,
    *PEOPLE,
    *FILES,
    *MAIL,
    *JOBS,
    *HOMEPAGE,
    *ACCOUNT,
    *ELSEWHERE,
)

# Columns that look personal by their names and are not, by table: names of things of ours, of places on earth, of
# machines and of public articles.
NOT_PERSONAL: dict[str, str] = {
    "account_merge_audit": "merged_data_summary purge_after",
    "ai_calls": "about",
    "ai_results": "answer",
    "ai_usage_tracking": "feature_micros",
    "delayed_job_control": "name",
    "delayed_jobs": "locked_by",
    "erasure_receipts": "counts",
    "feature_flags": "plan",
    "gdpr_requests": "steps",
    "feature_flag_evaluations": "reason",
    "feed_items": "tagged_by",
    "geo_places": "name location postal_code",
    "geo_regions": "name",
    "integration_states": "last_error",
    "job_schedules": "name",
    "leases": "name",
    "mailboxes": "name last_error",
    "metric_minutes": "name labels",
    "metric_sightings": "name",
    "news_watermarks": "read_before",
    "market_days": "name",
    "quality_checks": "name",
    "seeds": "name",
    "stock_symbols": "name",
    "layout_templates": "name",
    "tag_proposals": "name",
    "tags": "name",
    "template_widgets": "settings title",
    "weather_cache": "alerts forecast",
    "workers": "busy slots",
}
