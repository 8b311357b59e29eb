"""The nightly look at what the homepage keeps: documents that cannot be read, rows that lead nowhere, untagged days."""

from collections.abc import Iterable
from typing import Any

import msgspec

from app.domain.homepage import preferences, widget_types
from app.domain.platform import integrations, quality_checks
from app.services import Services

AT_ONCE = 2000
# Chapter 20 rule 46: so much of a day's news has a tag, or somebody looks into it.
TAGGED_SHARE = 0.8


async def check(services: Services) -> None:
    """Look at everything once; write a finding for each check that found something, and close the others."""
    await check_preferences(services)
    await check_widgets(services)
    await check_orphans(services)
    await check_tagged_days(services)
    await quality_checks.purge(services)
    await integrations.purge(services)


PREFERENCES = """
SELECT user_id, schema_version, doc FROM preferences WHERE user_id > $1 ORDER BY user_id LIMIT $2
"""


async def check_preferences(services: Services) -> None:
    """Find preferences without a version we know, and those that cannot be read: their owner sees the defaults."""
    unread: list[int] = []
    unversioned: list[int] = []
    last = 0
    while rows := await services.db.fetch(PREFERENCES, last, AT_ONCE):
        last = rows[-1]["user_id"]
        for row in rows:
            if not 1 <= row["schema_version"] <= preferences.SCHEMA_VERSION:
                unversioned.append(row["user_id"])
            if not fits(preferences.upgraded(row["doc"]), preferences.Preferences):
                unread.append(row["user_id"])
    await tell(services, "preferences", (f"member {one}" for one in unread), len(unread))
    subjects = (f"preferences of {one}" for one in unversioned)
    await tell(services, "documents_without_version", subjects, len(unversioned))


WIDGETS = """
SELECT page_id, key, type, settings FROM page_widgets
WHERE type IS NOT NULL AND settings IS NOT NULL AND (page_id, key) > ($1, $2)
ORDER BY page_id, key LIMIT $3
"""


async def check_widgets(services: Services) -> None:
    """Find widgets whose settings cannot be read: they show their type's defaults."""
    bad: list[str] = []
    place = (0, "")
    while rows := await services.db.fetch(WIDGETS, *place, AT_ONCE):
        place = rows[-1]["page_id"], rows[-1]["key"]
        for row in rows:
            kind = widget_types.BY_NAME.get(row["type"])
            if kind is not None and not fits(row["settings"], kind.settings):
                bad.append(f"page {row['page_id']}, {row['key']}")
    await tell(services, "widget_settings", bad, len(bad))


def fits(document: Any, shape: type[msgspec.Struct]) -> bool:
    """Whether a stored document is of that shape, read as the page reads it."""
    try:
        msgspec.convert(document, shape, strict=False)
    except msgspec.ValidationError:
        return False
    return True


# What no foreign key watches: pictures whose file is gone, and widgets of feeds that are gone.
ORPHANS = """
SELECT 'picture of item ' || item.id AS subject
FROM feed_items AS item
WHERE item.image_key IS NOT NULL AND NOT EXISTS (
    SELECT FROM stored_objects AS kept
    WHERE kept.bucket = 'news' AND kept.key = item.image_key AND kept.state = 'live')
UNION ALL
SELECT 'feed of widget ' || widget.key || ' on page ' || widget.page_id
FROM page_widgets AS widget
WHERE widget.type = 'rss_feed' AND jsonb_typeof(widget.settings -> 'feed_id') = 'number' AND NOT EXISTS (
    SELECT FROM feeds WHERE feeds.id = (widget.settings ->> 'feed_id')::numeric)
UNION ALL
SELECT 'lead of story ' || story.id
FROM stories AS story
WHERE story.lead_item_id IS NOT NULL AND NOT EXISTS (SELECT FROM feed_items AS item WHERE item.id = story.lead_item_id)
"""


async def check_orphans(services: Services) -> None:
    """Find rows that point to something that is gone."""
    rows = await services.db.fetch(ORPHANS)
    await tell(services, "orphans", (row["subject"] for row in rows), len(rows))


async def tell(services: Services, name: str, subjects: Iterable[str], bad: int) -> None:
    """Write what one check found."""
    await quality_checks.record(services, name, bad, list(subjects)[: quality_checks.SAMPLE])


# A day is judged when it is over; later tags mend it. What only its owner reads is shown to no model.
DAYS = """
SELECT (item.fetched_at AT TIME ZONE 'UTC')::date AS day, count(*) AS items,
    count(*) FILTER (WHERE EXISTS (SELECT FROM item_tags AS tag WHERE tag.item_id = item.id)) AS tagged
FROM feed_items AS item JOIN feeds AS feed ON feed.id = item.feed_id AND feed.visibility <> 'private'
WHERE item.fetched_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '7 days'
  AND item.fetched_at < date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
GROUP BY 1 ORDER BY 1
"""


async def check_tagged_days(services: Services) -> None:
    """Write a finding for each of the last seven days of which under 80 % is tagged, and close those that are mended."""
    for row in await services.db.fetch(DAYS):
        share = row["tagged"] / row["items"]
        subject = row["day"].isoformat()
        if share < TAGGED_SHARE:
            says = f"{share:.0%} of {row['items']:,} items have a tag."
            await quality_checks.add(services, "untagged_days", subject, says)
        else:
            await quality_checks.close(services, "untagged_days", subject)
