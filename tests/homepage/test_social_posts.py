"""Posts: the newest by a job, small pictures of ours, ages of rule 56, and nobody but their owner."""

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from app.domain.homepage import news_widgets, social, social_posts
from app.domain.homepage.widget_types import FeedSettings, SocialSettings
from app.errors import Defer, ServiceDown
from app.outside import instagram_answers, meta_answers, meta_graph
from app.services import Services
from tests.conftest import client_on
from tests.homepage.job_runs import run_jobs
from tests.homepage.newsroom import feed, item
from tests.homepage.social_trips import Traveller, look, media, travelling
from tests.people import Browser, member
from tests.platform.stored import storing

__all__ = ["storing"]
SUBSCRIBE = (
    "INSERT INTO feed_subscriptions (user_id, feed_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
)
EVIL = '<script>alert(1)</script> <img src=x onerror=alert(1)> "quoted" \u0000\u202e العربية'


@pytest.fixture
async def traveller(services: Services) -> AsyncIterator[Traveller]:
    async with travelling(services) as traveller:
        yield traveller


async def test_kinds_times_and_figures_are_read_and_unknown_kinds_become_text_or_link(
    traveller: Traveller,
) -> None:
    found = await look(
        traveller,
        media(1, media_type="CAROUSEL_ALBUM", like_count=7, comments_count=2),
        media(2, media_type="VIDEO", media_product_type="REELS"),
        media(3, media_type="HOLOGRAM"),
        media(4, media_type="HOLOGRAM", permalink=None),
        media(5, media_product_type="STORY"),
    )
    assert [one["kind"] for one in reversed(found)] == ["carousel", "reel", "link", "text", "story"]
    assert found[-1]["posted_at"] == "2026-01-02T09:42:00Z"
    assert found[-1]["engagement"] == {"likes": 7, "comments": 2}


async def test_a_broken_post_loses_no_neighbour(traveller: Traveller) -> None:
    broken = [{"no": "id"}, None, 7, media(3, caption={"not": "text"}), media(4, id="x" * 500)]
    broken += [media(5, id="a\u0000b"), media(6, id=""), media(7, id="../7")]
    found = await look(traveller, media(1), *broken, media(2))
    assert sorted(one["caption"] for one in found) == ["Post 1", "Post 2"]


async def test_a_platform_that_sends_more_than_was_asked_for_is_read_to_the_25th(
    traveller: Traveller,
) -> None:
    traveller.world.vendors["instagram"].numbers = lambda: range(1)
    answer = meta_answers.RawList(
        [instagram_answers.msgspec.Raw(b'{"id": "%d"}' % n) for n in range(900)]
    )
    found = meta_answers.read(answer, instagram_answers.Media, instagram_answers.in_our_words, 25)
    assert [one.id for one in found] == [str(n) for n in range(25)]
    again = await look(traveller, *[media(7, caption=f"Version {n}") for n in range(3)])
    assert [one["caption"] for one in again] == ["Version 2"]


async def test_a_hostile_caption_and_link_stay_text(traveller: Traveller) -> None:
    links = ("javascript:alert(1)", "data:text/html,x", "//evil.example", "https://x.example/ y")
    posts = [media(n, caption=EVIL * 60, permalink=link) for n, link in enumerate(links, 1)]
    found = await look(traveller, *posts)
    assert len(found) == 4 and all(one["permalink"] is None for one in found)
    assert all(len(one["caption"]) <= 2200 and "\u0000" not in one["caption"] for one in found)
    for path in ("/social", "/widgets/social"):
        text = (await traveller.browser.get(path)).text
        assert (
            "<script>alert" not in text and "<img src=x" not in text and "javascript:" not in text
        )
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


async def test_a_post_from_the_future_and_one_without_time_are_of_now(traveller: Traveller) -> None:
    found = await look(
        traveller,
        media(1, timestamp="2999-01-01T00:00:00+0000"),
        media(2, timestamp="yesterday"),
        media(3, timestamp="0001-01-01T00:00:00+2359"),
    )
    assert len(found) == 3 and all(one["posted_at"][:4] in ("2026", "2027") for one in found)


async def test_changed_words_and_figures_are_taken_over(traveller: Traveller) -> None:
    await look(traveller, media(1, like_count=1))
    traveller.world.vendors["instagram"].said = [media(1, caption="Better", like_count=5)]
    await traveller.again()
    [found] = (await traveller.page())["items"]
    assert (found["caption"], found["engagement"]) == ("Better", {"likes": 5})


async def test_what_the_platform_took_away_stays_here(traveller: Traveller) -> None:
    await look(traveller, media(1), media(2))
    traveller.world.vendors["instagram"].said = [media(2)]
    await traveller.again()
    assert len((await traveller.page())["items"]) == 2


