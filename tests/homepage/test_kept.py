"""What a process keeps ready: bounded by bytes, keys that say nothing of people, and tags that tell readers apart."""

from app.domain.homepage import notes, page_widgets
from app.services import Services
from app.web.kept import OVERHEAD, PLAN_COST, TAG_COST, Kept, digest
from tests.people import Browser, member


def test_plans_and_tags_count_in_the_budget() -> None:
    kept = Kept(ceiling=10 * OVERHEAD + 4 * PLAN_COST)
    for n in range(50):
        kept.put(n, b"x")
        kept.plan(("page", n), [n])
        kept.tag(("page", n), b'"tag"')
        spent = len(kept.pieces) * (OVERHEAD + 1) + len(kept.plans) * PLAN_COST
        assert kept.bytes == spent + len(kept.tags) * TAG_COST <= kept.ceiling
    kept.forget()
    assert (kept.bytes, len(kept.plans), len(kept.tags)) == (0, 0, 0)


async def test_keys_say_nothing_of_what_people_wrote(browser: Browser) -> None:
    ada = await member(browser.services)
    await browser.sign_in(ada)
    await page_widgets.add(browser.services, ada, "home", "note", {"text": "xyzzy" * 300})
    assert "xyzzy" in (await browser.get("/")).text
    kept: Kept = browser.client._transport.app.state["kept"]
    keys = [*kept.pieces, *kept.plans, *kept.tags, *kept.plans.values()]
    assert keys and "xyzzy" not in repr(keys)
    assert len(digest("xyzzy" * 300)) == 16


def test_no_note_is_kept_beside_its_piece() -> None:
    assert not hasattr(notes.html_of, "cache_info")


async def test_a_widgets_page_is_made_anew_when_the_bell_or_the_role_changes(
    browser: Browser, services: Services
) -> None:
    ada = await member(services)
    await browser.sign_in(ada)
    tags = {(await browser.get("/widgets/note")).headers["etag"]}
    sql = "INSERT INTO notifications (user_id, type, title, by_bell) VALUES ($1, 'security', 'x', true)"
    await services.db.execute(sql, ada.id)
    tags.add((await browser.get("/widgets/note")).headers["etag"])
    await services.db.execute("UPDATE users SET role = 'ops' WHERE id = $1", ada.id)
    tags.add((await browser.get("/widgets/note")).headers["etag"])
    assert len(tags) == 3
