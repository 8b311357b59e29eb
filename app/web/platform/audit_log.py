"""The audit log for those who may read it: the list, as CSV, and its seals."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.domain.platform import audit, audit_rows, audit_seals
from app.domain.platform.readers import Reader
from app.errors import Invalid
from app.services import Services
from app.web import forms, session
from app.web.render import render, wants

LIST = "platform/audit/list.html#rows"
SEALS = "platform/audit/seals.html#rows"
COLUMNS = audit_rows.Act.__struct_fields__


class SealPage(msgspec.Struct):
    """Which sealed days are asked for: those before `cursor`."""

    cursor: date | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50


async def show(request: Request) -> Response:
    """Acts by filter, newest first."""
    asked = forms.query(request, audit_rows.AuditFilter)
    errors: dict[str, str] = {}
    try:
        found = await audit_rows.acts(session.services_of(request), session.admin(request), asked)
    except Invalid as problem:
        if wants(request) == "json":
            raise
        found, errors = audit_rows.ActList([], None, None), problem.errors
    return await render(
        request,
        LIST,
        status=422 if errors else 200,
        acts=found,
        _title="Audit log",
        _asked=asked,
        _here=address(request),
        _csv=address(request, "/admin/audit-log.csv"),
        _next=address(request, cursor=found.next) if found.next else None,
        _errors=errors,
    )


def address(request: Request, path: str = "/admin/audit-log", **changed: str) -> str:
    """The list's own address with its filters, without the cursor unless one is given."""
    kept = {name: text for name, text in request.query_params.items() if text and name != "cursor"}
    words = urlencode({**kept, **changed})
    return f"{path}?{words}" if words else path


async def export(request: Request) -> Response:
    """The same acts as a CSV file, sent while they are read. That it was taken is an act too.

    A file that cannot be read to its end breaks off in the middle of its sending, so that nobody takes it for whole.
    """
    who, services = session.admin(request), session.services_of(request)
    asked = forms.query(request, audit_rows.AuditFilter)
    # What cannot be asked for is said before the file begins.
    await audit_rows.read(services, who, asked, 1, audit_rows.LARGEST_ID)
    await audit.add(
        services, who, "audit.exported", ("audit_log", "csv"), after=msgspec.to_builtins(asked)
    )
    headers = {
        "Content-Disposition": 'attachment; filename="audit-log.csv"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(lines(services, who, asked), media_type="text/csv", headers=headers)


async def lines(
    services: Services, who: Reader, asked: audit_rows.AuditFilter
) -> AsyncIterator[str]:
    """The file's lines: the names of the columns, then one act each."""
    yield line(COLUMNS)
    async for act in audit_rows.every(services, who, asked):
        yield line([written(getattr(act, name)) for name in COLUMNS])


def line(values: Any) -> str:
    """One line of CSV."""
    page = io.StringIO()
    csv.writer(page, lineterminator="\r\n").writerow(values)
    return page.getvalue()


def written(value: Any) -> str:
    """A value as text that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode().strip('"')
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


async def show_seals(request: Request) -> Response:
    """Sealed days, the latest first."""
    asked = forms.query(request, SealPage)
    found = await audit_seals.seals(session.services_of(request), asked.cursor, asked.limit)
    following = f"/admin/audit-log/seals?cursor={found.next}" if found.next else None
    return await render(request, SEALS, seals=found, _title="Seals", _next=following)
