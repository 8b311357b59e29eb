"""The operator's pages of templates: the list, one template, its design, preview, impact and publication."""

import re
from typing import Any

import pytest

from app.domain.platform import audit_scopes
from app.services import Services
from tests.people import Browser, member

AT = "/admin/templates/town-square"


@pytest.fixture
async def root(browser: Browser) -> Browser:
    """A super_admin's browser, with one draft."""
    await browser.sign_in(await member(browser.services, "root@example.org", "super_admin"))
    answer = await browser.post("/admin/templates", {"name": "Town square", "priority": "3"})
    assert answer.headers["location"] == AT
    return browser


async def widgets(browser: Browser) -> dict[str, Any]:
    """The widgets of the draft by key."""
    view = (await browser.json("GET", "/api/admin/templates/town-square/layout")).json()
    return {widget["key"]: widget for widget in view["widgets"]}


async def test_a_template_begins_as_the_built_in_page_and_is_listed(root: Browser) -> None:
    assert {"search", "news", "weather", "links"} <= (await widgets(root)).keys()
    page = await root.get("/admin/templates")
    assert "Town square" in page.text and "Add a template" in page.text
    [item] = (await root.json("GET", "/admin/api/templates")).json()["items"]
    assert (item["state"], item["version"], item["priority"]) == ("draft", 0, 3)


async def test_a_wrong_flag_comes_back_with_a_sentence(root: Browser) -> None:
    answer = await root.post("/admin/templates", {"name": "Two", "flag_key": "no_such_flag"})
    assert answer.status_code == 422 and "There is no flag of that name." in answer.text
    answer = await root.post(AT, {"_method": "PATCH", "flag_key": "no_such_flag"})
    assert answer.status_code == 422
    answer = await root.json("PATCH", "/admin/api/templates/town-square", {"audience": "aliens"})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["audience"])


async def test_the_design_is_the_editor_of_pages_without_locks(root: Browser) -> None:
    page = (await root.get("/admin/templates/town-square/layout")).text
    assert 'data-at="/admin/templates/town-square"' in page and "js/editor.js" in page
    assert 'action="/admin/templates/town-square/widgets/news/place"' in page
    answer = await root.post(
        "/admin/templates/town-square/widgets/weather/place", {"_method": "PUT", "x": "0", "y": "2"}
    )
    assert answer.headers["location"] == "/admin/templates/town-square/layout#at-weather"
    assert (await widgets(root))["weather"]["x"] == 0
    fragment = await root.ask(
        "PUT",
        "/admin/templates/town-square/widgets/weather/place",
        json={"x": 8},
        headers={"hx-request": "true"},
    )
    assert 'id="arranged"' in fragment.text and "<html" not in fragment.text


async def test_widgets_are_added_copied_set_locked_and_removed(root: Browser) -> None:
    added = await root.json("POST", "/api/admin/templates/town-square/widgets", {"type": "note"})
    key = added.json()["widget"]["key"]
    assert added.status_code == 201 and key.endswith("_note") and key.startswith("t")
    await root.post(f"/admin/templates/town-square/widgets/{key}/copies")
    form = await root.get(f"/admin/templates/town-square/widgets/{key}")
    assert 'name="lock"' in form.text and "Change nothing" in form.text
    sent = {"_method": "PATCH", "whole": "on", "title": "Notice", "lock": "locked"}
    sent["settings.text"] = "Welcome"
    answer = await root.post(f"/admin/templates/town-square/widgets/{key}", sent)
    assert answer.headers["location"] == f"/admin/templates/town-square/layout#at-{key}"
    found = await widgets(root)
    assert (found[key]["lock"], found[key]["settings"]) == ("locked", {"text": "Welcome"})
    await root.json("DELETE", f"/api/admin/templates/town-square/widgets/{key}_2")
    assert f"{key}_2" not in await widgets(root)
    hidden = await root.json(
        "PATCH", f"/api/admin/templates/town-square/widgets/{key}", {"phone_hidden": True}
    )
    assert hidden.status_code == 422


async def test_a_preview_shows_the_draft_to_a_visitor_and_a_member(root: Browser) -> None:
    await root.json(
        "PATCH", "/api/admin/templates/town-square/widgets/links", {"title": "Town links"}
    )
    for eyes in ("visitor", "member"):
        page = await root.get(f"/admin/templates/town-square/preview?as={eyes}")
        assert "Town links" in page.text and f"This is how a {eyes} gets" in page.text
    assert (await root.get("/admin/templates/town-square/preview?as=alien")).status_code == 422
    assert "Town links" not in (await root.get("/")).text


