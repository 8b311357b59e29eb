"""The clock: which job runs when. Code declares the lines, the database holds where each stands."""

from datetime import timedelta

from app.domain.platform.jobs.clock import Schedule

SCHEDULES = (
    Schedule("dispatch_feeds", "* * * * *"),
    Schedule("refresh_weather", "*/5 * * * *"),
    Schedule("refresh_weather_alerts", "2-59/5 * * * *"),
    Schedule("purge_homepage", "20 3 * * *", misfire=timedelta(hours=12)),
    Schedule("sweep_objects", "50 3 * * *", misfire=timedelta(hours=12)),
    Schedule("purge_visitors", "0 4 * * *", misfire=timedelta(hours=12)),
    Schedule("purge_sign_ins", "5 4 * * *", misfire=timedelta(hours=12)),
    Schedule("purge_news", "10 3 * * *", misfire=timedelta(hours=12)),
    Schedule("purge_jobs", "*/10 * * * *"),
    Schedule("maintain_partitions", "0 4 * * *", misfire=timedelta(hours=12)),
)
