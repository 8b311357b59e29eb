"""The pages of flags: list, form, versions, preview, why, cohorts; and what the documents print."""

import jinja2
import pytest
from starlette.requests import Request

from app.domain.platform import flags
from app.domain.platform.flags import exposures
from app.domain.platform.readers import Reader
from app.services import Services
from app.web.render import markup, templates
from tests.people import Browser, member
from tests.platform.flags.conftest import set_flag

HERE = "/admin/feature-flags/stocks_widget"
PAGES = (
    "/admin/feature-flags",
    "/admin/feature-flags/cohorts",
    "/admin/feature-flags/cohorts?subject=42",
    "/admin/feature-flags/stocks_widget",
    "/admin/feature-flags/stocks_widget/history",
    "/admin/feature-flags/stocks_widget/preview?enabled=on&rollout_percentage=50",
    "/admin/feature-flags/stocks_widget/evaluation?subject=42",
)


@pytest.fixture
async def admin(browser: Browser, root: Reader) -> Browser:
    """A browser of a super_admin."""
    await browser.sign_in(root)
    return browser


@pytest.mark.parametrize("path", PAGES)
async def test_each_page_is_a_page_a_fragment_and_json(admin: Browser, path: str) -> None:
    page, fragment = await admin.get(path), await admin.fragment(path)
    assert page.status_code == fragment.status_code == 200
    assert "<!doctype html>" in page.text.lower()
    assert "<!doctype" not in fragment.text.lower()
    twin = await admin.json("GET", "/admin/api" + path.removeprefix("/admin"))
    assert twin.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", PAGES)
async def test_flags_are_for_those_who_may_see_them(
    browser: Browser, services: Services, path: str
) -> None:
    assert (await browser.json("GET", path)).status_code == 401
    await browser.sign_in(await member(services))
    assert (await browser.get(path)).status_code == 404
    await browser.sign_in(await member(services, "help@example.org", role="support"))
    assert (await browser.get(path)).status_code == 403
    await browser.sign_in(await member(services, "eyes@example.org", role="read_only"))
    answer = await browser.get(path)
    assert answer.status_code == 200
    assert "Save flag" not in answer.text and "Stop" not in answer.text


async def test_the_printed_commands_answer_the_flag(admin: Browser, services: Services) -> None:
    body = {"enabled": True, "rollout_percentage": 100}
    answer = await admin.json("PATCH", "/admin/api/feature-flags/stocks_widget", body)
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["key"], shown["enabled"], shown["rollout_percentage"]) == ("stocks_widget", True, 100)  # fmt: skip
    body = {"enabled": True, "rollout_percentage": 10}
    answer = await admin.json("PATCH", "/admin/api/feature-flags/social_integration", body)
    assert answer.json()["rollout_percentage"] == 10
    found = (await admin.json("GET", "/admin/api/feature-flags")).json()
    assert (found["total"], found["next"]) == (13, None)
    assert {flag["key"]: flag["version"] for flag in found["items"]}["stocks_widget"] == 2


async def test_a_change_without_a_reason_becomes_a_finding(admin: Browser) -> None:
    assert "without a reason" not in (await admin.get("/admin/feature-flags")).text
    await admin.json("PATCH", "/admin/api/feature-flags/scenes", {"enabled": False, "reason": "x"})
    assert "without a reason" not in (await admin.get("/admin/feature-flags")).text
    await admin.json("PATCH", "/admin/api/feature-flags/scenes", {"enabled": True})
    assert "without a reason: scenes" in (await admin.get("/admin/feature-flags")).text


async def test_a_form_changes_what_it_shows_and_empties_what_is_emptied(
    admin: Browser, services: Services, root: Reader
) -> None:
    form = {
        "_method": "PATCH",
        "version": "1",
        "enabled": "on",
        "rollout_percentage": "5",
        "whitelist": f"{root.id}\n0123456789abcdef",
        "plan": "on",
        "plan_uris": "/news",
        "owner_id": str(root.id),
        "review_on": "2030-01-31",
        "needs_metrics": "",
        "reason": "first step",
    }
    answer = await admin.post(HERE, form)
    assert (answer.status_code, answer.headers["location"]) == (303, HERE)
    shown = (await admin.json("GET", "/admin/api/feature-flags/stocks_widget")).json()
    assert shown["whitelist"] == [str(root.id), "0123456789abcdef"]
    assert (shown["plan"], shown["owner_id"], shown["review_on"]) == ({"uris": ["/news"]}, root.id, "2030-01-31")  # fmt: skip
    await admin.post(HERE, {**form, "version": "2", "whitelist": "", "plan": "off", "owner_id": "", "review_on": ""})  # fmt: skip
    shown = (await admin.json("GET", "/admin/api/feature-flags/stocks_widget")).json()
    assert (shown["whitelist"], shown["plan"], shown["owner_id"], shown["review_on"]) == ([], None, None, None)  # fmt: skip


async def test_a_form_that_cannot_be_used_comes_back_with_its_errors(admin: Browser) -> None:
    form = {"_method": "PATCH", "rollout_percentage": "120", "whitelist": "somebody"}
    answer = await admin.post(HERE, form)
    assert answer.status_code == 422
    assert 'value="120"' in answer.text
    answer = await admin.post(HERE, {**form, "rollout_percentage": "12"})
    assert "“somebody” is none" in answer.text.replace("&#34;", '"')
    assert (await admin.post("/admin/feature-flags", {"key": "No"})).status_code == 422


