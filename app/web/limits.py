"""Limits at the door: what a request spends, what its answer says of it, and who is banned."""

import math
import re
from datetime import datetime
from typing import Any

import structlog
from prometheus_client import Counter
from starlette.requests import Request
from starlette.types import Scope

from app.domain.platform import limiters, rate_limits
from app.domain.platform.rate_limits import OverLimit, Verdict
from app.domain.platform.readers import Reader
from app.errors import Forbidden, Invalid, Problem, TooMany
from app.web import forms, session
from app.web.render import wants

log = structlog.get_logger("security")

REFUSED = Counter("rate_limit_violations", "Requests over a limit.", ("action", "tier"))
# What is exempt says so in the table of routes (chapter 10 rule 27).
NOTHING = "nothing"
# What was typed is given back; more than that was not typed.
LONGEST_INPUT = 20_000

# Members sign in from a banned network too (chapter 10 rule 29), within the limits of every sign-in.
SIGN_IN = re.compile(r"/auth/(login|link|not-me|\w+/login|\w+/callback)")

Headers = list[tuple[bytes, bytes]]


async def enter(request: Request, spends: str) -> None:
    """Refuse the banned, and count what the request spends. Raises Forbidden, TooMany, SignInNeeded."""
    limiter = limiters.of(session.services_of(request))
    if limiter is None or spends == NOTHING:
        return
    caller = request.scope.get("caller", "")
    end = limiter.banned_until(caller)
    if end is not None:
        refuse(request, end)
    await spend(request, spends or default(request))


def default(request: Request) -> str:
    """What an address spends that has no action of its own."""
    return "api" if wants(request) == "json" else "page"


def refuse(request: Request, end: datetime) -> None:
    """Send away who comes from a banned network: admins never, members only what they would change. Raises Forbidden."""
    if SIGN_IN.fullmatch(request.url.path):
        return
    who = session.reader(request)
    if who is not None and (who.is_admin or (who.is_member and session.open_to_banned(request))):
        return
    raise Forbidden(
        f"Your network may not come in here until {end:%d %B %Y, %H:%M} UTC. Members may sign in at /auth/login.",
        code="banned",
    )


async def spend(request: Request, action: str) -> None:
    """Count one action of this request. Raises TooMany with what was entered, SignInNeeded, Forbidden."""
    who = session.reader(request)
    try:
        found = await rate_limits.spend(
            session.services_of(request), who, action, caller=request.scope.get("caller", "")
        )
    except TooMany as problem:
        REFUSED.labels(action, rate_limits.tier_of(who)).inc()
        log.warning("over a limit", action=action, path=request.url.path)
        problem.given = await entered(request)
        raise
    if found is not None:
        request.state.limited = found


async def entered(request: Request) -> dict[str, str]:
    """The texts of the form that was sent, so that it can be sent again."""
    kind = request.headers.get("content-type", "")
    if request.method == "GET" or not kind.startswith("application/x-www-form-urlencoded"):
        return {}
    try:
        given = await forms.body(request)
    except Invalid:
        return {}
    return texts(given)


def texts(given: dict[str, Any]) -> dict[str, str]:
    """What of an input was typed."""
    return {
        name: text
        for name, text in given.items()
        if isinstance(text, str) and len(text) <= LONGEST_INPUT
    }


def note(scope: Scope, problem: Problem) -> None:
    """Let the answer to a problem say which limit it was."""
    if isinstance(problem, OverLimit):
        scope["state"]["limited"] = problem.verdict
        problem.given = problem.given or texts(scope["state"].get("given", {}))


def headers_of(scope: Scope) -> Headers:
    """What an answer says of the limit that its request spent from. Reset and window are seconds."""
    found: Verdict | None = scope["state"].get("limited")
    return [] if found is None else as_headers(found)


def as_headers(verdict: Verdict) -> Headers:
    """X-RateLimit-Limit, -Remaining, -Reset and -Window."""
    return [
        (b"x-ratelimit-limit", b"%d" % verdict.limit),
        (b"x-ratelimit-remaining", b"%d" % verdict.remaining),
        (b"x-ratelimit-reset", b"%d" % math.ceil(verdict.reset)),
        (b"x-ratelimit-window", b"%d" % verdict.window),
    ]


def at_the_front(scope: Scope) -> Headers | None:
    """Count one front page that is answered from memory; None when the long way has to say no."""
    state = scope["state"]
    limiter = limiters.of(state["services"])
    if limiter is None:
        return []
    who: Reader | None = state.get("reader")
    if limiter.networks and limiter.banned_until(scope["caller"]) is not None:
        return None
    try:
        return as_headers(rate_limits.spend_here(limiter, who, "page", scope["caller"]))
    except Problem:
        return None
