"""Layout templates: pages that the operator designs, for whom, and what goes first (chapter 20 rule 6)."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from app.domain.homepage import template_choice
from app.domain.homepage.page_rows import BUILT_IN, Item
from app.domain.homepage.pages import free_slug
from app.domain.homepage.template_choice import Audience
from app.domain.homepage.widget_edits import MEMBER_CEILING, VISITOR_CEILING
from app.domain.platform import audit
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid, NotFound
from app.services import Services

Name = Annotated[str, Meta(min_length=1, max_length=80)]
Priority = Annotated[int, Meta(ge=-1000, le=1000)]
State = Literal["draft", "published", "retired"]


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """One template. `version` is the published one, 0 before the first; `has_draft` says that another is drawn up."""

    slug: str
    name: str
    audience: Audience
    flag_key: str | None
    priority: int
    state: State
    version: int
    published_at: datetime | None
    updated_at: datetime
    has_draft: bool
    widgets: int


class TemplateList(msgspec.Struct):
    """All templates, those that go first being first."""

    items: list[Template]
    total: int
    next: None = None


class NewTemplate(msgspec.Struct):
    """A template to add."""

    name: Name
    audience: Audience = "all"
    flag_key: str | None = None
    priority: Priority = 0


class TemplateChange(msgspec.Struct):
    """What of a template is to change; what is left out stays, an empty flag is none."""

    name: Name | None = None
    audience: Audience | None = None
    flag_key: str | None = None
    priority: Priority | None = None


LISTED = """
SELECT t.slug, t.name, t.audience, t.flag_key, t.priority, t.state, t.version, t.published_at, t.updated_at,
    count(w.key) FILTER (WHERE w.version > t.version) > 0 AS has_draft,
    coalesce(nullif(count(w.key) FILTER (WHERE w.version > t.version), 0),
             count(w.key) FILTER (WHERE w.version = t.version)) AS widgets
FROM layout_templates t LEFT JOIN template_widgets w ON w.template_id = t.id AND w.version >= t.version
WHERE $1::text IS NULL OR t.slug = $1
GROUP BY t.id ORDER BY t.state = 'published' DESC, t.priority DESC, t.id
"""


async def listed(services: Services) -> TemplateList:
    """Every template."""
    rows = await services.db.fetch(LISTED, None)
    return TemplateList([Template(**row) for row in rows], len(rows))


async def by_slug(services: Services, slug: str) -> Template:
    """One template. Raises NotFound."""
    row = await services.db.fetchrow(LISTED, slug)
    if row is None:
        raise absent()
    return Template(**row)


def absent() -> NotFound:
    """The problem of a name that no template has."""
    return NotFound("There is no template of that name.")


ROW = """
SELECT id, slug, name, audience, flag_key, priority, state, version FROM layout_templates WHERE slug = $1
"""
HELD = f"{ROW} FOR UPDATE"


async def held(tx: Services, slug: str, *, only_read: bool = False) -> Any:
    """A template's row, locked until the transaction ends unless it is only read. Raises NotFound."""
    row = await tx.db.fetchrow(ROW if only_read else HELD, slug)
    if row is None:
        raise absent()
    return row


ADD = """
INSERT INTO layout_templates (slug, name, audience, flag_key, priority) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (slug) DO NOTHING RETURNING id
"""


async def add(services: Services, who: Reader, new: NewTemplate) -> Template:
    """Add a template, which begins as a draft of the built-in page. Raises Invalid, Conflict."""
    async with services.tx() as tx:
        flag = await checked_flag(tx, new.flag_key)
        taken = {template.slug for template in (await listed(tx)).items}
        slug = free_slug(new.name, taken)
        row = (slug, new.name, new.audience, flag, new.priority)
        template_id = await tx.db.fetchval(ADD, *row)
        if template_id is None:
            raise Conflict("A template of that name was just added.", code="exists")
        await write(tx, template_id, 1, BUILT_IN.items)
        fields = dict(zip(("slug", *FIELDS), row, strict=True))
        await audit.add(tx, who, "template.added", ("template", slug), after=fields)
        return await by_slug(tx, slug)


FIELDS = ("name", "audience", "flag_key", "priority")
FLAG = "SELECT key FROM feature_flags WHERE key = $1"


async def checked_flag(services: Services, key: str | None) -> str | None:
    """The key of a flag that there is, or None. Raises Invalid."""
    if not key:
        return None
    if await services.db.fetchval(FLAG, key) is None:
        says = {"flag_key": "There is no flag of that name."}
        raise Invalid("There is no flag of that name.", errors=says)
    return key


