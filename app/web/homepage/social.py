"""Social accounts: connected by a trip to the platform, shown to their owner alone; and what platforms ask by signature."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import social, social_connections, social_requests, widget_offers
from app.domain.platform.readers import Reader
from app.errors import ServiceDown
from app.services import Services
from app.web import forms, session
from app.web.render import as_json, finish, render, saved, wants

PAGE = "homepage/social/page.html#social"
Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class Asked(msgspec.Struct):
    """Which posts: of one account or of all, from a cursor on."""

    account: Id | None = None
    cursor: Id | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class Removal(msgspec.Struct):
    """What becomes of the posts of an account that is disconnected."""

    posts: Literal["keep", "delete"] = "keep"


class Signed(msgspec.Struct):
    """A request that a platform signed."""

    signed_request: Annotated[str, Meta(max_length=10_000)]


async def show(request: Request) -> Response:
    """My accounts and their posts."""
    services, who = enabled(request)
    asked = forms.query(request, Asked)
    found = await social.page(services, who, asked.account, asked.cursor, asked.limit)
    return await render(request, PAGE, found=found, **around(asked, found))


def enabled(request: Request) -> tuple[Services, Reader]:
    """The member, where social accounts are on for them. Raises SignInNeeded, NotFound."""
    services, who = session.services_of(request), session.member(request)
    widget_offers.require(services, who, "social")
    return services, who


def around(asked: Asked, found: social.SocialPage) -> dict[str, Any]:
    """What the page shows around the posts."""
    of_one = f"account={asked.account}&" if asked.account else ""
    return {
        "_title": "Social accounts",
        "_chosen": asked.account,
        "_next": f"/social?{of_one}cursor={found.next}" if found.next else None,
        "_first": f"/social?{of_one}".rstrip("?&") if asked.cursor else None,
    }


async def connect(request: Request) -> Response:
    """Lead to the platform, which asks. Raises NotFound, Forbidden."""
    services, who = enabled(request)
    going = await social_connections.begin(services, who, request.path_params["platform"])
    if wants(request) == "fragment":
        response = finish(request, Response(headers={"HX-Redirect": going.address}))
    else:
        # A form may not be redirected to another site (form-action 'self'), so a page leads there.
        name = "homepage/social/leaving.html"
        response = await render(request, name, going=going, _title=f"On to {going.title}")
    response.headers["Cache-Control"] = "no-store"
    return response


async def come_back(request: Request) -> Response:
    """Take the platform's answer. Raises Forbidden, NotFound, Conflict."""
    services, who = enabled(request)
    platform, said = request.path_params["platform"], "social_connected"
    try:
        if await social_connections.take(services, who, platform, request.query_params) is None:
            said = "social_refused"
    except ServiceDown:
        if wants(request) == "json":
            raise
        said = "social_down"
    return await saved(request, "/social", said=said, found=await social.page(services, who))


async def remove(request: Request) -> Response:
    """Disconnect one of my accounts, and keep its posts or delete them. Raises NotFound."""
    services, who = session.services_of(request), session.member(request)
    asked = forms.query(request, Removal)
    await social_connections.remove(services, who, request.path_params["id"], asked.posts)
    return await after(request, services, who, "social_disconnected")


async def remove_posts(request: Request) -> Response:
    """Delete the posts of one of my accounts. Raises NotFound."""
    services, who = session.services_of(request), session.member(request)
    await social_connections.remove_posts(services, who, request.path_params["id"])
    return await after(request, services, who, "social_posts_deleted")


async def after(request: Request, services: Services, who: Reader, said: str) -> Response:
    """My accounts as they stand after a change."""
    found = await social.page(services, who)
    return await saved(request, "/social", PAGE, said=said, found=found, **around(Asked(), found))


async def deauthorize(request: Request) -> Response:
    """A platform says that somebody took our app away there. Raises Forbidden."""
    signed = await forms.read(request, Signed)
    services = session.services_of(request)
    found = await social_requests.deauthorize(services, signed.signed_request)
    return as_json(request, {"found": found})


async def erase(request: Request) -> Response:
    """A platform asks to delete what we have of somebody; the answer is JSON for whoever asks. Raises Forbidden."""
    signed = await forms.read(request, Signed)
    services = session.services_of(request)
    found = await social_requests.delete(services, signed.signed_request)
    return as_json(request, {"found": found})


async def show_erasure(request: Request) -> Response:
    """How far such a deletion is, for whoever has its code. Raises NotFound."""
    services = session.services_of(request)
    found = await social_requests.status(services, request.path_params["code"])
    name = "homepage/social/deletion.html#deletion"
    return await render(request, name, found=found, _title="Deletion of social posts")
