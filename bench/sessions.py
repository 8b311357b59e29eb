"""What does a session cost on a page made for each reader, and how soon is it dead? (chapter 10 §10 line 9)"""

import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2

from app.config import Settings
from app.domain.homepage import links
from app.domain.homepage.links import NewLink
from app.domain.platform import api_tokens, readers, unsubscriptions
from app.domain.platform.readers import Reader
from app.services import Services
from app.start import open_services
from app.web import session
from bench import _site
from tests.people import cookie_of, member

ITEMS, FEEDS, WARM, PAGES, SESSIONS = 10_000, 50, 20, 120, 100
GATE = 1.3
GOATS = "https://goats.example/"
NEW_SECRET = "7a" * 32
SUBSCRIBE = (
    "INSERT INTO feed_subscriptions (user_id, feed_id) SELECT $1, id FROM feeds WHERE default_on"
)
OTHER_BROWSER = "SELECT id FROM sessions WHERE user_id = $1 ORDER BY id DESC LIMIT 1"


async def main() -> None:
    """Fill, serve twice, measure in turns, revoke, change the secret, print."""
    settings, _ = await _site.filled(ITEMS, FEEDS)
    async with open_services(settings) as services:
        who = await member(services, "reader@example.org")
        # The same feeds that a stranger reads, so that both pages show the same stories.
        await services.db.execute(SUBSCRIBE, who.id)
        cookie = await cookie_of(services, who)
        async with _site.village(settings) as (one, _), _site.village(settings) as (other, _):
            detail = await costs(one, cookie)
            detail["revoked_after_s"] = await revoked(services, who, one, other)
        detail |= await other_secret(services, settings)
    assert detail["signed_in"] <= GATE, detail
    assert detail["revoked_after_s"] <= 1, detail
    print(json.dumps({"bench": "sessions", "ratio": detail["signed_in"], "detail": detail}))


async def costs(port: int, cookie: str) -> dict[str, Any]:
    """The time a page takes for a member over the time it takes for a stranger: medians of requests in turn."""
    took: dict[str, list[float]] = {"": [], cookie: []}
    async with asking(port, accept="text/html") as stranger:
        async with asking(port, cookie, accept="text/html") as reader:
            for n in range(WARM + PAGES):
                for value, client in (("", stranger), (cookie, reader)):
                    begin = time.perf_counter()
                    page = await client.get("/news")
                    if n >= WARM:
                        took[value].append(time.perf_counter() - begin)
                    assert ("/auth/login" in page.text) is (value == ""), page.status_code
                    assert page.text.count("of the harbour and its goats") >= 20
    anonymous, signed_in = (statistics.median(times) for times in took.values())
    print(f"/news: anonymous {anonymous * 1000:.1f} ms, signed in {signed_in * 1000:.1f} ms")
    return {"signed_in": round(signed_in / anonymous, 2)}


async def revoked(services: Services, who: Reader, one: int, other: int) -> float:
    """Seconds (the longest of several) until a process refuses a session that was ended at another."""
    found = []
    for _ in range(10):
        hers, another = [await cookie_of(services, who) for _ in range(2)]
        ended = await services.db.fetchval(OTHER_BROWSER, who.id)
        async with asking(other, another) as there, asking(one, hers) as here:
            assert (await there.get("/api/settings/sessions")).status_code == 200
            answer = await here.delete(f"/api/settings/sessions/{ended}")
            assert answer.status_code == 200, answer.text
            begin = time.perf_counter()
            while (await there.get("/api/settings/sessions")).status_code != 401:
                await asyncio.sleep(0.005)
            found.append(time.perf_counter() - begin)
    print(f"revoked elsewhere, refused after at most {max(found) * 1000:.0f} ms")
    return round(max(found), 3)


@contextlib.asynccontextmanager
async def asking(port: int, value: str = "", **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser, or a script, at one process."""
    sent = {"sec-fetch-site": "same-origin", "accept": "application/json", **headers}
    if value:
        sent["cookie"] = f"{session.SESSION}={value}"
    url = f"http://127.0.0.1:{port}"
    async with httpx2.AsyncClient(base_url=url, headers=sent, timeout=20) as client:
        yield client


async def other_secret(services: Services, settings: Settings) -> dict[str, int]:
    """Start with another JWT_SESSION_SECRET: how many of a hundred sessions live, and does everything else?"""
    people = [await member(services, f"p{n}@example.org") for n in range(SESSIONS)]
    cookies = [await cookie_of(services, who) for who in people]
    visitor = "a-visitor-of-the-benchmark"
    await links.add(services, await readers.add_visitor(services, visitor), NewLink(GOATS))
    new = api_tokens.NewToken(name="bench", scopes=["read"])
    token = await api_tokens.add(services, people[0], people[0].id, frozenset(), new)
    leave = unsubscriptions.token(settings, people[1].id, "digest")
    async with _site.village(settings, JWT_SESSION_SECRET=NEW_SECRET) as (port, _):
        alive = sum([await lives(port, cookie) for cookie in cookies])
        async with asking(port, authorization=f"Bearer {token.token}") as script:
            tokens = (await script.get("/api/settings/account")).status_code
        async with asking(port) as stranger:
            page = await stranger.get("/api/notifications/unsubscribe", params={"token": leave})
        async with asking(port, cookie=f"{session.VISITOR}={visitor}") as browser:
            mine = await browser.get("/api/links")
    print(
        f"new secret: {alive} of {SESSIONS} sessions live; token {tokens}, unsubscribe {page.status_code}"
    )
    assert (alive, tokens, page.status_code) == (0, 200, 200)
    assert GOATS in mine.text, (mine.status_code, mine.text)
    return {"sessions": SESSIONS, "alive": alive}


async def lives(port: int, cookie: str) -> bool:
    """Whether a session opens the member's own pages."""
    async with asking(port, cookie) as client:
        return (await client.get("/api/settings/sessions")).status_code == 200


if __name__ == "__main__":
    asyncio.run(main())
