"""The catalogue as it is shipped: tags and first feeds out of data/, loaded as often as one likes."""

import csv
from pathlib import Path

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
    """Load the 16 tags and the first feeds; a second time changes nothing."""
    tags, feeds = lines("tags.tsv"), lines("feeds.tsv")
    async with services.tx() as tx:
        columns = ("slug", "name", "description", "keywords")
        await tx.db.execute(
            ADD_TAGS,
            *([line[name] for line in tags] for name in columns),
            [int(line["sort"]) for line in tags],
        )
        await tx.db.execute(
            ADD_FEEDS,
            [line["url"] for line in feeds],
            [url_key(line["url"]) for line in feeds],
            *([line[name] for line in feeds] for name in ("title", "site_url", "tag", "pace")),
            [int(line["refresh_minutes"]) if line["refresh_minutes"] else None for line in feeds],
            [line["default_on"] == "yes" for line in feeds],
        )


def lines(name: str) -> list[dict[str, str]]:
    """The lines of one file of data/, by the names in its first line."""
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