async def test_the_job_runs_every_half_hour_one_an_account(traveller: Traveller) -> None:
    await traveller.connect()
    await traveller.connect("facebook")
    assert await social_posts.dispatch(traveller.services) == 0
    await traveller.services.db.execute(
        "UPDATE social_accounts SET last_try_at = now() - interval '29 minutes'"
    )
    assert await social_posts.dispatch(traveller.services) == 3
    assert await social_posts.dispatch(traveller.services) == 3
    waiting = (
        "SELECT count(*) FROM delayed_jobs WHERE job_type = 'refresh_social' AND status = 'pending'"
    )
    assert await traveller.services.db.fetchval(waiting) == 3


async def test_a_job_that_is_not_due_asks_nobody(traveller: Traveller) -> None:
    account = await traveller.connect()
    traveller.world.asked.clear()
    await traveller.services.db.execute("UPDATE social_posts SET media = '[]'")
    await social_posts.refresh(traveller.services, account["id"])
    assert traveller.world.requests("instagram") == []


@pytest.mark.parametrize(
    ("span", "state", "card", "says"),
    [
        ("23 hours", "fresh", "fresh", ""),
        ("25 hours", "slightly_stale", "ageing", "no new look since yesterday"),
        ("4 days", "stale", "stale", "no new look for 4 days"),
        ("8 days", "very_stale", "failing", "no new look for 8 days"),
    ],
)
async def test_age_runs_from_the_last_success(
    traveller: Traveller, span: str, state: str, card: str, says: str
) -> None:
    await look(traveller, media(1))
    [account] = (await traveller.aged(span))["accounts"]
    assert account["state"] == state and says in account["sentence"]
    widget = (await traveller.browser.json("GET", "/api/widgets/social")).json()
    assert (widget["state"], widget["freshness"]) == (card, state)
    assert [one["caption"] for one in widget["items"]] == ["Post 1"]
    text = (await traveller.browser.fragment("/widgets/social")).text
    assert says in text and ("Reconnect" in text) == (state in ("stale", "very_stale"))


async def test_posts_are_archived_after_a_week_and_a_fresh_look_brings_them_back(
    traveller: Traveller,
) -> None:
    await look(traveller, media(1))
    await traveller.aged("8 days")
    async with traveller.services.tx() as tx:
        await tx.enqueue("archive_social")
    await run_jobs(traveller.services, "archive_social")
    [found] = (await traveller.page())["items"]
    assert found["archived"]
    await traveller.again()
    assert not (await traveller.page())["items"][0]["archived"]


async def test_revoked_tokens_ask_for_hands_at_once_and_posts_stay(traveller: Traveller) -> None:
    await look(traveller, media(1))
    traveller.world.vendors["instagram"].forget_tokens()
    before = failures()
    await traveller.again()
    page = await traveller.page()
    assert page["accounts"][0]["needs_reconnect"] and len(page["items"]) == 1
    assert "does not take this connection any more" in page["accounts"][0]["sentence"]
    assert failures() == before + 1
    await traveller.services.db.execute(
        "UPDATE social_accounts SET last_try_at = now() - interval '2 hours'"
    )
    assert await social_posts.dispatch(traveller.services) == 0
    assert (await traveller.connect())["state"] == "fresh"


def failures() -> float:
    found = REGISTRY.get_sample_value("social_api_failures_total", {"platform": "instagram"})
    return found or 0.0


@pytest.mark.parametrize("fault", ["500", "503", "429", "garbage", "shape", "half", "hang"])
async def test_a_platform_in_trouble_costs_no_post(traveller: Traveller, fault: str) -> None:
    await look(traveller, media(1))
    traveller.services.outside["instagram"]._timeout = 0.3
    await traveller.world.fault("instagram", fault, times=None, seconds=1)
    if fault == "shape":
        # An object without posts is an empty list, as for an account that has none.
        await traveller.again()
    else:
        with pytest.raises(ServiceDown):
            await traveller.again()
    page = await traveller.page()
    assert len(page["items"]) == 1 and page["accounts"][0]["state"] == "fresh"
    assert (await traveller.browser.get("/")).status_code == 200


async def test_an_answer_that_never_ends_is_cut_off(traveller: Traveller) -> None:
    traveller.world.vendors["instagram"].said = [media(1, caption="x" * 3_000_000)]
    await traveller.go()
    with pytest.raises(ServiceDown) as down:
        await run_jobs(traveller.services, "refresh_social")
    assert down.value.code == "too_large"


async def test_two_workers_at_one_account_ask_once(traveller: Traveller) -> None:
    await look(traveller, media(1))
    account_id = await traveller.services.db.fetchval(
        "UPDATE social_accounts SET last_ok_at = now() - interval '1 hour',"
        " taken_until = now() + interval '30 seconds' RETURNING id"
    )
    traveller.world.asked.clear()
    with pytest.raises(Defer):
        await social_posts.refresh(traveller.services, account_id)
    assert traveller.world.requests("instagram") == []


