"""The front page: shared for visitors, personal for readers, widgets one by one."""

import asyncio
import dataclasses

import msgspec

from app.db import database_away
from app.domain.homepage import pages
from app.domain.homepage.versions import Versions
from app.domain.platform import sessions
from app.domain.platform.readers import Reader, token_hash
from app.domain.platform.session_rows import SessionRows
from app.errors import ServiceDown
from app.services import Services
from app.web.homepage import widgets
from app.web.pages import Frame, Theme
from tests.homepage.newsroom import feed, item
from tests.people import Browser, member

FRAME = Frame("Village", None, Theme(), [], "Village", [], "/", "", "UTC", "24", "metric", None)


async def test_a_visitor_sees_the_shared_front_page(browser: Browser) -> None:
    answer = await browser.get("/")
    assert answer.status_code == 200
    assert answer.headers["cache-control"].startswith("public, max-age=0, s-maxage=60")
    assert "set-cookie" not in answer.headers
    assert 'id="widget-news"' in answer.text


async def test_an_unchanged_front_page_is_not_sent_again(browser: Browser) -> None:
    first = await browser.get("/")
    again = await browser.get("/", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert not again.content


async def test_after_a_quiet_time_the_front_page_is_made_again(
    browser: Browser, services: Services
) -> None:
    await browser.get("/")
    await item(services, await feed(services, "courier"), "The ferry is back")
    await services.db.execute("UPDATE feeds SET version = version + 1")
    assert "The ferry is back" not in (await browser.get("/")).text
    browser.client._transport.app.state["shared"].too_old = 0
    assert "The ferry is back" in (await browser.get("/")).text


async def test_a_members_front_page_is_their_own(browser: Browser, services: Services) -> None:
    await browser.sign_in(await member(services))
    answer = await browser.get("/")
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "Ada" in answer.text
    again = await browser.get("/", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304


async def test_each_widget_is_a_page_a_fragment_and_json(browser: Browser) -> None:
    for kind in ("search", "news", "rss", "weather", "links", "note"):
        page = await browser.get(f"/widgets/{kind}")
        fragment = await browser.fragment(f"/widgets/{kind}")
        twin = await browser.json("GET", f"/api/widgets/{kind}")
        assert "<html" in page.text
        assert fragment.text.lstrip().startswith("<section")
        assert twin.json()["state"]


async def test_an_unknown_widget_is_not_found(browser: Browser) -> None:
    answer = await browser.json("GET", "/api/widgets/horoscope")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_pages_are_packed_for_who_can_unpack_them(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    for path in ("/", "/news", "/cabinet"):
        packed = await browser.get(path, headers={"accept-encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        plain = await browser.get(path, headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert "<html" in packed.text


async def warm_page(browser: Browser, services: Services) -> Reader:
    """A member whose front page stands ready in memory: it was made, and the hub hears every change."""
    browser.client._transport.app.state["hub"].listening = True
    who = await member(services)
    await browser.sign_in(who)
    await browser.get("/")
    return who


async def test_a_ready_front_page_is_the_same_as_one_that_is_made(
    browser: Browser, services: Services
) -> None:
    await warm_page(browser, services)
    for encoding in ("gzip", "identity"):
        headers = {"accept-encoding": encoding}
        quick = await browser.get("/", headers=headers)
        made = await browser.get("/", headers={**headers, "cache-control": "no-cache"})
        slow = await browser.get("/?x=1", headers=headers)
        assert quick.text == made.text
        assert quick.headers["etag"] == slow.headers["etag"]
        assert {"content-security-policy", "x-request-id"} <= quick.headers.keys()
    unchanged = await browser.get("/", headers={"if-none-match": quick.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


async def test_a_ready_front_page_asks_once_who_is_there(
    browser: Browser, services: Services
) -> None:
    await warm_page(browser, services)
    asked: list[str] = []
    services.db.connection.add_query_logger(lambda record: asked.append(record.query))
    await browser.get("/")
    assert len(asked) == 1


async def test_a_ready_front_page_is_gone_with_the_session(
    browser: Browser, services: Services
) -> None:
    await warm_page(browser, services)
    await services.db.execute("UPDATE sessions SET ended_at = now(), ended_why = 'test'")
    assert "Ada" not in (await browser.get("/")).text


async def test_a_ready_front_page_shows_a_change_of_ones_own_at_once(
    browser: Browser, services: Services
) -> None:
    who = await warm_page(browser, services)
    await services.db.execute("UPDATE users SET display_name = 'Grace' WHERE id = $1", who.id)
    assert "Grace" in (await browser.get("/")).text


async def test_a_ready_front_page_shows_another_time_zone_at_once(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    tags = set()
    for zone in ("Asia/Tokyo", "America/Lima"):
        await browser.json("PATCH", "/api/settings/account", {"time_zone": zone})
        tags |= {(await browser.get("/")).headers["etag"] for _ in range(3)}
    assert len(tags) == 2


async def test_many_readers_at_once_share_a_statement(services: Services) -> None:
    tokens = []
    for name in ("ada", "bob", "eve"):
        who = await member(services, f"{name}@example.org")
        tokens.append(await sessions.open_for(services, who.id, "test", "print", {}))
    asked: list[str] = []
    services.db.connection.add_query_logger(lambda record: asked.append(record.query))
    rows = SessionRows(services)
    found = await asyncio.gather(
        *(rows.find(token_hash(token), "print") for token in [*tokens, "nobody", tokens[0]])
    )
    assert [row and row["email"] for row in found] == [
        "ada@example.org", "bob@example.org", "eve@example.org", None, "ada@example.org",
    ]  # fmt: skip
    assert sum("FROM sessions" in query for query in asked) == 1


async def test_a_fault_reaches_all_who_wait_for_a_reader(services: Services) -> None:
    rows = SessionRows(dataclasses.replace(services, db=Gone()))  # type: ignore[arg-type]
    found = await asyncio.gather(
        rows.find(b"a", "print"), rows.find(b"b", "print"), return_exceptions=True
    )
    assert all(isinstance(fault, ServiceDown) for fault in found)


class Gone:
    """A database that is away."""

    async def fetch(self, *_: object) -> list[object]:
        raise database_away()


async def test_the_tab_of_a_visitor_is_not_kept_as_the_front_page(browser: Browser) -> None:
    tab = await browser.get("/pages/home")
    front = await browser.get("/")
    assert tab.headers["etag"] != front.headers["etag"]
    assert (await browser.get("/")).text == front.text != tab.text


def test_two_types_of_widget_are_never_one_piece() -> None:
    news, feed_of_one = pages.lone("news_feed"), pages.lone("rss_feed")
    same = msgspec.structs.replace(
        feed_of_one, key=news.key, title=news.title, settings=news.settings
    )
    keys = {widgets.key_of(None, one, Versions(), FRAME, "home") for one in (news, same)}
    assert len(keys) == 2
