"""python -m app doctor: each service and setting, and for each trouble the very line to change."""

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from app import config
from app.box import running
from app.config import Settings
from app.db import SCHEMA_VERSION, schema_version
from app.domain.homepage import market_days, social_posts, stock_sources
from app.domain.homepage import social as social_feeds
from app.domain.platform import health, integrations
from app.domain.platform.ai import budget, prices
from app.domain.platform.integrations import Provider
from app.errors import Problem
from app.services import Services
from app.start import open_services

MARKS = {"ok": "✔", "warning": "!", "broken": "✘", "off": "-"}
SECONDS = 15


class Finding(NamedTuple):
    """One line: what was looked at, how it stands, and the mend."""

    what: str
    state: str
    says: str
    mend: str = ""


Look = Callable[[Services], Awaitable[Finding]]


def settings_found() -> Settings:
    """The settings of the bin/run that runs in this folder; what the environment says comes first. Raises Misconfigured."""
    own = config.load()
    here = running.found(Path(own.var_dir))
    return config.load({**here.env, **os.environ, "VAR_DIR": own.var_dir}) if here else own


async def examine(settings: Settings, *, as_json: bool = False) -> int:
    """Look at everything; print it; answer 0, 1 with warnings, 2 when something is broken."""
    async with open_services(settings) as services:
        looks = (
            bin_run,
            database,
            extensions,
            redis,
            storage,
            mail,
            mailbox,
            secrets,
            weather,
            stocks,
            market_calendar,
            social,
            *provider_looks(),
            workers,
            chromium,
            disk,
        )
        found = await asyncio.gather(*(look_at(services, look) for look in looks))
    if as_json:
        print(json.dumps([finding._asdict() for finding in found], indent=2))
    else:
        print("\n".join(line(finding) for finding in found))
    states = {finding.state for finding in found}
    return 2 if "broken" in states else 1 if "warning" in states else 0


async def look_at(services: Services, look: Look) -> Finding:
    """One look with its ceiling of time; what goes wrong is a finding too."""
    try:
        async with asyncio.timeout(SECONDS):
            return await look(services)
    except TimeoutError:
        return Finding(look.__name__, "broken", f"no answer within {SECONDS} s")
    except (Problem, OSError) as error:
        if isinstance(error, Problem) and error.code == "database_away":
            return without_database(look.__name__)
        says = error.sentence if isinstance(error, Problem) else "does not answer"
        return Finding(look.__name__, "broken", says)


def without_database(what: str) -> Finding:
    """The database's own trouble is told once, with its mend."""
    if what == "database":
        mend = "Start PostgreSQL, or change DATABASE_URL."
        return Finding(what, "broken", "does not answer", mend)
    return Finding(what, "off", "cannot be seen without the database")


def line(finding: Finding) -> str:
    """One aligned line, the mend below it."""
    text = f"{MARKS[finding.state]} {finding.what:<12} {finding.says}"
    return f"{text}\n  {'':<12} {finding.mend}" if finding.mend else text


async def bin_run(services: Services) -> Finding:
    """Whether the site of this folder was started by bin/run; its servers are then those looked at."""
    here = running.found(Path(services.settings.var_dir))
    if here:
        return Finding("bin/run", "ok", f"runs here as process {here.pid}: {here.url}")
    mend = "" if services.settings.database_url else "Run: bin/run"
    return Finding("bin/run", "off", "is not running here", mend)


async def database(services: Services) -> Finding:
    """The server's version and the schema's."""
    if not services.settings.database_url:
        mend = "Run bin/run, which brings a PostgreSQL of its own, or set DATABASE_URL."
        return Finding("database", "broken", "DATABASE_URL is not set", mend)
    number = int(await services.db.fetchval("SHOW server_version_num"))
    version = await schema_version(services.db)
    if number < 150_000:
        return Finding(
            "database",
            "broken",
            f"PostgreSQL {number // 10_000} is too old",
            "Use PostgreSQL 15 or newer.",
        )
    if version != SCHEMA_VERSION:
        says = f"schema {version}, the program needs {SCHEMA_VERSION}"
        return Finding("database", "broken", says, "Run: python -m app migrate")
    return Finding("database", "ok", f"PostgreSQL {number // 10_000}, schema {version}")


EXTENSIONS = "SELECT array_agg(name) FROM unnest($1::text[]) AS name WHERE name NOT IN (SELECT extname FROM pg_extension)"


