"""The front page where it stands ready in memory: one answer for strangers, joined pieces for a member on their own page.

The gate asks here before anything else. What is not ready goes the long way through the routes, which makes it so.
"""

import gzip
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Scope

from app.config import Settings
from app.domain.homepage import template_choice, widget_offers
from app.domain.platform import consents, site_settings
from app.domain.platform.readers import Reader
from app.services import Services
from app.web import session
from app.web.homepage import widgets
from app.web.kept import Kept
from app.web.render import VARY, etag

Headers = dict[bytes, bytes]
HTML = (b"content-type", b"text/html; charset=utf-8")
PERSONAL = [
    (b"cache-control", b"private, no-cache"),
    (b"vary", f"{VARY}, Accept-Encoding".encode()),
]
# A request with another cookie beside these wants something else than the plain page. What browsers carry for a year
# or from before a sign-in says nothing about a member's page.
COOKIES = frozenset(
    (session.SESSION, session.FLOW, session.BROWSER, session.VISITOR, session.CONSENT)
)


class Ready(NamedTuple):
    """One answer, whole: status, headers and body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


async def ready(scope: Scope, headers: Headers, settings: Settings, app: ASGIApp) -> Ready | None:
    """The answer to `GET /`, or None when it has to be made."""
    if b"application/json" in headers.get(b"accept", b"") or b"authorization" in headers:
        return None
    cookie = headers.get(b"cookie")
    if cookie is None:
        return shared(scope, headers, app)
    if b"hx-request" in headers:
        return None
    return await personal(scope, headers, cookie.decode("latin-1"), settings)


def shared(scope: Scope, headers: Headers, app: ASGIApp) -> Ready | None:
    """What all get who come without cookies; looked at again behind the reader's back."""
    pages = scope["state"]["shared"]
    answer = pages.find(headers)
    if answer is None:
        return None
    if pages.is_due():
        pages.renew(app, scope)
    if headers.get(b"if-none-match") == answer.etag:
        return Ready(304, answer.unchanged_headers, b"")
    if b"gzip" in headers.get(b"accept-encoding", b""):
        return Ready(200, answer.packed_headers, answer.packed)
    return Ready(200, answer.headers, answer.body)


async def personal(scope: Scope, headers: Headers, cookie: str, settings: Settings) -> Ready | None:
    """A member's own page, where nothing of it changed since it was joined last. Raises ServiceDown."""
    value = plain_session(cookie)
    if value is None:
        return None
    state = scope["state"]
    who = await session.known(state["services"], state["session_rows"], value)
    if who is not None and who.impersonation_id is not None:
        # An admin who sees the site as someone: the long way finds out as whom, and shows the banner.
        return None
    # The long way need not ask again who this is.
    state["reader"], state["recognised"] = who, value
    found = who and widgets.versions_at_hand(state["hub"], state["kept"], who)
    # Whoever sees the site as someone else gets the page with its banner, made for them.
    if who is None or found is None or who.rotate or who.impersonation is not None:
        return None
    # A question about the policy stands above the page; it too is made on the long way.
    if consents.asks_again(state["services"], who.answered_policy):
        return None
    services = state["services"]
    key = key_of(services, site_settings.of(services).site_name, who, "home", found)
    kept: Kept = state["kept"]
    tag = kept.tags.get(key)
    if tag is None:
        return None
    named = [(b"etag", tag), *PERSONAL]
    if headers.get(b"if-none-match") == tag:
        return Ready(304, named, b"")
    if b"gzip" in headers.get(b"accept-encoding", b""):
        body = packed(kept, key)
        named.append((b"content-encoding", b"gzip"))
    else:
        body = kept.joined(key)
    if body is None:
        return None
    return Ready(200, [*named, HTML, (b"content-length", str(len(body)).encode())], body)


def plain_session(cookie: str) -> str | None:
    """The session's value out of a Cookie header that says nothing else of weight."""
    pairs = dict(part.strip().partition("=")[::2] for part in cookie.split(";"))
    return pairs[session.SESSION] if session.SESSION in pairs and pairs.keys() <= COOKIES else None


def key_of(
    services: Services,
    site_name: str,
    who: Reader,
    slug: str,
    found: Any,
    notices: str = "[]",
    *,
    fragment: bool = False,
) -> tuple[object, ...]:
    """All that one reader's page depends on."""
    return (
        who.id,
        slug,
        found,
        widget_offers.hidden(services, who),
        template_choice.stamp(services, who),
        who.name,
        who.role,
        who.is_member,
        who.unread,
        who.time_zone,
        site_name,
        notices,
        fragment,
        widgets.minute(),
    )


def tag_of(kept: Kept, key: tuple[object, ...]) -> str:
    """The ETag of a page; kept, since the text it is made from is long."""
    tag = kept.tags.get(key)
    if tag is None:
        tag = kept.tag(key, etag(key).encode())
    return tag.decode()


def packed(kept: Kept, key: tuple[object, ...]) -> bytes | None:
    """The page packed with gzip, once for all who ask for it again."""
    found = kept.get(("packed", key))
    if found is None and (body := kept.joined(key)) is not None:
        found = kept.put(("packed", key), gzip.compress(body, 4, mtime=0))
    return found
