"""How many feeds one person may read: a ceiling at every door, and never a feed lost that they read already."""

import pytest

from app.domain.homepage import feed_additions, opml_imports, subscriptions
from app.domain.homepage.feed_additions import Wish
from app.domain.homepage.feed_documents import Outline
from app.services import Services
from tests.homepage.newsroom import feed
from tests.people import Browser, member

READ = "SELECT count(*) FROM feed_subscriptions WHERE unsubscribed_at IS NULL"


@pytest.fixture(autouse=True)
def low_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two feeds are as many as one may read here."""
    monkeypatch.setattr(subscriptions, "CEILING", 2)


async def test_a_person_reads_so_many_feeds_and_no_more(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    one, two, three = [
        await feed(services, name, default_on=False) for name in ("one", "two", "three")
    ]
    for feed_id in (one, two, one):
        assert (await browser.json("PUT", f"/api/feeds/{feed_id}/subscription")).status_code == 200
    answer = await browser.json("PUT", f"/api/feeds/{three}/subscription")
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_feeds")
    assert "Remove one" in answer.json()["detail"]
    await browser.json("DELETE", f"/api/feeds/{one}/subscription")
    assert (await browser.json("PUT", f"/api/feeds/{three}/subscription")).status_code == 200


async def test_addresses_beyond_the_ceiling_are_told_and_make_no_feeds(services: Services) -> None:
    who = await member(services)
    wishes = [Wish(f"https://{name}.example/feed") for name in ("a", "b", "c", "d")]
    async with services.tx() as tx:
        first = await feed_additions.add(tx, who.id, wishes[1:2], "own")
        added = await feed_additions.add(tx, who.id, wishes, "own")
    assert [one.code for one in added] == [None, None, "too_many_feeds", "too_many_feeds"]
    assert added[1] == first[0]._replace(new=False)
    assert await services.db.fetchval(READ) == 2
    assert await services.db.fetchval("SELECT count(*) FROM feeds WHERE added_by = $1", who.id) == 2


async def test_a_list_says_which_lines_found_no_room(services: Services) -> None:
    who = await member(services)
    outlines = [Outline(f"https://{name}.example/feed", name, None) for name in ("a", "b", "c")]
    async with services.tx() as tx:
        lines = await opml_imports.taken(tx, who.id, outlines)
    assert [line.outcome for line in lines] == ["added", "added", "failed"]
    assert "Remove one" in lines[2].sentence
