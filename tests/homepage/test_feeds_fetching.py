"""Fetching: what one attempt makes of a feed, its items and its next turn (chapter 20 rules 18–24)."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from app.config import Settings
from app.db import Database, open_pool
from app.domain.homepage import (
    feed_additions,
    feed_fetching,
    layout_templates,
    template_drafts,
    template_publications,
)
from app.domain.homepage.layout_templates import NewTemplate
from app.domain.platform.readers import Reader
from app.errors import Defer
from app.services import Services
from tests.homepage.publisher import HOST, NOW, Publisher, item, rss
from tests.people import member

FEED = "SELECT * FROM feeds WHERE id = $1"
ROOT = Reader(id=0, kind="member", role="super_admin")


async def added(
    services: Services, url: str = f"https://{HOST}/feed", email: str = "ada@example.org"
) -> int:
    """A feed of that address with one reader who was here today."""
    reader = await member(services, email)
    async with services.tx() as tx:
        [one] = await feed_additions.add(tx, reader.id, [feed_additions.Wish(url)], "own")
    return one.feed_id


async def refreshed(services: Services, feed_id: int) -> Any:
    """The feed's row after it became due and was fetched."""
    due = await services.db.fetchval(
        "UPDATE feeds SET next_fetch_at = clock_timestamp() WHERE id = $1 RETURNING next_fetch_at",
        feed_id,
    )
    await feed_fetching.refresh(services, feed_id, due.isoformat())
    return await services.db.fetchrow(FEED, feed_id)


async def titles(services: Services, feed_id: int) -> list[str]:
    """The titles of a feed's items, newest first."""
    rows = await services.db.fetch(
        "SELECT title FROM feed_items WHERE feed_id = $1 ORDER BY published_at DESC, id DESC",
        feed_id,
    )
    return [row["title"] for row in rows]


async def test_a_first_fetch_stores_items_with_link_time_story_and_what_the_feed_says_of_itself(
    reaching: Services, publisher: Publisher
) -> None:
    publisher.put("/feed", rss([item("Bridge opens", 1), item("Rain ends", 3)]))
    feed = await refreshed(reaching, await added(reaching))
    assert (feed["title"], feed["site_url"], feed["state"]) == (
        "The Paper",
        f"https://{HOST}/",
        "active",
    )
    row = await reaching.db.fetchrow(
        "SELECT i.*, s.items, s.lead_item_id FROM feed_items i JOIN stories s ON s.id = i.story_id "
        "WHERE i.feed_id = $1 ORDER BY i.published_at DESC LIMIT 1", feed["id"],
    )  # fmt: skip
    assert (row["title"], row["url"]) == ("Bridge opens", f"https://{HOST}/Bridge-opens")
    assert row["published_at"] == NOW - timedelta(hours=1)
    assert row["words"] == "bridge opens about bridge opens"
    assert (row["items"], row["lead_item_id"]) == (1, None)


async def test_nothing_comes_twice_and_changed_content_keeps_read_marks(
    reaching: Services, publisher: Publisher
) -> None:
    publisher.put("/feed", rss([item("Bridge opens")]))
    feed_id = await added(reaching)
    first = await refreshed(reaching, feed_id)
    reader = await reaching.db.fetchval("SELECT id FROM users WHERE email = 'ada@example.org'")
    item_id = await reaching.db.fetchval("SELECT id FROM feed_items WHERE feed_id = $1", feed_id)
    await reaching.db.execute(
        "INSERT INTO item_states (user_id, item_id, read_at) VALUES ($1, $2, now())",
        reader,
        item_id,
    )
    publisher.put("/feed", rss([item("Rain ends", 0.5), item("Bridge opens", more="Corrected.")]))
    second = await refreshed(reaching, feed_id)
    assert second["version"] == first["version"] + 1
    rows = await reaching.db.fetch(
        "SELECT i.id, summary_html, read_at FROM feed_items i LEFT JOIN item_states s ON s.item_id = i.id "
        "WHERE feed_id = $1 ORDER BY i.id", feed_id,
    )  # fmt: skip
    assert [row["id"] for row in rows][0] == item_id and len(rows) == 2
    assert "Corrected." in rows[0]["summary_html"] and rows[0]["read_at"] is not None


