"""The frame of every page: what layout.html is given beside the view."""

from typing import Any, NamedTuple

from starlette.requests import Request

from app.config import Settings
from app.domain.platform.readers import Reader
from app.web import assets, session

NAVIGATION = (
    ("/", "Home", "house"),
    ("/news", "News", "newspaper"),
    ("/feeds", "Feeds", "rss"),
)
ADMIN_NAVIGATION = (("/admin/jobs", "Admin", "settings"),)

# What a redirect said in its cookie → the notice the next page shows: kind, sentence, and where it can be undone.
SAID: dict[str, tuple[str, str, str | None]] = {
    "saved": ("success", "Saved.", None),
    "saved_visitor": ("success", "Saved on this browser for 30 days. Sign in to keep it.", None),
    "signed_out": ("info", "You are signed out.", None),
    "all_read": ("success", "Marked as read.", None),
    "link_removed": ("info", "Link removed.", "/links/{}/restorations"),
    "session_ended": ("success", "That browser is signed out.", None),
    "feed_added": ("success", "You read this feed now.", None),
    "feed_removed": ("success", "You do not read this feed any more.", "/feeds/{}/subscription"),
    "feed_suggested": ("success", "Suggested. The operators will look at it.", None),
    "job_retried": ("success", "The job runs again now.", None),
    "job_cancelled": ("success", "The job is cancelled.", None),
    "job_deleted": ("success", "The job is forgotten.", None),
    "job_written": ("success", "The job is written. It runs in its turn.", None),
    "undone": ("success", "Undone.", None),
}


class Theme(NamedTuple):
    """How the page looks to this reader."""

    mode: str = "system"
    contrast: str = "standard"
    density: str = "comfortable"
    accent_css: str | None = None


class Frame(NamedTuple):
    """What layout.html calls `page`."""

    title: str
    reader: Reader | None
    theme: Theme
    nav: list[dict[str, Any]]
    site_name: str
    notices: list[dict[str, Any]]
    path: str
    public_url: str
    zone: str
    hours: str
    units: str

    def asset(self, path: str) -> str:
        """The versioned address of a file of public/."""
        return assets.address(path)


def page_frame(request: Request, view: dict[str, Any]) -> Frame:
    """The frame of one answer; the view's `_title` names the page."""
    services = session.services_of(request)
    settings: Settings = services.settings
    reader = session.reader(request)
    preferences = reader.preferences if reader else {}
    return Frame(
        title=view.get("_title") or settings.site_name,
        reader=reader,
        theme=theme_of(reader),
        nav=navigation(reader, request.url.path),
        site_name=settings.site_name,
        notices=notices(request),
        path=request.url.path,
        public_url=settings.public_url,
        zone=preferences.get("time_zone") or (reader and reader.time_zone) or "UTC",
        hours=preferences.get("clock", "24"),
        units=preferences.get("units", "metric"),
    )


def theme_of(reader: Reader | None) -> Theme:
    """The reader's theme; an accent of their own is a stylesheet of ours, since nothing is inline."""
    preferences = reader.preferences if reader else {}
    theme = preferences.get("theme", {})
    accent = theme.get("accent")
    return Theme(
        theme.get("mode", "system"),
        theme.get("contrast", "standard"),
        preferences.get("density", "comfortable"),
        f"/accents/{accent[1:].lower()}.css" if accent else None,
    )


def navigation(reader: Reader | None, path: str) -> list[dict[str, Any]]:
    """The primary navigation, with the current place marked."""
    entries = NAVIGATION + (ADMIN_NAVIGATION if reader and reader.is_admin else ())
    return [
        {
            "href": href,
            "label": label,
            "icon": icon,
            "current": path == href or (href != "/" and path.startswith(href)),
        }
        for href, label, icon in entries
    ]


def notices(request: Request) -> list[dict[str, Any]]:
    """The notice that the last redirect asked for: a name from SAID, with what it is about after a dot."""
    name, _, subject = request.cookies.get(session.SAID, "").partition(".")
    if name not in SAID:
        return []
    request.state.notice_shown = True
    kind, text, undo = SAID[name]
    found = {"label": "Undo", "href": undo.format(subject)} if undo and subject.isalnum() else None
    return [{"kind": kind, "text": text, "undo": found}]
