"""The catalogue as it is shipped: tags and first feeds out of data/, loaded as often as one likes."""

import csv
from pathlib import Path

import msgspec

from app.domain.homepage.feed_documents import url_key
from app.services import Services

DATA = Path(__file__).parents[3] / "data"

# What an operator changed stays; a word that is new in the file comes in.
ADD_TAGS = """
INSERT INTO tags (slug, name, description, keywords, sort)
SELECT slug, name, description, string_to_array(keywords, ','), sort
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[])
    AS line (slug, name, description, keywords, sort)
ON CONFLICT (slug) DO NOTHING
"""
# A feed that a member brought before becomes everybody's; one that is listed already stays as it is.
ADD_FEEDS = """
INSERT INTO feeds (url, url_key, visibility, title, site_url, tag_id, pace, refresh_minutes, default_on)
SELECT line.url, line.url_key, 'listed', line.title, line.site_url, t.id, line.pace, line.minutes, line.default_on
FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::boolean[])
    AS line (url, url_key, title, site_url, tag, pace, minutes, default_on)
LEFT JOIN tags t ON t.slug = line.tag
ON CONFLICT (url_key) WHERE owner_id IS NULL DO UPDATE
SET visibility = 'listed', title = EXCLUDED.title, site_url = EXCLUDED.site_url, tag_id = EXCLUDED.tag_id,
    pace = EXCLUDED.pace, refresh_minutes = EXCLUDED.refresh_minutes, default_on = EXCLUDED.default_on
WHERE feeds.visibility <> 'listed'
"""


async def seed(services: Services) -> None:
    """Load the 16 tags, the first feeds, and those of the demo world where there is one. Raises ServiceDown.

    A second time changes nothing.
    """
    feeds = [as_feed(line) for line in lines("feeds.tsv")]
    if world := services.outside.get("demo_world"):
        feeds += [
            msgspec.convert(feed, FirstFeed, from_attributes=True) for feed in await world.feeds()
        ]
    async with services.tx() as tx:
        await add_tags(tx, lines("tags.tsv"))
        await add_feeds(tx, feeds)


class FirstFeed(msgspec.Struct):
    """One feed that everybody may add from the beginning."""

    title: str
    url: str
    site_url: str
    tag: str
    pace: str
    refresh_minutes: int | None
    default_on: bool


def as_feed(line: dict[str, str]) -> FirstFeed:
    """One line of data/feeds.tsv."""
    minutes = int(line["refresh_minutes"]) if line["refresh_minutes"] else None
    values = {**line, "refresh_minutes": minutes, "default_on": line["default_on"] == "yes"}
    return msgspec.convert(values, FirstFeed)


async def add_tags(tx: Services, tags: list[dict[str, str]]) -> None:
    """Add the words that are not there yet."""
    columns = ("slug", "name", "description", "keywords")
    texts = [[line[name] for line in tags] for name in columns]
    await tx.db.execute(ADD_TAGS, *texts, [int(line["sort"]) for line in tags])


async def add_feeds(tx: Services, feeds: list[FirstFeed]) -> None:
    """List the feeds that are not listed yet."""
    once = {url_key(feed.url): feed for feed in reversed(feeds)}
    rows = [
        (
            feed.url,
            key,
            feed.title,
            feed.site_url,
            feed.tag,
            feed.pace,
            feed.refresh_minutes,
            feed.default_on,
        )
        for key, feed in once.items()
    ]
    await tx.db.execute(ADD_FEEDS, *(list(column) for column in zip(*rows, strict=True)))


def lines(name: str) -> list[dict[str, str]]:
    """The lines of one file of data/, by the names in its first line."""
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
