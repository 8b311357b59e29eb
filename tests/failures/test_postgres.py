"""PostgreSQL falls under load: what was answered with success is kept, what was not is told as 503."""

import asyncio
from collections.abc import Callable

import httpx2
import pytest

from app.services import Services
from tests.failures.conftest import Site, answers, until
from tests.failures.loads import Load


@pytest.mark.parametrize("fall", [lambda box: box.stop, lambda box: box.kill], ids=["stop", "kill"])
async def test_requests_recover_by_themselves_and_no_saved_link_is_lost(
    site: Site,
    ground: Services,
    served: httpx2.AsyncClient,
    fall: Callable[..., Callable[..., None]],
) -> None:
    async with Load(served) as load:
        await asyncio.sleep(0.5)
        await asyncio.to_thread(fall(site.box), "postgres")
        await until(lambda: seen(load))
        await asyncio.to_thread(site.box.start, "postgres")
        await until(lambda: answers(served, "/news"), 15)
        before = len(load.saved)
        await until(lambda: saved_more(load, before), 15)
    broken = [answer for answer in load.failed() if answer.status_code != 503]
    assert [(one.url.path, one.status_code) for one in broken] == []
    assert all(int(one.headers["retry-after"]) >= 1 for one in load.failed())
    kept = {row["url"] for row in await ground.db.fetch("SELECT url FROM quick_links")}
    assert load.saved <= kept


async def seen(load: Load) -> bool:
    """Whether the load has met the fall, in reading and in saving."""
    return {"/news", "/links"} <= {answer.url.path for answer in load.failed()}


async def saved_more(load: Load, before: int) -> bool:
    """Whether links are kept again."""
    return len(load.saved) > before


async def test_the_front_page_stays_while_postgres_is_away(
    site: Site, served: httpx2.AsyncClient
) -> None:
    last = await served.get("/")
    assert last.status_code == 200
    await asyncio.to_thread(site.box.kill, "postgres")
    shared = await served.get("/")
    assert (shared.status_code, shared.text) == (200, last.text)
    refused = await served.get("/news")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert "Traceback" not in refused.text
    assert (await served.get("/q/health/live")).status_code == 200
    assert (await served.get("/q/health/ready")).status_code == 503
