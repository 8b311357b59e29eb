"""What an operator sets off by hand, at the addresses that the runbooks print: tagging, the search index, caches."""

from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import caches, search_index, tagging
from app.web import forms, session
from app.web.platform.jobs import Accepted, accepted
from app.web.render import render, saved

CACHES = "platform/admin/caches.html#caches"
Reason = Annotated[str, msgspec.Meta(max_length=500)]


class Tagging(msgspec.Struct):
    """How many items to tag."""

    batch_size: Annotated[int, msgspec.Meta(ge=1, le=50)] = 50
    reason: Reason = ""


class Reindex(msgspec.Struct):
    """Why the index is rebuilt, where somebody wants to say."""

    reason: Reason = ""


class Reindexing(Accepted):
    """The job that rebuilds the index, and which engine it is."""

    backend: str = "postgresql"


class Clearing(msgspec.Struct):
    """Which cache is cleared."""

    cache_name: str
    reason: Reason = ""


async def tag(request: Request) -> Response:
    """Tag news now. Raises Invalid."""
    form = await forms.read(request, Tagging)
    who, services = session.admin(request), session.services_of(request)
    job_id = await tagging.ask(services, who, form.batch_size, form.reason)
    return await accepted(request, job_id, "tag_items")


async def reindex(request: Request) -> Response:
    """Rebuild the search index now; the answer names the engine."""
    form = await forms.read(request, Reindex)
    services = session.services_of(request)
    job_id = await search_index.ask(services, session.admin(request), form.reason)
    queue = services.ledger.registry["reindex_search"].queue
    status = f"/admin/api/jobs/{job_id}"
    found = Reindexing(
        job_id, "reindex_search", queue, status, backend=search_index.backend(services)
    )
    return await saved(request, f"/admin/jobs/{job_id}", status=202, said="job_written", job=found)


async def show_caches(request: Request) -> Response:
    """Every cache by name, and the search index."""
    may_act = session.may(session.reader(request), "manage_system")
    return await render(
        request,
        CACHES,
        caches=caches.listed(),
        _may_act=may_act,
        _said=None,
        _title="Caches and search",
    )


async def clear(request: Request) -> Response:
    """Clear one cache. Raises Invalid."""
    form = await forms.read(request, Clearing)
    who, services = session.admin(request), session.services_of(request)
    found = await caches.clear(services, who, form.cache_name, form.reason)
    return await saved(
        request,
        "/admin/caches",
        CACHES,
        said="cache_cleared",
        cleared=found,
        _caches=caches.listed(),
        _said=found,
        _may_act=True,
    )
