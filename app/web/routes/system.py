"""Jobs, queues, caches and search, for those who keep the site running."""

from app.domain.homepage.caches import CacheList, Cleared
from app.domain.platform.jobs.bulk_actions import (
    BulkAction,
    BulkActionList,
    Confirmation,
    NewBulkAction,
)
from app.domain.platform.jobs.console import Job, JobList
from app.domain.platform.jobs.overviews import LineList, QueueList, TypeList, WorkerList
from app.web.platform import (
    job_bulk_actions,
    jobs,
    triggers,
)
from app.web.routing import DELETE, GET, POST, PUT, Endpoint

JOBS: list[Endpoint] = [
    GET("/admin/jobs", jobs.show, JobList, needs="view_system"),
    POST("/admin/jobs", jobs.run, jobs.ByHand, jobs.Accepted, needs="manage_system"),
    POST("/admin/jobs/trigger", jobs.run, jobs.ByHand, jobs.Accepted, needs="manage_system"),
    POST(
        "/admin/jobs/trigger-feed-refresh",
        jobs.trigger_feed_refresh,
        jobs.FeedRefresh,
        jobs.Accepted,
        needs="manage_system",
    ),
    POST(
        "/admin/jobs/trigger-ai-tagging",
        triggers.tag,
        triggers.Tagging,
        jobs.Accepted,
        needs="manage_system",
    ),
    POST(
        "/admin/search/reindex",
        triggers.reindex,
        triggers.Reindex,
        triggers.Reindexing,
        needs="manage_system",
    ),
    GET("/admin/caches", triggers.show_caches, CacheList, needs="view_system"),
    POST("/admin/cache/clear", triggers.clear, triggers.Clearing, Cleared, needs="manage_system"),
    GET("/admin/jobs/bulk-actions", job_bulk_actions.show, BulkActionList, needs="view_system"),
    POST(
        "/admin/jobs/bulk-actions",
        job_bulk_actions.add,
        NewBulkAction,
        BulkAction,
        needs="manage_system",
    ),
    GET(
        "/admin/jobs/bulk-actions/{id:int}",
        job_bulk_actions.show_one,
        BulkAction,
        needs="view_system",
    ),
    POST(
        "/admin/jobs/bulk-actions/{id:int}/confirmation",
        job_bulk_actions.confirm,
        Confirmation,
        BulkAction,
        needs="manage_system",
    ),
    DELETE(
        "/admin/jobs/bulk-actions/{id:int}/confirmation",
        job_bulk_actions.stop,
        BulkAction,
        needs="manage_system",
    ),
    POST(
        "/admin/jobs/bulk-actions/{id:int}/restorations",
        job_bulk_actions.bring_back,
        Confirmation,
        BulkAction,
        needs="manage_system",
    ),
    GET("/admin/jobs/types", jobs.show_types, TypeList, needs="view_system"),
    PUT("/admin/jobs/types/{type}/pause", jobs.pause, jobs.Pause, TypeList, needs="manage_system"),
    DELETE("/admin/jobs/types/{type}/pause", jobs.resume, TypeList, needs="manage_system"),
    GET("/admin/jobs/schedules", jobs.show_schedules, LineList, needs="view_system"),
    POST(
        "/admin/jobs/schedules/{name}/runs",
        jobs.run_schedule,
        shows=jobs.Accepted,
        needs="manage_system",
    ),
    GET("/admin/jobs/workers", jobs.show_workers, WorkerList, needs="view_system"),
    GET("/admin/jobs/{id:int}", jobs.show_one, Job, needs="view_system"),
    DELETE("/admin/jobs/{id:int}", jobs.delete, needs="manage_system"),
    POST("/admin/jobs/{id:int}/retries", jobs.retry, jobs.WithReason, Job, needs="manage_system"),
    POST(
        "/admin/jobs/{id:int}/cancellation",
        jobs.cancel,
        jobs.WithReason,
        Job,
        needs="manage_system",
    ),
    GET("/admin/queues", jobs.show_queues, QueueList, needs="view_system"),
    PUT("/admin/queues/{queue}/limits", jobs.limit, jobs.Limits, QueueList, needs="manage_system"),
    PUT(
        "/admin/jobs/types/{type}/limits",
        jobs.limit,
        jobs.Limits,
        TypeList,
        needs="manage_system",
    ),
    PUT("/admin/queues/{queue}/pause", jobs.pause, jobs.Pause, QueueList, needs="manage_system"),
    DELETE("/admin/queues/{queue}/pause", jobs.resume, QueueList, needs="manage_system"),
]
