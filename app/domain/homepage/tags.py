"""The closed list of tags: what news is sorted by, and how its curators change it (chapter 20 §3)."""

import hashlib
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.domain.homepage.folding import folded
from app.domain.platform import audit
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid, NotFound
from app.services import Services

Slug = Annotated[str, Meta(pattern="^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
Name = Annotated[str, Meta(min_length=2, max_length=40)]
Description = Annotated[str, Meta(max_length=200)]
Keywords = Annotated[str, Meta(max_length=4000)]
Reason = Annotated[str, Meta(max_length=500)]
MOST = 100


class Tag(msgspec.Struct):
    """One tag as its curators see it. `precision` is the share of verdicts that call it right, null without any."""

    id: int
    slug: str
    name: str
    description: str
    keywords: list[str]
    sort: int
    state: str
    merged_into: str | None
    feeds: int
    items: int
    right: int
    wrong: int

    @property
    def precision(self) -> float | None:
        """Right by right and wrong."""
        told = self.right + self.wrong
        return self.right / told if told else None


class TagList(msgspec.Struct):
    """All tags in their order."""

    items: list[Tag]
    total: int
    next: None = None


class NewTag(msgspec.Struct, forbid_unknown_fields=True):
    """A word for the list. Keywords, one a line or between commas, tag what no model has seen."""

    slug: Slug
    name: Name
    description: Description = ""
    keywords: Keywords = ""
    sort: Annotated[int, Meta(ge=0, le=10_000)] = 100
    reason: Reason = ""


class TagChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be different; what is not given stays."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    keywords: Keywords | UnsetType = UNSET
    sort: Annotated[int, Meta(ge=0, le=10_000)] | UnsetType = UNSET
    state: Literal["active", "retired"] | UnsetType = UNSET
    reason: Reason = ""


# Items are counted among those of the last week, so that the page costs the same in every year; all tags' in one walk
# over that week, for each of them the walk over all that ever had it would be the longer one. What members brought is
# counted for nobody else.
COLUMNS = """
WITH week AS (
    SELECT it.tag_id, count(*) AS items FROM feed_items i JOIN item_tags it ON it.item_id = i.id
    JOIN feeds f ON f.id = i.feed_id AND f.visibility = 'listed'
    WHERE i.published_at > now() - interval '7 days' GROUP BY it.tag_id
), told AS (
    SELECT tag_id, count(*) FILTER (WHERE verdict = 'right') AS "right", count(*) FILTER (WHERE verdict = 'wrong') AS wrong
    FROM tag_verdicts GROUP BY tag_id
), fed AS (
    SELECT tag_id, count(*) AS feeds FROM feeds WHERE visibility = 'listed' GROUP BY tag_id
)
SELECT t.id, t.slug, t.name, t.description, t.keywords, t.sort, t.state, other.slug AS merged_into,
       coalesce(fed.feeds, 0) AS feeds, coalesce(week.items, 0) AS items,
       coalesce(told."right", 0) AS "right", coalesce(told.wrong, 0) AS wrong
FROM tags t LEFT JOIN tags other ON other.id = t.merged_into
LEFT JOIN week ON week.tag_id = t.id LEFT JOIN told ON told.tag_id = t.id LEFT JOIN fed ON fed.tag_id = t.id
"""
ALL = f"{COLUMNS} ORDER BY t.state <> 'active', t.sort, t.slug"
BY_SLUG = f"{COLUMNS} WHERE t.slug = $1"


async def every(services: Services) -> TagList:
    """All tags, those in use first."""
    items = [Tag(**dict(row)) for row in await services.db.fetch(ALL)]
    return TagList(items, len(items))


async def by_slug(services: Services, slug: str) -> Tag:
    """One tag. Raises NotFound."""
    row = await services.db.fetchrow(BY_SLUG, slug)
    if row is None:
        raise NotFound("There is no such tag.")
    return Tag(**dict(row))


ADD = """
INSERT INTO tags (slug, name, description, keywords, sort)
SELECT $1, $2, $3, $4, $5 WHERE (SELECT count(*) FROM tags WHERE state = 'active') < $6
ON CONFLICT (slug) DO NOTHING RETURNING id
"""


# /admin/tags/proposals is a page of its own.
DESK = "proposals"


async def add(services: Services, who: Reader, new: NewTag) -> Tag:
    """Put a word on the list. Raises Invalid, Conflict."""
    if new.slug == DESK:
        sentence = "This address is taken. Please choose another."
        raise Invalid(sentence, errors={"slug": sentence})
    async with services.tx() as tx:
        words = keywords_of(new.keywords)
        made = await tx.db.fetchval(ADD, new.slug, new.name, new.description, words, new.sort, MOST)
        if made is None:
            raise Conflict(f"This tag is there already, or the list has its {MOST} tags.")
        after = {"name": new.name, "description": new.description, "keywords": words}
        await audit.add(tx, who, "tag.added", ("tag", new.slug), new.reason, after=after)
        return await by_slug(tx, new.slug)


def keywords_of(text: str) -> list[str]:
    """Keywords as items are searched for them: folded, each once."""
    found = (folded(part) for line in text.splitlines() for part in line.split(","))
    return list(dict.fromkeys(word for word in found if word))


LOCK = "SELECT id FROM tags WHERE slug = $1 AND state <> 'merged' FOR NO KEY UPDATE"
CHANGE = """
UPDATE tags SET name = $2, description = $3, keywords = $4, sort = $5, state = $6 WHERE slug = $1
"""


async def change(services: Services, who: Reader, slug: str, wish: TagChange) -> Tag:
    """Change a tag, retire it or take it back. Raises NotFound; a merged one is brought back by its undo."""
    async with services.tx() as tx:
        if await tx.db.fetchval(LOCK, slug) is None:
            raise NotFound("There is no such tag, or it went into another.")
        old = await by_slug(tx, slug)
        given: dict[str, Any] = {
            name: getattr(wish, name)
            for name in wish.__struct_fields__
            if name != "reason" and getattr(wish, name) is not UNSET
        }
        if "keywords" in given:
            given["keywords"] = keywords_of(given["keywords"])
        new = msgspec.structs.replace(old, **given)
        await tx.db.execute(
            CHANGE, slug, new.name, new.description, new.keywords, new.sort, new.state
        )
        before = {name: getattr(old, name) for name in given}
        await audit.add(
            tx, who, "tag.changed", ("tag", slug), wish.reason, before=before, after=given
        )
        return await by_slug(tx, slug)


class Word(msgspec.Struct, frozen=True):
    """One tag in use, as a model is told of it."""

    id: int
    slug: str
    description: str


IN_USE = "SELECT id, slug, description FROM tags WHERE state = 'active' ORDER BY sort, slug"


async def in_use(services: Services) -> list[Word]:
    """The tags that an item can have."""
    return [Word(**dict(row)) for row in await services.db.fetch(IN_USE)]


def version_of(words: list[Word]) -> str:
    """A short name of a list: answers that were given for another one say nothing of this."""
    told = "\n".join(f"{word.slug}\t{word.description}" for word in words)
    return hashlib.sha256(told.encode()).hexdigest()[:16]
