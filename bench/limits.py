"""How much does a limit cost over one bare EVALSHA, and does it hold over processes and without Redis? (chapter 10 §10 line 8)"""

import asyncio
import json
import os
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import redis.asyncio

from app import config
from app.box import Box
from app.config import Settings
from app.db import migrate
from app.domain.platform import limiters, rate_limits
from app.domain.platform.limiters import Limit
from app.domain.platform.readers import Reader
from app.services import Services
from app.start import open_services
from bench import _site

WARM, CHECKS = 200, 4000
BARE = "return redis.call('INCR', KEYS[1])"
GATE = 3.0


async def main() -> None:
    """Measure in turns, then count over two served processes, with Redis and without."""
    given = {name.lower(): value for name, value in _site.SECRETS.items()}
    # Redis is stopped on the way, so it is one of our own.
    with Box(_site.FOLDER / "limits", ("redis",), durable=False, spare=True, settings={}) as box:
        env = {**os.environ, **box.env, "ENVIRONMENT": "test", "VAR_DIR": str(_site.FOLDER)}
        settings = config.load(env, **given)
        await migrate(settings)
        async with open_services(settings) as services:
            detail = await costs(services, settings.redis_url)
        detail |= await served(box, settings)
    assert detail["check"] <= GATE, detail
    print(json.dumps({"bench": "limits", "ratio": detail["check"], "detail": detail}))


async def costs(services: Services, url: str) -> dict[str, Any]:
    """Medians of a check over those of a bare EVALSHA: one name, two names, and in memory."""
    limiter = limiters.of(services)
    assert limiter is not None
    for action in ("search", "vote", "page"):
        limiter.limits[action, "anonymous"] = limiter.limits[action, "logged_in"] = Limit(10**9, 60)
    client: Any = redis.asyncio.Redis.from_url(url)
    sha = await client.script_load(BARE)
    who = Reader(id=1, kind="member")
    acts: dict[str, Callable[[], Awaitable[Any]]] = {
        "bare": lambda: client.evalsha(sha, 1, "bench"),
        "check": lambda: rate_limits.spend(services, None, "search", caller="203.0.113.7"),
        "starred": lambda: rate_limits.spend(services, who, "vote", caller="203.0.113.7"),
        "page": lambda: rate_limits.spend(services, None, "page", caller="203.0.113.7"),
    }
    found: dict[str, list[float]] = {name: [] for name in acts}
    # Call by call in turn: what else this machine does meets all of them alike.
    for n in range(WARM + CHECKS):
        for name, act in acts.items():
            begin = time.perf_counter()
            await act()
            if n >= WARM:
                found[name].append(time.perf_counter() - begin)
    await client.aclose()
    medians = {name: statistics.median(times) for name, times in found.items()}
    base = medians.pop("bare")
    print(f"bare EVALSHA {base * 1e6:.0f} µs")
    return {name: round(took / base, 2) for name, took in medians.items()}


async def served(box: Box, settings: Settings) -> dict[str, Any]:
    """Requests let through by two processes that take turns: searches and sign-ins, then sign-ins without Redis."""
    more = {"REDIS_URL": settings.redis_url}
    async with (
        _site.village(settings, **more) as (one, _),
        _site.village(settings, **more) as (other, _),
    ):
        ports = (one, other)
        searches = await statuses(ports, lambda n: ("GET", "/api/search?q=goats", None), 30)
        sign_ins = await statuses(ports, letter, 14)
        # The sign-ins that were counted are forgotten, so that those without Redis begin anew.
        await forget(settings)
        await asyncio.to_thread(box.stop, "redis")
        alone = await statuses(ports, letter, 14)
    print(f"searches {searches}\nsign-ins {sign_ins}\nwithout Redis {alone}")
    assert searches.count(200) == 20 and searches.count(429) == 10
    for found in (sign_ins, alone):
        assert found.count(202) == 10 and found.count(429) == 4
    return {"searches": 20, "sign_ins": 10, "sign_ins_without_redis": 10}


async def statuses(
    ports: tuple[int, ...], request: Callable[[int], tuple[str, str, Any]], times: int
) -> list[int]:
    """The statuses of so many requests, sent to the processes in turn."""
    found = []
    headers = {"accept": "application/json", "sec-fetch-site": "same-origin"}
    async with httpx2.AsyncClient(timeout=20, headers=headers) as client:
        for n in range(times):
            method, path, body = request(n)
            url = f"http://127.0.0.1:{ports[n % len(ports)]}{path}"
            found.append((await client.request(method, url, json=body)).status_code)
    return found


def letter(n: int) -> tuple[str, str, Any]:
    """A wish for a letter to another address each time."""
    return "POST", "/api/auth/login", {"email": f"{secrets.token_hex(4)}@example.org"}


async def forget(settings: Settings) -> None:
    """Forget what was counted in PostgreSQL."""
    connection = await _site.connected(settings)
    await connection.execute("TRUNCATE rate_limit_windows")
    await connection.close()


if __name__ == "__main__":
    asyncio.run(main())
