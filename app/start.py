"""How a process begins: settings, the pool, Redis and the outside, and how all of it is closed again."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from app.config import Settings
from app.db import Database, open_pool
from app.domain.platform.jobs.ledger import Ledger
from app.lane import Lane
from app.outside.breakers import Breaker
from app.outside.children import Children
from app.outside.demo_world import DemoWorld
from app.outside.guarded import GuardedClient
from app.outside.nws import Nws
from app.outside.open_meteo import OpenMeteo
from app.outside.pictures import Pictures
from app.outside.s3 import ObjectStore
from app.outside.smtp import Mailer
from app.services import Services
from app.web import letters
from jobs.registry import REGISTRY

PARSERS = "app.domain.homepage.feed_documents.child"


@contextlib.asynccontextmanager
async def open_services(
    settings: Settings, *, pool_size: int | None = None
) -> AsyncIterator[Services]:
    """Everything a process works with, closed at the end. Nothing has to be up for it to start."""
    pool = await open_pool(settings, size=pool_size)
    lane = Lane.at(settings.redis_url) if settings.redis_url else None
    doors = outside(settings)
    try:
        yield Services(
            settings=settings,
            db=Database(pool, timeout=settings.database_pool_timeout),
            ledger=Ledger(REGISTRY),
            letters=letters.write,
            redis=lane,
            outside=doors,
        )
    finally:
        for door in doors.values():
            await door.close()
        if lane is not None:
            await lane.close()
        pool.terminate()


def outside(settings: Settings) -> dict[str, Any]:
    """One adapter a service; what is not set up is absent."""
    doors: dict[str, Any] = {
        "guarded": GuardedClient(settings.public_url, guard_hosts(settings.guard_hosts)),
        "feed_parser": Children(PARSERS, size=2, cpu_seconds=5, memory_mb=256, wall_seconds=10),
        "pictures": Pictures(),
        "open_meteo": OpenMeteo(settings.open_meteo_url, breaker=Breaker("open_meteo")),
        "nws": Nws(settings.nws_url, contact=settings.operator_address, breaker=Breaker("nws")),
    }
    if settings.s3_endpoint:
        doors["s3"] = ObjectStore(
            settings.s3_endpoint,
            settings.s3_access_key,
            settings.s3_secret_key,
            settings.s3_bucket_suffix,
            breaker=Breaker("s3"),
            region=settings.s3_region,
        )
    if settings.demo_feeds and settings.is_local:
        doors["demo_world"] = DemoWorld(settings.demo_feeds, breaker=Breaker("demo_world"))
    if settings.smtp_url:
        tls = settings.environment == "prod"
        doors["smtp"] = Mailer(settings.smtp_url, breaker=Breaker("smtp"), require_tls=tls)
    return doors


def guard_hosts(text: str) -> dict[str, tuple[str, int]]:
    """GUARD_HOSTS as a mapping: name=127.0.0.1:8081,…"""
    pairs = [part.split("=", 1) for part in text.split(",") if "=" in part]
    return {
        name.strip(): (place.rsplit(":", 1)[0], int(place.rsplit(":", 1)[1]))
        for name, place in pairs
    }
