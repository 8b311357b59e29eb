"""Bringing a list of feeds: take the file, show how far it is."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import opml_imports
from app.errors import Invalid
from app.web import session
from app.web.forms import read
from app.web.homepage.feeds import my_feeds
from app.web.render import render, saved

PROGRESS = "homepage/feeds/import.html#progress"


class ImportForm(msgspec.Struct):
    """A list of feeds: an OPML file from a form, or its text from a script."""

    file: bytes | None = None
    opml: str | None = None


async def add(request: Request) -> Response:
    """Take an OPML file in; a job reads it."""
    services, who = session.services_of(request), session.member(request)
    try:
        form = await read(request, ImportForm)
        found = await opml_imports.add(services, who, form.file or (form.opml or "").encode())
    except Invalid as problem:
        return await my_feeds(request, problem)
    place = f"/feeds/imports/{found.id}"
    answer = await saved(request, place, PROGRESS, status=202, list=found)
    answer.headers["Location"] = place
    return answer


async def show(request: Request) -> Response:
    """How far an import of mine is, and what became of each line. Raises NotFound."""
    services, who = session.services_of(request), session.member(request)
    found = await opml_imports.by_id(services, who, request.path_params["id"])
    return await render(request, PROGRESS, list=found, _title="Bring a list of feeds")
