"""Merges: yes moves what the member has not, no moves nothing; one answer, one row, also for two at once."""

import asyncio
import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from app.db import Database, open_pool
from app.domain.homepage import (
    links,
    merging,
    news_filters,
    news_marks,
    page_changes,
    page_widgets,
    pages,
    preferences,
    read_marks,
    stock_watches,
    subscriptions,
    weather_places,
)
from app.domain.platform import merges, visitors
from app.domain.platform.merges import MERGES, Counts
from app.domain.platform.readers import Reader
from app.errors import Conflict, NotFound
from app.services import Services
from tests.homepage import newsroom
from tests.people import member
from tests.platform.visitors import TOKEN, audit, visitor

REFERENCES = """
SELECT conrelid::regclass::text AS "table", attname::text AS "column"
FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
WHERE contype = 'f' AND confrelid = 'users'::regclass ORDER BY 1, 2
"""
# What refers to people and is no visitor's: who signed in, has rights or is written to, and what members alone may do.
NO_VISITORS = {
    "admin_grants", "ai_acknowledgements", "api_tokens", "bans", "emails", "feed_checks", "feeds", "identities",
    "notification_choices", "notifications", "oauth_states", "opml_imports", "rate_limit_violations", "rate_limits",
    "recent_searches", "sessions", "sign_in_requests", "site_settings", "social_accounts", "social_posts", "social_trips",
    "stored_objects", "tag_merges", "tag_proposals", "user_consents", "users",
}  # fmt: skip
# How often each area changed: every merge counts up the member's own.
COUNTED_UP = {"reader_versions"}


async def test_every_table_that_a_visitor_can_fill_has_a_merge(services: Services) -> None:
    tables = {row["table"] for row in await services.db.fetch(REFERENCES)}
    covered = {table for merge in MERGES for table in merge.tables}
    assert tables - covered - NO_VISITORS - COUNTED_UP == set()
    assert (covered & NO_VISITORS, NO_VISITORS - tables) == (set(), set())
    assert len({merge.noun for merge in MERGES}) == len(MERGES)


async def kept(services: Services, who: Reader) -> dict[str, Counts]:
    """Say yes; by noun what moved and what stayed."""
    return (await merges.answer(services, who, TOKEN, keep=True)).summary


@dataclasses.dataclass
class Setup:
    """A visitor who set up one thing of everything, and a new member."""

    guest: Reader
    who: Reader
    feed: int
    item: int


async def furnished(services: Services) -> Setup:
    """One thing of everything."""
    guest, who = await visitor(services), await member(services)
    feed = await newsroom.feed(services, "daily", default_on=False)
    item = await newsroom.item(services, feed, "First frost")
    await subscriptions.put(services, guest, feed)
    await news_marks.mark(services, guest, item, "saved", on=True)
    await read_marks.mark(services, guest, read_marks.ReadMark(newsroom.NOW))
    await news_filters.add(services, guest, news_filters.NewFilter("golf"))
    place = weather_places.NewPlace(lat=45.5, lon=-73.57, name="Here")
    await weather_places.add(services, guest, place)
    await stock_watches.add(services, guest, "MSFT")
    await links.add(services, guest, links.NewLink("https://a.example/"))
    await preferences.patch(services, guest, {"clock": "12"})
    await page_widgets.add(services, guest, "home", "note", {"text": "mine"})
    return Setup(guest, who, feed, item)


async def test_a_yes_moves_one_of_everything_and_the_visitor_goes(services: Services) -> None:
    given = await furnished(services)
    summary = await kept(services, given.who)
    assert summary == {merge.noun: Counts(1, 0) for merge in MERGES}
    gone = await services.db.fetchval("SELECT count(*) FROM users WHERE id = $1", given.guest.id)
    assert gone == 0
    assert [link.url for link in (await links.mine(services, given.who)).items] == ["https://a.example/"]  # fmt: skip
    assert [place.name for place in (await weather_places.mine(services, given.who)).items] == ["Here"]  # fmt: skip
    assert [rule.value for rule in (await news_filters.mine(services, given.who)).items] == ["golf"]
    assert [one.feed_id for one in (await subscriptions.of(services, given.who)).items] == [given.feed]  # fmt: skip
    page = await pages.shown(services, given.who)
    assert page.is_touched and [w.settings for w in page.widgets if w.type == "note"] == [{"text": "mine"}]  # fmt: skip
    [row] = await audit(services)
    assert row["merged_data_summary"]["links"] == {"moved": 1, "stayed": 0}
    assert (row["consent_given"], row["kept"]) == (True, timedelta(days=90))


async def test_a_no_moves_nothing_and_leaves_the_visitor(services: Services) -> None:
    given = await furnished(services)
    answer = await merges.answer(services, given.who, TOKEN, keep=False)
    assert answer.summary == {}
    assert not (await links.mine(services, given.who)).items
    assert (await links.mine(services, given.guest)).items
    assert not (await pages.shown(services, given.who)).is_touched
    [row] = await audit(services)
    pair = row["anonymous_user_id"], row["authenticated_user_id"]
    assert (pair, row["consent_given"]) == ((given.guest.id, given.who.id), False)


