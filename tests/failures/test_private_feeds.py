"""The role crawl of chapter 20 §9 line 1: nothing of a member's own feeds is in any byte that others get."""

import pytest

from app.domain.homepage import feed_additions, page_widgets
from app.domain.homepage.feed_additions import Wish
from app.domain.platform.readers import Reader
from app.services import Services
from tests.failures.addresses import addresses
from tests.homepage.newsroom import feed, item
from tests.people import Browser, member

# What others type leads to the titles and their neighbours, but never holds the canary itself.
CANARY, TYPED = "quokkafjord", ("zanzibar", "quokafjord", "quokkafj")
ASKS = (
    "/search?q={0}", "/search?q={0}&kind=news", "/news?q={0}", "/weather/places/suggestions?q={0}",
    "/feeds/catalogue?q={0}", "/feeds.opml?private=1", "/widgets/changes?page=home&keys=feed",
)  # fmt: skip
BY_FEED = (
    "/news?feed={0}",
    "/news?feed_id={0}",
    "/news/filters?feed_id={0}",
    "/widgets/rss?feed_id={0}",
)


@pytest.fixture
async def owned(services: Services) -> tuple[Reader, list[int]]:
    """A member with a member feed and a private one, each with a story that was saved; and every id of them."""
    who = await member(services, "owner@example.org")
    wishes = [
        Wish(f"https://{CANARY}.example/feed"),
        Wish(f"https://{CANARY}.example/own?token={CANARY}", private=True),
    ]
    async with services.tx() as tx:
        feeds = [one.feed_id for one in await feed_additions.add(tx, who.id, wishes, "own")]
    ids = list(feeds)
    for feed_id in feeds:
        title = f"Zanzibar {CANARY} {feed_id}"
        await services.db.execute(
            "UPDATE feeds SET title = $2, description = $2, last_ok_at = now() WHERE id = $1",
            feed_id,
            title,
        )
        item_id = await item(services, feed_id, title, text=title)
        ids += [
            item_id,
            await services.db.fetchval("SELECT story_id FROM feed_items WHERE id = $1", item_id),
        ]
        await page_widgets.add(services, who, "home", "rss_feed", {"feed_id": feed_id})
    return who, [*feeds, *ids]


async def everything(browser: Browser, ids: list[int]) -> dict[str, str]:
    """What every address answers, headers and body, by address."""
    asked = [*addresses(set(ids)), *(ask.format(word) for ask in ASKS for word in TYPED)]
    asked += [ask.format(one) for ask in BY_FEED for one in ids[:2]]
    asked += [f"/api{path}" for path in asked if "?" in path]
    found = {}
    for path in dict.fromkeys(asked):
        answer = await browser.get(path)
        found[path] = (answer.text + str(dict(answer.headers))).lower()
    return found


@pytest.mark.parametrize(
    "role", ["visitor", None, "super_admin"], ids=["visitor", "member", "admin"]
)
async def test_no_byte_of_others_holds_a_members_own_feed(
    services: Services, browser: Browser, owned: tuple[Reader, list[int]], role: str | None
) -> None:
    who, ids = owned
    public = await feed(services, "courier")
    await item(services, public, "Harbour")
    await browser.sign_in(who)
    assert CANARY in (await browser.get("/")).text
    browser.sign_out()
    if role != "visitor":
        await browser.sign_in(await member(services, "other@example.org", role))
    for path, text in (await everything(browser, ids)).items():
        place = text.find(CANARY)
        assert place < 0, (path, text[max(0, place - 120) : place + 80])


async def test_the_owner_finds_it_all(browser: Browser, owned: tuple[Reader, list[int]]) -> None:
    who, ids = owned
    await browser.sign_in(who)
    holding = {path for path, text in (await everything(browser, ids)).items() if CANARY in text}
    pages = {"/", "/news", "/feeds", "/api/feeds", "/feeds.opml?private=1", "/widgets/news"}
    assert holding >= pages | {f"/feeds/{ids[0]}", f"/api/feeds/{ids[0]}", "/search?q=zanzibar"}
