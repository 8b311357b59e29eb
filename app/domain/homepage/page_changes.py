"""Changes of a page: each made under the page's lock and kept so that it can be undone (chapter 20 rule 7)."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from app.domain.homepage import pages, template_choice, template_locks, widget_offers
from app.domain.homepage.page_rows import HOME, TEMPLATE, Base, Item, Row, closed_up
from app.domain.homepage.pages import PageView
from app.domain.homepage.template_merging import merged, stored
from app.domain.homepage.versions import bump
from app.domain.homepage.widget_types import BY_KIND
from app.domain.platform.readers import Reader
from app.errors import Conflict, NotFound
from app.services import Services

Edit = Callable[[list[Item]], Sequence[Item]]

KEPT_STEPS = 50


class Locked(msgspec.Struct, frozen=True):
    """A page under the caller's lock: what it starts from, its rows by key, and the types that its person has not."""

    id: int
    slug: str
    version: int
    base: Base
    rows: list[Row]
    hidden: frozenset[str]

    @property
    def items(self) -> list[Item]:
        """The widgets that stand on it."""
        return merged(self.base, self.rows, self.hidden)

    def taken(self) -> set[str]:
        """The keys that no new widget may have, those of widgets that were taken away included."""
        rows = {row.key for row in self.rows}
        return rows | {
            item.key for item in (*self.base.items, *(TEMPLATE if self.slug == HOME else ()))
        }


class Outdated(Conflict):
    """The page was changed since the caller saw it; `page` is how it stands now."""

    code = "page_changed"

    def __init__(self, page: PageView) -> None:
        super().__init__("This page was changed meanwhile. Please look at it again.")
        self.page = page


# The front page gets its row with the first change; the empty update takes the lock of one that is there.
LOCK_HOME = """
INSERT INTO pages (user_id, slug, name, template_id, template_version) VALUES ($1, 'home', 'Home', nullif($2, 0), $3)
ON CONFLICT (user_id, slug) DO UPDATE SET sort = pages.sort RETURNING id, version
"""
LOCK_TAB = """
SELECT id, version FROM pages WHERE user_id = $1 AND slug = $2 FOR UPDATE
"""
ROWS = """
SELECT jsonb_agg(to_jsonb(own) - 'page_id' ORDER BY own.key) FROM page_widgets own WHERE own.page_id = $1
"""


async def locked(tx: Services, who: Reader, slug: str) -> Locked:
    """The page, locked until the transaction ends. Raises NotFound."""
    base = template_choice.base_of(tx, who, slug)
    if slug == HOME:
        page = await tx.db.fetchrow(LOCK_HOME, who.id, base.id, base.version)
    else:
        page = await tx.db.fetchrow(LOCK_TAB, who.id, slug)
    if page is None:
        raise NotFound("You have no page of that name.")
    rows = msgspec.convert(await tx.db.fetchval(ROWS, page["id"]) or [], list[Row])
    hidden = widget_offers.hidden(tx, who)
    return Locked(page["id"], slug, page["version"], base, rows, hidden)


async def change(services: Services, who: Reader, slug: str, op: str, edit: Edit) -> PageView:
    """Change a page by `edit`, which gets its widgets and answers what they become. What changes nothing is no change.

    Raises NotFound, and Conflict for what a lock forbids.
    """
    async with services.tx() as tx:
        await make(tx, who, await locked(tx, who, slug), op, edit)
        return await pages.shown(tx, who, slug)


# A new change after an undo drops what could have been redone; the history ends after 50 steps and 30 days.
NOTE = """
WITH redone AS (
    DELETE FROM page_changes WHERE page_id = $1 AND (
        undone_at IS NOT NULL OR made_at < now() - interval '30 days' OR id <= (
            SELECT id FROM page_changes WHERE page_id = $1 AND undone_at IS NULL
            ORDER BY id DESC OFFSET $6 - 1 LIMIT 1))
)
INSERT INTO page_changes (page_id, version, op, before, after) VALUES ($1, $2, $3, $4, $5)
"""


