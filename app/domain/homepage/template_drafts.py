"""Drafts: the next version of a template while it is drawn up, edited as a page is (chapter 20 §3)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from app.domain.homepage import layout_templates, pages, widget_edits
from app.domain.homepage.page_rows import Item, Lock, closed_up
from app.domain.homepage.page_widgets import Added
from app.domain.homepage.pages import PageView, Widget
from app.domain.homepage.widget_edits import PUTS, Patch, Place, named
from app.domain.homepage.widget_types import by_name
from app.domain.platform import audit
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid
from app.services import Services

Edit = Callable[[list[Item]], Sequence[Item]]


class LockPatch(Patch, frozen=True, kw_only=True):
    """What of a template's widget is set anew: as of a person's, and what people may do with it."""

    lock: Lock | msgspec.UnsetType = msgspec.UNSET


class Draft(msgspec.Struct, frozen=True):
    """A template under the caller's lock, with the widgets of its next version."""

    id: int
    name: str
    version: int
    items: list[Item]


async def shown(services: Services, slug: str) -> PageView:
    """The draft as a page; while nothing is drawn up, what is published. Raises NotFound."""
    draft = await read(services, slug)
    return view_of(slug, draft.name, draft)


async def items(services: Services, slug: str) -> list[Item]:
    """The widgets of the draft, with their locks. Raises NotFound."""
    return (await read(services, slug)).items


def view_of(slug: str, name: str, draft: Draft) -> PageView:
    """The draft as the editor draws it."""
    locks = {item.key: item.lock for item in draft.items}
    widgets = pages.drawn(closed_up(unlocked(draft.items)))
    return PageView(
        slug=slug,
        name=name,
        version=draft.version,
        is_touched=False,
        tabs=(),
        widgets=[msgspec.structs.replace(w, lock=locks[w.key]) for w in widgets],
    )


def unlocked(items: Sequence[Item]) -> list[Item]:
    """The widgets as their operator may move them."""
    return [msgspec.structs.replace(item, lock="free") for item in items]


async def held(tx: Services, slug: str) -> Draft:
    """The draft, locked until the transaction ends. Raises NotFound."""
    return await draft_of(tx, await layout_templates.held(tx, slug))


async def read(services: Services, slug: str) -> Draft:
    """The draft for who only looks: it keeps nobody from drawing on. Raises NotFound."""
    async with services.held() as held:
        return await draft_of(held, await layout_templates.held(held, slug, only_read=True))


async def draft_of(services: Services, row: Any) -> Draft:
    """The draft of a template's row."""
    items = await layout_templates.widgets(services, row["id"], row["version"] + 1)
    if not items and row["version"]:
        items = await layout_templates.widgets(services, row["id"], row["version"])
    return Draft(row["id"], row["name"], row["version"] + 1, items)


async def change(services: Services, who: Reader, slug: str, op: str, edit: Edit) -> PageView:
    """Change a draft by `edit`, which gets its widgets without their locks. Raises NotFound, Conflict."""
    async with services.tx() as tx:
        return await make(tx, who, slug, await held(tx, slug), op, edit)


async def make(
    tx: Services,
    who: Reader,
    slug: str,
    draft: Draft,
    op: str,
    edit: Edit,
    locked: dict[str, Lock] | None = None,
) -> PageView:
    """Make one change of a draft that is held, with new locks by key where there are any; answer it as it then stands."""
    locks = {item.key: item.lock for item in draft.items} | (locked or {})
    edited = closed_up(edit(unlocked(draft.items)))
    if not edited:
        raise Conflict("A template has at least one widget.", code="empty_template")
    items = [
        msgspec.structs.replace(item, lock=locks.get(item.key, "free"), origin="template")
        for item in edited
    ]
    await layout_templates.write(tx, draft.id, draft.version, items)
    after = {"version": draft.version, "op": op}
    await audit.add(tx, who, "template.drafted", ("template", slug), after=after)
    return view_of(slug, draft.name, msgspec.structs.replace(draft, items=items))


# A key never comes again in any template: what people changed of a widget must not fall to another.
KEYS = "SELECT DISTINCT key FROM template_widgets WHERE template_id = $1"


