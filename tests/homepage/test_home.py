"""The front page: shared for visitors, personal for readers, widgets one by one."""

from app.services import Services
from tests.people import Browser, member


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
