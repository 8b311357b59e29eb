"""The frame of every page: what layout.html is given beside the view."""

from typing import Any, NamedTuple

from starlette.requests import Request

from app.config import Settings
from app.domain.platform import site_settings
from app.domain.platform.readers import Reader
from app.web import admin_navigation, assets, seen_as, session

NAVIGATION = (
    ("/", "Home", "house"),
    ("/news", "News", "newspaper"),
    ("/feeds", "Feeds", "rss"),
)
ADMIN_NAVIGATION = (("/admin", "Admin", "settings"),)

# What a redirect said in its cookie → the notice the next page shows: kind, sentence, and where it can be undone.
SAID: dict[str, tuple[str, str, str | None]] = {
    "saved": ("success", "Saved.", None),
    "saved_visitor": ("success", "Saved on this browser for 30 days. Sign in to keep it.", None),
    "step_skipped": (
        "info",
        "A step was left out: the site keeps that widget as it is.",
        None,
    ),
    "widget_moved": ("success", "Moved.", "/pages/{}/undos?then=page"),
    "widget_hidden": (
        "success",
        "Your phone does not show it any more.",
        "/pages/{}/undos?then=page",
    ),
    "widget_shown": ("success", "Your phone shows it again.", "/pages/{}/undos?then=page"),
    "widget_removed": ("info", "Removed from this page.", "/pages/{}/undos?then=page"),
    "template_published": ("success", "Published. It holds at once.", None),
    "template_removed": ("success", "The template is out of use.", None),
    "signed_out": ("info", "You are signed out.", None),
    "started_fresh": (
        "info",
        "You start fresh. Signed out, this browser still shows the rest.",
        None,
    ),
    "all_read": ("success", "Marked as read.", "/news/read-marks/{}/undos"),
    "link_removed": ("info", "Link removed.", "/links/{}/restorations"),
    "session_ended": ("success", "That browser is signed out.", None),
    "feed_added": ("success", "You read this feed now. Its stories come to your front page.", None),
    "place_added": ("success", "Added. Its weather is on your front page.", None),
    "symbol_added": ("success", "Added. Its price is on your front page.", None),
    "word_muted": (
        "success",
        "Muted. Stories with that word are gone from your news.",
        "/news/filters/{}",
    ),
    "feed_removed": ("success", "You do not read this feed any more.", "/feeds/{}/subscription"),
    "feed_suggested": ("success", "Suggested. The operators will look at it.", None),
    "job_retried": ("success", "The job runs again now.", None),
    "job_cancelled": ("success", "The job is cancelled.", None),
    "job_deleted": ("success", "The job is forgotten.", None),
    "cache_cleared": ("success", "Cleared.", None),
    "job_written": ("success", "The job is written. It runs in its turn.", None),
    "signed_out_elsewhere": ("success", "You are signed out everywhere else.", None),
    "stranger_out": (
        "success",
        "Every browser is signed out of that account, all keys of scripts are revoked, and ways in that were added since are gone.",
        None,
    ),
    "address_asked": ("success", "Look in your new mailbox and press the button there.", None),
    "address_changed": ("success", "Your address is changed.", None),
    "way_in_added": ("success", "From now on you can sign in with it too.", None),
    "way_in_removed": ("success", "It does not open your account any more.", None),
    "provider_refused": ("info", "You were not signed in. Choose another way, if you like.", None),
    "social_connected": ("success", "Connected. The first posts are on their way.", None),
    "social_refused": ("info", "Nothing was connected.", None),
    "social_down": ("error", "The platform did not answer, so nothing was connected.", None),
    "social_disconnected": ("success", "The account is disconnected.", None),
    "social_posts_deleted": ("success", "The posts are deleted.", None),
    "file_removed": ("success", "The file is deleted.", None),
    "file_restored": ("success", "That version is shown again.", None),
    "flag_restored": ("success", "That version stands again.", None),
    "role_changed": ("success", "The rights are changed. The person gets a letter.", None),
    "user_banned": ("success", "Banned. The person gets a letter.", None),
    "user_unbanned": ("success", "The ban is lifted.", None),
    "user_signed_out": ("success", "Signed out everywhere.", None),
    "letter_sent": ("success", "The letter is under way.", None),
    "token_revoked": ("success", "The token does not work any more.", None),
    "service_closed": ("success", "The service account is closed.", None),
    "seen_as_over": ("info", "You see the site as yourself again.", None),
    "undone": ("success", "Undone.", None),
    "export_asked": (
        "success",
        "We put your copy together, and write to you when it is ready.",
        None,
    ),
    "deletion_undone": ("success", "Your account stays. Please sign in.", None),
    "request_made": ("success", "Asked for. The person is told.", None),
    "request_called_off": ("success", "Called off. The person is told.", None),
    "limit_changed": ("success", "The limit is changed. It holds within seconds.", None),
    "ban_added": ("success", "The ban holds within seconds.", None),
    "ban_lifted": ("success", "The ban is lifted.", None),
    "letter_resent": ("success", "The letter is written again. It goes in its turn.", None),
    "letter_tested": (
        "success",
        "The test letter is written. Its line says what became of it.",
        None,
    ),
    "letter_retried": ("success", "The letter was handed over again.", None),
}