async def added(
    services: Services,
    who: Reader,
    slug: str,
    op: str,
    name_of: Callable[[list[Item]], str],
    edit: Callable[..., Any],
) -> Added:
    """The change that brings one more widget. Raises Invalid, NotFound, Conflict."""
    async with services.tx() as tx:
        draft = await held(tx, slug)
        refuse_full(draft)
        kind = by_name(name_of(draft.items))
        taken = {row["key"] for row in await tx.db.fetch(KEYS, draft.id)}
        key = widget_edits.free_key(f"t{draft.id}_{kind.kind}", taken)
        view = await make(tx, who, slug, draft, f"{op}:{key}", lambda items: edit(items, key))
    return Added(widget_of(view, key), view)


def refuse_full(draft: Draft) -> None:
    """Refuse one widget too many. Raises Conflict."""
    if len(draft.items) >= widget_edits.MEMBER_CEILING:
        raise Conflict(
            f"A page holds at most {widget_edits.MEMBER_CEILING} widgets.", code="page_full"
        )


def widget_of(view: PageView, key: str) -> Widget:
    """The widget of that key. Raises NotFound."""
    for widget in view.widgets:
        if widget.key == key:
            return widget
    raise widget_edits.not_there()


async def add(
    services: Services, who: Reader, slug: str, name: str, settings: dict[str, Any]
) -> Added:
    """Add a widget of that type where it stands highest. Raises Invalid, NotFound, Conflict."""
    kind = by_name(name)
    kept = widget_edits.sparing(kind, settings)

    def with_new(items: list[Item], key: str) -> Sequence[Item]:
        return widget_edits.with_new(items, key, kind, kept)

    return await added(services, who, slug, "add", lambda _: name, with_new)


async def copy(services: Services, who: Reader, slug: str, key: str) -> Added:
    """Put a copy of a widget right below it. Raises NotFound, Conflict."""
    return await added(
        services,
        who,
        slug,
        "copy",
        lambda items: named(items, key).type,
        lambda items, new: widget_edits.with_copy(items, key, new),
    )


async def place(services: Services, who: Reader, slug: str, key: str, wish: Place) -> PageView:
    """Put a widget where the operator wants it. Raises Invalid, NotFound."""
    put = PUTS[wish.screen]
    return await change(services, who, slug, f"place:{key}", lambda items: put(items, key, wish))


async def patch(services: Services, who: Reader, slug: str, key: str, asked: LockPatch) -> PageView:
    """Set a widget's title, settings and lock. Raises Invalid, NotFound."""
    async with services.tx() as tx:
        draft = await held(tx, slug)
        item = named(draft.items, key)
        lock = item.lock if asked.lock is msgspec.UNSET else asked.lock
        if lock != "free" and asked.phone_hidden is True:
            says = {"phone_hidden": "What has to stay cannot be hidden on the phone."}
            raise Invalid("This does not go together.", errors=says)
        op = f"settings:{key}" if lock == item.lock else f"{lock}:{key}"
        edit = partial(widget_edits.patched, key=key, asked=asked)
        return await make(tx, who, slug, draft, op, edit, {key: lock})


async def remove(services: Services, who: Reader, slug: str, key: str) -> PageView:
    """Take a widget out of the template. Raises NotFound, Conflict for the last one."""
    edit = partial(widget_edits.without, key=key)
    return await change(services, who, slug, f"remove:{key}", edit)


DISCARD = "DELETE FROM template_widgets WHERE template_id = $1 AND version = $2"


async def discard(services: Services, who: Reader, slug: str) -> PageView:
    """Throw away what is drawn up after the published version. Raises NotFound, Conflict before the first."""
    async with services.tx() as tx:
        draft = await held(tx, slug)
        if draft.version == 1:
            raise Conflict(
                "Nothing is published yet. You can remove the template.", code="no_version"
            )
        await tx.db.execute(DISCARD, draft.id, draft.version)
        before = {"version": draft.version}
        await audit.add(tx, who, "template.discarded", ("template", slug), before=before)
        return view_of(slug, draft.name, await held(tx, slug))
