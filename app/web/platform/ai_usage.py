"""The AI budget's panel: the running month, earlier ones, a report by day, the kept answers, the prices."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform.ai import limits, prices, usage
from app.errors import Invalid
from app.web import forms, session
from app.web.render import invalid, render, saved

PAGE = "platform/ai/usage.html#usage"
HISTORY = "platform/ai/history.html#history"
REPORT = "platform/ai/report.html#report"
CACHE = "platform/ai/cache.html#cache"
PRICES = "platform/ai/prices.html#prices"


class Months(msgspec.Struct):
    """How far back."""

    months: Annotated[int, msgspec.Meta(ge=1, le=24)] = 12


class Stretch(msgspec.Struct):
    """From which day to which, both included."""

    since: date | None = msgspec.field(default=None, name="from")
    until: date | None = msgspec.field(default=None, name="to")


async def show(request: Request) -> Response:
    """The running month."""
    return await render(request, PAGE, **view(await now(request)))


async def now(request: Request) -> usage.Usage:
    """The running month's figures."""
    return await usage.now(session.services_of(request))


def view(found: usage.Usage) -> dict[str, Any]:
    """What the page shows: each day's sum, the days without any too."""
    by_day: dict[int, Decimal] = {}
    for line in found.days:
        if line.day is not None:
            by_day[line.day.day] = by_day.get(line.day.day, Decimal(0)) + Decimal(line.spent_micros)
    last = max(by_day, default=0)
    bars = [
        {"label": str(day), "value": usage.cents(by_day.get(day, Decimal(0))) / 100}
        for day in range(1, last + 1)
    ]
    return {"usage": found, "_bars": bars, "_title": "AI budget"}


async def set_limit(request: Request) -> Response:
    """Change a month's limit, with a reason. Raises Invalid, NotFound, Conflict."""
    month = limits.month_of(request.path_params["month"])
    try:
        wish = await forms.read(request, limits.LimitChange)
        services = session.services_of(request)
        await limits.change(services, session.admin(request), month, wish)
    except Invalid as problem:
        return await invalid(request, problem, PAGE, **view(await now(request)))
    return await saved(request, "/admin/ai-usage", PAGE, said="saved", **view(await now(request)))


async def acknowledge(request: Request) -> Response:
    """Say that a month's alert was seen. Raises NotFound, Conflict."""
    month = limits.month_of(request.path_params["month"])
    wish = await forms.read(request, limits.Acknowledgement)
    await limits.acknowledge(session.services_of(request), session.admin(request), month, wish)
    found = view(await now(request))
    return await saved(request, "/admin/ai-usage", PAGE, status=201, said="saved", **found)


async def show_history(request: Request) -> Response:
    """Earlier months."""
    asked = forms.query(request, Months)
    found = await usage.history(session.services_of(request), asked.months)
    points = [
        {"label": month.month, "value": month.spent_cents / 100} for month in reversed(found.items)
    ]
    return await render(
        request, HISTORY, months=found, _asked=asked, _points=points, _title="AI months"
    )


async def show_report(request: Request) -> Response:
    """The cost of a stretch of days. Raises Invalid."""
    asked = forms.query(request, Stretch)
    found = await usage.report(session.services_of(request), asked.since, asked.until)
    return await render(request, REPORT, report=found, _title="AI cost by day")


async def show_cache(request: Request) -> Response:
    """How useful the kept answers are."""
    found = await usage.cache_stats(session.services_of(request))
    may_clear = session.may(session.reader(request), "manage_system")
    return await render(request, CACHE, stats=found, _may_clear=may_clear, _title="Kept answers")


async def show_prices(request: Request) -> Response:
    """What each model costs."""
    return await render(request, PRICES, **price_view(request))


def price_view(request: Request) -> dict[str, Any]:
    """The prices, and which models are asked without one."""
    services = session.services_of(request)
    found = prices.listed(services)
    asked = {services.settings.ai_model_bulk: "bulk", services.settings.ai_model_hard: "hard cases"}
    return {
        "prices": found,
        "_uses": asked,
        "_unpriced": prices.missing(services),
        "_text": prices.written(prices.of(services)),
        "_title": "AI prices",
    }


async def change_prices(request: Request) -> Response:
    """Put new prices in force. Raises Invalid."""
    try:
        wish = await forms.read(request, prices.PricesChange)
        await prices.change(session.services_of(request), session.admin(request), wish)
    except Invalid as problem:
        return await invalid(request, problem, PRICES, **price_view(request))
    return await saved(
        request, "/admin/ai-usage/prices", PRICES, said="saved", **price_view(request)
    )
