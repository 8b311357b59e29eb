"""Files: my own uploads, and the admin's panel that brings an older version back."""

from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import file_versions, uploads
from app.domain.platform.file_versions import Filter, Restoration
from app.errors import Invalid
from app.web import forms, session
from app.web.platform.impersonations import Cursor
from app.web.render import invalid, render, saved

MINE = "platform/settings/files.html#files"
LIST = "platform/files/list.html#files"
FILE = "platform/files/file.html#file"


async def show_mine(request: Request) -> Response:
    """My uploads, their size and use."""
    return await render(request, MINE, **await mine(request))


async def mine(request: Request) -> dict[str, Any]:
    """The view of my uploads."""
    asked = forms.query(request, Cursor) if request.method == "GET" else Cursor()
    who = session.member(request)
    found = await uploads.newest(session.services_of(request), who, asked.cursor, asked.limit)
    return {
        "files": found,
        "_title": "Your files",
        "_next": f"/settings/files?cursor={found.next}" if found.next else None,
    }


async def remove_mine(request: Request) -> Response:
    """Delete one of my files. Raises NotFound, ServiceDown."""
    who = session.member(request)
    await uploads.remove(session.services_of(request), who, request.path_params["id"])
    return await saved(request, "/settings/files", MINE, said="file_removed", **await mine(request))


async def show(request: Request) -> Response:
    """The files that we keep, the latest first; with a filter by bucket, key, member and state."""
    asked = forms.query(request, Filter)
    who = session.admin(request)
    found = await file_versions.newest(session.services_of(request), who, asked)
    chosen = {
        name: value
        for name, value in msgspec.to_builtins(asked).items()
        if value is not None and name not in ("cursor", "limit")
    }
    more = f"/admin/files?{urlencode(chosen | {'cursor': found.next})}" if found.next else None
    return await render(
        request,
        LIST,
        files=found,
        _title="Files",
        _asked=asked,
        _sees_people=session.may(who, "view_users"),
        _buckets=[(label, label) for label in file_versions.OPEN],
        _next=more,
    )


async def show_one(request: Request) -> Response:
    """One file with its versions. Raises NotFound, ServiceDown."""
    return await render(request, FILE, **await one(request))


async def one(request: Request) -> dict[str, Any]:
    """The view of one file."""
    who = session.admin(request)
    found = await file_versions.by_id(session.services_of(request), who, request.path_params["id"])
    may_manage = session.may(who, "manage_content")
    return {"file": found, "_title": found.key, "_may_manage": may_manage}


async def restore(request: Request) -> Response:
    """Bring an older version back, with a reason. Raises Invalid, NotFound, ServiceDown."""
    who, services = session.admin(request), session.services_of(request)
    object_id = request.path_params["id"]
    try:
        wish = await forms.read(request, Restoration)
        await file_versions.restore(services, who, object_id, wish)
    except Invalid as problem:
        return await invalid(request, problem, FILE, **await one(request))
    view = await one(request)
    return await saved(request, f"/admin/files/{object_id}", FILE, said="file_restored", **view)
