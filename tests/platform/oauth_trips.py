"""Trips to the vendors of the world, made by a browser as a person makes them."""

import contextlib
import dataclasses
import html
import re
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import httpx2

from app import config
from app.services import Services
from app.start import sign_in_providers
from tests.conftest import client_on
from tests.people import Browser
from tests.world import World

FIELDS = re.compile(r'name="([^"]*)" value="([^"]*)"')


@dataclasses.dataclass
class Traveller:
    """A browser on our site, another one at the vendors, and the world behind both."""

    browser: Browser
    vendor: httpx2.AsyncClient
    world: World
    services: Services

    async def set_out(self, name: str, query: str = "next=/news") -> str:
        """Press our button; return the vendor's address that it leads to."""
        answer = await self.browser.get(f"/auth/{name}/login?{query}")
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def consent(self, address: str, who: str = "ada") -> dict[str, str]:
        """Press a button of the vendor's page; return what it answers to us, by link or by form."""
        fields = dict(parse_qs(urlsplit(address).query))
        form = {name: values[0] for name, values in fields.items()}
        assert (await self.vendor.get(address)).status_code == 200
        parts = urlsplit(address)
        answer = await self.vendor.post(
            f"{parts.scheme}://{parts.netloc}/consent", data=form | {"who": who}
        )
        if answer.status_code == 200:
            return {name: html.unescape(value) for name, value in FIELDS.findall(answer.text)}
        found = parse_qs(urlsplit(answer.headers["location"]).query)
        return {name: values[0] for name, values in found.items()}

    async def come_back(
        self, name: str, answer: dict[str, str], accept: str = "text/html"
    ) -> httpx2.Response:
        """Bring the vendor's answer to us; a form comes from another site and without cookies."""
        params = answer
        if name == "apple":
            kept = dict(self.browser.client.cookies)
            self.browser.sign_out()
            cross = {"sec-fetch-site": "cross-site", "origin": self.world.vendors["apple"].url}
            posted = await self.browser.post("/auth/apple/callback", dict(answer), headers=cross)
            assert posted.status_code == 303
            for cookie, value in kept.items():
                self.browser.client.cookies.set(cookie, value, domain="testserver.local", path="/")
            params = {"state": answer["state"]}
        return await self.browser.get(
            f"/auth/{name}/callback",
            params=params,
            headers={"accept": accept, "sec-fetch-site": "cross-site"},
        )

    async def go(self, name: str, who: str = "ada", query: str = "next=/news") -> httpx2.Response:
        """The whole trip; return our last answer."""
        answer = await self.consent(await self.set_out(name, query), who)
        return await self.come_back(name, answer)

    async def in_json(self, name: str, who: str = "ada") -> httpx2.Response:
        """The whole trip; our last answer as JSON."""
        answer = await self.consent(await self.set_out(name), who)
        return await self.come_back(name, answer, "application/json")

    async def is_in(self) -> str | None:
        """The address of the member whom this browser is signed in as."""
        answer = await self.browser.json("GET", "/api/settings/account")
        return answer.json()["email"] if answer.status_code == 200 else None


@contextlib.asynccontextmanager
async def travelling(services: Services) -> AsyncIterator[Traveller]:
    """A traveller with all three vendors set up."""
    async with World() as world, httpx2.AsyncClient(trust_env=False) as vendor:
        settings = config.load({**world.env, "ENVIRONMENT": "test"})
        doors = sign_in_providers(settings)
        own = dataclasses.replace(services, outside={**services.outside, **doors})
        async with client_on(own) as client:
            yield Traveller(Browser(client, own), vendor, world, own)
        for door in doors.values():
            await door.close()
