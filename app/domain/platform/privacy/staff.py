"""Privacy for others: what an admin with handle_privacy asks for in a person's name, with a reason, and audited."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from app.domain.platform import audit
from app.domain.platform.privacy import requests
from app.domain.platform.privacy.histories import Request, request_of
from app.domain.platform.privacy.requests import SHOWN, RequestList
from app.domain.platform.readers import Reader
from app.errors import Conflict, Forbidden, Invalid
from app.services import Services

ACTIONS = {"EXPORT": "privacy.export_asked", "DELETION": "privacy.deletion_asked"}


class Asked(msgspec.Struct):
    """Whom it is about (number or address), what is asked for, and why."""

    member: Annotated[str, Meta(min_length=1, max_length=254)]
    request_type: Literal["EXPORT", "DELETION"]
    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class Page(msgspec.Struct):
    """Which wishes to list."""

    cursor: Annotated[int, Meta(ge=1)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    status: (
        Literal["waiting", "pending", "processing", "completed", "failed", "cancelled"] | None
    ) = None


LISTED = (
    SHOWN
    + "WHERE ($1::bigint IS NULL OR id < $1) AND ($3::text IS NULL OR status = $3) ORDER BY id DESC LIMIT $2"
)


async def listed(services: Services, page: Page) -> RequestList:
    """All wishes, the latest first."""
    rows = await services.db.fetch(LISTED, page.cursor, page.limit + 1, page.status)
    items = [request_of(row) for row in rows[: page.limit]]
    return RequestList(items, None, str(items[-1].id) if len(rows) > page.limit else None)


FOUND = """
SELECT id, role FROM users
WHERE kind = 'member' AND (email = $1::citext OR id = CASE WHEN $1 ~ '^[0-9]{1,18}$' THEN $1::bigint END)
"""


async def ask(services: Services, who: Reader, asked: Asked) -> Request:
    """Ask for an export or deletion in a person's name; the person is told. Raises Invalid, Forbidden, TooMany, Conflict."""
    async with services.tx() as tx:
        person = await tx.db.fetchrow(FOUND, asked.member.strip())
        if person is None:
            sentence = "There is no member with this number or address."
            raise Invalid(sentence, errors={"member": sentence})
        if person["role"] is not None:
            raise Forbidden("Take this person's role away first.", code="is_admin")
        if asked.request_type == "EXPORT":
            request_id = await requests.add_export(tx, person["id"], who.id, asked.reason)
        else:
            request_id, _ = await requests.add_deletion(tx, person["id"], who.id, asked.reason)
        target = ("member", person["id"])
        after = {"request_id": request_id}
        await audit.add(tx, who, ACTIONS[asked.request_type], target, asked.reason, after=after)
        return await requests.one(tx, request_id)


async def cancel(services: Services, who: Reader, request_id: int, reason: str) -> Request:
    """Call a wish off while nothing was done for it; the person is told. Raises NotFound, Conflict."""
    async with services.tx() as tx:
        found = await requests.one(tx, request_id)
        if not await requests.cancel(tx, request_id):
            raise Conflict("It is too late: this request is being carried out or has ended.")
        target = ("member", found.user_id)
        after = {"request_id": request_id}
        await audit.add(tx, who, "privacy.cancelled", target, reason, after=after)
        return await requests.one(tx, request_id)
