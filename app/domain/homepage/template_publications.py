"""Publications of templates: a draft becomes the next version, which everybody has at once (chapter 20 rules 5 and 6)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from app.domain.homepage import (
    layout_templates,
    placement,
    template_choice,
    template_differences,
    template_drafts,
)
from app.domain.homepage.layout_templates import Template
from app.domain.homepage.page_rows import Item
from app.domain.homepage.template_choice import Audience
from app.domain.homepage.template_locks import label_of
from app.domain.homepage.widget_edits import refuse_overhang, sparing
from app.domain.homepage.widget_types import by_name
from app.domain.platform import audit
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid
from app.services import Services

PUBLISH = """
UPDATE layout_templates SET version = $2, state = 'published', published_at = now(), updated_at = now() WHERE id = $1
"""


async def publish(services: Services, who: Reader, slug: str, reason: str = "") -> Template:
    """Make what is drawn up the next version; no page of a person is written. Raises NotFound, Invalid, Conflict."""
    async with services.tx() as tx:
        row = await layout_templates.held(tx, slug)
        draft = await template_drafts.held(tx, slug)
        before = await published(tx, row)
        refuse_unchanged(row, before, draft.items)
        check(draft.items, row["audience"])
        await layout_templates.write(tx, draft.id, draft.version, draft.items)
        await tx.db.execute(PUBLISH, draft.id, draft.version)
        after = {
            "version": draft.version,
            "changes": template_differences.sentence(
                template_differences.between(before, draft.items)
            ),
        }
        old = {name: row[name] for name in ("version", "state")}
        target = ("template", slug)
        await audit.add(tx, who, "template.published", target, reason, before=old, after=after)
        found = await layout_templates.by_slug(tx, slug)
    await template_choice.refresh(services)
    return found


async def published(services: Services, row: Any) -> list[Item]:
    """The widgets that people have of a template now; none before its first version."""
    return await layout_templates.widgets(services, row["id"], row["version"])


def refuse_unchanged(row: Any, before: Sequence[Item], after: Sequence[Item]) -> None:
    """Refuse a version that is as the one that people have. Raises Conflict."""
    if row["state"] == "published" and list(before) == list(after):
        raise Conflict("Nothing is drawn up that people do not have yet.", code="nothing_new")


def check(items: Sequence[Item], audience: Audience) -> None:
    """Refuse a template that would not pass as a person's own layout. Raises Invalid with a sentence a widget."""
    errors = {item.key: says for item in items if (says := fault_of(item))}
    ceiling = layout_templates.ceiling_of(audience)
    if not items:
        errors[""] = "A page needs at least one widget."
    elif len(items) > ceiling:
        errors[""] = f"For this audience a page holds at most {ceiling} widgets."
    boxes = [item.box._replace(fixed=False) for item in items]
    if not errors and placement.compacted(boxes) != sorted(
        boxes, key=lambda box: (box.y, box.x, box.key)
    ):
        errors[""] = "The widgets do not stand close together. Move one of them, and try again."
    if errors:
        raise Invalid("This template cannot be published.", code="template_fails", errors=errors)


def fault_of(item: Item) -> str:
    """What is wrong with one widget of a template; nothing when it is well."""
    try:
        refuse_overhang(item.box)
        sparing(by_name(item.type), msgspec.to_builtins(item.settings))
    except Invalid as problem:
        return f"{label_of(item)}: {next(iter(problem.errors.values()), problem.sentence)}"
    if item.lock != "free" and item.phone_hidden:
        return f"{label_of(item)}: What has to stay cannot be hidden on the phone."
    return ""
