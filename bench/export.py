"""How much does a copy of 100,000 rows and 1 GB grow a worker, and how much dearer is it than a bare copy of its bytes? (10 §10 line 13)"""

import asyncio
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

from app import config
from app.config import Settings
from app.db import migrate
from app.domain.platform import objects
from app.domain.platform.privacy import exports, requests
from app.domain.platform.readers import Reader
from app.services import Services
from app.start import open_services
from bench import _site
from tests.people import member

ROWS, MEGABYTES, FILES = 100_000, 1024, 8
GROWN_MB = 64
MANY = """
INSERT INTO notifications (user_id, type, title, body)
SELECT $1, 'news', 'Number ' || n, repeat(md5(n::text), 4) FROM generate_series(1, $2::int) AS n
"""
ADD_FILE = """
INSERT INTO stored_objects (bucket, key, owner_id, content_type, state) VALUES ('news', $1, $2, 'image/webp', 'live')
"""


async def main() -> None:
    """Store, copy barely, export in a process of its own, compare every hash."""
    settings = settings_here()
    await migrate(settings)
    async with open_services(settings) as services:
        await objects.store_of(services).ensure_buckets(dict(objects.BUCKETS.values()))
        who = await member(services)
        await services.db.execute(MANY, who.id, ROWS)
        await store_files(services, who)
        bare = await copied(services)
        found = await requests.export(services, who)
        begin = time.perf_counter()
        grown = grown_by_export(services, found.id)
        ratio = (time.perf_counter() - begin) / bare
        print(f"copy of {ROWS:,} rows and {MEGABYTES} MB in {_site.since(begin)}, {grown} MB grown")
        assert await hashes_fit(services, who, found.id)
    assert grown < GROWN_MB, grown
    detail = {"grown_mb": grown, "hashes_fit": True, "rows": ROWS, "mb": MEGABYTES}
    print(json.dumps({"bench": "export", "ratio": round(ratio, 2), "detail": detail}))


def settings_here() -> Settings:
    """Settings of this benchmark, with buckets of its own."""
    given = {name.lower(): value for name, value in _site.SECRETS.items()}
    return config.load({**os.environ, **OWN}, **given)


OWN = {"ENVIRONMENT": "test", "VAR_DIR": str(_site.FOLDER), "S3_BUCKET_SUFFIX": "-export"}


async def store_files(services: Services, who: Reader) -> None:
    """The person's files."""
    begin = time.perf_counter()
    store = objects.store_of(services)
    for number in range(FILES):
        content = noise(number, MEGABYTES * 2**20 // FILES)
        await store.put_stream("homepage-news", f"{number}.bin", content, "image/webp")
        await services.db.execute(ADD_FILE, f"{number}.bin", who.id)
    print(f"{MEGABYTES} MB in {FILES} files stored in {_site.since(begin)}")


async def noise(number: int, size: int) -> AsyncIterator[bytes]:
    """Bytes that no compression makes smaller."""
    block = hashlib.shake_256(str(number).encode()).digest(2**20)
    for _ in range(size // len(block)):
        yield block


async def copied(services: Services) -> float:
    """Seconds that the same bytes take from the store into one object of the store."""
    store = objects.store_of(services)

    async def every() -> AsyncIterator[bytes]:
        for number in range(FILES):
            async for chunk in (await store.stream("homepage-news", f"{number}.bin")).chunks:
                yield chunk

    begin = time.perf_counter()
    await store.put_stream("gdpr-exports", "bare.bin", every(), "application/zip")
    print(f"bare copy of the bytes in {_site.since(begin)}")
    seconds = time.perf_counter() - begin
    await store.delete("gdpr-exports", "bare.bin")
    return seconds


def grown_by_export(services: Services, request_id: int) -> float:
    """Make the copy in a process of its own; megabytes by which that grew."""
    said = subprocess.run(
        [sys.executable, "-m", "bench.export", "--export", str(request_id)],
        env=_site.environment(services.settings, 0) | OWN,
        stdout=subprocess.PIPE,
        check=True,
    )
    grown: float = json.loads(said.stdout.splitlines()[-1])["grown_mb"]
    return grown


async def export_here(request_id: int) -> None:
    """Make the copy in this process, and print by how much its resident memory grew at the most."""
    async with open_services(settings_here()) as services:
        await services.db.fetchval("SELECT 1")
        # The kernel forgets the peak that the start had.
        Path("/proc/self/clear_refs").write_text("5")
        before = kilobytes("VmRSS")
        await exports.export(services, request_id)
        grown = kilobytes("VmHWM") - before
    print(json.dumps({"grown_mb": round(grown / 1024, 1)}))


def kilobytes(name: str) -> int:
    """One figure of this process's memory."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.M)
    assert found
    return int(found[1])


async def hashes_fit(services: Services, who: Reader, request_id: int) -> bool:
    """Fetch the copy to the disk, and compare each file in it with the manifest."""
    file = _site.FOLDER / "copy.zip"
    _, stored = await exports.file(services, who.id, request_id)
    with file.open("wb") as out:
        async for chunk in stored.chunks:
            out.write(chunk)
    with zipfile.ZipFile(file) as copy:
        manifest = json.loads(copy.read("manifest.json"))["files"]
        names = {entry["name"] for entry in manifest}
        fit = names | {"manifest.json"} == set(copy.namelist()) and len(names) > FILES
        for entry in manifest:
            with copy.open(entry["name"]) as content:
                fit &= hashlib.file_digest(content, "sha256").hexdigest() == entry["sha256"]  # type: ignore[arg-type]
    file.unlink()
    return fit


if __name__ == "__main__":
    asyncio.run(export_here(int(sys.argv[2])) if "--export" in sys.argv else main())
