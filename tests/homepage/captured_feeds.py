"""A folder of feeds, served, brought by one OPML file, fetched and refreshed three times: python -m tests.homepage.captured_feeds FOLDER.

The real web application takes the file, a real worker does the jobs; what is stored is compared with a careful reading.
"""

import asyncio
import dataclasses
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import structlog
from starlette.responses import Response

from app import config
from app.box import Box
from app.db import migrate
from app.domain.homepage.feed_documents import Outline, opml
from app.services import Services
from app.start import open_services
from jobs.working import Worker
from tests.conftest import ROOT, SECRET, client_on, new_database
from tests.homepage.careful_reader import careful
from tests.people import Browser, member
from tests.world.servers import Site

REFRESHES = 3
NOT_FEEDS = ("LICENSE", "unrecognized")
MAKE_DUE = "UPDATE feeds SET next_fetch_at = now()"
WAITING = "SELECT count(*) FROM delayed_jobs WHERE status IN ('pending', 'running')"
STORED = """
SELECT i.title, i.url, i.published_at FROM feed_items i JOIN feeds f ON f.id = i.feed_id WHERE f.url = $1
"""
ATTEMPTS = "SELECT count(*) FROM feed_fetches r JOIN feeds f ON f.id = r.feed_id WHERE f.url = $1 AND r.error_code IS NULL"


@dataclasses.dataclass
class Line:
    """One feed in the table."""

    name: str
    in_document: int
    stored: int
    missing: list[Any]
    duplicates: int
    fetches: int


def served(folder: Path) -> Any:
    """The folder as a publisher. Each answer ends in one more blank line, so that no refresh is spared the reading."""
    asked: Counter[str] = Counter()

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        name = Path(scope["path"]).name
        asked[name] += 1
        content = (folder / name).read_bytes() + b"\n" * asked[name]
        await Response(content)(scope, receive, send)

    return answer


def addresses(folder: Path) -> dict[str, str]:
    """Each feed of the folder by its address, on a host of its own."""
    files = sorted(path.name for path in folder.iterdir() if not path.name.startswith(NOT_FEEDS))
    return {f"https://n{place}.captured.test/{name}": name for place, name in enumerate(files)}


async def drained(services: Services) -> None:
    """Wait until no job is left."""
    while await services.db.fetchval(WAITING):
        await asyncio.sleep(0.1)


async def refreshed(services: Services) -> None:
    """Let every feed become due, and wait until the worker has been at all of them."""
    async with services.tx() as tx:
        await tx.db.execute(MAKE_DUE)
        await tx.enqueue("dispatch_feeds")
    await drained(services)


async def brought(services: Services, feeds: dict[str, str]) -> dict[str, Any]:
    """Bring all addresses by one OPML file through the front door; the report of the import."""
    file = opml.write("Captured", [Outline(url, name, None) for url, name in feeds.items()])
    async with client_on(services) as client:
        browser = Browser(client, services)
        await browser.sign_in(await member(services))
        answer = await browser.json("POST", "/api/feeds/imports", {"opml": file})
        await drained(services)
        report: dict[str, Any] = (
            await browser.json("GET", f"/api{answer.headers['location']}")
        ).json()
    return report


async def compared(services: Services, url: str, name: str, folder: Path) -> Line:
    """What is stored of one feed beside what a careful reader finds in its document."""
    rows = [tuple(row) for row in await services.db.fetch(STORED, url)]
    expected = [one for one in careful(name, folder) if one[0] or one[1]]
    missing = [one for one in expected if not any(alike(one, row) for row in rows)]
    fetches = await services.db.fetchval(ATTEMPTS, url)
    return Line(name, len(expected), len(rows), missing, len(rows) - len(set(rows)), fetches)


def alike(wanted: Any, row: Any) -> bool:
    """Whether a stored item has the title, link and time of the document; without a time any will do."""
    return wanted[:2] == row[:2] and wanted[2] in (None, row[2])


async def measured(settings: config.Settings, folder: Path, feeds: dict[str, str]) -> list[Line]:
    """Import, refresh and compare."""
    async with open_services(settings, pool_size=12) as services:
        worker = Worker(services, {"HIGH": 4, "DEFAULT": 10})
        working = asyncio.create_task(worker.work())
        report = await brought(services, feeds)
        print({key: report[key] for key in ("state", "total", "added", "known", "failed")})
        for _ in range(1 + REFRESHES):
            await refreshed(services)
        lines = [await compared(services, url, name, folder) for url, name in feeds.items()]
        worker.stopping.set()
        await working
    return lines


def printed(lines: list[Line]) -> bool:
    """Print the table; whether everything is there, and once."""
    print(
        f"{'feed':32} {'in document':>11} {'stored':>7} {'missing':>8} {'twice':>6} {'fetches':>8}"
    )
    for line in lines:
        counts = (
            f"{line.in_document:>11} {line.stored:>7} {len(line.missing):>8} {line.duplicates:>6}"
        )
        print(f"{line.name:32} {counts} {line.fetches:>8}", *line.missing[:3], sep="\n    ")
    sums = [sum(getattr(line, name) for line in lines) for name in ("in_document", "stored")]
    print(f"{len(lines)} feeds: {sums[0]} items in documents, {sums[1]} stored")
    return not any(line.missing or line.duplicates for line in lines)


async def main(folder: Path) -> bool:
    """Serve the folder, measure, print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    feeds = addresses(folder)
    site = Site(served(folder))
    await site.start()
    hosts = ",".join(f"{url.split('/')[2]}=127.0.0.1:{site.port}" for url in feeds)
    with Box(ROOT / "var" / "captured", ("postgres", "redis"), durable=False, spare=True) as box:
        database = await new_database(box.env["DATABASE_URL"], "village_captured")
        environ = {
            "FEED_ITEM_DAYS": "36500",
            "FEED_FIRST_ITEMS": "10000",
            **box.env,
            "DATABASE_URL": database,
            "GUARD_HOSTS": hosts,
            "ENVIRONMENT": "test",
            "PUBLIC_URL": "http://testserver",
        }
        settings = config.load(environ, var_dir=str(ROOT / "var" / "captured"), **SECRET)
        await migrate(settings)
        try:
            return printed(await measured(settings, folder, feeds))
        finally:
            await site.stop()


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main(Path(sys.argv[1]))) else 1)
