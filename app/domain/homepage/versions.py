"""Versions: how far each area of a reader's homepage has come; fragments, ETags and event streams go by them."""

from datetime import datetime
from decimal import Decimal

import msgspec

from app.domain.homepage import teasers
from app.domain.platform.readers import Reader
from app.services import Services

BUMP = """
INSERT INTO reader_versions (user_id, area) VALUES ($1, $2)
ON CONFLICT (user_id, area) DO UPDATE SET version = reader_versions.version + 1
"""


async def bump(services: Services, user_id: int, area: str) -> None:
    """Say that this person changed one area of their own: page, news, weather, stocks, links, preferences or social."""
    await services.db.execute(BUMP, user_id, area)


class Versions(msgspec.Struct, frozen=True):
    """One number or time an area; equal versions mean equal content."""

    page: int = 0
    news: tuple[int, int] = (0, 0)
    weather: tuple[int, datetime | None] = (0, None)
    stocks: tuple[int, Decimal | None] = (0, None)
    links: int = 0
    preferences: int = 0
    social: int = 0
    teasers: tuple[object, ...] = ()

    def of(self, areas: tuple[str, ...]) -> tuple[object, ...]:
        """The versions of some areas, for a key."""
        return tuple(getattr(self, area) for area in areas)


# One row: the reader's own changes, what their feeds brought, and the last word on their places.
OF_READER = """
SELECT
    (SELECT jsonb_object_agg(area, version) FROM reader_versions WHERE user_id = $1) AS own,
    (SELECT sum(f.version) FROM feed_subscriptions s JOIN feeds f ON f.id = s.feed_id
     WHERE s.user_id = $1 AND s.unsubscribed_at IS NULL)::bigint AS feeds,
    CASE WHEN NOT $3 THEN
        (SELECT sum(version) FROM feeds WHERE default_on AND visibility = 'listed')
        -- A feed that leaves the defaults makes the sum smaller: the time of it lifts it over all earlier ones.
        + (SELECT coalesce(extract(epoch FROM max(default_changed_at)) * 1000, 0) FROM feeds
           WHERE default_changed_at IS NOT NULL) END::bigint AS default_feeds,
    (SELECT max(greatest(c.forecast_at, c.alerts_at, c.tried_at)) FROM weather_cache c
     WHERE c.location_key = $2 OR c.location_key IN
        (SELECT p.lat || ':' || p.lon FROM weather_places p WHERE p.user_id = $1)) AS weather_at,
    -- A sum, not the last of them: who asked earlier may write later.
    (SELECT sum(extract(epoch FROM greatest(q.fetched_at, q.tried_at))) FROM stock_watches s
     JOIN stock_quotes q ON q.symbol = s.symbol WHERE s.user_id = $1) AS stocks_at
"""


async def of_reader(services: Services, who: Reader | None, site_spot: str | None) -> Versions:
    """The versions of all areas for one reader: one query, and one for each source of teasers. `site_spot` is the location_key of SITE_PLACE."""
    is_member = who is not None and who.is_member
    row = await services.db.fetchrow(OF_READER, who.id if who else 0, site_spot, is_member)
    own = row["own"] or {}
    # A visitor's own subscriptions add to the defaults; a member has nothing else.
    feeds = (row["feeds"] or 0) + (row["default_feeds"] or 0)
    return Versions(
        page=own.get("page", 0),
        news=(own.get("news", 0), feeds),
        weather=(own.get("weather", 0), row["weather_at"]),
        stocks=(own.get("stocks", 0), row["stocks_at"]),
        links=own.get("links", 0),
        preferences=own.get("preferences", 0),
        social=own.get("social", 0),
        teasers=await teasers.versions(services, who),
    )