async def extensions(services: Services) -> Finding:
    """What the schema needs of PostgreSQL."""
    if not services.settings.database_url:
        return without_database("extensions")
    missing = await services.db.fetchval(EXTENSIONS, ["postgis", "pg_trgm", "citext", "btree_gist"])
    if missing:
        mend = "Install postgresql-15-postgis-3, then run: python -m app migrate"
        return Finding("extensions", "broken", f"missing: {', '.join(missing)}", mend)
    return Finding("extensions", "ok", "postgis, pg_trgm, citext, btree_gist")


async def redis(services: Services) -> Finding:
    """The fast lane."""
    if services.redis is None:
        return Finding(
            "redis", "warning", "not set up; jobs start up to a minute late", "Set REDIS_URL."
        )
    if not await services.redis.answers():
        return Finding(
            "redis",
            "warning",
            "does not answer; jobs start up to a minute late",
            "Start Redis, or change REDIS_URL.",
        )
    return Finding("redis", "ok", "answers")


async def storage(services: Services) -> Finding:
    """The object store."""
    part = await health.storage(services)
    if part["status"] == "off":
        return Finding(
            "storage",
            "warning",
            "not set up; there are no pictures",
            "Set S3_ENDPOINT, S3_ACCESS_KEY and S3_SECRET_KEY.",
        )
    if part["status"] == "down":
        return Finding(
            "storage", "broken", "does not answer", "Start the object store, or change S3_ENDPOINT."
        )
    return Finding("storage", "ok", "answers")


async def mail(services: Services) -> Finding:
    """Where letters go."""
    if not services.settings.smtp_url:
        where = (
            "letters are shown at /dev/mail" if services.settings.is_local else "nobody can sign in"
        )
        state = "off" if services.settings.is_local else "broken"
        return Finding("mail", state, f"no mail server; {where}", "Set SMTP_URL to send mail.")
    part = await health.mail(services)
    return Finding(
        "mail", "ok" if part["status"] == "up" else "warning", f"{part['queued']} letters wait"
    )


MAILBOX_MENDS = {
    "refused": "Change the user or the password in IMAP_URL.",
    "no_mailbox": "Change the folder at the end of IMAP_URL.",
}


async def mailbox(services: Services) -> Finding:
    """Where letters come in."""
    door = services.outside.get("imap")
    if door is None:
        says = "no mailbox is read; addresses that bounce are not found out"
        return Finding("mailbox", "off", says, "Set IMAP_URL and MAIL_DOMAIN to read one.")
    try:
        async with door.opened():
            return Finding("mailbox", "ok", f"{door.name} can be read")
    except Problem as error:
        mend = MAILBOX_MENDS.get(error.code, "Start the mail server, or change IMAP_URL.")
        return Finding("mailbox", "warning", f"{door.name} cannot be read ({error.code})", mend)


async def secrets(services: Services) -> Finding:
    """Secrets that must be there; none is printed."""
    settings = services.settings
    names = ("JWT_SESSION_SECRET", "LINK_SECRET", "CLICK_KEYS", "SECRET_KEYS")
    missing = [name for name in names if len(getattr(settings, name.lower())) < 32]
    if missing:
        return Finding(
            "secrets",
            "broken",
            f"missing: {', '.join(missing)}",
            f"Set {missing[0]} to 64 random hex digits, or start once with ENVIRONMENT=dev.",
        )
    return Finding("secrets", "ok", "all there")


async def weather(services: Services) -> Finding:
    """How the weather services stand in this installation."""
    if not services.settings.site_place:
        return Finding(
            "weather",
            "off",
            "no place for visitors",
            "Set SITE_PLACE, for example 45.50,-73.57,Montréal",
        )
    return Finding(
        "weather", "ok", f"visitors see {services.settings.site_place.split(',', 2)[-1]}"
    )


async def stocks(services: Services) -> Finding:
    """Which sources of prices are set up, and what is left of their quotas."""
    if not stock_sources.is_set_up(services):
        mend = "Set ALPHAVANTAGE_KEY or FINNHUB_KEY, then switch the flag stocks_widget on."
        return Finding("stocks", "off", "no source of prices is set up", mend)
    if not services.settings.database_url:
        return without_database("stocks")
    found = await stock_sources.standings(services)
    says = "; ".join(source.says for source in found if source.is_set_up)
    if any(source.is_resting for source in found):
        mend = "It is asked again by itself. If this goes on, raise the plan or lower its _QUOTAS."
        return Finding("stocks", "warning", says, mend)
    return Finding("stocks", "ok", says)