async def test_a_flag_is_added_and_no_second_one_of_its_name(admin: Browser) -> None:
    answer = await admin.post("/admin/feature-flags", {"key": "new_search", "reason": "to try it"})
    assert answer.headers["location"] == "/admin/feature-flags/new_search"
    again = await admin.json("POST", "/admin/api/feature-flags", {"key": "new_search"})
    assert again.status_code == 409
    taken = await admin.json("POST", "/admin/api/feature-flags", {"key": "cohorts"})
    assert taken.status_code == 422


async def test_one_press_stops_a_flag(browser: Browser, services: Services) -> None:
    await browser.sign_in(await member(services, "ops@example.org", role="ops"))
    assert "Stop" in (await browser.get("/admin/feature-flags/marketplace")).text
    form = {"_method": "PATCH", "enabled": "off"}
    answer = await browser.post("/admin/feature-flags/marketplace", form)
    assert answer.status_code == 303
    assert not await services.db.fetchval("SELECT enabled FROM feature_flags WHERE key = 'marketplace'")  # fmt: skip
    wider = await browser.json("PATCH", "/admin/api/feature-flags/marketplace", {"enabled": True})
    assert wider.status_code == 403
    restored = await browser.json("POST", "/admin/api/feature-flags/marketplace/restorations", {"version": 1})  # fmt: skip
    assert restored.status_code == 403


async def test_a_version_is_restored_from_its_difference(admin: Browser) -> None:
    await admin.json("PATCH", "/admin/api/feature-flags/stocks_widget", {"whitelist": [7, "8"]})
    page = (await admin.get("/admin/feature-flags/stocks_widget/history")).text
    assert "Restore this version" in page and "<ins>" in page
    answer = await admin.post("/admin/feature-flags/stocks_widget/restorations", {"version": "1"})
    assert answer.headers["location"] == HERE
    found = (await admin.json("GET", "/admin/api/feature-flags/stocks_widget/history")).json()
    assert [one["action"] for one in found["items"]] == ["restored", "changed", "created"]


async def test_versions_go_on_by_cursor(admin: Browser, services: Services) -> None:
    for percentage in range(1, 25):
        await set_flag(services, rollout_percentage=percentage)
    first = (await admin.json("GET", "/admin/api/feature-flags/stocks_widget/history")).json()
    path = f"/admin/api/feature-flags/stocks_widget/history?cursor={first['next']}"
    rest = (await admin.json("GET", path)).json()
    versions = [one["version"] for page in (first, rest) for one in page["items"]]
    assert versions == list(range(25, 0, -1)) and rest["next"] is None


async def test_a_preview_counts_members_as_evaluation_does(
    admin: Browser, services: Services
) -> None:
    await services.db.execute(
        "INSERT INTO users (kind, email) SELECT 'member', 'm' || n || '@example.org' FROM generate_series(1, 300) AS n"
    )
    ids = [row["id"] for row in await services.db.fetch("SELECT id FROM users WHERE kind = 'member'")]  # fmt: skip
    await set_flag(services, enabled=True, rollout_percentage=30, whitelist=[str(ids[0])])
    before = {one for one in ids if flags.is_on(services, one, "stocks_widget")}
    path = (
        f"/admin/api/feature-flags/stocks_widget/preview?rollout_percentage=60&whitelist={ids[1]}"
    )
    found = (await admin.json("GET", path)).json()
    await set_flag(services, rollout_percentage=60, whitelist=[str(ids[1])])
    after = {one for one in ids if flags.is_on(services, one, "stocks_widget")}
    assert (found["gain"], found["lose"]) == (len(after - before), len(before - after))
    assert (found["reached"], found["members"]) == (len(after), len(ids))


async def test_why_a_flag_is_on_is_told(admin: Browser, services: Services) -> None:
    await set_flag(services, enabled=True, rollout_percentage=36)
    path = "/admin/api/feature-flags/stocks_widget/evaluation?subject="
    found = (await admin.json("GET", path + "42")).json()
    assert (found["on"], found["reason"], found["bucket"]) == (True, "cohort_enabled", 35)
    assert (await admin.json("GET", path + "1")).json()["reason"] == "cohort_disabled"
    assert (await admin.json("GET", path + "ada")).status_code == 422


async def test_cohorts_count_todays_subjects(admin: Browser, services: Services) -> None:
    for subject in (1, 2, 3):
        flags.is_on(services, subject, "marketplace")
    await exposures.write(services)
    found = (await admin.json("GET", "/admin/api/feature-flags/cohorts?subject=42")).json()
    by_key = {one["flag"]: one for one in found["items"]}
    assert (by_key["marketplace"]["on_today"], by_key["marketplace"]["off_today"]) == (3, 0)
    assert by_key["stocks_widget"]["answer"]["reason"] == "master_disabled"
    assert (await admin.get("/admin/feature-flags/cohorts?subject=ada")).status_code == 422


async def test_a_fragment_asks_whether_a_flag_is_on(services: Services, root: Reader) -> None:
    environment = templates()
    page = "{% if is_on('stocks_widget') %}on{% else %}off{% endif %}"
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""})  # fmt: skip
    request.state.services, request.state.reader = services, root
    loader, environment.loader = environment.loader, jinja2.DictLoader({"asks.html": page})
    try:
        found = []
        for whitelist in ([], [str(root.id)]):
            await set_flag(services, enabled=True, whitelist=whitelist)
            found.append(markup(request, "asks.html", "page", {}))
    finally:
        environment.loader = loader
    assert found == ["off", "on"]