async def test_validators_are_sent_each_time_and_304_costs_no_parsing(
    reaching: Services, publisher: Publisher
) -> None:
    publisher.put(
        "/feed",
        rss([item("Bridge opens")]),
        etag='"one"',
        last_modified="Tue, 24 Nov 2026 04:00:00 GMT",
    )
    feed_id = await added(reaching)
    first = await refreshed(reaching, feed_id)
    for _ in range(2):
        latest = await refreshed(reaching, feed_id)
    sent = [headers for _, headers in publisher.asked]
    assert "if-none-match" not in sent[0]
    assert [one["if-none-match"] for one in sent[1:]] == ['"one"', '"one"']
    assert {one["if-modified-since"] for one in sent[1:]} == {"Tue, 24 Nov 2026 04:00:00 GMT"}
    assert latest["version"] == first["version"]
    statuses = await reaching.db.fetch(
        "SELECT status FROM feed_fetches WHERE feed_id = $1 ORDER BY id", feed_id
    )
    assert [row["status"] for row in statuses] == [200, 304, 304]


async def test_an_equal_body_is_not_read_again(
    reaching: Services, publisher: Publisher, feed_parser: Any
) -> None:
    publisher.put("/feed", rss([item("Bridge opens")]))
    feed_id = await added(reaching)
    await refreshed(reaching, feed_id)
    before = [child.calls for child in feed_parser._idle]
    feed = await refreshed(reaching, feed_id)
    assert [child.calls for child in feed_parser._idle] == before
    assert feed["error_code"] is None and await titles(reaching, feed_id) == ["Bridge opens"]


async def test_a_feed_that_is_not_due_any_more_is_left_alone(
    reaching: Services, publisher: Publisher
) -> None:
    publisher.put("/feed", rss([item("Bridge opens"), item("Rain ends", 2)]))
    feed_id = await added(reaching)
    due = await reaching.db.fetchval("SELECT next_fetch_at FROM feeds WHERE id = $1", feed_id)
    for _ in range(2):
        await feed_fetching.refresh(reaching, feed_id, due.isoformat())
    assert await titles(reaching, feed_id) == ["Bridge opens", "Rain ends"]
    assert len(publisher.asked) == 1


async def test_workers_that_come_back_together_store_each_item_once(
    settings: Settings, reaching: Services, publisher: Publisher
) -> None:
    publisher.put("/feed", rss([item("Bridge opens"), item("Rain ends", 2)]))
    pool = await open_pool(settings, size=12)
    services = dataclasses.replace(reaching, db=Database(pool))
    try:
        feed_id = await added(services)
        due = await services.db.fetchval("SELECT next_fetch_at FROM feeds WHERE id = $1", feed_id)
        await asyncio.gather(
            *(feed_fetching.refresh(services, feed_id, due.isoformat()) for _ in range(4))
        )
        assert await titles(services, feed_id) == ["Bridge opens", "Rain ends"]
        assert (
            await services.db.fetchval(
                "SELECT count(*) FROM feed_fetches WHERE feed_id = $1", feed_id
            )
            == 1
        )
        assert len(publisher.asked) == 4
    finally:
        # Unlike other tests this one commits, so that its workers see one another.
        pool.terminate()
        cleaner = await asyncpg.connect(settings.database_url)
        await cleaner.execute("TRUNCATE users, feeds, stories RESTART IDENTITY CASCADE")
        await cleaner.close()


async def test_the_first_fetch_takes_the_newest_and_old_items_stay_out(
    changed: Any, reaching: Services, publisher: Publisher
) -> None:
    services = replaced(reaching, feed_first_items=2, feed_item_days=10)
    publisher.put(
        "/feed",
        rss([item("Third", 3), item("First", 1), item("Second", 2), item("Ancient", 24 * 11)]),
    )
    feed_id = await added(services)
    await refreshed(services, feed_id)
    assert await titles(services, feed_id) == ["First", "Second"]
    publisher.put("/feed", rss([item(f"News {n}", n / 10) for n in range(5)]))
    await refreshed(services, feed_id)
    assert len(await titles(services, feed_id)) == 7


def replaced(services: Services, **settings: Any) -> Services:
    """The services with some settings changed."""
    return dataclasses.replace(
        services, settings=dataclasses.replace(services.settings, **settings)
    )


async def test_an_item_without_a_time_keeps_the_time_of_first_sight(
    reaching: Services, publisher: Publisher
) -> None:
    bare = "<item><title>{}</title><link>https://paper.example/{}</link></item>"
    publisher.put("/feed", rss([bare.format("Newer", 1), bare.format("Older", 2)]))
    feed_id = await added(reaching)
    await refreshed(reaching, feed_id)
    assert await titles(reaching, feed_id) == ["Newer", "Older"]
    first = await reaching.db.fetch(
        "SELECT id, published_at FROM feed_items WHERE feed_id = $1 ORDER BY id", feed_id
    )
    publisher.put("/feed", rss([bare.format("Newer, corrected", 1), bare.format("Older", 2)]))
    await refreshed(reaching, feed_id)
    again = await reaching.db.fetch(
        "SELECT id, published_at FROM feed_items WHERE feed_id = $1 ORDER BY id", feed_id
    )
    assert first == again


