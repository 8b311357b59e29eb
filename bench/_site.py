"""A site to measure: a database with news, a member with twelve widgets, and servers in processes of their own."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg

from app import config
from app.box.ports import next_free
from app.config import Settings
from app.db import migrate
from app.domain.homepage import page_widgets
from app.domain.platform.readers import Reader
from app.services import Services
from app.start import open_services
from bench._load import get, once
from tests.people import cookie_of, without_limits

FOLDER = Path(os.environ.get("BENCH_FOLDER", "var/bench"))
SECRETS = {name: "k1:" * name.endswith("_KEYS") + "5e" * 32 for name in config.DEV_SECRETS}
FEEDS = """
INSERT INTO feeds (url, url_key, visibility, title, default_on, last_ok_at, next_fetch_at)
SELECT 'https://p' || n || '.example/feed', sha256(n::text::bytea), 'listed', 'Paper ' || n, n <= 10, now(), NULL
FROM generate_series(1, $1::int) AS n
"""
STORIES = """
INSERT INTO stories (first_at, last_at) SELECT now(), now() FROM generate_series(1, $1::int)
"""
ITEMS = """
INSERT INTO feed_items (feed_id, guid_hash, url, title, summary_html, body_text, published_at, content_hash, story_id, words)
SELECT 1 + n % $2, sha256(n::text::bytea), 'https://p.example/' || n, 'Story number ' || n || ' of the harbour and its goats',
       'Two sentences stand here. They say what happened and to whom in story ' || n || '.', 'harbour goats',
       now() - n * interval '20 seconds', '\\x00', n, 'story number ' || n || ' of the harbour and its goats'
FROM generate_series(1, $1::int) AS n
"""
ADD_MEMBER = "INSERT INTO users (kind, email, email_verified_at) VALUES ('member', 'ada@example.org', now()) RETURNING id"
SUBSCRIBE = "INSERT INTO feed_subscriptions (user_id, feed_id) SELECT $1, id FROM feeds"
# With the four of the untouched page these make twelve widgets.
WIDGETS = (
    *[("rss_feed", {"feed_id": number}) for number in (1, 2, 3, 4, 5)],
    ("news_feed", {"look": "list"}), ("note", {"text": "# Hello\n\nA note of **mine**."}), ("quick_links", {}),
)  # fmt: skip


def environment(settings: Settings, port: int) -> dict[str, str]:
    """The environment of a server process."""
    return {
        **os.environ,
        **SECRETS,
        "ENVIRONMENT": "test",
        "DATABASE_URL": settings.database_url,
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "VAR_DIR": str(FOLDER),
        "SITE_PLACE": "45.50,-73.57,Montréal",
    }


async def filled(items: int, feeds: int) -> tuple[Settings, str]:
    """A fresh database with so many items, and the cookie of a member who reads all feeds on twelve widgets."""
    given = {name.lower(): value for name, value in SECRETS.items()}
    settings = config.load({**os.environ, "ENVIRONMENT": "test", "VAR_DIR": str(FOLDER)}, **given)
    await migrate(settings)
    async with open_services(settings) as services:
        await without_limits(services)
        await services.db.execute(FEEDS, feeds)
        async with services.tx() as tx:
            await tx.db.execute(STORIES, items)
            await tx.db.connection.execute(ITEMS, items, feeds, timeout=300)
        await services.db.execute("ANALYZE")
        who = Reader(
            id=await services.db.fetchval(ADD_MEMBER), kind="member", email="ada@example.org"
        )
        await services.db.execute(SUBSCRIBE, who.id)
        await with_widgets(services, who)
        return settings, await cookie_of(services, who)


async def with_widgets(services: Services, who: Reader) -> None:
    """Give the member eight more widgets."""
    for name, chosen in WIDGETS:
        await page_widgets.add(services, who, "home", name, chosen)


@contextlib.contextmanager
def process(*command: str, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A server process, ended at the end."""
    found = subprocess.Popen([sys.executable, *command], env=env, stdout=subprocess.DEVNULL)
    try:
        yield found
    finally:
        found.terminate()
        try:
            found.wait(5)
        except subprocess.TimeoutExpired:
            # Open streams hold a bare server; nothing in it is worth waiting for.
            found.kill()
            found.wait()


@contextlib.asynccontextmanager
async def village(settings: Settings, **more: str) -> AsyncIterator[tuple[int, int]]:
    """`python -m app serve` on a free port: its port and its pid."""
    port = next_free(18_000)
    with process("-m", "app", "serve", env={**environment(settings, port), **more}) as served:
        await ready(port, "/q/health/ready")
        yield port, served.pid


@contextlib.asynccontextmanager
async def bare(settings: Settings, body: bytes) -> AsyncIterator[tuple[int, int]]:
    """The bare application with these bytes: its port and its pid."""
    port = next_free(19_000)
    file = FOLDER / "body.bin"
    file.write_bytes(body)
    with process(
        "-m", "bench._bare", str(port), str(file), env=environment(settings, port)
    ) as served:
        await ready(port, "/bytes")
        yield port, served.pid


async def ready(port: int, path: str) -> None:
    """Wait until a server answers."""
    for _ in range(200):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if (await once(get(port, path)))[0] == 200:
                return
        await asyncio.sleep(0.1)
    raise RuntimeError(f"nothing answers at {path}")


async def connected(settings: Settings) -> asyncpg.Connection:
    """A connection of the benchmark's own."""
    return await asyncpg.connect(settings.database_url)


def since(begin: float) -> str:
    """Seconds since then, said."""
    return f"{time.perf_counter() - begin:.1f} s"