async def market_calendar(services: Services) -> Finding:
    """Whether the exchange's holidays of this year and the next are known."""
    if not services.settings.database_url:
        return without_database("market days")
    known = await market_days.known_until(services)
    if known is None or known.year <= datetime.now(UTC).year:
        says = "empty" if known is None else f"known until {known:%-d %B %Y} only"
        return Finding("market days", "warning", says, "Run: python -m app seed market_days")
    return Finding("market days", "ok", f"known until {known:%-d %B %Y}")


async def social(services: Services) -> Finding:
    """Which social networks are set up, and whether their posts come."""
    titles = [platform.title for platform in social_feeds.platforms(services)]
    if not titles:
        mend = "Set INSTAGRAM_APP_ID and INSTAGRAM_APP_SECRET, see docs/operate/social.md."
        return Finding("social", "off", "no social network is set up", mend)
    if not services.settings.database_url:
        return without_database("social")
    live, late = await social_posts.standing(services)
    says = f"{' and '.join(titles)}: {live} accounts, {late} without a look for a day"
    if late > live / 2:
        mend = "See docs/operate/social.md: When posts do not come."
        return Finding("social", "warning", says, mend)
    return Finding("social", "ok", says)


# These have looks of their own above.
LOOKED_AT = frozenset(("s3", "smtp", "imap"))


def provider_looks() -> list[Look]:
    """A look at each other service outside; which they are is said in integrations.PROVIDERS."""
    return [look_of(one) for one in integrations.PROVIDERS if one.service not in LOOKED_AT]


def look_of(provider: Provider) -> Look:
    """The look at one service outside, under its name."""

    async def look(services: Services) -> Finding:
        return await outside(services, provider)

    look.__name__ = provider.service
    return look


async def outside(services: Services, provider: Provider) -> Finding:
    """Whether a service is set up, answers, has quota left and, where it costs money, prices."""
    what = provider.service
    door = services.outside.get(what)
    if door is None:
        mend = f"Set {provider.setting} to have it."
        return Finding(what, "off", f"not set up: no {provider.what_for}", mend)
    if what == budget.PROVIDER and (unpriced := prices.missing(services)):
        says = f"no price for {', '.join(unpriced)}, so nothing is asked of it"
        return Finding(what, "warning", says, "Add it to AI_PRICES, or at /admin/ai-usage/prices.")
    if not hasattr(door, "reachable"):
        return await as_seen(services, what)
    try:
        await door.reachable()
    except Problem as error:
        mend = f"Change {provider.setting}." if error.code == "refused_key" else ""
        return Finding(what, "warning", f"set up, does not answer ({error.code})", mend)
    left = "" if door.quota_left is None else f"; {door.quota_left:,} calls left"
    return Finding(what, "ok", f"answers{left}")


async def as_seen(services: Services, what: str) -> Finding:
    """A service that has no cheap question: what the processes that run have seen of it."""
    if not services.settings.database_url:
        return without_database(what)
    known = await integrations.one(services, what)
    left = "" if known.quota_left is None else f"; {known.quota_left:,} calls left"
    if known.state in ("ok", "unused"):
        says = "answers" if known.state == "ok" else "set up; nobody has asked it yet"
        return Finding(what, "ok", f"{says}{left}")
    return Finding(what, "warning", known.sentence.removesuffix(".") + left)


async def workers(services: Services) -> Finding:
    """Whether somebody works."""
    if not services.settings.database_url:
        return without_database("workers")
    part = await health.workers(services)
    live = sorted(name for name, family in part["families"].items() if family["live"])
    if not live:
        return Finding(
            "workers",
            "warning",
            "no worker runs; feeds and weather stand still",
            "Run: python -m app work",
        )
    return Finding("workers", "ok", f"live: {', '.join(live)}")


async def chromium(services: Services) -> Finding:
    """The browser, which later captures pages and today runs the browser tests."""
    path: Any = shutil.which("chromium") or shutil.which("chromium-browser")
    return Finding(
        "chromium", "ok" if path else "off", path or "not installed; only the browser tests need it"
    )


async def disk(services: Services) -> Finding:
    """Room for what comes."""
    part = await health.disk(services)
    state = "ok" if part["status"] == "up" else "warning"
    return Finding(
        "disk",
        state,
        f"{part['free_ratio']:.0%} free",
        "" if state == "ok" else "Make room on the disk of var/.",
    )
