"""Feeds that move: three permanent redirects in a row change the address (chapter 20 rule 20)."""

from app.domain.homepage.feed_documents import url_key
from app.services import Services
from tests.homepage.conftest import OTHER_HOST
from tests.homepage.publisher import HOST, Publisher, item, rss
from tests.homepage.test_feeds_fetching import added, refreshed, titles

NEW = f"https://{OTHER_HOST}/new"


def moved(publisher: Publisher, status: int = 301) -> None:
    """Let the publisher send the old address to the new one."""
    publisher.put("/feed", "", status, location=NEW)
    publisher.put("/new", rss([item("Bridge opens"), item("Only there", 2)]), host=OTHER_HOST)


async def test_the_third_permanent_redirect_moves_the_address(
    reaching: Services, publisher: Publisher
) -> None:
    moved(publisher)
    feed_id = await added(reaching)
    urls = [(await refreshed(reaching, feed_id))["url"] for _ in range(3)]
    assert urls == [f"https://{HOST}/feed", f"https://{HOST}/feed", NEW]
    feed = await refreshed(reaching, feed_id)
    assert (feed["url_key"], feed["moved_to"], feed["moved_times"]) == (url_key(NEW), None, 0)


async def test_a_redirect_for_now_or_an_answer_between_starts_the_count_anew(
    reaching: Services, publisher: Publisher
) -> None:
    moved(publisher)
    feed_id = await added(reaching)
    for _ in range(2):
        await refreshed(reaching, feed_id)
    moved(publisher, 302)
    assert (await refreshed(reaching, feed_id))["moved_times"] == 0
    moved(publisher, 308)
    assert (await refreshed(reaching, feed_id))["url"] == f"https://{HOST}/feed"


async def test_a_feed_that_moves_to_a_known_address_joins_it_with_readers_marks_and_items(
    reaching: Services, publisher: Publisher
) -> None:
    moved(publisher)
    old, kept = await added(reaching), await added(reaching, NEW, "grace@example.org")
    await refreshed(reaching, kept)
    await refreshed(reaching, old)
    ada = await reaching.db.fetchval("SELECT id FROM users WHERE email = 'ada@example.org'")
    read = "INSERT INTO item_states (user_id, item_id, read_at) SELECT $1, id, now() FROM feed_items WHERE feed_id = $2"
    await reaching.db.execute(read, ada, old)
    for _ in range(2):
        gone = await refreshed(reaching, old)
    assert gone is None and await titles(reaching, kept) == ["Bridge opens", "Only there"]
    readers = (
        "SELECT count(*) FROM feed_subscriptions WHERE feed_id = $1 AND unsubscribed_at IS NULL"
    )
    assert await reaching.db.fetchval(readers, kept) == 2
    marks = "SELECT count(*) FROM item_states s JOIN feed_items i ON i.id = s.item_id WHERE i.feed_id = $1 AND user_id = $2"
    assert await reaching.db.fetchval(marks, kept, ada) == 2
    assert await reaching.db.fetchval("SELECT count(*) FROM stories") == 2


async def test_a_feed_that_nobody_vouched_for_brings_no_stories_into_another(
    reaching: Services, publisher: Publisher
) -> None:
    publisher.put("/feed", rss([item("Forged news"), item("Bridge opens", 2)]))
    publisher.put("/new", rss([item("Bridge opens", 2)]), host=OTHER_HOST)
    old, kept = await added(reaching), await added(reaching, NEW, "grace@example.org")
    await reaching.db.execute("UPDATE feeds SET visibility = 'listed' WHERE id = $1", kept)
    for feed_id in (old, kept):
        await refreshed(reaching, feed_id)
    publisher.put("/feed", "", 301, location=NEW)
    for _ in range(3):
        gone = await refreshed(reaching, old)
    assert gone is None
    assert await titles(reaching, kept) == ["Bridge opens"]


async def test_what_others_see_never_takes_on_an_address_with_a_key(
    reaching: Services, publisher: Publisher
) -> None:
    secret = f"https://{OTHER_HOST}/new?token=abcdef"
    publisher.put("/feed", "", 301, location=secret)
    publisher.put("/new", rss([item("Bridge opens")]), host=OTHER_HOST)
    feed_id = await added(reaching)
    for _ in range(4):
        feed = await refreshed(reaching, feed_id)
    assert feed["url"] == f"https://{HOST}/feed" and feed["error_code"] is None


async def test_a_private_feed_moves_without_its_address_being_stored_open(
    reaching: Services, publisher: Publisher
) -> None:
    publisher.put("/feed", "", 301, location=f"{NEW}?token=second-secret")
    publisher.put("/new", rss([item("Bridge opens")]), host=OTHER_HOST)
    feed_id = await added(reaching, f"https://{HOST}/feed?token=first-secret")
    for _ in range(3):
        feed = await refreshed(reaching, feed_id)
    assert feed["url"] is None and feed["moved_to"] is None and feed["visibility"] == "private"
    assert feed["url_key"] == url_key(f"{NEW}?token=second-secret")
    everything = await reaching.db.fetchval("SELECT string_agg(feeds::text, '') FROM feeds")
    assert "secret" not in everything
