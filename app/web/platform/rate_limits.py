"""The limits' panel: every limit, one to change, and who went over them."""

from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import limiters, rate_limits, rate_violations
from app.errors import Invalid
from app.web import forms, session
from app.web.render import invalid, render, saved

LIST = "platform/rate_limits/list.html#limits"
LIMIT = "platform/rate_limits/limit.html#limit"
VIOLATIONS = "platform/rate_limits/violations.html#violations"


class Change(msgspec.Struct):
    """A limit's new figures and why; what is left out stays."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    limit_count: Annotated[int, msgspec.Meta(ge=0, le=10**9)] | None = None
    window_seconds: Annotated[int, msgspec.Meta(ge=1, le=604_800)] | None = None


def may_manage(request: Request) -> bool:
    """Whether this admin may change limits and see whom they met."""
    return session.may(session.reader(request), "manage_limits")


async def show(request: Request) -> Response:
    """Every limit, an action a row."""
    found = await rate_limits.every(session.services_of(request))
    rows: dict[str, dict[str, rate_limits.RateLimit]] = {}
    for limit in found.items:
        rows.setdefault(limit.action, {})[limit.tier] = limit
    return await render(
        request,
        LIST,
        limits=found,
        _rows=rows,
        _starred=rate_limits.STARRED,
        _title="Limits",
        _may_manage=may_manage(request),
    )


async def show_one(request: Request) -> Response:
    """One limit. Raises NotFound."""
    return await render(request, LIMIT, **await one(request))


async def one(request: Request) -> dict[str, Any]:
    """The view of one limit."""
    params = request.path_params
    limit = await rate_limits.one(session.services_of(request), params["action"], params["tier"])
    return {
        "limit": limit,
        "_title": f"Limit of {limit.action}",
        "_may_manage": may_manage(request),
        "_shipped": limiters.shipped().get((limit.action, limit.tier)),
    }


async def change(request: Request) -> Response:
    """Change one limit. Raises NotFound."""
    who, params = session.admin(request), request.path_params
    try:
        form = await forms.read(request, Change)
        await rate_limits.change(
            session.services_of(request),
            who,
            params["action"],
            params["tier"],
            limit_count=form.limit_count,
            window_seconds=form.window_seconds,
            reason=form.reason,
        )
    except Invalid as problem:
        return await invalid(request, problem, LIMIT, **await one(request))
    return await saved(
        request, "/admin/rate-limits", LIMIT, said="limit_changed", **await one(request)
    )


async def violations(request: Request) -> Response:
    """Who went over which limit, by filter."""
    asked = rate_violations.Filter()
    errors: dict[str, str] = {}
    found = rate_violations.ViolationList([], None, None)
    who = session.admin(request)
    try:
        asked = forms.query(request, rate_violations.Filter)
        found = await rate_violations.found(session.services_of(request), who, asked)
    except Invalid as problem:
        if request.scope.get("twin"):
            raise
        errors = problem.errors
    return await render(
        request,
        VIOLATIONS,
        status=422 if errors else 200,
        violations=found,
        _asked=asked,
        _next=next_address(request, found.next),
        _title="Violations",
        _actions=[(name, name) for name in limiters.SHIPPED],
        _may_manage=may_manage(request),
        _errors=errors,
    )


def next_address(request: Request, cursor: str | None) -> str | None:
    """Where the list goes on with the same filters."""
    if cursor is None:
        return None
    return f"{request.url.path}?{urlencode({**request.query_params, 'cursor': cursor})}"
