"""Privacy: what we keep of a member, copies, deletions and their receipts."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.domain.platform import consents, merges
from app.domain.platform.privacy import exports, histories, keeping, receipts, requests
from app.errors import Invalid
from app.web import session
from app.web.forms import query, read
from app.web.render import invalid, render, saved, wants

PAGE = "platform/settings/privacy.html#requests"
DELETION = "platform/privacy/deletion.html#deletion"


class Phrase(msgspec.Struct):
    """The words that ask for a deletion."""

    phrase: Annotated[str, Meta(max_length=40)]


class Token(msgspec.Struct):
    """The token of a deletion's letter."""

    token: Annotated[str, Meta(max_length=100)] = ""


class PrivacyView(msgspec.Struct):
    """What I allow, my wishes, and what is kept of everybody."""

    consents: consents.Consents
    requests: requests.RequestList
    kept: list[keeping.Kept]


class Scheduled(msgspec.Struct):
    """A deletion that waits, and where it is undone."""

    wish: histories.Request
    undo_url: str


async def show(request: Request) -> Response:
    """My consents, my requests, and what we keep."""
    return await render(request, "platform/settings/privacy.html", **await view(request))


async def view(request: Request) -> dict[str, Any]:
    """What the page is made of. Raises SignInNeeded."""
    services, who = session.services_of(request), session.member(request)
    return {
        "consents": await consents.mine(services, who, refused=session.refuses(request)),
        "_action": "/settings/privacy",
        # Whoever went past /welcome without an answer finds it again here.
        "_waits": await merges.question(services, who, request.cookies.get(session.VISITOR, "")),
        "requests": await requests.mine(services, who),
        "kept": keeping.table(),
        "_days": services.settings.gdpr_export_ttl_days,
        "_title": "Privacy",
    }


async def ask_export(request: Request) -> Response:
    """Ask for a copy. Raises SignInNeeded, TooMany."""
    made = await requests.export(session.services_of(request), session.fresh(request))
    if wants(request) == "fragment":
        return await render(request, PAGE, status=202, **await view(request))
    return await saved(
        request, "/settings/privacy#requests", status=202, said="export_asked", wish=made
    )


async def fetch_export(request: Request) -> Response:
    """My copy as a file. Raises SignInNeeded, NotFound, ServiceDown."""
    who = session.fresh(request)
    services = session.services_of(request)
    size, stored = await exports.file(services, who.id, request.path_params["id"])
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": 'attachment; filename="my-data.zip"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(stored.chunks, headers=headers, media_type="application/zip")


async def ask_deletion(request: Request) -> Response:
    """Ask to be deleted: signed out at once. Raises SignInNeeded, TooMany, Conflict."""
    services, who = session.services_of(request), session.fresh(request)
    try:
        form = await read(request, Phrase)
        made, token = await requests.deletion(services, who, form.phrase)
    except Invalid as problem:
        return await invalid(request, problem, PAGE, **await view(request))
    link = requests.undo_link(services, token)
    where = link.removeprefix(services.settings.public_url)
    response = await saved(request, where, status=202, deletion=Scheduled(made, link))
    request.state.reader = None
    session.clear_cookie(response, services.settings, session.SESSION)
    response.headers.update({"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    return response


async def show_deletion(request: Request) -> Response:
    """One button that keeps the account: opening the link changes nothing, since scanners of mail open links too."""
    token = query(request, Token).token
    is_open = await requests.is_open(session.services_of(request), token)
    response = await render(
        request, DELETION, is_open=is_open, _token=token, _title="Deletion of your account"
    )
    response.headers.update({"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    return response


async def undo_deletion(request: Request) -> Response:
    """Call the deletion off by the token of its letter. Raises NotFound when it is too late."""
    form = await read(request, Token)
    undone = await requests.undo(session.services_of(request), form.token)
    return await saved(request, "/auth/login", said="deletion_undone", wish=undone)


async def show_receipt(request: Request) -> Response:
    """Whether a receipt is real, and what it says. Raises NotFound."""
    services = session.services_of(request)
    found = await receipts.by_token(services, request.path_params["id"])
    name = "platform/privacy/receipt.html#receipt"
    return await render(request, name, receipt=found, _title="Receipt of an erasure")
