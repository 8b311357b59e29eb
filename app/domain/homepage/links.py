"""Quick links: the places one person goes every day, in lists, in their own order."""

import re
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from app.domain.homepage import versions
from app.domain.homepage.widget_types import LinksSettings
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid, NotFound
from app.services import Services

CEILING = 200


class Link(msgspec.Struct):
    """One link."""

    id: int
    title: str
    url: str
    list: str = "main"
    icon_key: str | None = None


class LinkList(msgspec.Struct):
    """The links of one person, in order."""

    items: list[Link]
    total: int
    next: str | None = None


class NewLink(msgspec.Struct):
    """One link to add."""

    url: Annotated[str, Meta(min_length=1, max_length=2000)]
    title: Annotated[str, Meta(max_length=80)] | None = None
    list: Annotated[str, Meta(min_length=1, max_length=40)] = "main"


class LinkChange(msgspec.Struct):
    """What of a link is to change."""

    url: Annotated[str, Meta(max_length=2000)] | None = None
    title: Annotated[str, Meta(max_length=80)] | None = None
    list: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    move: Annotated[str, Meta(pattern="^(up|down)$")] | None = None


class LinksWidget(msgspec.Struct):
    """One list of links on the front page."""

    items: list[Link]
    state: str
    list: str


MINE = """
SELECT id, title, url, list, icon_key FROM quick_links
WHERE user_id = $1 AND deleted_at IS NULL AND ($2::text IS NULL OR list = $2) ORDER BY list, sort, id
"""


async def mine(services: Services, who: Reader | None, name: str | None = None) -> LinkList:
    """The reader's links, of one list or of all."""
    rows = await services.db.fetch(MINE, who.id, name) if who else []
    return LinkList([Link(**dict(row)) for row in rows], len(rows))


async def filled(
    services: Services, who: Reader | None, wishes: Sequence[LinksSettings]
) -> list[LinksWidget]:
    """The lists that the widgets of one page show."""
    items = (await mine(services, who)).items
    lists = [[link for link in items if link.list == wish.list] for wish in wishes]
    return [
        LinksWidget(found, "fresh" if found else "empty", wish.list)
        for found, wish in zip(lists, wishes, strict=True)
    ]


# One at a time a person: of two requests at once the second counts what the first added.
LOCK_PERSON = "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE"
ADD = """
INSERT INTO quick_links (user_id, list, title, url, sort)
SELECT $1, $2, $3, $4, coalesce((SELECT max(sort) FROM quick_links WHERE user_id = $1 AND list = $2), 0) + 1
WHERE (SELECT count(*) FROM quick_links WHERE user_id = $1 AND deleted_at IS NULL) < $5
RETURNING id, title, url, list, icon_key
"""


async def add(services: Services, who: Reader, new: NewLink) -> Link:
    """Add a link at the end of its list. Raises Invalid, Conflict over 200."""
    url = checked_url(new.url)
    async with services.tx() as tx:
        await tx.db.fetchval(LOCK_PERSON, who.id)
        row = await tx.db.fetchrow(ADD, who.id, new.list, new.title or host_of(url), url, CEILING)
        if row is None:
            raise full()
        await versions.bump(tx, who.id, "links")
    return Link(**dict(row))


def full() -> Conflict:
    """The problem of one link too many."""
    return Conflict(f"You have {CEILING} links. Remove one to add another.", code="too_many_links")


def checked_url(text: str) -> str:
    """An http or https address; a bare host gets https. Raises Invalid."""
    url = text.strip()
    if not re.match(r"^[a-zA-Z][a-zA-Z0-9+.-]*:", url) or re.match(r"^[\w.-]+:\d+(/|$)", url):
        url = f"https://{url}"
    if not is_web_address(url) or len(url) > 2000:
        raise Invalid(
            "Please check the address.",
            errors={"url": "Please give an address that begins with http:// or https://."},
        )
    return url