CHANGE = """
UPDATE layout_templates SET name = $2, audience = $3, flag_key = $4, priority = $5, updated_at = now() WHERE id = $1
"""


async def change(services: Services, who: Reader, slug: str, wish: TemplateChange) -> Template:
    """Say anew for whom a template is and what goes first; it holds at once. Raises NotFound, Invalid."""
    async with services.tx() as tx:
        row = await held(tx, slug)
        before = {name: row[name] for name in FIELDS}
        given = {name: getattr(wish, name) for name in FIELDS if getattr(wish, name) is not None}
        after = before | given
        after["flag_key"] = await checked_flag(tx, after["flag_key"])
        if after["audience"] != before["audience"]:
            await refuse_crowd(tx, row, after["audience"])
        if after != before:
            await tx.db.execute(CHANGE, row["id"], *(after[name] for name in FIELDS))
            target = ("template", slug)
            await audit.add(tx, who, "template.changed", target, before=before, after=after)
        found = await by_slug(tx, slug)
    await template_choice.refresh(services)
    return found


COUNT = "SELECT count(*) FROM template_widgets WHERE template_id = $1 AND version = $2"


async def refuse_crowd(tx: Services, row: Any, audience: Audience) -> None:
    """Refuse an audience whose pages hold less than is published. Raises Invalid."""
    ceiling = ceiling_of(audience)
    if await tx.db.fetchval(COUNT, row["id"], row["version"]) > ceiling:
        says = f"For this audience a page holds at most {ceiling} widgets; publish fewer first."
        raise Invalid(says, errors={"audience": says})


def ceiling_of(audience: Audience) -> int:
    """How many widgets a template for these people may have."""
    return MEMBER_CEILING if audience == "members" else VISITOR_CEILING


REMOVE = "DELETE FROM layout_templates WHERE id = $1"
RETIRE = "UPDATE layout_templates SET state = 'retired', updated_at = now() WHERE id = $1"


async def remove(services: Services, who: Reader, slug: str) -> Template | None:
    """Take a template out of use: a draft goes, one that was published stays as retired. Raises NotFound."""
    async with services.tx() as tx:
        row = await held(tx, slug)
        is_draft = row["state"] == "draft"
        if row["state"] != "retired":
            await tx.db.execute(REMOVE if is_draft else RETIRE, row["id"])
            act = "template.removed" if is_draft else "template.retired"
            before = {name: row[name] for name in ("state", "version")}
            await audit.add(tx, who, act, ("template", slug), before=before)
        found = None if is_draft else await by_slug(tx, slug)
    await template_choice.refresh(services)
    return found


WRITE = """
WITH given AS (
    SELECT key, type, title, settings, x, y, w, h, phone_order, phone_w, phone_hidden, lock
    FROM jsonb_to_recordset($3) AS g (
        key text, type text, title text, settings jsonb, x smallint, y smallint, w smallint, h smallint,
        phone_order smallint, phone_w smallint, phone_hidden boolean, lock text)
), gone AS (
    DELETE FROM template_widgets w
    WHERE w.template_id = $1 AND w.version = $2 AND NOT EXISTS (SELECT FROM given g WHERE g.key = w.key)
)
INSERT INTO template_widgets
    (template_id, version, key, type, title, settings, x, y, w, h, phone_order, phone_w, phone_hidden, lock)
SELECT $1, $2, key, type, title, settings, x, y, w, h, phone_order, phone_w, phone_hidden, lock FROM given
ON CONFLICT (template_id, version, key) DO UPDATE SET
    title = EXCLUDED.title, settings = EXCLUDED.settings, x = EXCLUDED.x, y = EXCLUDED.y, w = EXCLUDED.w,
    h = EXCLUDED.h, phone_order = EXCLUDED.phone_order, phone_w = EXCLUDED.phone_w,
    phone_hidden = EXCLUDED.phone_hidden, lock = EXCLUDED.lock
"""


async def write(tx: Services, template_id: int, version: int, items: Any) -> None:
    """Make these the widgets of a version that is being drawn up."""
    await tx.db.execute(WRITE, template_id, version, msgspec.to_builtins(list(items)))


OF_VERSION = """
SELECT key, type, title, settings, x, y, w, h, phone_order, phone_w, phone_hidden, lock
FROM template_widgets WHERE template_id = $1 AND version = $2 ORDER BY y, x, key
"""


async def widgets(services: Services, template_id: int, version: int) -> list[Item]:
    """The widgets of one version; of no template those of the built-in page."""
    if template_id == 0:
        return list(BUILT_IN.items)
    rows = await services.db.fetch(OF_VERSION, template_id, version)
    return [template_choice.item_of(row) for row in rows]
