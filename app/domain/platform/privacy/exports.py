"""Export: all that the registry finds about a person, streamed as one ZIP into the bucket gdpr-exports."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from app.domain.platform import mail, notifications, objects
from app.domain.platform.privacy import offline
from app.domain.platform.privacy.archives import Archive, whole
from app.domain.platform.privacy.progress import failing
from app.domain.platform.privacy.statements import reading, tables
from app.errors import NotFound
from app.services import Services

BUCKET = "gdpr-exports"
ROWS = 500


class Ask(NamedTuple):
    """One wish to see what we keep, as it is carried out."""

    id: int
    user_id: int
    asked_by: int | None


TAKE = """
UPDATE gdpr_requests SET status = 'processing'
WHERE id = $1 AND request_type = 'EXPORT' AND status IN ('pending', 'processing', 'failed')
RETURNING id, user_id, asked_by
"""


async def export(services: Services, request_id: int) -> None:
    """Make the archive of one wish, and tell the person. A repeat makes it anew. Raises ServiceDown, NotConfigured."""
    row = await services.db.fetchrow(TAKE, request_id)
    if row is None:
        return
    ask = Ask(**dict(row))
    async with failing(services, request_id):
        key = f"{ask.user_id}/{secrets.token_urlsafe(16)}.zip"
        async with services.tx() as tx:
            made = await objects.put_stream(
                services,
                BUCKET,
                key,
                archive(tx, ask.user_id),
                "application/zip",
                owner_id=ask.user_id,
                days=services.settings.gdpr_export_ttl_days,
            )
        await hand_over(services, ask, made)


DONE = """
UPDATE gdpr_requests
SET status = 'completed', finished_at = now(), object_id = $2, expires_at = now() + $3::int * interval '1 day',
    steps = steps || jsonb_build_array($4::jsonb)
WHERE id = $1 AND status = 'processing' RETURNING id
"""
ADDRESS = "SELECT email::text FROM users WHERE id = $1"


async def hand_over(services: Services, ask: Ask, object_id: int) -> None:
    """Mark the wish as done and write to the person, in one transaction."""
    days = services.settings.gdpr_export_ttl_days
    step = {"name": "archive", "at": datetime.now(UTC).isoformat(timespec="seconds"), "counts": {}}
    async with services.tx(ends_job=True) as tx:
        if await tx.db.fetchval(DONE, ask.id, object_id, days, step) is None:
            return
        until = datetime.now(UTC) + timedelta(days=days)
        await notifications.add(
            tx,
            ask.user_id,
            "privacy",
            "Your copy is ready",
            f"You can fetch it until {until:%d %B %Y}.",
            "/settings/privacy",
            dedupe_key=f"export_ready:{ask.id}",
        )
        await mail.send(
            tx,
            "export_ready",
            await tx.db.fetchval(ADDRESS, ask.user_id),
            user_id=ask.user_id,
            dedupe_key=f"export_ready:{ask.id}",
            link=f"{services.settings.public_url}/settings/privacy",
            until=f"{until:%d %B %Y}",
            by_staff=ask.asked_by not in (None, ask.user_id),
        )


async def archive(services: Services, user_id: int) -> AsyncIterator[bytes]:
    """The bytes of a person's archive: data/*.json, files/, index.html, manifest.json."""
    made = Archive()
    parts: list[offline.Part] = []
    for number, place in enumerate(tables(), 1):
        statement = await reading(services, place)
        if statement is None:
            continue
        part = offline.Part(place, f"data/{number:02}-{place.name}.json")
        pieces = rows_of(services, statement, user_id, part)
        async for piece in made.add(part.file, pieces):
            yield piece
        parts.append(part)
    async for piece in files_of(services, user_id, made):
        yield piece
    async for piece in made.add("index.html", whole(offline.page(services.settings, parts, made))):
        yield piece
    async for piece in made.add("manifest.json", whole(manifest(made))):
        yield piece
    yield made.end()


def manifest(made: Archive) -> bytes:
    """What is in the archive, with hashes."""
    body = {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": msgspec.to_builtins(made.files),
    }
    return msgspec.json.format(msgspec.json.encode(body), indent=2)


async def rows_of(
    services: Services, statement: str, user_id: int, part: "offline.Part"
) -> AsyncIterator[bytes]:
    """One place as a JSON object with its rows, read by a cursor; the part keeps the first rows and their number."""
    yield part.head()
    async for row in services.db.connection.cursor(statement, user_id, prefetch=ROWS):
        fields = dict(row)
        yield (b",\n" if part.rows else b"") + msgspec.json.encode(fields, enc_hook=plain)
        part.take(fields)
    yield b"\n]}\n"


def plain(value: Any) -> Any:
    """Values that JSON has no word for: bytes in hexadecimal, networks and the like as text."""
    return value.hex() if isinstance(value, bytes) else str(value)


FILES = """
SELECT bucket, key, content_type FROM stored_objects
WHERE owner_id = $1 AND state = 'live' AND bucket <> 'gdpr-exports' ORDER BY id
"""


async def files_of(services: Services, user_id: int, made: Archive) -> AsyncIterator[bytes]:
    """The person's files as they lie in the store; one that is missing is left out of the manifest."""
    for row in await services.db.fetch(FILES, user_id):
        store = objects.store_of(services)
        try:
            stored = await store.stream(objects.BUCKETS[row["bucket"]][0], row["key"])
        except NotFound:
            continue
        name = f"files/{row['bucket']}/{row['key']}"
        packed = not row["content_type"].startswith("text/")
        async for piece in made.add(name, stored.chunks, packed=packed):
            yield piece


FILE = """
SELECT o.bucket, o.key, o.bytes FROM gdpr_requests r JOIN stored_objects o ON o.id = r.object_id
WHERE r.id = $1 AND r.user_id = $2 AND r.status = 'completed' AND r.expires_at > now() AND o.state = 'live'
"""


async def file(services: Services, user_id: int, request_id: int) -> tuple[int, Any]:
    """The size and stream of the person's own archive. Raises NotFound, ServiceDown."""
    row = await services.db.fetchrow(FILE, request_id, user_id)
    if row is None:
        raise NotFound("This copy is not here any more. You can ask for a new one.")
    return row["bytes"], await objects.store_of(services).stream(BUCKET, row["key"])
