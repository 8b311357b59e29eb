"""The clock: which job runs when. Code declares the lines, the database holds where each stands."""

from datetime import timedelta

from app.domain.platform.jobs.clock import Schedule

SCHEDULES = (
    Schedule("dispatch_feeds", "* * * * *"),
    Schedule("refresh_weather", "*/5 * * * *"),
    Schedule("refresh_weather_alerts", "2-59/5 * * * *"),
    Schedule("refresh_social", "*/30 * * * *"),
    Schedule("refresh_social_tokens", "0 2 * * *", misfire=timedelta(hours=12)),
    Schedule("archive_social", "0 3 * * *", misfire=timedelta(hours=12)),
    Schedule("refresh_stocks", "* * * * *"),
    Schedule("close_stocks", "0 17 * * *", "America/New_York", misfire=timedelta(hours=6)),
    Schedule("purge_stocks", "0 2 * * *", "America/New_York", misfire=timedelta(hours=12)),
    Schedule("fill_market_days", "15 3 1 * *", misfire=timedelta(hours=12)),
    Schedule("list_symbols", "45 3 * * 0", misfire=timedelta(hours=12)),
    Schedule("tag_items", "25 * * * *"),
    Schedule("tag_backlog", "45 * * * *"),
    Schedule("purge_homepage", "20 3 * * *", misfire=timedelta(hours=12)),
    Schedule("sweep_objects", "50 3 * * *", misfire=timedelta(hours=12)),
    Schedule("refresh_oauth_tokens", "0 2 * * *", misfire=timedelta(hours=12)),
    Schedule("purge_visitors", "0 4 * * *", misfire=timedelta(hours=12)),
    Schedule("purge_merge_audit", "0 4 * * *", misfire=timedelta(hours=12)),
    Schedule("purge_sign_ins", "5 4 * * *", misfire=timedelta(hours=12)),
    Schedule("purge_news", "10 3 * * *", misfire=timedelta(hours=12)),
    Schedule("poll_mailbox", "* * * * *"),
    Schedule("send_notification_digest", "0 * * * *", misfire=timedelta(hours=6)),
    Schedule("sweep_retention", "30 3 * * *", misfire=timedelta(hours=12)),
    Schedule("purge_letters", "35 3 * * *", misfire=timedelta(hours=12)),
    Schedule("seal_audit_log", "10 0 * * *", misfire=timedelta(hours=12)),
    Schedule("purge_jobs", "*/10 * * * *"),
    Schedule("advance_flag_plans", "*/5 * * * *"),
    Schedule("review_flags", "0 8 * * 1", misfire=timedelta(hours=12)),
    Schedule("sweep_ai_calls", "*/5 * * * *"),
    Schedule("check_ai_budget", "0 * * * *"),
    Schedule("collect_ai_batch", "*/10 * * * *"),
    Schedule("check_documents", "40 3 * * *", misfire=timedelta(hours=12)),
    Schedule("maintain_partitions", "0 4 * * *", misfire=timedelta(hours=12)),
)
