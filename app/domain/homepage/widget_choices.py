"""Choices for a widget's settings: the reader's own feeds, folders, places and lists, and the tags of the site."""

import msgspec

from app.domain.homepage.widget_types import WidgetType
from app.domain.platform.readers import Reader
from app.services import Services

Choices = dict[str, list[tuple[str, str]]]

# A visitor reads the default feeds; so does a member who did not put them away.
FEEDS = """
SELECT f.id::text AS value, coalesce(nullif(s.title, ''), nullif(f.title, ''), f.site_url, 'Feed ' || f.id) AS label
FROM feeds f LEFT JOIN feed_subscriptions s ON s.feed_id = f.id AND s.user_id = $1
WHERE (s.user_id IS NOT NULL AND s.unsubscribed_at IS NULL)
   OR (s.user_id IS NULL AND f.default_on AND f.visibility = 'listed')
ORDER BY label, f.id LIMIT 500
"""
FOLDERS = """
SELECT DISTINCT folder AS value, folder AS label FROM feed_subscriptions
WHERE user_id = $1 AND unsubscribed_at IS NULL AND folder <> '' ORDER BY folder
"""
PLACES = """
SELECT id::text AS value, name AS label FROM weather_places WHERE user_id = $1 ORDER BY sort, id
"""
LISTS = """
SELECT list AS value, list AS label FROM quick_links WHERE user_id = $1 AND deleted_at IS NULL
UNION SELECT 'main', 'main' ORDER BY value
"""
ACCOUNTS = """
SELECT id::text AS value, initcap(platform) || ' ' || account_name AS label FROM social_accounts
WHERE user_id = $1 ORDER BY revoked_at IS NOT NULL, id
"""
TAGS = """
SELECT slug AS value, name AS label FROM tags WHERE state = 'active' AND $1::bigint IS NOT NULL ORDER BY sort, name
"""
QUERIES = {
    "feed_id": FEEDS,
    "folder": FOLDERS,
    "place_id": PLACES,
    "list": LISTS,
    "tag": TAGS,
    "account_id": ACCOUNTS,
}


async def of(services: Services, who: Reader | None, kind: WidgetType) -> Choices:
    """What may be chosen for each setting of a type that names something: pairs of value and label."""
    found: Choices = {}
    for field in msgspec.structs.fields(kind.settings):
        if query := QUERIES.get(field.name):
            rows = await services.db.fetch(query, who.id if who else 0)
            found[field.name] = [(row["value"], row["label"]) for row in rows]
    return found
