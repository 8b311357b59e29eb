"""A box, a database and processes of our own, so that servers can be stopped and killed without harm to other tests."""

import asyncio
import contextlib
import dataclasses
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest

from app.box import Box
from app.box.ports import next_free
from app.box.processes import Child, start
from app.config import Settings
from app.db import Database, migrate, open_pool
from app.domain.platform.jobs.ledger import Ledger
from app.services import Services
from app.start import open_services
from app.web import letters
from tests.conftest import ROOT, SECRET, new_database
from tests.people import without_limits
from tests.platform.jobs import work_types
from tests.platform.jobs.work_types import TYPES

SETTINGS_OF_OURS = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")
LIVE = "SELECT count(*) FROM workers WHERE seen_at > now() - interval '15 seconds'"


@dataclasses.dataclass
class Site:
    """A box that may fall, and the processes of ours that stand on it."""

    box: Box
    settings: Settings
    children: list[Child] = dataclasses.field(default_factory=list)

    def env(self, **more: str) -> dict[str, str]:
        """The environment of a process of ours."""
        return {
            **{name: os.environ[name] for name in SETTINGS_OF_OURS if name in os.environ},
            **{name.upper(): value for name, value in SECRET.items()},
            "ENVIRONMENT": "test",
            "DATABASE_URL": self.settings.database_url,
            "REDIS_URL": self.settings.redis_url,
            "VAR_DIR": self.settings.var_dir,
            "METRICS_PORT": "0",
            "DATABASE_POOL_TIMEOUT": "3",
            "PYTHONPATH": str(ROOT),
            **more,
        }

    def begin(self, name: str, *command: str, **more: str) -> Child:
        """Start `python -m …` as a child that dies with us."""
        log = self.box.folder / "log" / f"{name}.log"
        whole = [sys.executable, "-m", *command]
        self.children.append(start(name, whole, log=log, env=self.env(**more), cwd=ROOT))
        return self.children[-1]

    async def finished(self, *command: str, **more: str) -> tuple[int | None, str]:
        """Run `python -m app …` to its end; answer its exit code and all that it said."""
        process = await asyncio.create_subprocess_exec(
            "setpriv", "--pdeathsig=KILL", sys.executable, "-m", "app", *command, cwd=ROOT,
            env=self.env(**more), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            said, _ = await asyncio.wait_for(process.communicate(), 40)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        return process.returncode, said.decode()


@pytest.fixture(scope="session")
def fragile_site(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """PostgreSQL and Redis of these tests alone, and a migrated database."""
    parts = ("postgres", "redis")
    with Box(ROOT / "var" / "test-failures", parts, durable=False, spare=True, settings={}) as box:
        url = asyncio.run(new_database(box.env["DATABASE_URL"], "village_failures"))
        changed = dataclasses.replace(
            settings,
            database_url=url,
            redis_url=box.env["REDIS_URL"],
            var_dir=str(tmp_path_factory.mktemp("failures")),
        )
        asyncio.run(migrate(changed))
        asyncio.run(unlimited(changed))
        yield Site(box, changed)


async def unlimited(settings: Settings) -> None:
    """Loads on these sites come from one address, as often as they can."""
    async with open_services(settings, pool_size=1) as services:
        await without_limits(services)


@pytest.fixture
def site(fragile_site: Site) -> Iterator[Site]:
    """That site with every part up; whatever a test started is stopped at its end."""
    yield fragile_site
    for child in fragile_site.children:
        child.kill()
    fragile_site.children.clear()
    for part in ("postgres", "redis"):
        if fragile_site.box.pid(part) is None:
            fragile_site.box.start(part)


@pytest.fixture
async def ground(site: Site) -> AsyncIterator[Services]:
    """Services on a pool of that database, with the job types of the tests and empty ledgers."""
    pool = await open_pool(site.settings, size=10)
    await pool.execute(work_types.ROWS)
    await pool.execute(
        "TRUNCATE delayed_jobs, job_attempts, workers, leases, job_rows, feeds CASCADE"
    )
    yield Services(site.settings, Database(pool), Ledger(TYPES), letters.write)
    pool.terminate()


@pytest.fixture
async def served(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    """`python -m app serve` on that site, and a client that speaks to it."""
    port = next_free(18_500)
    url = f"http://127.0.0.1:{port}"
    site.begin("serve", "app", "serve", PORT=str(port), PUBLIC_URL=url)
    headers = {"accept": "text/html", "sec-fetch-site": "same-origin"}
    async with httpx2.AsyncClient(base_url=url, timeout=20, headers=headers) as client:
        await until(lambda: answers(client, "/q/health/ready"), 40)
        yield client


async def answers(client: httpx2.AsyncClient, path: str) -> bool:
    """Whether a page answers 200 now."""
    try:
        return (await client.get(path)).status_code == 200
    except httpx2.TransportError:
        return False


async def working(site: Site, ground: Services, module: str, *command: str, **more: str) -> Child:
    """A worker process that has shown itself in the ledger."""
    before = await ground.db.fetchval(LIVE)
    child = site.begin("work", module, *command, **more)
    await until(lambda: has_more(ground, before), 40)
    return child


async def has_more(ground: Services, before: int) -> bool:
    """Whether there are more live workers than before."""
    return bool(await ground.db.fetchval(LIVE) > before)


async def until(is_true: Callable[[], Awaitable[Any]], seconds: float = 30) -> Any:
    """Ask again and again until the answer is yes; fail after so long."""
    async with asyncio.timeout(seconds):
        while not (answer := await is_true()):
            await asyncio.sleep(0.05)
    return answer
