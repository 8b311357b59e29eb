"""What an open page wants to hear of: its reader, its feeds, its places and its symbols."""

import sys
from weakref import WeakValueDictionary

from app.domain.homepage import feeds, pages, subscriptions
from app.domain.homepage.widget_types import BY_NAME
from app.domain.platform.readers import Reader
from app.services import Services

TOPICS = f"""
SELECT array(
    SELECT 'feed:' || feed_id FROM ({subscriptions.READING}) AS mine
    UNION ALL
    SELECT 'weather:' || lat || ':' || lon FROM weather_places WHERE user_id = $1
    UNION ALL
    SELECT 'stock:' || symbol FROM stock_watches WHERE user_id = $1
)
"""  # noqa: S608 - joined from the literals above

# The last topics of each reader (0: visitors), only while a stream of theirs holds them: several tabs have one set.
_held: WeakValueDictionary[int, frozenset[str]] = WeakValueDictionary()


async def of_page(
    services: Services, who: Reader | None, slug: str
) -> tuple[frozenset[str], dict[str, list[str]]]:
    """The topics that concern a page, and the keys of its widgets by the area they depend on."""
    async with services.held() as held:
        view = await pages.shown(held, who, slug)
        found = await held.db.fetchval(TOPICS, *feeds.asker(who))
    keys: dict[str, list[str]] = {"page": ["page"]}  # the page itself: its layout changed elsewhere
    if who is not None and who.is_member:
        keys["notices"] = ["bell"]
    for widget in view.widgets:
        for area in BY_NAME[widget.type].areas:
            keys.setdefault(area, []).append(widget.key)
    return one_set(who.id if who else 0, found), keys


def one_set(user_id: int, found: list[str]) -> frozenset[str]:
    """The topics as a set that equal pages share; a name is one object for all who watch it, and goes with the last."""
    names = [*found, f"reader:{user_id}"] if user_id else found
    topics = frozenset(map(sys.intern, names))
    held = _held.get(user_id)
    if held == topics:
        return held
    _held[user_id] = topics
    return topics