async def make(tx: Services, who: Reader, page: Locked, op: str, edit: Edit) -> None:
    """Make one change of a locked page and note it. Raises Conflict for what a lock forbids."""
    before = page.items
    asked = edit(before)
    template_locks.refuse(before, asked)
    acted = op.partition(":")[2]
    after = stored(page.base, before, closed_up(asked), page.rows, page.hidden, acted)
    if after == page.rows:
        return
    version = await write(tx, who, page.id, after)
    if not page.rows:
        await follow(tx, page)
    noted = msgspec.to_builtins([page.rows, after])
    await tx.db.execute(NOTE, page.id, version, op, *noted, KEPT_STEPS)


# What a template's later versions change is told to whoever has changes of their own; this is where telling begins.
FOLLOW = "UPDATE pages SET template_id = nullif($2, 0), template_version = $3 WHERE id = $1"


async def follow(tx: Services, page: Locked) -> None:
    """Note that the person knows the template as it is now."""
    await tx.db.execute(FOLLOW, page.id, page.base.id, page.base.version)


WRITE = """
WITH given AS (
    SELECT key, origin, type, title, settings, x, y, w, h, phone_order, phone_w, phone_hidden, removed
    FROM jsonb_to_recordset($2) AS g (
        key text, origin text, type text, title text, settings jsonb, x smallint, y smallint, w smallint, h smallint,
        phone_order smallint, phone_w smallint, phone_hidden boolean, removed boolean)
), gone AS (
    DELETE FROM page_widgets w WHERE w.page_id = $1 AND NOT EXISTS (SELECT FROM given g WHERE g.key = w.key)
)
INSERT INTO page_widgets
    (page_id, key, origin, type, title, settings, x, y, w, h, phone_order, phone_w, phone_hidden, removed)
SELECT $1, key, origin, type, title, settings, x, y, w, h, phone_order, phone_w, phone_hidden, removed FROM given
ON CONFLICT (page_id, key) DO UPDATE SET
    origin = EXCLUDED.origin, type = EXCLUDED.type, title = EXCLUDED.title, settings = EXCLUDED.settings,
    x = EXCLUDED.x, y = EXCLUDED.y, w = EXCLUDED.w, h = EXCLUDED.h, phone_order = EXCLUDED.phone_order,
    phone_w = EXCLUDED.phone_w, phone_hidden = EXCLUDED.phone_hidden, removed = EXCLUDED.removed
"""
COUNT_UP = """
UPDATE pages SET version = version + 1 WHERE id = $1 RETURNING version
"""


async def write(tx: Services, who: Reader, page_id: int, rows: Sequence[Row]) -> int:
    """Make these the rows of the page; answer its new version."""
    await tx.db.execute(WRITE, page_id, msgspec.to_builtins(rows))
    await bump(tx, who.id, "page")
    return await tx.db.fetchval(COUNT_UP, page_id)  # type: ignore[no-any-return]


LAST_DONE = """
SELECT id, before AS rows FROM page_changes
WHERE page_id = $1 AND undone_at IS NULL AND made_at > now() - interval '30 days' ORDER BY id DESC LIMIT 1
"""


async def undo(services: Services, who: Reader, slug: str, version: int | None = None) -> PageView:
    """Take back the last change, on its `version` where one is given. Raises Conflict when there is none, Outdated,
    NotFound."""
    return await step(services, who, slug, LAST_DONE, version, undone=True)


FIRST_UNDONE = """
SELECT id, after AS rows FROM page_changes
WHERE page_id = $1 AND undone_at IS NOT NULL AND made_at > now() - interval '30 days' ORDER BY id LIMIT 1
"""


async def redo(services: Services, who: Reader, slug: str, version: int | None = None) -> PageView:
    """Make the change again that was taken back last, on its `version` where one is given. Raises Conflict when there
    is none, Outdated, NotFound."""
    return await step(services, who, slug, FIRST_UNDONE, version, undone=False)


MARK = """
UPDATE page_changes SET undone_at = CASE WHEN $2 THEN now() END WHERE id = $1
"""