async def test_the_widget_says_what_to_do_before_there_is_anything(traveller: Traveller) -> None:
    text = (await traveller.browser.fragment("/widgets/social")).text
    assert "Connect an account" in text
    own = dataclasses.replace(traveller.services, outside={})
    [off] = await social.filled(own, traveller.who, [SocialSettings()])
    assert (off.state, off.sentence) == ("off", "Social feeds are not set up on this site.")
    traveller.browser.sign_out()
    assert "Sign in" in (await traveller.browser.fragment("/widgets/social")).text


async def test_a_widget_can_show_one_account_alone(traveller: Traveller) -> None:
    await traveller.connect("facebook")
    accounts = (await traveller.page())["accounts"]
    wish = SocialSettings(account_id=accounts[1]["id"], count=3)
    [found] = await social.filled(traveller.services, traveller.who, [wish])
    assert {one.account for one in found.items} == {"Friends of the Old Tram"}
    foreign = await member(traveller.services, "eve@example.org")
    [empty] = await social.filled(traveller.services, foreign, [wish])
    assert (empty.state, empty.items) == ("empty", [])


async def test_the_posts_go_on_by_cursor_and_each_comes_once(traveller: Traveller) -> None:
    await traveller.connect()
    seen, query = [], "?limit=10"
    while query:
        page = await traveller.page(query)
        seen += [one["id"] for one in page["items"]]
        query = f"?limit=10&cursor={page['next']}" if page["next"] else ""
    assert len(seen) == len(set(seen)) == 25


async def test_looks_at_the_feed_are_counted_by_how_fresh_it_is(traveller: Traveller) -> None:
    await look(traveller, media(1))

    def served(status: str) -> float:
        return REGISTRY.get_sample_value("social_feed_requests_total", {"status": status}) or 0.0

    for status, span in (("fresh", "1 hour"), ("stale", "5 days")):
        await traveller.aged(span)
        before = served(status)
        await traveller.browser.json("GET", "/api/widgets/social")
        assert served(status) == before + 1
    account_id = await traveller.services.db.fetchval("SELECT id FROM social_accounts")
    await traveller.browser.json("DELETE", f"/api/social/accounts/{account_id}?posts=keep")
    before = served("disconnected")
    await traveller.browser.json("GET", "/api/widgets/social")
    assert served("disconnected") == before + 1


@given(st.text(max_size=60) | st.none())
def test_no_time_however_written_breaks_the_reading(said: str | None) -> None:
    at = meta_answers.moment(said)
    assert at is None or at.utcoffset() is not None


@given(st.recursive(st.none() | st.integers() | st.text(max_size=9), lambda part: st.lists(part, max_size=3) | st.dictionaries(
    st.sampled_from(["id", "caption", "media_type", "children", "data", "timestamp", "media_url"]), part, max_size=4)))  # fmt: skip
def test_no_answer_however_shaped_breaks_the_reading(said: Any) -> None:
    raw = instagram_answers.msgspec.Raw(instagram_answers.msgspec.json.encode(said))
    found = meta_answers.read(
        meta_answers.RawList([raw]), instagram_answers.Media, instagram_answers.in_our_words, 25
    )
    assert len(found) <= 1


def test_an_answer_of_endless_depth_is_only_unreadable() -> None:
    deep = b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    raw = instagram_answers.msgspec.Raw(deep)
    read = meta_answers.each(meta_answers.RawList([raw]), instagram_answers.Media, 25)
    assert list(read) == []
    with pytest.raises(ServiceDown):
        meta_graph.refuse(400, deep, "")


async def test_a_feed_can_be_shown_in_the_look_of_posts(services: Services) -> None:
    who = await member(services, "reader@example.org")
    paper = await feed(services, "gazette")
    await item(services, paper, "A picture of the harbour", minutes=5)
    wish = FeedSettings(feed_id=paper, look="social")
    [found] = await news_widgets.filled(services, None, [wish])
    assert (found.look, [one.title for one in found.items]) == (
        "social",
        ["A picture of the harbour"],
    )
    async with client_on(services) as client:
        browser = Browser(client, services)
        await browser.sign_in(who)
        await services.db.execute(SUBSCRIBE, who.id, paper)
        body = {"type": "rss_feed", "settings": {"feed_id": paper, "look": "social"}}
        added = (await browser.json("POST", "/api/widgets", body)).json()["widget"]
        text = (await browser.fragment(f"/widgets/rss?at=home.{added['key']}")).text
    assert 'class="row-image"' in text and "A picture of the harbour" in text
