"""A real site with news and weather, in processes of its own, and the Chromium that looks at it."""

import asyncio
import dataclasses
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from app import config
from app.box import Box
from app.box.ports import next_free
from app.config import Settings
from app.db import migrate
from app.domain.homepage import weather_spots
from app.domain.platform import gazetteer, places
from app.domain.platform.readers import Reader
from app.services import Services
from app.start import open_services
from app.web import session as cookies
from tests.conftest import SECRET, new_database
from tests.homepage.newsroom import feed, item, tagged
from tests.homepage.test_weather import Source
from tests.people import cookie_of, member, without_limits

FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip
CHROMIUM = next(
    (str(path) for name in ("chromium", "chromium-browser", "google-chrome")
     if (path := Path("/usr/bin") / name).exists()), "chromium",
)  # fmt: skip
BY_EMAIL = "SELECT id, role FROM users WHERE email = $1"
PAPERS = ("courier", "herald", "gazette")
LONG = "The council of the harbour town voted last night to keep the old ferry and its goats. "


@dataclasses.dataclass
class Site:
    """A site that runs: its address, its settings, and what a test does behind its back."""

    url: str
    settings: Settings

    def behind(self, act: Callable[[Services], Awaitable[Any]]) -> Any:
        """Do something in the site's database. Playwright holds this thread's loop, so another thread does it."""

        async def done() -> Any:
            async with open_services(self.settings, pool_size=2) as services:
                return await act(services)

        with ThreadPoolExecutor(1) as aside:
            return aside.submit(asyncio.run, done()).result()

    def sign_in(self, page: Page, email: str, role: str | None = None) -> None:
        """Carry a session of that member, who is made if need be."""

        async def made(services: Services) -> str:
            row = await services.db.fetchrow(BY_EMAIL, email)
            known = row and Reader(id=row["id"], kind="member", email=email, role=row["role"])
            return await cookie_of(services, known or await member(services, email, role))

        value = self.behind(made)
        page.context.add_cookies([{"name": cookies.SESSION, "value": value, "url": self.url}])


@pytest.fixture(scope="session")
def world() -> Iterator[dict[str, str]]:
    """The settings that lead to the demo world, which plays all of the outside."""
    command = [sys.executable, "-m", "tests.world", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as played:
        assert played.stdout is not None
        yield json.loads(played.stdout.readline())["env"]
        played.terminate()


@pytest.fixture(scope="session")
def vendors(world: dict[str, str]) -> dict[str, str]:
    """The settings of Google, Facebook, Apple and Instagram as the demo world plays them, on another site than ours."""
    signs = ("GOOGLE_", "FACEBOOK_", "APPLE_", "INSTAGRAM_", "GUARD_HOSTS")
    return {name: value for name, value in world.items() if name.startswith(signs)}


@pytest.fixture(scope="session")
def site(
    box: Box, tmp_path_factory: pytest.TempPathFactory, vendors: dict[str, str]
) -> Iterator[Site]:
    """The site, served by `python -m app serve` from a database of its own."""
    port, folder = next_free(18_100), str(tmp_path_factory.mktemp("var"))
    env = {
        **box.env,
        **vendors,
        **{name.upper(): value for name, value in SECRET.items()},
        "ENVIRONMENT": "test",
        "DATABASE_URL": asyncio.run(new_database(box.env["DATABASE_URL"], "village_browser")),
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SITE_PLACE": "45.50,-73.57,Montréal",
        "FINNHUB_KEY": "world-key",
        "VAR_DIR": folder,
    }
    site = Site(env["PUBLIC_URL"], config.load(env))
    asyncio.run(migrate(site.settings))
    site.behind(furnished)
    log = Path(folder) / "serve.log"
    with log.open("w") as out:
        served = subprocess.Popen(
            [sys.executable, "-m", "app", "serve"],
            env={**os.environ, **env},
            stdout=out,
            stderr=out,
        )
        try:
            answered(site.url + "/q/health/ready", log)
            yield site
        finally:
            served.terminate()
            served.wait(40)


def answered(url: str, log: Path) -> None:
    """Wait until the site is ready; fail with what it said."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(log.read_text()[-2000:])


async def furnished(services: Services) -> None:
    """Three papers with stories and tags, the gazetteer of one town, its weather, and no limits."""
    await without_limits(services)
    for number, name in enumerate(PAPERS):
        paper = await feed(services, name)
        for n in range(12):
            found = await item(
                services, paper, f"{name.title()} story {n} of the harbour",
                minutes=10 * n + number, text=LONG * 3, url=f"https://{name}.example/{n}",
            )  # fmt: skip
            await tagged(services, found, ("world", "science")[n % 2])
    chosen = [spot for spot in gazetteer.spots() if spot.name == "Montréal"]
    async with services.tx() as tx:
        await places.load(tx, gazetteer.regions(), chosen)
    played = dataclasses.replace(services, outside={"nws": Source(), "open_meteo": Source()})
    await weather_spots.watch(played, "45.50:-73.57")
    await weather_spots.refresh_due(played)


@pytest.fixture(scope="session")
def chromium(site: Site) -> Iterator[Browser]:
    """The system's Chromium, which asks nobody outside for anything."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page in a new context: opened(width=390, color_scheme="dark")."""
    contexts: list[BrowserContext] = []

    def made(width: int = 1280, **options: Any) -> Page:
        contexts.append(chromium.new_context(viewport={"width": width, "height": 900}, **options))
        return contexts[-1].new_page()

    yield made
    for context in contexts:
        context.close()