@pytest.mark.parametrize("keep", [True, False])
async def test_the_same_answer_twice_changes_nothing_and_another_is_refused(
    services: Services, keep: bool
) -> None:
    given = await furnished(services)
    first = await merges.answer(services, given.who, TOKEN, keep=keep)
    assert await merges.answer(services, given.who, TOKEN, keep=keep) == first
    with pytest.raises(Conflict) as refused:
        await merges.answer(services, given.who, TOKEN, keep=not keep)
    assert refused.value.code == "answered_already"
    assert len(await audit(services)) == 1


async def test_without_a_visitor_there_is_nothing_to_answer(services: Services) -> None:
    who = await member(services)
    for keep in (True, False):
        with pytest.raises(NotFound):
            await merges.answer(services, who, TOKEN, keep=keep)
    assert await audit(services) == []


@pytest.mark.parametrize("answers", [(True, True), (True, False), (False, False)], ids=str)
async def test_two_answers_at_once_are_one_row(services: Services, answers: Any) -> None:
    pool = await open_pool(services.settings)
    committed = dataclasses.replace(services, db=Database(pool))
    who, guest = await member(committed, "twice@example.org"), await visitor(committed)
    await links.add(committed, guest, links.NewLink("https://a.example/"))
    try:
        ended = await asyncio.gather(
            *(merges.answer(committed, who, TOKEN, keep=keep) for keep in answers),
            return_exceptions=True,
        )
        rows = await audit(committed)
        moved = len((await links.mine(committed, who)).items)
    finally:
        # Unlike other tests this one commits.
        await pool.execute("DELETE FROM users WHERE id = ANY($1)", [who.id, guest.id])
        await pool.execute("TRUNCATE account_merge_audit, merge_questions")
        await pool.close()
    [row] = rows
    refused = [one for one in ended if isinstance(one, BaseException)]
    assert [type(one) for one in refused] == [Conflict] * (answers[0] != answers[1])
    assert moved == row["consent_given"] and row["consent_given"] in answers


async def test_the_member_s_value_wins_and_the_summary_says_what_stayed(services: Services) -> None:
    given = await furnished(services)
    who = given.who
    await services.db.execute("UPDATE users SET created_at = now() - interval '9 days' WHERE id = $1", who.id)  # fmt: skip
    await preferences.put(services, who, preferences.Preferences(units="imperial"))
    await newsroom.subscribed(services, who, given.feed, title="My name for it")
    await news_filters.add(services, who, news_filters.NewFilter("GOLF"))
    spot = weather_places.NewPlace(lat=45.5, lon=-73.57, name="Home")
    await weather_places.add(services, who, spot)
    await links.add(services, who, links.NewLink("https://a.example/", "Mine"))
    await links.add(services, given.guest, links.NewLink("https://b.example/"))
    summary = await kept(services, who)
    for noun in ("preferences", "feeds", "filters", "places"):
        assert summary[noun] == Counts(0, 1), noun
    assert summary["links"] == Counts(1, 1)
    doc = await services.db.fetchval("SELECT doc FROM preferences WHERE user_id = $1", who.id)
    assert (doc["units"], doc["clock"]) == ("imperial", "24")
    assert (await subscriptions.of(services, who)).items[0].title == "My name for it"
    assert [place.name for place in (await weather_places.mine(services, who)).items] == ["Home"]
    titles = [link.title for link in (await links.mine(services, who)).items]
    assert titles == ["Mine", "b.example"]


async def test_what_a_visitor_did_with_default_feeds_holds_for_the_member_they_become(
    services: Services,
) -> None:
    guest, who = await visitor(services), await member(services)
    kept_feed, removed = [await newsroom.feed(services, name) for name in ("one", "two")]
    await subscriptions.remove(services, guest, removed)
    await subscriptions.start(services, who.id)
    assert await kept(services, who) == {"feeds": Counts(1, 0)}
    ids = {one.feed_id for one in (await subscriptions.of(services, who)).items}
    assert kept_feed in ids and removed not in ids


async def test_marks_are_united_and_the_member_s_word_on_one_item_holds(services: Services) -> None:
    guest, who = await visitor(services), await member(services)
    feed = await newsroom.feed(services, "daily")
    one, two = [await newsroom.item(services, feed, title) for title in ("One", "Two")]
    for item in (one, two):
        await news_marks.mark(services, guest, item, "read", on=True)
    await news_marks.mark(services, guest, one, "saved", on=True)
    await news_marks.mark(services, who, one, "read", on=False)
    early, late = newsroom.NOW - timedelta(days=2), newsroom.NOW - timedelta(days=1)
    await read_marks.mark(services, guest, read_marks.ReadMark(late))
    await read_marks.mark(services, who, read_marks.ReadMark(early))
    assert await kept(services, who) == {"stories": Counts(2, 0), "read_marks": Counts(1, 0)}
    found = [await services.db.fetchrow(news_marks.OF_ITEM, who.id, item) for item in (one, two)]
    assert [(row["read"], row["saved"]) for row in found] == [(False, True), (True, False)]
    mark = "SELECT read_before FROM news_watermarks WHERE user_id = $1 AND feed_id = 0"
    assert await services.db.fetchval(mark, who.id) == late