async def test_an_item_gets_the_tag_of_its_feed(reaching: Services, publisher: Publisher) -> None:
    publisher.put("/feed", rss([item("Bridge opens")]))
    feed_id = await added(reaching)
    await reaching.db.execute("INSERT INTO tags (slug, name) VALUES ('bridges', 'Bridges')")
    await reaching.db.execute(
        "UPDATE feeds SET tag_id = (SELECT id FROM tags WHERE slug = 'bridges') WHERE id = $1",
        feed_id,
    )
    await refreshed(reaching, feed_id)
    row = await reaching.db.fetchrow(
        "SELECT i.tagged_by, t.origin FROM feed_items i JOIN item_tags t ON t.item_id = i.id WHERE i.feed_id = $1",
        feed_id,
    )
    assert (row["tagged_by"], row["origin"]) == ("feed", "feed")


async def test_a_failure_counts_once_says_why_and_a_success_clears_it(
    reaching: Services, publisher: Publisher
) -> None:
    publisher.put("/feed", "", 503)
    feed_id = await added(reaching)
    feed = await refreshed(reaching, feed_id)
    assert (feed["failures"], feed["error_code"], feed["state"]) == (1, "http_503", "active")
    publisher.put("/feed", "<html><body>Hello</body></html>", content_type="text/html")
    feed = await refreshed(reaching, feed_id)
    assert (feed["failures"], feed["error_code"]) == (2, "html")
    publisher.put("/feed", rss([item("Bridge opens")]))
    feed = await refreshed(reaching, feed_id)
    assert (feed["failures"], feed["failing_since"], feed["error_code"]) == (0, None, None)


async def test_a_feed_that_fails_for_a_day_is_failing_for_two_weeks_suspended(
    reaching: Services, publisher: Publisher
) -> None:
    publisher.put("/feed", "", 500)
    feed_id = await added(reaching)
    since = "UPDATE feeds SET failures = $2, failing_since = now() - $3::interval WHERE id = $1"
    await reaching.db.execute(since, feed_id, 4, timedelta(hours=25))
    assert (await refreshed(reaching, feed_id))["state"] == "failing"
    await reaching.db.execute(since, feed_id, 20, timedelta(days=15))
    feed = await refreshed(reaching, feed_id)
    assert feed["state"] == "suspended"
    assert feed["next_fetch_at"] - feed["last_try_at"] == timedelta(days=7)


async def test_429_obeys_retry_after_and_is_no_failure(
    reaching: Services, publisher: Publisher
) -> None:
    publisher.put("/feed", "", 429, retry_after="7200")
    feed = await refreshed(reaching, await added(reaching))
    assert (feed["failures"], feed["error_code"], feed["state"]) == (0, "http_429", "active")
    assert feed["next_fetch_at"] - feed["last_try_at"] == timedelta(hours=2)


async def test_410_ends_a_feed(reaching: Services, publisher: Publisher) -> None:
    publisher.put("/feed", "", 410)
    feed = await refreshed(reaching, await added(reaching))
    assert (feed["state"], feed["next_fetch_at"]) == ("gone", None)


async def test_a_feed_is_not_asked_sooner_than_it_wants(
    reaching: Services, publisher: Publisher
) -> None:
    publisher.put(
        "/feed", rss([item("Bridge opens")], more="<ttl>600</ttl>"), cache_control="max-age=3600"
    )
    feed_id = await added(reaching)
    feed = await refreshed(reaching, feed_id)
    assert feed["next_fetch_at"] - feed["last_try_at"] == timedelta(hours=10)
    feed = await refreshed(reaching, feed_id)
    assert feed["next_fetch_at"] - feed["last_try_at"] == timedelta(hours=10)