async def test_a_publication_is_felt_audited_and_counted_before(root: Browser) -> None:
    await root.json(
        "PATCH", "/api/admin/templates/town-square/widgets/links", {"title": "Town links"}
    )
    impact = (await root.json("GET", "/api/admin/templates/town-square/impact")).json()
    assert impact["members"] >= 1 and "It reaches" in impact["sentence"]
    assert "Impact" in (await root.get("/admin/templates/town-square/impact")).text
    answer = await root.post("/admin/templates/town-square/publications", {"reason": "Opening day"})
    assert answer.headers["location"] == AT
    assert "Town links" in (await root.get("/")).text
    sql = "SELECT action, reason FROM audit_log WHERE target_kind = 'template' ORDER BY id DESC LIMIT 1"
    row = await root.services.db.fetchrow(sql)
    assert tuple(row) == ("template.published", "Opening day")
    assert audit_scopes.SCOPES["template"] == audit_scopes.OPERATIONS
    again = await root.json("POST", "/api/admin/templates/town-square/publications", {})
    assert (again.status_code, again.json()["code"]) == (409, "nothing_new")
    page = await root.get(AT)
    assert "Nothing is drawn up" in page.text and "Retire template" in page.text


async def test_a_failing_template_says_which_widget_fails(root: Browser) -> None:
    await root.services.db.execute(
        "UPDATE template_widgets SET type = 'tickers' WHERE key = 'links'"
    )
    answer = await root.post("/admin/templates/town-square/publications")
    assert answer.status_code == 422 and "Please choose one of the offered widgets." in answer.text
    assert (await root.json("POST", "/api/admin/templates/town-square/publications")).json()[
        "code"
    ] == "template_fails"


async def test_a_draft_is_removed_and_a_published_template_retires(root: Browser) -> None:
    await root.json("POST", "/api/admin/templates/town-square/publications")
    await root.json("DELETE", "/api/admin/templates/town-square/widgets/links")
    assert "links" in (await root.json("DELETE", "/api/admin/templates/town-square/layout")).text
    answer = await root.post(AT, {"_method": "DELETE"})
    assert answer.headers["location"] == AT
    assert (await root.json("GET", "/api/admin/templates/town-square")).json()["state"] == "retired"
    await root.json("POST", "/api/admin/templates/town-square/publications")
    assert (await root.json("GET", "/api/admin/templates/town-square")).json()["version"] == 2
    await root.post("/admin/templates", {"name": "Two"})
    assert (await root.post("/admin/templates/two", {"_method": "DELETE"})).status_code == 303
    assert (await root.json("GET", "/api/admin/templates/two")).status_code == 404


async def test_templates_are_for_super_admins(browser: Browser, services: Services) -> None:
    await browser.sign_in(await member(services, "ops@example.org", "ops"))
    assert (await browser.get("/admin/templates")).status_code == 403


async def test_each_stroke_of_a_draft_is_in_the_audit_log(root: Browser) -> None:
    at = "/api/admin/templates/town-square"
    await root.json("POST", f"{at}/publications", {})
    await root.json("PATCH", f"{at}/widgets/links", {"lock": "locked"})
    await root.json("PUT", f"{at}/widgets/news/place", {"move": "down"})
    await root.json("POST", f"{at}/widgets/news/copies")
    await root.json("DELETE", f"{at}/widgets/weather")
    await root.json("DELETE", f"{at}/layout")
    sql = """SELECT action, after ->> 'op' AS op FROM audit_log
        WHERE target_kind = 'template' AND action LIKE 'template.d%' ORDER BY id"""
    acts = [tuple(row) for row in await root.services.db.fetch(sql)]
    assert [op for _, op in acts[:2]] == ["locked:links", "place:news"]
    assert acts[2][1].startswith("copy:t") and acts[3] == ("template.drafted", "remove:weather")
    assert acts[4] == ("template.discarded", None)


def forms_with_a_summary(page: str) -> list[str]:
    """The buttons of the forms that list what is wrong."""
    forms = re.findall(r"<form[^>]*>.*?</form>", page, re.S)
    return [
        re.findall(r"<span>([^<]+)</span></button>", form)[-1]
        for form in forms
        if "error-summary" in form
    ]


async def test_what_is_wrong_stands_in_the_form_that_was_sent(root: Browser) -> None:
    answer = await root.post(AT, {"_method": "PATCH", "flag_key": "no_such_flag"})
    assert forms_with_a_summary(answer.text) == ["Save template"]
    long = {"reason": "why " * 200}
    answer = await root.post(f"{AT}/publications", long)
    assert answer.status_code == 422
    assert forms_with_a_summary(answer.text) == ["Publish version 1"]
    await root.post(f"{AT}/publications", {"reason": "ready"})
    # The form that publishes is not there now.
    answer = await root.post(AT, {"_method": "PATCH", "flag_key": "no_such_flag"})
    assert forms_with_a_summary(answer.text) == ["Save template"]
