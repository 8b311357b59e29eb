"""How addresses find handlers: a table of endpoints, looked up by first segment."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl

from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route, Router
from starlette.types import Receive, Scope, Send

from app.errors import Invalid, NotFound, ServiceDown
from app.web import bearer, limits, seen_as, session

Handler = Callable[[Request], Awaitable[Response]]


class IdConvertor(IntegerConvertor):
    """Ids as PostgreSQL has them: more digits name nothing."""

    regex = "[0-9]{1,18}"


register_url_convertor("int", IdConvertor())


class Endpoint(NamedTuple):
    """One line of the map: what it shows and takes (for the OpenAPI text), whether it has a twin, and who may come in."""

    method: str
    path: str
    handler: Handler
    shows: type | None = None
    takes: type | None = None
    twin: bool = True
    # Who may come in: "" everybody, "member" the signed-in, else the permission (one of a tuple is enough).
    needs: str | tuple[str, ...] = ""
    # The limit that it spends from (chapter 10 rule 26): "" page or api, "nothing" none.
    spends: str = ""
    # Whether another site's page may post here, with our cookies or without (chapter 10 rule 48).
    foreign: bool = False


Needs = str | tuple[str, ...]


def GET(
    path: str,
    handler: Handler,
    shows: type | None = None,
    *,
    twin: bool = True,
    needs: Needs = "",
    spends: str = "",
) -> Endpoint:
    """A page to look at."""
    return Endpoint("GET", path, handler, shows, None, twin, needs, spends)


def POST(
    path: str,
    handler: Handler,
    takes: type | None = None,
    shows: type | None = None,
    *,
    twin: bool = True,
    needs: Needs = "",
    spends: str = "",
    foreign: bool = False,
) -> Endpoint:
    """Something is added or done."""
    return Endpoint("POST", path, handler, shows, takes, twin, needs, spends, foreign)


def PUT(
    path: str,
    handler: Handler,
    takes: type | None = None,
    shows: type | None = None,
    *,
    needs: Needs = "",
    spends: str = "",
) -> Endpoint:
    """Something is put in a place."""
    return Endpoint("PUT", path, handler, shows, takes, True, needs, spends)


def PATCH(
    path: str,
    handler: Handler,
    takes: type | None = None,
    shows: type | None = None,
    *,
    needs: Needs = "",
    spends: str = "",
) -> Endpoint:
    """Something is changed in part."""
    return Endpoint("PATCH", path, handler, shows, takes, True, needs, spends)


def DELETE(
    path: str,
    handler: Handler,
    shows: type | None = None,
    *,
    needs: Needs = "",
    spends: str = "",
) -> Endpoint:
    """Something is taken away."""
    return Endpoint("DELETE", path, handler, shows, None, True, needs, spends)


class Map(Router):
    """Starlette's router over the table; exact addresses are found in a dict, the others by their first segment."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = list(endpoints)
        routes = [Route(e.path, opened(e), methods=[e.method]) for e in endpoints]
        super().__init__(routes, redirect_slashes=False)
        self.groups: dict[str, list[Route]] = {}
        for route in routes:
            self.groups.setdefault(first_segment(route.path), []).append(route)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand one request to its endpoint; 404 and 405 are answered like any other problem."""
        if scope["type"] == "lifespan":
            await self.lifespan(scope, receive, send)
            return
        refuse_zero_signs(scope["path"], scope["query_string"])
        partial: Route | None = None
        for route in self.groups.get(first_segment(scope["path"]), ()):
            match, child = route.matches(scope)
            if match is Match.FULL:
                scope.update(child)
                scope["route"] = route
                await route.handle(scope, receive, send)
                return
            if match is Match.PARTIAL and partial is None:
                partial = route
                scope.update(child)
        await counted(Request(scope, receive))
        if partial is not None:
            scope["route"] = partial
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(partial.methods or ()))})
        raise HTTPException(404)


async def counted(request: Request) -> None:
    """Count what finds no endpoint like any page or twin, and refuse the banned. Raises TooMany, Forbidden."""
    if request.cookies:
        with contextlib.suppress(ServiceDown):
            await session.recognise(request)
    await limits.enter(request, "")


def refuse_zero_signs(path: str, query: bytes) -> None:
    """PostgreSQL keeps no text with a zero sign, so nothing goes by one. Raises HTTPException (404), Invalid."""
    if "\x00" in path:
        raise HTTPException(404)
    if b"%00" in query:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        wrong = {
            name: "This holds a sign that no text has."
            for name, value in pairs
            if "\x00" in name + value
        }
        raise Invalid("Please check the address.", errors=wrong)


def first_segment(path: str) -> str:
    """'feeds' of /feeds/7/subscription; of /feeds.opml it is 'feeds.opml'."""
    return path[1:].partition("/")[0]


def opened(endpoint: Endpoint) -> Handler:
    """The handler with what every request needs around it: who asks, and the cookies of the answer."""

    async def handle(request: Request) -> Response:
        if request.scope.get("twin") and not endpoint.twin:
            raise NotFound("This address has no JSON twin.")
        if endpoint.twin and bearer.is_sent(request):
            await bearer.recognise(request)
            session.refuse_banned(request)
        elif request.cookies:
            await session.recognise(request)
            session.refuse_banned(request)
        await limits.enter(request, endpoint.spends)
        if endpoint.needs:
            session.require(request, endpoint.needs)
        await seen_as.enter(request, endpoint.path)
        bearer.check_scope(request, endpoint.needs)
        response = await endpoint.handler(request)
        await session.answer_cookies(request, response)
        return response

    handle.__name__ = endpoint.handler.__name__
    handle.__doc__ = endpoint.handler.__doc__
    return handle