async def step(
    services: Services, who: Reader, slug: str, query: str, version: int | None, *, undone: bool
) -> PageView:
    """Go one step through the history, back or forth; over those that a lock now forbids, with a sentence."""
    said = ""
    async with services.tx() as tx:
        page = await locked(tx, who, slug)
        if version is not None and version != page.version:
            raise Outdated(await pages.shown(tx, who, slug))
        while (found := await tx.db.fetchrow(query, page.id)) is not None:
            rows = msgspec.convert(found["rows"], list[Row])
            await write(tx, who, page.id, rows)
            await tx.db.execute(MARK, found["id"], undone)
            barred = template_locks.barred(page.base, page.rows, rows)
            if barred is None:
                break
            said = template_locks.skipped(barred)
            page = msgspec.structs.replace(page, rows=rows)
        if found is None and not said:
            raise nothing_left(undone)
        view = await pages.shown(tx, who, slug)
        return msgspec.structs.replace(view, said=said)


def nothing_left(undone: bool) -> Conflict:
    """The problem at either end of the history."""
    if undone:
        return Conflict("There is nothing to undo.", code="nothing_to_undo")
    return Conflict("There is nothing to redo.", code="nothing_to_redo")


async def reset(services: Services, who: Reader, slug: str) -> PageView:
    """Set the front page back to how it came; this too can be undone. Raises Conflict for a tab, NotFound."""
    if slug != HOME:
        await pages.shown(services, who, slug)
        raise Conflict("Only Home can be set back: this page is all your own.", code="no_template")
    base, hidden = template_choice.base_of(services, who, slug), widget_offers.hidden(services, who)
    return await change(services, who, slug, "reset", lambda _: merged(base, (), hidden))


class Reach(msgspec.Struct, frozen=True):
    """Whether one can go back and forth, and over what."""

    can_undo: bool = False
    can_redo: bool = False
    undoes: str = ""
    redoes: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a page; `undone_at` says that it does not hold at the moment."""

    version: int
    op: str
    says: str
    made_at: datetime
    undone_at: datetime | None


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The changes of a page that can be undone or redone, the newest first."""

    items: list[Change]
    total: int
    next: None = None
    can_undo: bool
    can_redo: bool


HISTORY = """
SELECT c.version, c.op, c.made_at, c.undone_at FROM page_changes c JOIN pages p ON p.id = c.page_id
WHERE p.user_id = $1 AND p.slug = $2 AND c.made_at > now() - interval '30 days' ORDER BY c.id DESC
"""


async def history(services: Services, who: Reader | None, slug: str) -> History:
    """What was changed on a page, the newest first; 50 steps and 30 days at most. Raises NotFound."""
    await pages.shown(services, who, slug)
    rows = await services.db.fetch(HISTORY, who.id, slug) if who else []
    items = [Change(says=sentence(row["op"]), **row) for row in rows]
    reach = reach_of(items)
    return History(items=items, total=len(items), can_undo=reach.can_undo, can_redo=reach.can_redo)


async def reach(services: Services, who: Reader | None, slug: str) -> Reach:
    """Whether this person can undo and redo on a page, and what."""
    rows = await services.db.fetch(HISTORY, who.id, slug) if who else []
    return reach_of([Change(says=sentence(row["op"]), **row) for row in rows])


def reach_of(items: Sequence[Change]) -> Reach:
    """How far a history reaches from where it stands; the newest change is first."""
    done = [item for item in items if item.undone_at is None]
    undone = [item for item in items if item.undone_at is not None]
    return Reach(
        can_undo=bool(done),
        can_redo=bool(undone),
        undoes=done[0].says if done else "",
        redoes=undone[-1].says if undone else "",
    )


SENTENCES = {
    "add": "Added {}",
    "copy": "Copied {}",
    "place": "Moved {}",
    "phone": "Changed {} on the phone",
    "settings": "Changed the settings of {}",
    "remove": "Removed {}",
    "layout": "Arranged the page",
    "import": "Brought in from a file",
    "merge": "Brought over from before you signed in",
    "reset": "Set the page back",
}


def sentence(op: str) -> str:
    """A change in words: place:weather_2 is 'Moved Weather 2'."""
    verb, _, key = op.partition(":")
    kind, _, number = key.partition("_")
    name = BY_KIND[kind].label if kind in BY_KIND else kind
    return SENTENCES.get(verb, "Changed the page").format(f"{name} {number}".strip())