def is_web_address(url: str) -> bool:
    """Whether this is http or https with a host, without spaces in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        # As of http://[::1, whose bracket is open.
        return False
    is_clean = all(ord(sign) >= 33 for sign in url)
    return is_clean and parts.scheme.lower() in ("http", "https") and bool(parts.hostname)


def host_of(url: str) -> str:
    """The host of an address, for a title."""
    return (urlsplit(url).hostname or url).removeprefix("www.")[:80]


CHANGE = """
UPDATE quick_links SET title = coalesce($3, title), url = coalesce($4, url), list = coalesce($5, list)
WHERE id = $1 AND user_id = $2 AND deleted_at IS NULL
RETURNING id, title, url, list, icon_key
"""


async def change(services: Services, who: Reader, link_id: int, wish: LinkChange) -> Link:
    """Change one link, or move it up or down in its list. Raises NotFound, Invalid."""
    url = checked_url(wish.url) if wish.url else None
    async with services.tx() as tx:
        row = await tx.db.fetchrow(CHANGE, link_id, who.id, wish.title or None, url, wish.list)
        if row is None:
            raise NotFound("This link is not here any more.")
        if wish.move:
            await move(tx, who, row["list"], link_id, -1 if wish.move == "up" else 1)
        await versions.bump(tx, who.id, "links")
    return Link(**dict(row))


async def move(services: Services, who: Reader, name: str, link_id: int, step: int) -> None:
    """Swap a link with its neighbour."""
    order = [link.id for link in (await mine(services, who, name)).items]
    place = order.index(link_id)
    other = min(max(place + step, 0), len(order) - 1)
    order[place], order[other] = order[other], order[place]
    await services.db.execute(ORDER, who.id, order)


ORDER = """
UPDATE quick_links SET sort = places.place
FROM unnest($2::bigint[]) WITH ORDINALITY AS places (id, place)
WHERE quick_links.id = places.id AND user_id = $1
"""


class LinkOrder(msgspec.Struct):
    """Ids of links in the order they should have."""

    ids: Annotated[list[int], Meta(max_length=200)]


async def put_in_order(services: Services, who: Reader, order: LinkOrder) -> LinkList:
    """Put links in this order; those not named keep theirs."""
    async with services.tx() as tx:
        await tx.db.execute(ORDER, who.id, order.ids)
        await versions.bump(tx, who.id, "links")
        return await mine(tx, who)


COUNT = "SELECT count(*) FROM quick_links WHERE user_id = $1 AND deleted_at IS NULL"
REMOVE = "UPDATE quick_links SET deleted_at = now() WHERE id = $1 AND user_id = $2 AND deleted_at IS NULL RETURNING id"
RESTORE = """
UPDATE quick_links SET deleted_at = NULL
WHERE id = $1 AND user_id = $2 AND deleted_at > now() - interval '1 day' RETURNING id
"""


async def remove(services: Services, who: Reader, link_id: int) -> None:
    """Remove a link; it can be brought back. Raises NotFound."""
    await flip(services, REMOVE, who, link_id)


async def restore(services: Services, who: Reader, link_id: int) -> None:
    """Bring a removed link back. Raises NotFound, Conflict when 200 others stand there."""
    async with services.tx() as tx:
        await tx.db.fetchval(LOCK_PERSON, who.id)
        if await tx.db.fetchval(COUNT, who.id) >= CEILING:
            raise full()
        await flip(tx, RESTORE, who, link_id)


async def flip(services: Services, statement: str, who: Reader, link_id: int) -> None:
    """Remove or restore a link by that statement. Raises NotFound."""
    async with services.tx() as tx:
        if await tx.db.fetchval(statement, link_id, who.id) is None:
            raise NotFound("This link is not here any more.")
        await versions.bump(tx, who.id, "links")


PURGE = "DELETE FROM quick_links WHERE deleted_at < now() - interval '1 day'"


async def purge(services: Services) -> None:
    """Forget links that were removed a day ago."""
    await services.db.execute(PURGE)
