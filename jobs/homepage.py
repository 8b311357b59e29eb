"""Jobs of the homepage."""

from app.domain.homepage import (
    documents,
    feed_checks,
    feed_fetching,
    links,
    listed_feeds,
    market_days,
    news_index,
    news_purge,
    opml_imports,
    search_index,
    social_pictures,
    social_posts,
    social_tokens,
    stock_closes,
    stock_quotes,
    stock_symbols,
    tag_backfills,
    tag_merges,
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
    await news_index.forget_old(services)


@job(queue="DEFAULT", priority=6, attempts=5)
async def index_feed(services: Services, feed_id: int) -> None:
    """Bring what a feed told into the index of Meilisearch."""
    await news_index.put_feed(services, feed_id)


@job(queue="BULK", attempts=3)
async def remove_feed(services: Services, feed_id: int) -> None:
    """Delete a feed that an operator removed, with its items."""
    await listed_feeds.delete_removed(services, feed_id)


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
    await tag_merges.purge(services)


@job(queue="BULK", attempts=2, timeout=3600)
async def reindex_search(services: Services) -> None:
    """Rebuild the index behind searches."""
    await search_index.rebuild(services)


@job(queue="BULK", attempts=3, timeout=900)
async def tag_items(services: Services, batch_size: int = tagging.A_RUN) -> None:
    """Tag news by a model, where one is set up."""
    await tagging.tag(services, batch_size)


@job(queue="BULK", attempts=3, timeout=900)
async def tag_backlog(services: Services) -> None:
    """Hand what is more than a run's work to the provider's batches."""
    await tag_backfills.send(services)


@job(queue="BULK", attempts=3)
async def merge_tags(services: Services, merge_id: int) -> None:
    """Move the items of a tag that went into another."""
    await tag_merges.move(services, merge_id)


@job(queue="BULK", attempts=3)
async def undo_tag_merge(services: Services, merge_id: int) -> None:
    """Give the items of an undone merge their tags again."""
    await tag_merges.move_back(services, merge_id)


@job(queue="LOW")
async def refresh_social(services: Services, account_id: int | None = None) -> None:
    """Fetch the posts of one connected account; without one, write a job for each that is due."""
    if account_id is None:
        await social_posts.dispatch(services)
    else:
        await social_posts.refresh(services, account_id)


@job(queue="LOW")
async def refresh_social_tokens(services: Services) -> None:
    """Renew the tokens of connected accounts that end within 7 days."""
    await social_tokens.refresh(services)


@job(queue="LOW")
async def archive_social(services: Services) -> None:
    """Archive posts of accounts that could not be fetched for a week."""
    await social_posts.archive(services)


@job(queue="HIGH", attempts=10)
async def erase_social_pictures(
    services: Services, account_ids: list[int], deletion_id: int | None = None
) -> None:
    """Take the thumbnails of deleted posts out of the store."""
    await social_pictures.erase(services, account_ids, deletion_id)


@job(queue="LOW", attempts=3, timeout=1800)
async def check_documents(services: Services) -> None:
    """Look for documents that cannot be read, rows that lead nowhere, and days without tags."""
    await documents.check(services)


@job(queue="HIGH", attempts=3)
async def refresh_stock(services: Services, symbol: str) -> None:
    """Ask for the price of a symbol that somebody just added."""
    await stock_quotes.refresh_one(services, symbol)


@job(queue="HIGH", attempts=1)
async def refresh_stocks(services: Services) -> None:
    """Ask for the prices that are due, within the sources' quotas."""
    await stock_quotes.refresh_due(services)


@job(queue="LOW", attempts=3)
async def close_stocks(services: Services) -> None:
    """Write what each symbol closed at today."""
    await stock_closes.write(services)


@job(queue="LOW", attempts=3)
async def purge_stocks(services: Services) -> None:
    """Forget prices of symbols that nobody watches any more."""
    await stock_closes.purge(services)


@job(queue="LOW", attempts=3)
async def fill_market_days(services: Services) -> None:
    """Write this year's and the next's holidays of the exchange."""
    await market_days.fill(services)


@job(queue="LOW", attempts=3)
async def list_symbols(services: Services) -> None:
    """Ask a source for the list of symbols, where it offers one."""
    await stock_symbols.refresh_list(services)
