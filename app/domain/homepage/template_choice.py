"""Which template a person's front page starts from (chapter 20 rule 6): kept in memory like flags, asked without a wait."""

from typing import Any, Literal

import msgspec

from app.domain.homepage.page_rows import BUILT_IN, HOME, NOTHING, TEMPLATE, Base, Item
from app.domain.homepage.phone_orders import phone_order
from app.domain.platform import flags
from app.domain.platform.memories import READERS
from app.domain.platform.readers import Reader
from app.services import Services

Audience = Literal["visitors", "members", "all"]


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A template that people may have, with its widgets."""

    audience: Audience
    flag_key: str | None
    base: Base


class Templates(msgspec.Struct, frozen=True):
    """The published templates as last read, the one that goes first being first; and the built-in page after them."""

    published: tuple[Published, ...] = ()
    built_in: Base = BUILT_IN


def of(services: Services) -> Templates:
    """The templates of this process as last read."""
    found: Templates | None = services.memory.get("templates")
    return found or Templates()


def chosen(services: Services, who: Reader | None) -> Base:
    """The template that this reader's front page starts from. For nobody known a flag counts at 100 % only."""
    templates = of(services)
    for template in templates.published:
        if fits(template.audience, who) and (
            template.flag_key is None or flags.is_on(services, who, template.flag_key)
        ):
            return template.base
    return templates.built_in


def fits(audience: Audience, who: Reader | None) -> bool:
    """Whether a template is for this reader at all."""
    return audience == "all" or (audience == "members") == (who is not None and who.is_member)


def base_of(services: Services, who: Reader | None, slug: str) -> Base:
    """What a page starts from: the front page from a template, a tab from nothing."""
    return chosen(services, who) if slug == HOME else NOTHING


def stamp(services: Services, who: Reader | None) -> tuple[int, int]:
    """What a key has to tell of the template: which one, and its version."""
    base = chosen(services, who)
    return base.id, base.version


# One statement: a publication between two would give everybody a page with nothing on it. Of each widget that any
# template ever showed its last form; a published one needs those of its version.
KNOWN = """
SELECT DISTINCT ON (t.id, w.key)
    t.id AS template_id, t.name, t.audience, t.flag_key, t.priority, t.state, t.version AS published,
    w.version, w.key, w.type, w.title, w.settings, w.x, w.y, w.w, w.h, w.phone_order, w.phone_w, w.phone_hidden, w.lock
FROM layout_templates t JOIN template_widgets w ON w.template_id = t.id AND w.version <= t.version
ORDER BY t.id, w.key, w.version DESC
"""


async def refresh(services: Services) -> bool:
    """Read all templates again; return whether they changed. Raises ServiceDown, and then the last known ones stay."""
    before = of(services)
    rows = await services.db.fetch(KNOWN)
    past = {row["key"]: item_of(row) for row in rows} | BUILT_IN.past
    by_template: dict[int, list[Any]] = {}
    for row in rows:
        by_template.setdefault(row["template_id"], []).append(row)
    in_turn = sorted(
        by_template.values(), key=lambda its: (-its[0]["priority"], its[0]["template_id"])
    )
    found = [published(its, past) for its in in_turn if its[0]["state"] == "published"]
    after = services.memory["templates"] = Templates(tuple(found), Base(items=TEMPLATE, past=past))
    return after != before


def published(rows: list[Any], past: dict[str, Item]) -> Published:
    """One template that people may have, from the rows of all its widgets."""
    first = rows[0]
    now = [item_of(row) for row in rows if row["version"] == first["published"]]
    base = Base(
        id=first["template_id"],
        version=first["published"],
        name=first["name"],
        items=with_slots(now),
        past=past | {row["key"]: item_of(row) for row in rows},
    )
    return Published(audience=first["audience"], flag_key=first["flag_key"], base=base)


def item_of(row: Any) -> Item:
    """One widget of a template, from its row."""
    given = {name: row[name] for name in Item.__struct_fields__ if name != "origin"}
    return Item(origin="template", **given)


def with_slots(items: list[Item]) -> tuple[Item, ...]:
    """The widgets in the page's order; a locked one knows its place on the phone, which nobody moves."""
    order = phone_order([msgspec.structs.replace(item, lock="free") for item in in_order(items)])
    return tuple(
        msgspec.structs.replace(item, phone_order=order.index(item.key) + 1)
        if item.lock == "locked"
        else item
        for item in in_order(items)
    )


def in_order(items: list[Item]) -> list[Item]:
    """The widgets as they are read: by row, then column."""
    return sorted(items, key=lambda item: (item.y, item.x, item.key))


READERS["templates"] = refresh
