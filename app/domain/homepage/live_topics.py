"""What an open page wants to hear of: its reader, its feeds and its places."""

from app.domain.homepage import pages
from app.domain.homepage.widget_types import BY_NAME
from app.domain.platform.readers import Reader
from app.services import Services

TOPICS = """
SELECT array(
    SELECT 'feed:' || feed_id FROM feed_subscriptions WHERE user_id = $1 AND unsubscribed_at IS NULL
    UNION ALL
    SELECT 'feed:' || id FROM feeds WHERE default_on AND visibility = 'listed' AND $2
    UNION ALL
    SELECT 'weather:' || lat || ':' || lon FROM weather_places WHERE user_id = $1
)
"""

# Thousands of open pages watch the same feeds; equal sets are one object.
_shared: dict[frozenset[str], frozenset[str]] = {}


async def of_page(
    services: Services, who: Reader | None, slug: str
) -> tuple[frozenset[str], dict[str, list[str]]]:
    """The topics that concern a page, and the keys of its widgets by the area they depend on."""
    async with services.held() as held:
        view = await pages.shown(held, who, slug)
        found = await held.db.fetchval(
            TOPICS, who.id if who else 0, who is None or not who.is_member
        )
    keys: dict[str, list[str]] = {"page": ["page"]}  # the page itself: its layout changed elsewhere
    for widget in view.widgets:
        for area in BY_NAME[widget.type].areas:
            keys.setdefault(area, []).append(widget.key)
    topics = frozenset([*found, f"reader:{who.id}"] if who else found)
    if len(_shared) > 10_000:
        _shared.clear()
    return _shared.setdefault(topics, topics), keys
