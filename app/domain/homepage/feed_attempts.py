"""One attempt at a feed: fetched, compared with last time, read in a child process. Writes nothing."""

import hashlib
import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from app.domain.homepage import feeds
from app.domain.homepage.feed_documents import FeedDocument
from app.errors import Defer, OutsideFailed, ServiceDown
from app.services import Services

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, */*;q=0.1"
)


class Attempt(msgspec.Struct, kw_only=True):
    """What came of one attempt. With `code` it failed; without a document nothing has changed since last time."""

    status: int | None = None
    code: str | None = None
    retry_after: float | None = None
    headers: dict[str, str] = {}
    body_hash: bytes | None = None
    size: int | None = None
    ms: int = 0
    document: FeedDocument | None = None
    final_url: str = ""
    permanent_url: str | None = None
    page: bytes | None = None


PATIENCE = 1.5


def wait_for_turn(services: Services, url: str) -> None:
    """Let a job come back later when it is not the address's turn. Raises Defer.

    A host is asked once a second; who waited here for it would keep a slot from all other jobs.
    """
    wait = services.outside["guarded"].wait(url)
    if wait > PATIENCE:
        dice = random.uniform(0.0, wait)  # noqa: S311
        raise Defer(datetime.now(UTC) + timedelta(seconds=wait + dice), "The host is busy.")


async def attempt(services: Services, feed: Any) -> Attempt:
    """Ask for a feed (a row with url, url_enc, etag, last_modified, body_hash); failures are an answer too. Raises Defer."""
    started = time.perf_counter()
    try:
        url = feeds.address(services, feed)
    except ServiceDown as down:
        return Attempt(code=down.code)
    wait_for_turn(services, url)
    made = await fetched(
        services, url, feed["etag"], feed["last_modified"], known_hash=feed["body_hash"]
    )
    made.ms = made.ms or round((time.perf_counter() - started) * 1000)
    return made


async def fetched(
    services: Services,
    url: str,
    etag: str | None = None,
    last_modified: str | None = None,
    *,
    known_hash: bytes | None = None,
    seconds: float = 15.0,
    keep_page: bool = False,
) -> Attempt:
    """Fetch an address and read it as a feed, unless it is as it was. Never raises for what strangers do.

    With `keep_page` the bytes come along where they are no feed, so that a feed can be looked for in them.
    """
    try:
        answer = await services.outside["guarded"].fetch(
            url, accept=ACCEPT, etag=etag, last_modified=last_modified, total=seconds
        )
    except OutsideFailed as failed:
        status = int(failed.code[5:]) if failed.code.startswith("http_") else None
        return Attempt(status=status, code=failed.code, retry_after=failed.retry_after)
    made = Attempt(
        status=answer.status,
        headers=answer.headers,
        size=len(answer.content),
        ms=answer.ms,
        final_url=answer.url,
        permanent_url=answer.permanent_url,
    )
    if answer.status == 304:
        return made
    made.body_hash = hashlib.sha256(answer.content).digest()
    if made.body_hash != known_hash:
        await read(services, made, answer.content)
    if keep_page and made.document is None:
        made.page = answer.content
    return made


async def read(services: Services, made: Attempt, content: bytes) -> None:
    """Fill in the document that the bytes hold, or the code of why they hold none."""
    try:
        told = await parsed(services, content, made.headers.get("content-type"), made.final_url)
    except OutsideFailed as failed:
        made.code = f"parser_{failed.code}"
        return
    made.code = told.get("error_code")
    if made.code is None:
        made.document = msgspec.convert(told["document"], FeedDocument)


async def parsed(
    services: Services, content: bytes, content_type: str | None, url: str, work: str = "read"
) -> dict[str, Any]:
    """What the child process makes of a document. Raises OutsideFailed when it breaks a ceiling."""
    request = {"content": content, "content_type": content_type, "url": url, "work": work}
    told: dict[str, Any] = await services.outside["feed_parser"].call(request)
    return told
