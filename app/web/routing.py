"""How addresses find handlers: a table of endpoints, looked up by first segment."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route, Router
from starlette.types import Receive, Scope, Send

from app.errors import NotFound
from app.web import session

Handler = Callable[[Request], Awaitable[Response]]


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


Needs = str | tuple[str, ...]


def GET(
    path: str,
    handler: Handler,
    shows: type | None = None,
    *,
    twin: bool = True,
    needs: Needs = "",
) -> Endpoint:
    """A page to look at."""
    return Endpoint("GET", path, handler, shows, None, twin, needs)


def POST(
    path: str,
    handler: Handler,
    takes: type | None = None,
    shows: type | None = None,
    *,
    twin: bool = True,
    needs: Needs = "",
) -> Endpoint:
    """Something is added or done."""
    return Endpoint("POST", path, handler, shows, takes, twin, needs)


def PUT(
    path: str,
    handler: Handler,
    takes: type | None = None,
    shows: type | None = None,
    *,
    needs: Needs = "",
) -> Endpoint:
    """Something is put in a place."""
    return Endpoint("PUT", path, handler, shows, takes, True, needs)


def PATCH(
    path: str,
    handler: Handler,
    takes: type | None = None,
    shows: type | None = None,
    *,
    needs: Needs = "",
) -> Endpoint:
    """Something is changed in part."""
    return Endpoint("PATCH", path, handler, shows, takes, True, needs)


def DELETE(
    path: str, handler: Handler, shows: type | None = None, *, needs: Needs = ""
) -> Endpoint:
    """Something is taken away."""
    return Endpoint("DELETE", path, handler, shows, None, True, needs)


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
        if partial is not None:
            scope["route"] = partial
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(partial.methods or ()))})
        raise HTTPException(404)


def first_segment(path: str) -> str:
    """'feeds' of /feeds/7/subscription; of /feeds.opml it is 'feeds.opml'."""
    return path[1:].partition("/")[0]


def opened(endpoint: Endpoint) -> Handler:
    """The handler with what every request needs around it: who asks, and the cookies of the answer."""

    async def handle(request: Request) -> Response:
        if request.scope.get("twin") and not endpoint.twin:
            raise NotFound("This address has no JSON twin.")
        if request.cookies:
            await session.recognise(request)
            session.refuse_banned(request)
        if endpoint.needs:
            session.require(request, endpoint.needs)
        response = await endpoint.handler(request)
        await session.answer_cookies(request, response)
        return response

    handle.__name__ = endpoint.handler.__name__
    handle.__doc__ = endpoint.handler.__doc__
    return handle
