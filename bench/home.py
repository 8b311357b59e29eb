"""How much slower is the front page than constant bytes, and a member's page than one query? (chapter 20 §9 line 3)"""

import asyncio
import json
import statistics
import time

from app.config import Settings
from app.domain.homepage import pages
from app.domain.platform import readers
from app.services import Services
from app.start import open_services
from app.web import session
from app.web.homepage import widgets
from bench import _site
from bench._load import Target, get, once, percentile, rush

ITEMS, FEEDS, ROUNDS, SECONDS = 200_000, 150, 7, 2.0
GATES = {"shared": 0.5, "member": 0.15, "unchanged": 0.2}


async def main() -> None:
    """Fill, serve, measure in turns, print."""
    begin = time.perf_counter()
    settings, cookie = await _site.filled(ITEMS, FEEDS)
    print(f"{ITEMS:,} items of {FEEDS} feeds in {_site.since(begin)}")
    async with _site.village(settings) as (port, _):
        shared = get(port, "/")
        member = get(port, "/", f"Cookie: vu_session={cookie}")
        _, headers, page = await once(member)
        unchanged = get(
            port, "/", f"Cookie: vu_session={cookie}", f"If-None-Match: {headers['etag']}"
        )
        assert (await once(unchanged))[0] == 304
        _, _, front = await once(shared)
        async with _site.bare(settings, front) as (front_port, _):
            front_bytes = get(front_port, "/bytes")
            ratios = await against({"shared": shared, "base": front_bytes})
        async with _site.bare(settings, page) as (page_port, _):
            targets = {"member": member, "unchanged": unchanged, "base": get(page_port, "/bytes")}
            ratios |= await against(targets)
            slower = await p95(member, get(page_port, "/query"))
    queries = await cold_queries(settings)
    detail = {
        **ratios,
        "p95_over_one_query": round(slower, 2),
        "cold_queries": queries,
        "page_kb": round(len(page) / 1024, 1),
        "front_kb": round(len(front) / 1024, 1),
    }
    print(json.dumps({"bench": "home", "ratio": ratios["shared"], "detail": detail}))


async def against(targets: dict[str, Target]) -> dict[str, float]:
    """Requests a second of each target over those of `base`, medians of rounds taken in turn."""
    rates: dict[str, list[float]] = {name: [] for name in targets}
    for _ in range(ROUNDS):
        for name, target in targets.items():
            rate, _ = await rush(target, SECONDS)
            rates[name].append(rate)
    for name, found in rates.items():
        print(f"{name:10} {statistics.median(found):8,.0f} requests/s")
    base = rates.pop("base")
    pairs = {
        name: [one / other for one, other in zip(found, base, strict=True)]
        for name, found in rates.items()
    }
    return {name: round(statistics.median(found), 3) for name, found in pairs.items()}


async def p95(page: Target, query: Target) -> float:
    """The 95th percentile of the member's page over that of one news query with as many bytes, one at a time."""
    found = []
    for _ in range(ROUNDS):
        _, ours = await rush(page, SECONDS / 2, connections=1)
        _, raw = await rush(query, SECONDS / 2, connections=1)
        found.append(percentile(ours, 0.95) / percentile(raw, 0.95))
    print(f"p95 of the member's page: {statistics.median(found):.2f} x one query with equal bytes")
    return statistics.median(found)


async def cold_queries(settings: Settings) -> int:
    """Statements that a member's page takes when nothing of it is kept: who asks, and all twelve widgets."""
    asked: list[str] = []
    async with open_services(settings, pool_size=1) as services, services.held() as held:
        await page_of(
            held, settings
        )  # the spot's first look, and types that a fresh connection asks about
        held.db.connection.add_query_logger(lambda record: asked.append(record.query))
        await page_of(held, settings)
    print(f"{len(asked)} statements for a cold page of 12 widgets")
    return len(asked)


async def page_of(services: Services, settings: Settings) -> None:
    """What a request for a cold page asks of the database."""
    token = await services.db.fetchval("SELECT token_hash FROM sessions LIMIT 1")
    row = await services.db.fetchrow(readers.BY_VALUE, token, session.key_print(settings))
    who = readers.Reader(id=row["id"], kind="member", email=row["email"])
    view = await pages.shown(services, who)
    await widgets.versions_of(services, who)
    await widgets.views_of(services, who, view.widgets)


if __name__ == "__main__":
    asyncio.run(main())
