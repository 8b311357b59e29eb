"""Is anything left of an erased person, in any byte, and how much dearer is a receipt than bare DELETEs? (10 §10 line 12)"""

import asyncio
import contextlib
import dataclasses
import json
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import redis.asyncio

from app import config
from app.config import Settings
from app.db import migrate
from app.domain.platform import objects
from app.domain.platform.privacy import erasures, exports, receipts, requests
from app.domain.platform.readers import Reader
from app.errors import Defer
from app.services import Services
from app.start import open_services
from bench import _dumps, _site
from bench._load import get, once
from tests.people import cookie_of
from tests.platform.privacy.canaries import plant, unplanted

ROWS = 50_000
MANY = """
INSERT INTO notifications (user_id, type, title, body)
SELECT $1, 'news', $2 || n, repeat(md5(n::text), 4) FROM generate_series(1, $3::int) AS n
"""
ADD_FILE = """
INSERT INTO stored_objects (bucket, key, owner_id, content_type, state) VALUES ('gdpr-journal', $1, $2, 'text/plain', 'live')
"""
# What the rows cost without steps, counts, journal and receipt: the same person's rows, in the same order, by hand.
BARE = ("DELETE FROM notifications WHERE user_id = $1", "DELETE FROM users WHERE id = $1")


async def main() -> None:
    """Plant, export, dump, erase, look everywhere, restore, replay, look again."""
    settings = settings_of(os.environ["DATABASE_URL"])
    await migrate(settings)
    word = f"kanari{secrets.token_hex(6)}"
    async with open_services(settings) as services:
        await objects.store_of(services).ensure_buckets(dict(objects.BUCKETS.values()))
        who = await plant(services, word)
        print("not planted:", await unplanted(services, who))
        await with_file(services, who, word)
        dump = _site.FOLDER / "erasure.dump"
        _dumps.dump(settings.database_url, dump)
        detail = await erased(services, who, word)
        detail["left_after_replay"] = await replayed(settings, dump, word)
        detail["ratio"] = ratio = await against_bare(services)
    left = detail["left"] + detail["left_after_replay"]
    assert left == 0, detail
    assert detail["receipt_real"], detail
    print(json.dumps({"bench": "erasure", "ratio": ratio, "detail": detail}))


def settings_of(url: str) -> Settings:
    """Settings of this benchmark: no wait, buckets of its own."""
    given = {name.lower(): value for name, value in _site.SECRETS.items()}
    environ = {**os.environ, **OWN, "DATABASE_URL": url}
    return config.load(environ, **given)


OWN = {
    "ENVIRONMENT": "test",
    "VAR_DIR": str(_site.FOLDER),
    "GDPR_DELETION_DELAY_HOURS": "0",
    "S3_BUCKET_SUFFIX": "-erasure",
}


async def with_file(services: Services, who: Reader, word: str) -> None:
    """Many rows, a file in two versions, and a copy of it all that was asked for."""
    await services.db.execute(MANY, who.id, word, ROWS)
    store = objects.store_of(services)
    for content in (word, word[::-1] + word):
        await store.put("gdpr-journal", f"of/{word}", content.encode(), "text/plain")
    await services.db.execute(ADD_FILE, f"of/{word}", who.id)
    found = await requests.export(services, who)
    await exports.export(services, found.id)


async def erased(services: Services, who: Reader, word: str) -> dict[str, Any]:
    """Erase through the site and a worker as a member does, then look in every place; what was found."""
    log = _site.FOLDER / "erasure.log"
    log.unlink(missing_ok=True)
    more = {**OWN, "LOG_FILE": str(log), "REDIS_URL": services.settings.redis_url}
    async with _site.village(services.settings, **more) as (port, _):
        cookie = f"Cookie: vu_session={await cookie_of(services, who)}"
        for path in ("/", "/pages/canary", "/links", "/settings/privacy"):
            await once(get(port, path, cookie))
        worker = {**_site.environment(services.settings, 0), **more, "METRICS_PORT": "0"}
        with _site.process("-m", "app", "work", env=worker):
            begin = time.perf_counter()
            await requests.deletion(services, who, requests.PHRASE)
            token = await receipt_of(services)
            print(f"erased by a worker in {_site.since(begin)}")
            status, _, page = await once(get(port, f"/receipts/{token}"))
            # The last letter's row goes a minute after the letter; here it has gone to the outbox.
            await services.db.execute(
                "UPDATE delayed_jobs SET run_at = now() WHERE job_type = 'erase_person'"
            )
            await until_gone(services)
    receipt = await receipts.by_token(services, token)
    left = {
        "dump": _dumps.lines_with(services.settings.database_url, [word]),
        "objects": await in_objects(services, word),
        "redis": await in_redis(services, word),
        "log": [line for line in log.read_text().splitlines() if word in line],
    }
    print("left:", left)
    shown = status == 200 and b"Real" in page
    found = sum(len(places) for places in left.values())
    return {"left": found, "receipt_real": receipt.real and shown}


