"""Seeing the site as someone: what stays closed, what is written down, and the banner (chapter 10 rule 17)."""

from typing import Any

from starlette.requests import Request

from app.domain.platform import impersonations
from app.errors import Forbidden
from app.web import session

# Ways in, address, tokens, privacy, payments, messages, votes, consents. An address of the map that has one of these
# words between its slashes is closed, in whichever chapter it stands; names that people chose do not count.
NEVER = frozenset(
    ("auth", "bootstrap", "welcome", "account", "email", "sign-in", "sessions", "tokens", "privacy", "privacy-choices")
    + ("gdpr", "payments", "checkouts", "refunds", "messages", "threads", "contact", "vote", "votes", "consents")
    + ("connections", "callback")
    + ("unsubscribe", "live")
)  # fmt: skip
STOP = "/admin/impersonations/current"


async def enter(request: Request, path: str) -> None:
    """Let an admin who sees the site as a member look, and write where they asked for it. Raises Forbidden."""
    who = session.reader(request)
    if who is None or who.impersonation is None or path == STOP:
        return
    if not NEVER.isdisjoint(path.split("/")):
        raise Forbidden("This stays the member's own. Stop first.", code="impersonating")
    if request.method not in ("GET", "HEAD"):
        services = session.services_of(request)
        await impersonations.note_write(services, who, request.method, request.url.path)


def banner(request: Request) -> list[dict[str, Any]]:
    """What stands above every page meanwhile. It is among the notices, by which kept pages are told apart."""
    who = session.reader(request)
    if who is None or who.impersonation is None:
        return []
    text = f"You see the site as {who.name} · {who.impersonation.minutes_left} min left"
    return [{"kind": "impersonation", "text": text, "undo": None}]
