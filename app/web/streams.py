"""Files as answers: whole, in part (RFC 9110 §14), or not at all when the caller has them."""

import re

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.domain.platform import objects
from app.domain.platform.objects import StoredObject
from app.services import Services
from app.web.render import not_modified

# One range only: several in one answer are for no reader that we know.
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
# What a browser shows; anything else that people bring is saved and never run on our address.
SHOWN = frozenset({"image/webp", "image/png", "image/jpeg", "text/plain", "application/pdf"})


async def file_answer(
    request: Request, services: Services, found: StoredObject, cache: str
) -> Response:
    """The file, or the part of it that was asked for. Raises NotFound, ServiceDown."""
    tag = f'"{found.sha256.hex()[:32]}"'
    shown = "inline" if found.content_type in SHOWN else "attachment"
    headers = {
        "ETag": tag,
        "Cache-Control": cache,
        "Accept-Ranges": "bytes",
        "Content-Disposition": shown,
    }
    if not_modified(request, tag):
        return Response(status_code=304, headers=headers)
    if request.headers.get("if-range", tag) == tag and (
        asked := RANGE.fullmatch(request.headers.get("range", ""))
    ):
        return await part(services, found, span(asked[1], asked[2], found.size), headers)
    stored = await objects.opened(services, found)
    if stored.length is not None:
        headers["Content-Length"] = str(stored.length)
    return StreamingResponse(stored.chunks, headers=headers, media_type=found.content_type)


def span(first: str, last: str, size: int) -> range:
    """The bytes that a range means: from-to, from- or -the last so many; an empty one is outside the file."""
    if first:
        return range(int(first), min(int(last), size - 1) + 1 if last else size)
    return range(max(0, size - int(last or 0)), size)


async def part(
    services: Services, found: StoredObject, wanted: range, headers: dict[str, str]
) -> Response:
    """Some bytes of a file, or 416 when there are none there."""
    if not wanted or wanted.start >= found.size:
        return Response(
            status_code=416, headers=headers | {"Content-Range": f"bytes */{found.size}"}
        )
    stored = await objects.opened(services, found, wanted.start, len(wanted))
    headers |= {
        "Content-Length": str(len(wanted)),
        "Content-Range": f"bytes {wanted.start}-{wanted.stop - 1}/{found.size}",
    }
    return StreamingResponse(stored.chunks, 206, headers=headers, media_type=found.content_type)
