"""The portal's front page: one live figure a panel, where it is cheap to read."""

from collections.abc import Iterable

import msgspec

from app.domain.platform.jobs.console import in_time
from app.errors import Invalid
from app.services import Services

ADMINS = "SELECT count(*) FROM users WHERE role IS NOT NULL AND closed_at IS NULL"
DEAD_JOBS = "SELECT coalesce(sum(jobs), 0)::bigint FROM job_totals WHERE status = 'dead'"
DUE_JOBS = "SELECT coalesce(sum(depth), 0)::bigint FROM job_figures WHERE queue <> 'FEED_REFRESH'"
LIVE_WORKERS = "SELECT count(*) FROM workers WHERE seen_at > now() - interval '15 seconds'"
LETTERS = "SELECT count(*) FROM emails WHERE status IN ('queued', 'sending')"
LETTERS_IN = "SELECT count(*) FROM inbound_emails WHERE status IN ('held', 'unparsable')"
WISHES = "SELECT count(*) FROM gdpr_requests WHERE status IN ('waiting', 'pending', 'processing')"
LIVE_FLAGS = "SELECT count(*) FROM feature_flags WHERE enabled"
LIVE_BANS = "SELECT count(*) FROM bans WHERE lifted_at IS NULL AND ends_at > now()"
SEEN_AS = "SELECT count(*) FROM impersonation_audit WHERE ended_at IS NULL AND expires_at > now()"
TEMPLATES = "SELECT count(*) FROM layout_templates WHERE state = 'published'"
ACTS = "SELECT count(*) FROM audit_log WHERE timestamp > now() - interval '1 day'"
AI_SPENT = """
SELECT round(100 * spent_micros / nullif(budget_limit_cents * 10000, 0)) FROM ai_usage_tracking
WHERE month = date_trunc('month', now() AT TIME ZONE 'UTC')
"""
RESTING = "SELECT count(*) FROM integration_states WHERE breaker <> 'closed'"
FINDINGS = "SELECT count(*) FROM quality_checks WHERE closed_at IS NULL"

# The address of a panel → the figure and its words. Each reads an index or a small table.
FIGURES: dict[str, tuple[str, str]] = {
    "/admin/users/roles": (ADMINS, "admins: {}"),
    "/admin/impersonations": (SEEN_AS, "now: {}"),
    "/admin/privacy-requests": (WISHES, "open: {}"),
    "/admin/templates": (TEMPLATES, "published: {}"),
    "/admin/feature-flags": (LIVE_FLAGS, "on: {}"),
    "/admin/bans": (LIVE_BANS, "live: {}"),
    "/admin/jobs": (DEAD_JOBS, "dead: {}"),
    "/admin/queues": (DUE_JOBS, "due: {}"),
    "/admin/jobs/workers": (LIVE_WORKERS, "live: {}"),
    "/admin/ai-usage": (AI_SPENT, "spent: {} %"),
    "/admin/ops/integrations": (RESTING, "resting: {}"),
    "/admin/ops/quality": (FINDINGS, "open: {}"),
    "/admin/emails": (LETTERS, "waiting: {}"),
    "/admin/inbound-emails": (LETTERS_IN, "to look at: {}"),
    "/admin/audit-log": (ACTS, "acts in 24 h: {}"),
}


class PanelFigure(msgspec.Struct):
    """One panel of the portal, with a figure in words where there is one."""

    group: str
    label: str
    href: str
    figure: str = ""


class PanelList(msgspec.Struct):
    """The panels that a reader may open."""

    items: list[PanelFigure]
    total: int
    next: str | None = None


async def panels(services: Services, mine: Iterable[tuple[str, str, str]]) -> PanelList:
    """The given panels (group, label, address), each with its figure; one that takes over 500 ms is left out."""
    found = [PanelFigure(*panel) for panel in mine]
    async with services.held() as held:
        for panel in found:
            if panel.href in FIGURES:
                panel.figure = await figure(held, *FIGURES[panel.href])
    return PanelList(found, len(found))


async def figure(services: Services, query: str, words: str) -> str:
    """One figure in its words, or nothing where it would take too long."""
    try:
        return words.format(f"{await in_time(services.db.fetchval(query)) or 0:,}")
    except Invalid:
        return ""
