"""Pages of widgets: what one person sees on the front page and on each of their tabs (chapter 20 rules 1 to 8)."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import msgspec

from app.domain.homepage import placement, template_choice, widget_offers
from app.domain.homepage.page_rows import HOME, Base, Item, Lock, Row
from app.domain.homepage.phone_orders import phone_order
from app.domain.homepage.template_merging import merged
from app.domain.homepage.versions import bump
from app.domain.homepage.widget_types import BY_NAME
from app.domain.platform.readers import Reader
from app.errors import Conflict, NotFound
from app.services import Services

MAX_PAGES = 10
NAME_CEILING = 40


class Widget(msgspec.Struct, frozen=True, kw_only=True):
    """One widget of a page as it is drawn: what it is, and its place on each screen."""

    key: str
    origin: str
    type: str
    title: str | None
    settings: dict[str, Any]
    x: int
    y: int
    w: int
    h: int
    tx: int
    ty: int
    tw: int
    th: int
    phone_order: int
    phone_w: int
    phone_hidden: bool
    classes: str
    lock: Lock = "free"


class Tab(msgspec.Struct, frozen=True):
    """One of a person's pages, as the row of tabs names it."""

    slug: str
    name: str


class PageView(msgspec.Struct, frozen=True, kw_only=True):
    """One page: its widgets in reading order. `is_touched` says whether it differs from the template.

    `template` is the template it starts from, as id and version (0: the built-in page), `known` the one that its person
    was told of last; `said` a sentence about what was just done.
    """

    slug: str
    name: str
    version: int
    is_touched: bool
    tabs: tuple[Tab, ...]
    widgets: list[Widget]
    template: tuple[int, int] = (0, 0)
    known: tuple[int, int] = (0, 0)
    said: str = ""


SHOWN = """
SELECT p.slug, p.name, p.version, coalesce(p.template_id, 0) AS template_id, p.template_version, CASE WHEN p.slug = $2 THEN (
    SELECT jsonb_agg(to_jsonb(own) - 'page_id') FROM page_widgets own WHERE own.page_id = p.id
) END AS rows
FROM pages p WHERE p.user_id = $1 ORDER BY p.sort, p.id
"""


async def shown(services: Services, who: Reader | None, slug: str = HOME) -> PageView:
    """A person's page; the untouched front page for who has none. One query, none without a person. Raises NotFound."""
    found = await services.db.fetch(SHOWN, who.id, slug) if who else []
    base = template_choice.base_of(services, who, slug)
    hidden = widget_offers.hidden(services, who)
    names = {page["slug"]: page["name"] for page in found}
    tabs = tuple(Tab(slug, name) for slug, name in ({HOME: "Home"} | names).items())
    for page in found:
        if page["slug"] == slug:
            return kept(page, base, hidden, tabs)
    if slug != HOME:
        raise NotFound("You have no page of that name.")
    return PageView(
        slug=HOME,
        name="Home",
        version=0,
        is_touched=False,
        tabs=tabs,
        widgets=untouched(base, hidden),
        template=(base.id, base.version),
        known=(base.id, base.version),
    )


def kept(page: Any, base: Base, hidden: frozenset[str], tabs: tuple[Tab, ...]) -> PageView:
    """A page that has a row, of which the widgets' rows are a part."""
    rows = msgspec.convert(page["rows"] or [], list[Row])
    return PageView(
        slug=page["slug"],
        name=page["name"],
        version=page["version"],
        is_touched=bool(rows),
        tabs=tabs,
        widgets=drawn(merged(base, rows, hidden)) if rows else untouched(base, hidden),
        template=(base.id, base.version),
        known=(page["template_id"], page["template_version"]),
    )


def untouched(base: Base, hidden: frozenset[str]) -> list[Widget]:
    """The widgets of the page that nobody changed, but those of hidden types; drawn once for all who have it."""
    key = (id(base), hidden)
    if key not in _untouched:
        if len(_untouched) > UNTOUCHED_KEPT:
            _untouched.clear()
        # The base is kept beside what was drawn of it, so that no other can get its id.
        _untouched[key] = base, drawn(merged(base, (), hidden))
    return _untouched[key][1]


UNTOUCHED_KEPT = 200
_untouched: dict[tuple[int, frozenset[str]], tuple[Base, list[Widget]]] = {}


def drawn(items: Sequence[Item]) -> list[Widget]:
    """Widgets with their places on all three screens; the items stand in reading order."""
    tablet = placement.tablet(item.box for item in items)
    order = {key: n for n, key in enumerate(phone_order(items), 1)}
    return [widget_of(item, tablet[item.key], order[item.key]) for item in items]


