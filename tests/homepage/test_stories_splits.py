"""Not the same story: for one at once, for all when two say so or an admin does; and the way back."""

import pytest

from app.domain.homepage import story_splits, story_unions
from app.services import Services
from tests.homepage.newsroom import feed, subscribed
from tests.homepage.telling_papers import QUAKE, bring, entry, figures, quake, stories_of
from tests.homepage.test_stories_assignment import bridged
from tests.homepage.test_stories_lists import listed
from tests.people import Browser, member


async def test_an_item_is_out_at_once_for_who_says_so_and_for_nobody_else(
    browser: Browser, services: Services
) -> None:
    story, items = await quake(services)
    path, body = f"/api/news/stories/{story}/splits", {"item_id": items[1]}
    before = (await browser.fragment("/widgets/news")).headers["etag"]
    answer = await browser.json("POST", path, body)
    assert answer.json() == {"story_id": story, "item_id": items[1], "for_all": False}
    assert sorted(one["also_in"] for one in await listed(browser)) == [0, 1]
    assert (await browser.fragment("/widgets/news")).headers["etag"] != before
    page = (await browser.get(f"/news/stories/{story}")).text
    assert "Taken out by you" in page and "Told by 2 sources" in page
    apart = (await browser.json("GET", f"/api/news/stories/{story}?item={items[1]}")).json()
    assert [told["item_id"] for told in apart["tellings"]] == [items[1]]
    browser.sign_out()
    assert [one["also_in"] for one in await listed(browser)] == [2]


async def test_it_can_be_put_back_and_forms_work_without_script(
    browser: Browser, services: Services
) -> None:
    story, items = await quake(services)
    out = await browser.post(f"/news/stories/{story}/splits", {"item_id": items[0]})
    assert (out.status_code, out.headers["location"]) == (303, f"/news/stories/{story}")
    again = await browser.json("POST", f"/api/news/stories/{story}/splits", {"item_id": items[0]})
    assert again.status_code in (200, 201)
    back = await browser.ask(
        "DELETE", f"/news/stories/{story}/splits?item_id={items[0]}", headers={"hx-request": "true"}
    )
    assert "Told by 3 sources" in back.text and "Taken out" not in back.text
    assert [one["also_in"] for one in await listed(browser)] == [2]
    gone = await browser.json("DELETE", f"/api/news/stories/{story}/splits", {"item_id": items[0]})
    assert gone.status_code == 404


async def test_what_stands_apart_is_read_by_itself(browser: Browser, services: Services) -> None:
    story, items = await quake(services)
    await browser.json("POST", f"/api/news/stories/{story}/splits", {"item_id": items[0]})
    await browser.json("PUT", f"/api/news/stories/{story}/read?item={items[0]}")
    read = {one["item_id"]: one["read"] for one in await listed(browser)}
    assert read.pop(items[0]) is True and list(read.values()) == [False]


async def test_two_members_make_a_rule_and_one_of_them_unmakes_it(services: Services) -> None:
    story, items = await quake(services)
    ada, ben = await member(services), await member(services, "ben@example.org")
    assert not (await story_splits.add(services, ada, story, items[1])).for_all
    assert (await story_splits.add(services, ben, story, items[1])).for_all
    one, alone, other = await stories_of(services, items)
    assert one == other == story and alone != story
    assert (
        (await figures(services, story))["items"],
        (await figures(services, alone))["items"],
    ) == (2, 1)
    assert not (await story_splits.remove(services, ben, story, items[1])).for_all
    assert set(await stories_of(services, items)) == {story}
    assert (await figures(services, story))["items"] == 3 and await figures(services, alone) is None


async def test_visitors_speak_for_themselves_only(browser: Browser, services: Services) -> None:
    story, items = await quake(services)
    for _ in range(3):
        browser.sign_out()
        await browser.json("POST", f"/api/news/stories/{story}/splits", {"item_id": items[1]})
    assert set(await stories_of(services, items)) == {story}


async def test_one_admin_is_enough_and_it_is_written_down(services: Services) -> None:
    story, items = await quake(services)
    root, ada = await member(services, "root@example.org", "ops"), await member(services)
    assert (await story_splits.add(services, root, story, items[0])).for_all
    assert len(set(await stories_of(services, items))) == 2
    row = await services.db.fetchrow(
        "SELECT action, target_id FROM audit_log ORDER BY id DESC LIMIT 1"
    )
    assert (row["action"], row["target_id"]) == ("story.split", str(items[0]))
    with pytest.raises(Exception, match="did not take"):
        await story_splits.remove(services, ada, story, items[0])
    await story_splits.remove(services, root, story, items[0])
    assert set(await stories_of(services, items)) == {story}


async def test_a_rule_keeps_two_stories_from_becoming_one(services: Services) -> None:
    items = await bridged(services)
    [story] = set(await stories_of(services, items))
    root = await member(services, "root@example.org", "super_admin")
    await story_splits.add(services, root, story, items[0])
    herald = await feed(services, "post")
    await bring(services, herald, entry("Davao quake: streets fill", "Mindanao trembled, schools in Cotabato close, markets shut."))  # fmt: skip
    one, other, _ = await stories_of(services, items)
    assert one != other


async def test_what_a_reader_may_not_see_cannot_be_split(
    browser: Browser, services: Services
) -> None:
    story, items = await quake(services)
    club = await feed(services, "club", visibility="member", default_on=False)
    [guest] = await bring(services, club, entry(QUAKE[0][0], QUAKE[0][1] + " Hush."))
    assert await stories_of(services, [guest]) == [story]
    answer = await browser.json("POST", f"/api/news/stories/{story}/splits", {"item_id": guest})
    assert answer.status_code == 404 and "Hush" not in answer.text
    who = await member(services)
    await subscribed(services, who, club)
    await browser.sign_in(who)
    answer = await browser.json("POST", f"/api/news/stories/{story}/splits", {"item_id": guest})
    assert answer.json()["item_id"] == guest
    assert items


async def test_the_menu_leads_to_sources_and_reasons(browser: Browser, services: Services) -> None:
    story, _ = await quake(services)
    page = (await browser.get("/news")).text
    assert f"/news/stories/{story}#sources" in page and f"/news/stories/{story}#why" in page


async def test_a_guest_that_was_taken_out_is_not_invited_again(services: Services) -> None:
    story, items = await quake(services)
    own = await feed(services, "own", visibility="member", default_on=False)
    [guest] = await bring(services, own, entry("A garden party for the library", "Tea at four."))
    [alone] = await stories_of(services, [guest])
    await services.db.execute(
        "INSERT INTO story_rules (item_id, story_id, origin) VALUES ($1, $2, 'readers')",
        guest,
        story,
    )
    await story_unions.invite(services, story, [guest])
    assert await stories_of(services, [guest]) == [alone]
    await services.db.execute("DELETE FROM story_rules")
    await story_unions.invite(services, story, [guest])
    assert await stories_of(services, [guest]) == [story]
