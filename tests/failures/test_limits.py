"""Limits of two processes with Redis, and without it: the same ten sign-ins, and no request fails."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx2
import pytest

from app.box.ports import next_free
from app.domain.platform import rate_limits
from app.services import Services
from tests.failures.conftest import Site, answers, until
from tests.people import without_limits


@pytest.fixture
async def shipped(ground: Services) -> AsyncIterator[None]:
    """The limits as they are shipped, for one test."""
    await ground.db.execute("TRUNCATE rate_limits, rate_limit_windows, rate_limit_violations")
    await rate_limits.seed(ground)
    yield
    await ground.db.execute("TRUNCATE rate_limits, rate_limit_windows, rate_limit_violations")
    await without_limits(ground)


@contextlib.asynccontextmanager
async def process(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    """One web process of its own, and a client of it."""
    port = next_free(18_600)
    url = f"http://127.0.0.1:{port}"
    child = site.begin(f"serve-{port}", "app", "serve", PORT=str(port), PUBLIC_URL=url)
    headers = {"accept": "application/json", "sec-fetch-site": "same-origin"}
    async with httpx2.AsyncClient(base_url=url, timeout=20, headers=headers) as client:
        await until(lambda: answers(client, "/q/health/ready"), 60)
        yield client
    await asyncio.to_thread(child.stop)


async def test_ten_sign_ins_over_two_processes_with_redis_and_without(
    site: Site, ground: Services, shipped: None
) -> None:
    async with process(site) as one, process(site) as other:
        for running in (True, False):
            if not running:
                await asyncio.to_thread(site.box.kill, "redis")
                await ground.db.execute("TRUNCATE rate_limit_windows")
            statuses = []
            for n in range(14):
                body = {"email": f"p{running}{n}@example.org"}
                answer = await (one, other)[n % 2].post("/api/auth/login", json=body)
                statuses.append(answer.status_code)
            assert statuses == [202] * 10 + [429] * 4
            # Pages need no limiter either: none of them fails.
            pages = [(await client.get("/api/news")).status_code for client in (one, other) * 5]
            assert set(pages) == {200}
