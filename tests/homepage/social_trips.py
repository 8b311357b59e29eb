"""Trips to the social networks of the world: a member's browser, another one at the platform, and the world behind both."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from app import config
from app.domain.platform.flags import memory
from app.domain.platform.flags.evaluation import Rule
from app.domain.platform.readers import Reader
from app.outside.guarded import GuardedClient
from app.services import Services
from app.start import guard_hosts, social_platforms
from tests.conftest import client_on
from tests.homepage.job_runs import run_jobs
from tests.people import Browser, member
from tests.world import World

FLAG = "social_integration"


def switch(services: Services, *, on: bool) -> None:
    """Let everybody have social accounts, or nobody."""
    flags = memory.of(services)
    flags.rules = {**flags.rules, FLAG: Rule(FLAG, enabled=on, rollout_percentage=100 * on)}


@dataclasses.dataclass
class Traveller:
    """A signed-in member on their way."""

    browser: Browser
    platform: httpx2.AsyncClient
    world: World
    services: Services
    who: Reader

    async def set_out(self, name: str = "instagram") -> str:
        """Press our button; return the platform's address that it leads to."""
        answer = await self.browser.json("POST", f"/api/social/{name}/connections")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["address"])

    async def consent(self, address: str, who: str = "ada") -> dict[str, str]:
        """Press a button of the platform's page; return what it answers to us."""
        assert (await self.platform.get(address)).status_code == 200
        parts = urlsplit(address)
        form = {name: values[0] for name, values in parse_qs(parts.query).items()}
        answer = await self.platform.post(
            f"{parts.scheme}://{parts.netloc}/consent", data=form | {"who": who}
        )
        found = parse_qs(urlsplit(answer.headers["location"]).query)
        return {name: values[0] for name, values in found.items()}

    async def come_back(
        self, answer: dict[str, str], name: str = "instagram", accept: str = "application/json"
    ) -> httpx2.Response:
        """Bring the platform's answer to us, from another site."""
        headers = {"accept": accept, "sec-fetch-site": "cross-site"}
        return await self.browser.get(f"/social/{name}/callback", params=answer, headers=headers)

    async def go(self, name: str = "instagram", who: str = "ada") -> httpx2.Response:
        """The whole trip; return our last answer."""
        return await self.come_back(await self.consent(await self.set_out(name), who), name)

    async def connect(self, name: str = "instagram", who: str = "ada") -> dict[str, Any]:
        """The whole trip, and the first look at the posts; return the account."""
        answer = await self.go(name, who)
        assert answer.status_code == 200, answer.text
        await run_jobs(self.services, "refresh_social")
        return dict((await self.page())["accounts"][0])

    async def page(self, query: str = "") -> Any:
        """My accounts and posts."""
        return (await self.browser.json("GET", f"/api/social{query}")).json()

    async def again(self) -> None:
        """Let the next look be due, and take it."""
        await self.services.db.execute(
            "UPDATE social_accounts SET last_try_at = now() - interval '2 days', taken_until = NULL,"
            " last_ok_at = last_ok_at - interval '1 hour'"
        )
        async with self.services.tx() as tx:
            await tx.enqueue("refresh_social")
        await run_jobs(self.services, "refresh_social")

    async def aged(self, span: str) -> Any:
        """Let the last success be so old; return the page."""
        await self.services.db.execute(
            f"UPDATE social_accounts SET last_ok_at = now() - interval '{span}'"
        )
        return await self.page()


@contextlib.asynccontextmanager
async def travelling(services: Services) -> AsyncIterator[Traveller]:
    """A member on a site where both platforms are set up, and the flag is on."""
    async with World() as world, httpx2.AsyncClient(trust_env=False) as platform:
        settings = config.load({**world.env, "ENVIRONMENT": "test"})
        doors = social_platforms(settings)
        hosts = guard_hosts(settings.guard_hosts)
        guarded = GuardedClient(services.settings.public_url, hosts, spacing=0.0)
        outside = {**services.outside, **doors, "guarded": guarded}
        own = dataclasses.replace(services, outside=outside)
        switch(own, on=True)
        who = await member(own)
        async with client_on(own) as client:
            browser = Browser(client, own)
            await browser.sign_in(who)
            yield Traveller(browser, platform, world, own, who)
        for door in doors.values():
            await door.close()


def media(number: int, **more: Any) -> dict[str, Any]:
    """One post of Instagram's, in few words."""
    return {
        "id": str(number),
        "caption": f"Post {number}",
        "media_type": "IMAGE",
        "permalink": f"https://www.instagram.com/p/{number}/",
        "timestamp": f"2026-01-{number % 28 + 1:02}T09:42:00+0000",
        **more,
    }


async def look(traveller: Traveller, *posts: Any) -> list[dict[str, Any]]:
    """What my page has once the platform says these posts."""
    traveller.world.vendors["instagram"].said = list(posts)
    await traveller.connect()
    return list((await traveller.page("?limit=100"))["items"])
