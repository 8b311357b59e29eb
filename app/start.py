"""How a process begins: settings, the pool, Redis and the outside, and how all of it is closed again."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from app.config import Settings
from app.db import Database, open_pool
from app.domain.platform.ai import budget, prices
from app.domain.platform.jobs.ledger import Ledger
from app.domain.platform.limiters import Limiter
from app.lane import Lane
from app.outside.alpha_vantage import AlphaVantage
from app.outside.anthropic import Anthropic
from app.outside.apple import Apple
from app.outside.breakers import Breaker
from app.outside.children import Children
from app.outside.demo_world import DemoWorld
from app.outside.facebook import Facebook
from app.outside.facebook_pages import FacebookPages
from app.outside.finnhub import Finnhub
from app.outside.google import Google
from app.outside.guarded import GuardedClient
from app.outside.imap import Mailbox
from app.outside.instagram import Instagram
from app.outside.meilisearch import Meilisearch
from app.outside.nws import Nws
from app.outside.open_meteo import OpenMeteo
from app.outside.pictures import Pictures
from app.outside.s3 import ObjectStore
from app.outside.slack import Slack
from app.outside.smtp import Mailer
from app.services import Services
from app.shared_windows import SharedWindows
from app.web import letters
from jobs.registry import REGISTRY

PARSERS = "app.domain.homepage.feed_documents.child"


@contextlib.asynccontextmanager
async def open_services(
    settings: Settings, *, pool_size: int | None = None
) -> AsyncIterator[Services]:
    """Everything a process works with, closed at the end. Nothing has to be up for it to start. Raises Misconfigured."""
    # What models cost is known before anybody asks one.
    prices.of_settings(settings), budget.shares(settings)
    pool = await open_pool(settings, size=pool_size)
    lane = Lane.at(settings.redis_url) if settings.redis_url else None
    windows = SharedWindows.at(settings.redis_url) if settings.redis_url else None
    doors = outside(settings)
    try:
        yield Services(
            settings=settings,
            db=Database(pool, timeout=settings.database_pool_timeout),
            ledger=Ledger(REGISTRY),
            letters=letters.write,
            redis=lane,
            outside=doors,
            memory={"limits": Limiter(windows)},
        )
    finally:
        for door in doors.values():
            await door.close()
        if lane is not None:
            await lane.close()
        if windows is not None:
            await windows.close()
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
            public_url=settings.s3_public_url,
        )
    if settings.demo_feeds and settings.is_local:
        doors["demo_world"] = DemoWorld(settings.demo_feeds, breaker=Breaker("demo_world"))
    if settings.smtp_url:
        tls = settings.environment == "prod"
        doors["smtp"] = Mailer(settings.smtp_url, breaker=Breaker("smtp"), require_tls=tls)
    if settings.anthropic_api_key:
        doors["anthropic"] = Anthropic(
            settings.anthropic_api_key, url=settings.ai_url, breaker=Breaker("anthropic")
        )
    if settings.slack_webhook_url:
        doors["slack"] = Slack(settings.slack_webhook_url, breaker=Breaker("slack"))
    if settings.meili_url:
        doors["meilisearch"] = Meilisearch(
            settings.meili_url, settings.meili_key, breaker=Breaker("meilisearch")
        )
    if settings.imap_url:
        doors["imap"] = Mailbox(settings.imap_url, breaker=Breaker("imap"))
    return (
        doors | stock_sources(settings) | sign_in_providers(settings) | social_platforms(settings)
    )


def stock_sources(settings: Settings) -> dict[str, Any]:
    """The sources of prices; one whose key is not set is absent."""
    doors: dict[str, Any] = {}
    if settings.alphavantage_key:
        doors["alphavantage"] = AlphaVantage(
            settings.alphavantage_url, settings.alphavantage_key, breaker=Breaker("alphavantage")
        )
    if settings.finnhub_key:
        doors["finnhub"] = Finnhub(
            settings.finnhub_url, settings.finnhub_key, breaker=Breaker("finnhub")
        )
    return doors


def sign_in_providers(settings: Settings) -> dict[str, Any]:
    """The providers that people can sign in with; one whose keys are not set is absent."""
    doors: dict[str, Any] = {}
    if settings.google_client_id and settings.google_client_secret:
        doors["google"] = Google(
            settings.google_client_id,
            settings.google_client_secret,
            scopes=settings.google_scopes,
            url=settings.google_url,
            token_url=settings.google_token_url,
            keys_url=settings.google_keys_url,
            revoke_url=settings.google_revoke_url,
            breaker=Breaker("google"),
        )
    if settings.facebook_app_id and settings.facebook_app_secret:
        doors["facebook"] = Facebook(
            settings.facebook_app_id,
            settings.facebook_app_secret,
            scopes=settings.facebook_scopes,
            url=settings.facebook_url,
            graph_url=settings.facebook_graph_url,
            version=settings.facebook_graph_version,
            breaker=Breaker("facebook"),
        )
    if settings.apple_client_id and settings.apple_private_key_path:
        doors["apple"] = Apple(
            settings.apple_client_id,
            team_id=settings.apple_team_id,
            key_id=settings.apple_key_id,
            private_key_path=settings.apple_private_key_path,
            scopes=settings.apple_scopes,
            url=settings.apple_url,
            breaker=Breaker("apple"),
        )
    return doors


def social_platforms(settings: Settings) -> dict[str, Any]:
    """The platforms whose accounts can be connected; one whose keys are not set is absent."""
    doors: dict[str, Any] = {}
    if settings.instagram_app_id and settings.instagram_app_secret:
        doors["instagram"] = Instagram(
            settings.instagram_app_id,
            settings.instagram_app_secret,
            token_url=settings.instagram_token_url,
            scopes=settings.instagram_scopes,
            url=settings.instagram_url,
            graph_url=settings.instagram_graph_url,
            version=settings.instagram_graph_version,
            breaker=Breaker("instagram"),
        )
    if settings.facebook_app_id and settings.facebook_app_secret and settings.facebook_page_scopes:
        doors["facebook_pages"] = FacebookPages(
            settings.facebook_app_id,
            settings.facebook_app_secret,
            scopes=settings.facebook_page_scopes,
            url=settings.facebook_url,
            graph_url=settings.facebook_graph_url,
            version=settings.facebook_graph_version,
            breaker=Breaker("facebook_pages"),
        )
    return doors


def guard_hosts(text: str) -> dict[str, tuple[str, int]]:
    """GUARD_HOSTS as a mapping: name=127.0.0.1:8081,…"""
    pairs = [part.split("=", 1) for part in text.split(",") if "=" in part]
    return {
        name.strip(): (place.rsplit(":", 1)[0], int(place.rsplit(":", 1)[1]))
        for name, place in pairs
    }