def widget_of(item: Item, tablet: placement.Box, order: int) -> Widget:
    """One widget with its classes: the CSP allows no inline style."""
    _, tx, ty, tw, th, _ = tablet
    places = f"x-{item.x} y-{item.y} w-{item.w} h-{item.h} tx-{tx} ty-{ty} tw-{tw} th-{th}"
    hidden = " phone-hidden" if item.phone_hidden else ""
    return Widget(
        key=item.key,
        origin=item.origin,
        type=item.type,
        title=item.title,
        settings=item.settings,
        x=item.x,
        y=item.y,
        w=item.w,
        h=item.h,
        tx=tx,
        ty=ty,
        tw=tw,
        th=th,
        phone_order=order,
        phone_w=item.phone_w,
        phone_hidden=item.phone_hidden,
        classes=f"{places} po-{order} pw-{item.phone_w}{hidden}",
        lock=item.lock,
    )


def lone(name: str) -> Widget:
    """A widget of that type on no page, with its defaults."""
    kind = BY_NAME[name]
    item = Item(key=kind.kind, origin="own", type=name, x=0, y=0, w=kind.w, h=kind.h)
    return msgspec.structs.replace(drawn([item])[0], classes="")


# The person's row is locked so that two requests at once cannot both be the tenth.
LOCK_PERSON = """
SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE
"""
ADD = """
INSERT INTO pages (user_id, slug, name, sort)
SELECT $1, $2, $3, coalesce(max(sort), 0) + 1 FROM pages WHERE user_id = $1
"""


async def add(services: Services, who: Reader, name: str) -> PageView:
    """Add an empty tab. Raises Conflict when there are ten already."""
    async with services.tx() as tx:
        await tx.db.fetchval(LOCK_PERSON, who.id)
        tabs = (await shown(tx, who)).tabs
        if len(tabs) >= MAX_PAGES:
            raise Conflict(
                f"You have {MAX_PAGES} pages, which is the most. Remove one to add another.",
                code="too_many_pages",
            )
        slug = free_slug(name, {tab.slug for tab in tabs} | {"imports"})
        await tx.db.execute(ADD, who.id, slug, name)
        await bump(tx, who.id, "page")
        return await shown(tx, who, slug)


def free_slug(name: str, taken: set[str]) -> str:
    """An address for a name: its letters and digits, with a number where it is taken."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:36].rstrip("-") or "page"
    numbered = (f"{slug}-{n}" for n in range(2, len(taken) + 3))
    return slug if slug not in taken else next(found for found in numbered if found not in taken)


# The front page has no row until something of it is kept; a tab that was removed meanwhile stays removed.
RENAME_HOME = """
INSERT INTO pages (user_id, slug, name, template_id, template_version) VALUES ($1, 'home', $2, nullif($3, 0), $4)
ON CONFLICT (user_id, slug) DO UPDATE SET name = EXCLUDED.name, version = pages.version + 1
"""
RENAME = """
UPDATE pages SET name = $3, version = version + 1 WHERE user_id = $1 AND slug = $2
"""


async def rename(services: Services, who: Reader, slug: str, name: str) -> PageView:
    """Give a tab another name; its address stays. Raises NotFound."""
    async with services.tx() as tx:
        if slug == HOME:
            base = template_choice.chosen(tx, who)
            await tx.db.execute(RENAME_HOME, who.id, name, base.id, base.version)
        else:
            await tx.db.execute(RENAME, who.id, slug, name)
        await bump(tx, who.id, "page")
        return await shown(tx, who, slug)


# Home stays first; the others are numbered anew around the one that moves.
REORDER = """
UPDATE pages p SET sort = o.n FROM unnest($2::text[]) WITH ORDINALITY AS o (slug, n)
WHERE p.user_id = $1 AND p.slug = o.slug AND p.slug <> 'home'
"""


async def reorder(services: Services, who: Reader, slug: str, position: int) -> PageView:
    """Put a tab at `position` among the tabs after Home, from 1. Raises NotFound, Conflict for Home."""
    async with services.tx() as tx:
        await tx.db.fetchval(LOCK_PERSON, who.id)
        view = await shown(tx, who, slug)
        refuse_home(slug, "Home stays the first of your pages.")
        slugs = [tab.slug for tab in view.tabs if tab.slug not in (HOME, slug)]
        slugs.insert(position - 1, slug)
        await tx.db.execute(REORDER, who.id, slugs)
        await bump(tx, who.id, "page")
        return await shown(tx, who, slug)


async def remove(services: Services, who: Reader, slug: str) -> None:
    """Remove a tab with all that is on it. Raises NotFound, Conflict for Home."""
    refuse_home(slug, "Home cannot be removed. You can set it back to how it came.")
    async with services.tx() as tx:
        await shown(tx, who, slug)
        await tx.db.execute("DELETE FROM pages WHERE user_id = $1 AND slug = $2", who.id, slug)
        await bump(tx, who.id, "page")


def refuse_home(slug: str, sentence: str) -> None:
    """Say no where the front page is meant. Raises Conflict."""
    if slug == HOME:
        raise Conflict(sentence, code="home_stays")
