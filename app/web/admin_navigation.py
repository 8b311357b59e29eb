"""The admin portal's panels, grouped: what a reader may open, and where they are."""

import functools
from typing import Any, NamedTuple

from app.domain.platform.readers import Reader
from app.web import session


class Panel(NamedTuple):
    """One panel: its address and its name. Who may open it is said by its line in routes.py."""

    href: str
    label: str


# A panel is shown once its address is in routes.py, to those whom that line lets in.
GROUPS: dict[str, tuple[Panel, ...]] = {
    "People": (
        Panel("/admin/users", "Members"),
        Panel("/admin/users/roles", "Roles"),
        Panel("/admin/users/services", "Service accounts"),
        Panel("/admin/impersonations", "Seen as someone"),
        Panel("/admin/privacy-requests", "Privacy requests"),
    ),
    "Product": (
        Panel("/admin/feeds", "Feeds"),
        Panel("/admin/tags", "Tags"),
        Panel("/admin/templates", "Page templates"),
        Panel("/admin/feature-flags", "Flags"),
        Panel("/admin/rate-limits", "Limits"),
        Panel("/admin/rate-limits/violations", "Violations"),
        Panel("/admin/bans", "Bans"),
    ),
    "System": (
        Panel("/admin/jobs", "Jobs"),
        Panel("/admin/queues", "Queues"),
        Panel("/admin/jobs/types", "Job types"),
        Panel("/admin/jobs/schedules", "Schedules"),
        Panel("/admin/jobs/workers", "Workers"),
        Panel("/admin/jobs/bulk-actions", "Many at once"),
        Panel("/admin/caches", "Caches and search"),
        Panel("/admin/settings", "Settings"),
    ),
    "Operations": (
        Panel("/admin/ai-usage", "AI budget"),
        Panel("/admin/ai-usage/history", "AI months"),
        Panel("/admin/ai-usage/cost-report", "AI cost"),
        Panel("/admin/ai-usage/cache-stats", "AI answers"),
        Panel("/admin/ai-usage/prices", "AI prices"),
        Panel("/admin/ops/integrations", "Services outside"),
        Panel("/admin/ops/quality", "Data quality"),
    ),
    "Records": (
        Panel("/admin/audit-log", "Audit log"),
        Panel("/admin/audit-log/seals", "Seals"),
        Panel("/admin/emails", "Letters"),
        Panel("/admin/emails/templates", "Templates"),
        Panel("/admin/inbound-emails", "Letters in"),
        Panel("/admin/files", "Files"),
    ),
}


@functools.cache
def doors() -> dict[str, session.Needs]:
    """What each page of the portal asks for. The map is read late: it imports every page, and they import this."""
    from app.web.routes import ENDPOINTS

    return {e.path: e.needs for e in ENDPOINTS if e.method == "GET" and e.path.startswith("/admin")}


def open_to(who: Reader | None) -> dict[str, list[Panel]]:
    """The panels that a reader may open, by group; groups without one are left out."""
    found = {
        group: [
            panel
            for panel in panels
            if panel.href in doors() and session.may(who, doors()[panel.href])
        ]
        for group, panels in GROUPS.items()
    }
    return {group: panels for group, panels in found.items() if panels}


class Portal(NamedTuple):
    """The two rows of the portal's navigation: its groups, and the panels of the group one is in."""

    groups: list[dict[str, Any]]
    panels: list[dict[str, Any]]


def portal(who: Reader | None, path: str) -> Portal | None:
    """The navigation of a page of the portal; None on other pages and for others."""
    if who is None or not who.is_admin or not is_inside(path, "/admin"):
        return None
    mine = open_to(who)
    here = nearest(mine, path)
    groups = [{"label": "Overview", "href": "/admin", "current": path == "/admin"}]
    panels: list[dict[str, Any]] = []
    for group, found in mine.items():
        is_here = here in found
        groups.append({"label": group, "href": found[0].href, "current": is_here})
        if is_here:
            panels = [
                {"label": one.label, "href": one.href, "current": one == here} for one in found
            ]
    return Portal(groups, panels)


def nearest(groups: dict[str, list[Panel]], path: str) -> Panel | None:
    """The panel that a page belongs to: the longest address that the path begins with."""
    around = [panel for found in groups.values() for panel in found if is_inside(path, panel.href)]
    return max(around, key=lambda panel: len(panel.href), default=None)


def is_inside(path: str, href: str) -> bool:
    """Whether a path is that address or below it."""
    return path == href or path.startswith(href + "/")
