"""The bell: told once, read or not, chosen by type and way; the number stands in every page's head."""

from typing import Any

from app.domain.platform import notification_choices, notifications
from app.services import Services
from tests.people import Browser, member


async def told(services: Services, user_id: int, number: int = 1, **options: Any) -> list[Any]:
    async with services.tx() as tx:
        return [
            await notifications.add(tx, user_id, "account", f"Thing {n}", **options)
            for n in range(number)
        ]


async def test_a_thing_is_told_once(services: Services) -> None:
    who = await member(services)
    [first] = await told(services, who.id, dedupe_key="x")
    assert await told(services, who.id, dedupe_key="x") == [None]
    found = await notifications.latest(services, who)
    assert ([item.id for item in found.items], found.total) == ([first], 1)


async def test_the_list_is_mine_and_goes_on(browser: Browser, services: Services) -> None:
    who, other = await member(services), await member(services, "bob@example.org")
    await told(services, who.id, 3)
    await told(services, other.id)
    await browser.sign_in(who)
    first = (await browser.json("GET", "/api/notifications?limit=2")).json()
    rest = (await browser.json("GET", f"/api/notifications?cursor={first['next']}")).json()
    titles = [item["title"] for item in first["items"] + rest["items"]]
    assert titles == ["Thing 2", "Thing 1", "Thing 0"]
    assert (first["total"], rest["next"]) == (3, None)


async def test_every_page_says_how_many_are_unread(browser: Browser, services: Services) -> None:
    who = await member(services)
    await browser.sign_in(who)
    assert "bell-count" not in (await browser.get("/")).text
    await told(services, who.id, 2)
    for path in ("/", "/news"):
        assert "Notices, 2 unread" in (await browser.get(path)).text
    bell = await browser.ask(
        "GET", "/notifications", headers={"hx-request": "true", "hx-target": "a#bell"}
    )
    assert "2 unread" in bell.text
    assert "<html" not in bell.text


async def test_some_or_all_are_marked_as_read(browser: Browser, services: Services) -> None:
    who = await member(services)
    await browser.sign_in(who)
    ids = await told(services, who.id, 3)
    some = await browser.json("POST", "/api/notifications/reads", {"ids": ids[:1]})
    assert some.json()["total"] == 2
    answer = await browser.post("/notifications/reads", {"until": ids[-1]})
    assert answer.status_code == 303
    assert await notifications.unread(services, who) == 0


async def test_nobody_marks_what_is_not_theirs(browser: Browser, services: Services) -> None:
    who, other = await member(services), await member(services, "bob@example.org")
    ids = await told(services, who.id)
    await browser.sign_in(other)
    await browser.json("POST", "/api/notifications/reads", {"ids": ids})
    assert await notifications.unread(services, who) == 1


async def test_marking_in_place_renews_list_and_bell(browser: Browser, services: Services) -> None:
    who = await member(services)
    await browser.sign_in(who)
    await told(services, who.id)
    answer = await browser.ask("POST", "/notifications/reads", headers={"hx-request": "true"})
    assert 'id="bell"' in answer.text
    assert 'hx-swap-oob="true"' in answer.text
    assert "Thing 0" in answer.text


async def test_choices_are_kept_by_type_and_way(browser: Browser, services: Services) -> None:
    who = await member(services)
    await browser.sign_in(who)
    await browser.ask("PUT", "/settings/notifications", data={"bell": "account", "mail": "digest"})
    shown = (await browser.json("GET", "/api/settings/notifications")).json()["items"]
    ways = {item["type"]: (item["bell"], item["mail"]) for item in shown}
    assert ways["account"] == (True, False)
    assert ways["feeds"] == (False, False)
    assert ways["digest"] == (None, True)
    assert "checked" in (await browser.get("/settings/notifications")).text


async def test_who_wants_to_hear_nothing_is_told_nothing(services: Services) -> None:
    who = await member(services)
    await notification_choices.put(services, who, [], [])
    assert await told(services, who.id) == [None]
    await notification_choices.put(services, who, [], ["account"])
    assert await told(services, who.id) != [None]
    assert (await notifications.latest(services, who)).items == []


async def test_only_admins_choose_about_letters_for_admins(
    browser: Browser, services: Services
) -> None:
    for address, role, offered in (("a@x.org", None, False), ("b@x.org", "ops", True)):
        await browser.sign_in(await member(services, address, role))
        page = await browser.get("/settings/notifications")
        assert ("Stale flags" in page.text) is offered


async def test_a_disabled_address_is_said_with_the_way_back(
    browser: Browser, services: Services
) -> None:
    who = await member(services)
    await browser.sign_in(who)
    await services.db.execute(
        "UPDATE users SET email_disabled_at = now(), email_disabled_why = 'bounced: 5.1.1'"
    )
    page = await browser.get("/settings/notifications")
    assert "bounced: 5.1.1" in page.text
    assert "Prove it again" in page.text
