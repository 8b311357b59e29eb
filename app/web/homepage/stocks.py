"""Stocks: the watchlist, one symbol with its chart, and what a reader may mean by what was typed."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import stock_symbols, stock_watches, stocks, widget_offers
from app.domain.homepage.stock_symbols import Suggestion
from app.domain.homepage.stock_watches import NewWatch, Watchlist, WatchStep
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid
from app.services import Services
from app.web import forms, session
from app.web.render import invalid, render, saved, wants

PAGE = "homepage/stocks/page.html#watchlist"
HERE = "/stocks"


def offered(request: Request) -> Services:
    """The services, where this reader has stocks at all. Raises NotFound."""
    services = session.services_of(request)
    widget_offers.require(services, session.reader(request), "stocks")
    return services


def frame(services: Services, title: str = "Stocks") -> dict[str, Any]:
    """What every page of stocks is given beside its view."""
    return {"_title": title, "_is_demo": bool(services.settings.demo_feeds)}


async def show(request: Request) -> Response:
    """My watchlist."""
    services = offered(request)
    mine = await stocks.mine(services, session.reader(request))
    return await render(request, PAGE, list=mine, **frame(services))


async def add(request: Request) -> Response:
    """Watch the symbol that was chosen or typed; a company's name asks which is meant. Raises Invalid, Conflict."""
    services, who = offered(request), await session.saver(request)
    try:
        wish = await forms.read(request, NewWatch)
        if not wish.choice and wants(request) != "json":
            picks = await stock_symbols.likely(services, who, wish.symbol)
            if picks:
                return await asked_back(request, services, who, picks)
        await stock_watches.add(services, who, wish.choice or wish.symbol)
    except (Invalid, Conflict) as problem:
        return await refused(request, services, who, problem)
    return await changed(request, services, who, 201, said="symbol_added")


async def asked_back(
    request: Request, services: Services, who: Reader, picks: list[Suggestion]
) -> Response:
    """The form again with the symbols that may be meant, each a button."""
    sentence = "This is no symbol that we know. Choose the one you mean."
    problem = Invalid(sentence, errors={"symbol": sentence})
    mine = await stocks.mine(services, who)
    return await invalid(request, problem, PAGE, list=mine, _picks=picks, **frame(services))


async def refused(
    request: Request, services: Services, who: Reader, problem: Invalid | Conflict
) -> Response:
    """The form again with what was wrong. Raises Conflict for scripts, which know no form."""
    if isinstance(problem, Conflict):
        problem = Invalid(problem.sentence, code=problem.code, errors={"symbol": problem.sentence})
    mine = await stocks.mine(services, who)
    return await invalid(request, problem, PAGE, list=mine, **frame(services))


async def put(request: Request) -> Response:
    """Make these my symbols, in this order. Raises Invalid."""
    services, who = offered(request), await session.saver(request)
    wanted = (await forms.read(request, Watchlist)).symbols
    await stock_watches.put(services, who, wanted)
    return await changed(request, services, who)


async def watch(request: Request) -> Response:
    """Watch one symbol, or move it up or down. Raises Invalid, Conflict, NotFound."""
    services, who = offered(request), await session.saver(request)
    step, symbol = await forms.read(request, WatchStep), request.path_params["symbol"]
    if step.move:
        await stock_watches.move(services, who, stocks.known(symbol), step.move)
    else:
        await stock_watches.add(services, who, stocks.known(symbol))
    return await changed(request, services, who)


async def unwatch(request: Request) -> Response:
    """Watch one symbol no more. Raises NotFound."""
    services, who = offered(request), await session.saver(request)
    await stock_watches.remove(services, who, stocks.known(request.path_params["symbol"]))
    return await changed(request, services, who)


async def changed(
    request: Request, services: Services, who: Reader, status: int = 200, said: str = "saved"
) -> Response:
    """The watchlist after a change of it."""
    mine = await stocks.mine(services, who)
    return await saved(request, HERE, PAGE, status=status, said=said, list=mine, **frame(services))


async def one(request: Request) -> Response:
    """One symbol with its closes of 30 days. Raises NotFound."""
    services, who = offered(request), session.reader(request)
    found = await stocks.one(services, who, request.path_params["symbol"])
    points = [
        {"label": f"{close.day:%-d %b}", "value": float(close.close)} for close in found.closes
    ]
    return await render(
        request,
        "homepage/stocks/stock.html#stock",
        stock=found,
        _points=points,
        **frame(services, found.quote.name or found.quote.symbol),
    )


async def suggest(request: Request) -> Response:
    """Symbols for what was typed."""
    services, given = offered(request), request.query_params
    # The form's own field asks by its name.
    typed = given.get("q") or given.get("symbol", "")
    found = await stock_symbols.suggestions(services, session.reader(request), typed)
    name = "homepage/stocks/suggestions.html#suggestions"
    return await render(request, name, list=found, _typed=typed.strip(), _title="Symbols")