# What is undone by taking away what was made; the other ways back are posts.
UNDONE_BY = {"word_muted": "DELETE"}
# What somebody set up elsewhere is to be seen on the front page: the notice leads there.
LEADS_TO = {
    "feed_added": "/#widget-news",
    "place_added": "/#widget-weather",
    "symbol_added": "/#widget-stocks",
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
    # The navigation of the admin portal, on its pages.
    portal: admin_navigation.Portal | None

    def asset(self, path: str) -> str:
        """The versioned address of a file of public/."""
        return assets.address(path)


def page_frame(request: Request, view: dict[str, Any]) -> Frame:
    """The frame of one answer; the view's `_title` names the page."""
    services = session.services_of(request)
    settings: Settings = services.settings
    site_name = site_settings.of(services).site_name
    reader = session.reader(request)
    preferences = reader.preferences if reader else {}
    return Frame(
        title=view.get("_title") or site_name,
        reader=reader,
        theme=theme_of(reader),
        nav=navigation(reader, request.url.path),
        site_name=site_name,
        notices=notices(request),
        path=request.url.path,
        public_url=settings.public_url,
        zone=preferences.get("time_zone") or (reader and reader.time_zone) or "UTC",
        hours=preferences.get("clock", "24"),
        units=preferences.get("units", "metric"),
        portal=admin_navigation.portal(reader, request.url.path),
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
    """The banner of whoever sees the site as someone else, and the notice that the last redirect asked for."""
    return [*seen_as.banner(request), *policy(request), *said(request)]


def policy(request: Request) -> list[dict[str, Any]]:
    """The question that a new version of the policy asks once: it is gone with the answer."""
    if not session.asks_again(request):
        return []
    text = "Our privacy policy has changed. Until you say so again, nothing that you allowed is on."
    return [{"kind": "policy", "text": text, "undo": None}]


def said(request: Request) -> list[dict[str, Any]]:
    """What the last redirect said: a name from SAID, with what it is about after a dot."""
    name, _, subject = request.cookies.get(session.SAID, "").partition(".")
    # Fragments have no room for it; it waits for the next page.
    if name not in SAID or "hx-request" in request.headers:
        return []
    request.state.notice_shown = True
    kind, text, undo = SAID[name]
    found = None
    if undo and subject.replace("-", "").isalnum():
        method = UNDONE_BY.get(name, "POST")
        found = {"label": "Undo", "href": undo.format(subject), "method": method}
    action = {"label": "To the front page", "href": LEADS_TO[name]} if name in LEADS_TO else None
    return [{"kind": kind, "text": text, "undo": found, "action": action}]
