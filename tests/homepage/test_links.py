"""Quick links: added, moved, removed with undo, in and out as a bookmark file."""

import pytest

from app.services import Services
from tests.people import Browser, member


async def mine(browser: Browser) -> list[str]:
    answer = await browser.json("GET", "/api/links")
    return [link["title"] for link in answer.json()["items"]]


async def added(browser: Browser, title: str) -> int:
    answer = await browser.json(
        "POST", "/api/links", {"url": f"https://{title}.example", "title": title}
    )
    assert answer.status_code == 201
    return int(answer.json()["id"])


async def test_links_keep_their_order_and_can_be_moved(browser: Browser) -> None:
    first, second, third = [await added(browser, title) for title in ("one", "two", "three")]
    await browser.json("PATCH", f"/api/links/{third}", {"move": "up"})
    assert await mine(browser) == ["one", "three", "two"]
    await browser.json("PUT", "/api/links/order", {"ids": [second, first, third]})
    assert await mine(browser) == ["two", "one", "three"]


async def test_a_removed_link_can_be_brought_back(browser: Browser) -> None:
    link_id = await added(browser, "one")
    answer = await browser.post(f"/links/{link_id}", {"_method": "DELETE"})
    assert answer.status_code == 303
    assert await mine(browser) == []
    assert "/restorations" in (await browser.get("/links")).text
    await browser.post(f"/links/{link_id}/restorations")
    assert await mine(browser) == ["one"]


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://a.example",
        "http://",
        "https:// a",
        "a\x00b",
    ],
)
async def test_only_addresses_of_the_web_are_kept(browser: Browser, url: str) -> None:
    answer = await browser.json("POST", "/api/links", {"url": url})
    assert answer.status_code == 422
    assert answer.json()["errors"]["url"]
    assert await mine(browser) == []


async def test_a_bare_host_gets_https_and_its_name_as_title(browser: Browser) -> None:
    link = (await browser.json("POST", "/api/links", {"url": "www.paper.example/today"})).json()
    assert (link["url"], link["title"]) == ("https://www.paper.example/today", "paper.example")


async def test_what_was_typed_stays_in_the_form(browser: Browser) -> None:
    answer = await browser.post("/links", {"url": "ftp://a.example", "title": "My title"})
    assert answer.status_code == 422
    assert 'value="My title"' in answer.text


async def test_out_and_in_again_gives_the_same_links(browser: Browser, services: Services) -> None:
    for title in ("one", "two & <three>"):
        await browser.json(
            "POST",
            "/api/links",
            {"url": f"https://a.example/?q={title[0]}", "title": title, "list": "Work"},
        )
    text = (await browser.get("/links.html")).text
    await browser.sign_in(await member(services))
    for expected in ({"added": 2, "known": 0, "failed": 0}, {"added": 0, "known": 2, "failed": 0}):
        answer = await browser.client.post(
            "/links/imports",
            files={"file": ("links.html", text)},
            headers={"accept": "application/json", "sec-fetch-site": "same-origin"},
        )
        assert answer.json() == expected
    assert await mine(browser) == ["one", "two & <three>"]


async def test_another_members_link_is_not_there(browser: Browser, services: Services) -> None:
    await browser.sign_in(await member(services, "a@example.org"))
    link_id = await added(browser, "one")
    await browser.sign_in(await member(services, "b@example.org"))
    for method in ("PATCH", "DELETE"):
        answer = await browser.json(method, f"/api/links/{link_id}", {"title": "taken"})
        assert answer.status_code == 404
    await browser.json("PUT", "/api/links/order", {"ids": [link_id]})
    assert await services.db.fetchval("SELECT sort FROM quick_links") == 1


async def test_links_show_as_tiles_without_being_tracked(browser: Browser) -> None:
    await added(browser, "one")
    card = (await browser.fragment("/widgets/links")).text
    assert 'href="https://one.example"' in card
    assert "/track/click" not in card


async def test_a_visitors_first_save_sets_the_cookie_and_a_visit_does_not(browser: Browser) -> None:
    assert "set-cookie" not in (await browser.get("/links")).headers
    answer = await browser.post("/links", {"url": "https://a.example"})
    [cookie] = [
        text for text in answer.headers.get_list("set-cookie") if text.startswith("vu_anon_id=")
    ]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Max-Age=2592000" in cookie
