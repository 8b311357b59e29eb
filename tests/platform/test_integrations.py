"""Services outside: what a process learns of them is seen by all, with success rate, quota and next try."""

import dataclasses
from typing import Any

import pytest

from app.domain.platform import integrations
from app.errors import NotFound, ServiceDown
from app.outside.breakers import Breaker
from app.services import Services
from tests.people import Browser, member


class Outside:
    """A service that does as it is told."""

    def __init__(self, name: str, limit: int = 5) -> None:
        self.breaker = Breaker(name, limit=limit)
        self.quota_left: int | None = None

    async def ask(self, trouble: Exception | None = None) -> None:
        """One request, which ends well or with this trouble."""
        async with self.breaker.request():
            if trouble is not None:
                raise trouble


@pytest.fixture
def nws() -> Outside:
    """A weather service."""
    return Outside("nws", limit=3)


@pytest.fixture
def process(services: Services, nws: Outside) -> Services:
    """A process that asks it."""
    return dataclasses.replace(services, outside={"nws": nws, "pictures": object()}, memory={})


async def fail(outside: Outside, code: str = "timeout") -> None:
    """One request that fails."""
    with pytest.raises(ServiceDown):
        await outside.ask(ServiceDown("no", code=code))


async def test_what_one_process_learns_is_seen_by_all(process: Services, nws: Outside) -> None:
    await nws.ask()
    await nws.ask()
    await fail(nws)
    assert await integrations.report(process) == 1
    found = await integrations.one(process, "nws")
    assert (found.state, found.failures, found.last_error) == ("failing", 1, "timeout")
    assert found.sentence == "The last request failed: no answer came in time."
    assert (found.requests, found.success_ratio) == (3, 0.6667)
    assert found.last_ok_at is not None
    assert [(hour.result, hour.requests) for hour in found.hours] == [("ok", 2), ("timeout", 1)]


async def test_a_second_process_adds_its_requests(process: Services, nws: Outside) -> None:
    other = Outside("nws")
    second = dataclasses.replace(process, outside={"nws": other}, memory={})
    await fail(nws)
    await integrations.report(process)
    await other.ask()
    await integrations.report(second)
    found = await integrations.one(process, "nws")
    assert (found.state, found.requests, found.success_ratio) == ("ok", 2, 0.5)


async def test_an_open_breaker_names_its_next_try(process: Services, nws: Outside) -> None:
    for _ in range(3):
        await fail(nws)
    with pytest.raises(ServiceDown):
        await nws.ask()
    await integrations.report(process)
    found = await integrations.one(process, "nws")
    assert (found.state, found.breaker, found.requests) == ("resting", "open", 3)
    assert found.next_try is not None and found.since is not None
    assert found.next_try > found.since


async def test_more_of_the_same_is_written_once_a_minute(process: Services, nws: Outside) -> None:
    await nws.ask()
    assert await integrations.report(process) == 1
    await nws.ask()
    assert await integrations.report(process) == 0
    process.memory["integrations"]["nws"] = process.memory["integrations"]["nws"]._replace(
        last_ok=1
    )
    assert await integrations.report(process) == 1
    assert (await integrations.one(process, "nws")).requests == 2


async def test_a_quota_is_shown_from_the_answers_or_from_what_was_used(
    process: Services, nws: Outside
) -> None:
    nws.quota_left = 39
    await nws.ask()
    await integrations.report(process)
    used = "INSERT INTO provider_quotas (provider, span, span_start, used, allowed) VALUES ('open_meteo', 'day', now(), 4, 10)"
    await process.db.execute(used)
    found = {one.service: one for one in (await integrations.listed(process)).items}
    assert (found["nws"].quota_left, found["open_meteo"].quota_left) == (39, 6)
    assert found["open_meteo"].quota_resets_at is not None


async def test_a_service_without_its_setting_is_off_and_says_which(services: Services) -> None:
    found = await integrations.one(services, "anthropic")
    assert (found.state, found.sentence) == (
        "off", "Not set up on this site: set ANTHROPIC_API_KEY.")  # fmt: skip
    with pytest.raises(NotFound):
        await integrations.one(services, "nobody")


async def test_hours_past_a_week_are_forgotten(process: Services, nws: Outside) -> None:
    await nws.ask()
    await integrations.report(process)
    await process.db.execute("UPDATE metric_minutes SET starts_at = starts_at - interval '8 days'")
    await integrations.purge(process)
    left = "SELECT count(*) FROM metric_minutes WHERE name = 'outside_requests'"
    assert await process.db.fetchval(left) == 0


@pytest.fixture
async def admin(browser: Browser, services: Services) -> Browser:
    """A browser of an admin who may look at the system."""
    await browser.sign_in(await member(services, "look@example.org", role="read_only"))
    return browser


async def test_each_service_has_a_line_and_a_page(
    admin: Browser, process: Services, nws: Outside
) -> None:
    await fail(nws, "http_503")
    await integrations.report(process)
    found = (await admin.json("GET", "/admin/api/ops/integrations")).json()
    names = [provider.service for provider in integrations.PROVIDERS]
    assert [one["service"] for one in found["items"]] == names
    assert "National Weather Service" in (await admin.get("/admin/ops/integrations")).text
    page: Any = await admin.get("/admin/ops/integrations/nws")
    assert "http_503" in page.text and "Failed requests by hour" in page.text
    one = (await admin.json("GET", "/admin/api/ops/integrations/nws")).json()
    assert one["hours"][0]["result"] == "http_503"
    assert (await admin.get("/admin/ops/integrations/nobody")).status_code == 404