async def test_limits_cut_the_visitor_s_newest(services: Services) -> None:
    guest, who = await visitor(services), await member(services)
    for n in range(9):
        await weather_places.add(services, who, weather_places.NewPlace(lat=n, lon=1, name=f"M{n}"))
    for n in range(3):
        place = weather_places.NewPlace(lat=50 + n, lon=1, name=f"V{n}")
        made = await weather_places.add(services, guest, place)
        await services.db.execute("UPDATE weather_places SET created_at = now() + $2 WHERE id = $1", made.id, timedelta(hours=n))  # fmt: skip
    assert await kept(services, who) == {"places": Counts(1, 2)}
    names = [place.name for place in (await weather_places.mine(services, who)).items]
    assert names[8:] == ["M8", "V0"]


async def test_an_untouched_page_is_replaced_and_that_can_be_undone(services: Services) -> None:
    guest, who = await visitor(services), await member(services)
    await page_widgets.remove(services, guest, "home", "weather")
    assert await kept(services, who) == {"pages": Counts(1, 0)}
    page = await pages.shown(services, who)
    assert "weather" not in [widget.key for widget in page.widgets] and len(page.tabs) == 1
    said = (await page_changes.history(services, who, "home")).items[0].says
    assert said == "Brought over from before you signed in"
    page = await page_changes.undo(services, who, "home")
    assert "weather" in [widget.key for widget in page.widgets]


async def test_a_touched_page_stays_and_the_visitor_s_becomes_a_tab(services: Services) -> None:
    guest, who = await visitor(services), await member(services)
    await page_widgets.remove(services, guest, "home", "weather")
    await page_widgets.add(services, guest, "home", "note", {"text": "mine"})
    mine = await page_widgets.add(services, who, "home", "rss_feed")
    assert await kept(services, who) == {"pages": Counts(1, 0)}
    home = await pages.shown(services, who)
    assert [widget.key for widget in home.widgets] == [w.key for w in mine.page.widgets]
    assert [tab.name for tab in home.tabs] == ["Home", merging.TAB]
    tab = await pages.shown(services, who, "before-sign-in")
    assert {widget.type for widget in tab.widgets} == {"search_bar", "news_feed", "quick_links", "note"}  # fmt: skip


async def test_with_ten_tabs_the_visitor_s_page_stays(services: Services) -> None:
    guest, who = await visitor(services), await member(services)
    await page_widgets.remove(services, guest, "home", "weather")
    await page_widgets.remove(services, who, "home", "news")
    for n in range(9):
        await pages.add(services, who, f"Tab {n}")
    assert await kept(services, who) == {"pages": Counts(0, 1)}
    assert len((await pages.shown(services, who)).tabs) == 10


async def test_weather_widgets_go_by_the_member_s_place_of_the_same_spot(
    services: Services,
) -> None:
    guest, who = await visitor(services), await member(services)
    spot = weather_places.NewPlace(lat=45.5, lon=-73.57, name="Here")
    theirs = await weather_places.add(services, guest, spot)
    await page_widgets.add(services, guest, "home", "weather", {"place_id": theirs.id})
    mine = await weather_places.add(services, who, spot)
    await kept(services, who)
    widgets = (await pages.shown(services, who)).widgets
    assert {"place_id": mine.id} in [widget.settings for widget in widgets]


async def test_no_answer_in_thirty_days_is_a_no_even_when_the_visitor_has_gone(
    services: Services,
) -> None:
    guest, who = await visitor(services), await member(services)
    assert await merges.ask(services, TOKEN, who.id)
    await merges.purge(services)
    assert await audit(services) == []
    await services.db.execute("UPDATE merge_questions SET created_at = now() - interval '31 days'")
    await services.db.execute("UPDATE users SET last_seen_on = current_date - 31 WHERE id = $1", guest.id)  # fmt: skip
    await visitors.purge(services)
    await merges.purge(services)
    [row] = await audit(services)
    assert (row["anonymous_user_id"], row["consent_given"]) == (guest.id, False)
    assert await services.db.fetchval("SELECT count(*) FROM merge_questions") == 0


async def test_answers_go_after_their_day(services: Services) -> None:
    given = await furnished(services)
    await merges.answer(services, given.who, TOKEN, keep=False)
    assert await merges.purge(services) == 0
    await services.db.execute("UPDATE account_merge_audit SET purge_after = now() - interval '1 s'")
    assert await merges.purge(services) == 1
    assert await audit(services) == []
