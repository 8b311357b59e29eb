"""Jobs of the homepage."""

from app.domain.homepage import (
    feed_checks,
    feed_fetching,
    links,
    news_purge,
    opml_imports,
    search_index,
    tagging,
    thumbnails,
    weather_spots,
)
from app.services import Services
from jobs.registry import job


@job(queue="DEFAULT", attempts=1)
async def dispatch_feeds(services: Services) -> None:
    """Write a job for each feed that is due."""
    await feed_fetching.dispatch(services)


@job(queue="DEFAULT", priority=6, attempts=1)
async def refresh_feed(services: Services, feed_id: int, due: str) -> None:
    """Fetch one feed; what fails is tried again by the feed's own ladder."""
    await feed_fetching.refresh(services, feed_id, due)


@job(queue="HIGH", attempts=1)
async def check_feed(services: Services, token_hash: str) -> None:
    """Look at an address that a member gave us."""
    await feed_checks.examine(services, token_hash)


@job(queue="DEFAULT", priority=4)
async def import_opml(services: Services, import_id: int) -> None:
    """Take in a list of feeds, from where the last run left off."""
    await opml_imports.take_in(services, import_id)


@job(queue="BULK", attempts=2)
async def make_thumbnail(services: Services, item_id: int) -> None:
    """Make the small picture of one news item."""
    await thumbnails.make(services, item_id)


@job(queue="LOW")
async def purge_news(services: Services) -> None:
    """Delete what is too old and nobody saved."""
    await news_purge.purge(services)


@job(queue="HIGH", attempts=3)
async def refresh_spot(services: Services, location_key: str) -> None:
    """Ask for the weather of a spot that somebody just added."""
    await weather_spots.refresh_one(services, location_key)


@job(queue="DEFAULT", attempts=1)
async def refresh_weather(services: Services) -> None:
    """Ask for the forecasts that are due."""
    await weather_spots.refresh_due(services)


@job(queue="DEFAULT", attempts=1)
async def refresh_weather_alerts(services: Services) -> None:
    """Ask for the warnings that are due."""
    await weather_spots.refresh_alerts(services)


@job(queue="LOW", attempts=3)
async def purge_homepage(services: Services) -> None:
    """Forget spots nobody looks at and links removed a day ago."""
    await weather_spots.purge(services)
    await links.purge(services)


@job(queue="BULK", attempts=2, timeout=3600)
async def reindex_search(services: Services) -> None:
    """Rebuild the index behind searches."""
    await search_index.rebuild(services)


@job(queue="DEFAULT", attempts=3)
async def tag_items(services: Services, batch_size: int = 50) -> None:
    """Tag news by a model, where one is set up."""
    await tagging.tag(services, batch_size)