async def receipt_of(services: Services) -> str:
    """The token of the receipt, once the worker has written it."""
    for _ in range(600):
        if token := await services.db.fetchval("SELECT token FROM erasure_receipts"):
            return str(token)
        await asyncio.sleep(0.1)
    raise RuntimeError("no receipt came")


async def until_gone(services: Services) -> None:
    """Wait until the last letter is not kept any more."""
    for _ in range(900):
        if not await services.db.fetchval(
            "SELECT count(*) FROM emails WHERE template = 'deletion_done'"
        ):
            return
        await asyncio.sleep(0.1)
    raise RuntimeError("the last letter stays")


async def in_objects(services: Services, word: str) -> list[str]:
    """Objects of every bucket whose key or bytes, any version, hold the word."""
    store, found = objects.store_of(services), []
    for bucket, _ in objects.BUCKETS.values():
        async for one in store.listed(bucket, versions=True):
            content = (
                b""
                if one.is_marker
                else await store.get(bucket, one.key, version_id=one.version_id)
            )
            if word in one.key or word.encode() in content:
                found.append(f"{bucket}/{one.key}")
    return found


async def in_redis(services: Services, word: str) -> list[str]:
    """Keys of Redis that hold the word in their name or value."""
    client: Any = redis.asyncio.Redis.from_url(services.settings.redis_url)
    try:
        return [
            key.decode()
            async for key in client.scan_iter()
            if word.encode() in key or word.encode() in (await client.dump(key) or b"")
        ]
    finally:
        await client.aclose()


async def replayed(settings: Settings, dump: Path, word: str) -> int:
    """Restore yesterday's dump beside, replay the journal as an operator does, and count what is left of the person."""
    admin = os.environ.get("ADMIN_DATABASE_URL", settings.database_url)
    scratch = urlsplit(admin)._replace(path="/bench_erasure_restored").geturl()
    connection = await asyncpg.connect(admin)
    await connection.execute("DROP DATABASE IF EXISTS bench_erasure_restored WITH (FORCE)")
    await connection.execute("CREATE DATABASE bench_erasure_restored")
    await connection.close()
    _dumps.restore(scratch, dump)
    before = len(_dumps.lines_with(scratch, [word]))
    env = _site.environment(dataclasses.replace(settings, database_url=scratch), 0) | OWN
    subprocess.run([sys.executable, "-m", "app", "ops", "gdpr", "replay"], env=env, check=True)
    after = len(_dumps.lines_with(scratch, [word]))
    print(f"restored dump: {before:,} rows held the word, {after} after the replay")
    assert before > 1000
    return after


async def against_bare(services: Services) -> float:
    """Seconds of an erasure over those of bare DELETEs of equally many rows; the median of three."""
    found = []
    for _ in range(3):
        pair = [await plant_again(services) for _ in range(2)]
        wish, _ = await requests.deletion(services, pair[0], requests.PHRASE)
        begin = time.perf_counter()
        with contextlib.suppress(Defer):
            await erasures.erase(services, wish.id)
        ours, begin = time.perf_counter() - begin, time.perf_counter()
        async with services.tx() as tx:
            for statement in BARE:
                await tx.db.execute(statement, pair[1].id)
        found.append(ours / (time.perf_counter() - begin))
    print("erasure over bare deletes:", [round(one, 2) for one in found])
    return round(sorted(found)[1], 2)


async def plant_again(services: Services) -> Reader:
    """A member with many rows."""
    word = secrets.token_hex(8)
    who = Reader(
        id=await services.db.fetchval(
            "INSERT INTO users (kind, email) VALUES ('member', $1) RETURNING id",
            f"{word}@example.org",
        ),
        kind="member",
    )
    await services.db.execute(MANY, who.id, word, ROWS)
    await services.db.execute("ANALYZE notifications")
    return who


if __name__ == "__main__":
    asyncio.run(main())