async def test_a_feed_without_readers_rests_and_wakes_with_one(
    reaching: Services, publisher: Publisher
) -> None:
    publisher.put("/feed", rss([item("Bridge opens")]))
    feed_id = await added(reaching)
    await reaching.db.execute(
        "UPDATE users SET last_seen_on = current_date - 40 WHERE email = 'ada@example.org'"
    )
    assert (await refreshed(reaching, feed_id))["next_fetch_at"] is None
    await reaching.db.execute(
        "UPDATE users SET last_seen_on = current_date WHERE email = 'ada@example.org'"
    )
    await feed_fetching.dispatch(reaching)
    key = await reaching.db.fetchval(
        "SELECT idempotency_key FROM delayed_jobs WHERE job_type = 'refresh_feed'"
    )
    assert key.startswith(f"feed:{feed_id}:")


async def in_template(services: Services, feed_id: int) -> str:
    """A published template that shows the feed; its slug."""
    template = await layout_templates.add(services, ROOT, NewTemplate("Town"))
    settings = {"feed_id": feed_id}
    await template_drafts.add(services, ROOT, template.slug, "rss_feed", settings)
    await template_publications.publish(services, ROOT, template.slug)
    return template.slug


async def test_a_feed_in_a_published_template_keeps_its_pace_without_subscribers(
    reaching: Services, publisher: Publisher
) -> None:
    publisher.put("/feed", rss([item(f"Bridge {n}", n) for n in range(1, 5)]))
    feed_id = await added(reaching)
    await reaching.db.execute("DELETE FROM feed_subscriptions")
    await reaching.db.execute("UPDATE feeds SET visibility = 'listed' WHERE id = $1", feed_id)
    waits = []
    for step in ("nobody", "published", "retired"):
        if step == "published":
            slug = await in_template(reaching, feed_id)
        if step == "retired":
            await layout_templates.remove(reaching, ROOT, slug)
        feed = await refreshed(reaching, feed_id)
        waits.append(feed["next_fetch_at"] - feed["last_try_at"])
    assert waits == [timedelta(days=1), timedelta(minutes=30), timedelta(days=1)]


async def test_a_resting_feed_wakes_when_a_template_shows_it(
    reaching: Services, publisher: Publisher
) -> None:
    publisher.put("/feed", rss([item("Bridge opens")]))
    feed_id = await added(reaching)
    await reaching.db.execute("DELETE FROM feed_subscriptions")
    assert (await refreshed(reaching, feed_id))["next_fetch_at"] is None
    await reaching.db.execute("UPDATE feeds SET next_fetch_at = NULL")
    assert await feed_fetching.dispatch(reaching) == 0
    await in_template(reaching, feed_id)
    assert await feed_fetching.dispatch(reaching) == 1


async def test_a_feed_that_is_due_gets_one_job_however_often_the_dispatcher_looks(
    reaching: Services,
) -> None:
    feed_id = await added(reaching)
    await reaching.db.execute(
        "UPDATE feeds SET next_fetch_at = now() - interval '1 minute' WHERE id = $1", feed_id
    )
    await reaching.db.execute("UPDATE feeds SET next_fetch_at = NULL WHERE id <> $1", feed_id)
    assert [await feed_fetching.dispatch(reaching) for _ in range(2)] == [1, 1]
    rows = await reaching.db.fetch(
        "SELECT payload, queue, max_attempts FROM delayed_jobs WHERE job_type = 'refresh_feed'"
    )
    assert [(row["payload"]["feed_id"], row["queue"], row["max_attempts"]) for row in rows] == [
        (feed_id, "DEFAULT", 1)
    ]


async def test_feeds_of_one_host_are_spread_over_the_minute(reaching: Services) -> None:
    for n in range(3):
        await added(reaching, f"https://{HOST}/feed{n}", f"reader{n}@example.org")
    await added(reaching, "https://single.example/feed", "single@example.org")
    await reaching.db.execute("UPDATE feeds SET next_fetch_at = now() - interval '1 minute'")
    await feed_fetching.dispatch(reaching)
    rows = await reaching.db.fetch(
        "SELECT round(extract(epoch FROM run_at - min(run_at) OVER ())) AS late FROM delayed_jobs "
        "WHERE job_type = 'refresh_feed' ORDER BY run_at"
    )
    assert [int(row["late"]) for row in rows] == [0, 0, 1, 2]


async def test_a_job_whose_host_is_busy_gives_its_slot_back(
    reaching: Services, publisher: Publisher
) -> None:
    publisher.put("/feed", rss([item("Bridge opens")]))
    feed_id = await added(reaching)
    guarded = reaching.outside["guarded"]
    guarded._turns.spacing = 5.0
    async with guarded._turns.at(HOST):
        with pytest.raises(Defer) as later:
            await refreshed(reaching, feed_id)
    assert later.value.until > datetime.now(UTC)
    assert publisher.asked == [] and await titles(reaching, feed_id) == []
