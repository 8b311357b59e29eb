"""The files of public/: read once, compressed once, addressed with a hash of what they hold."""

import functools
import gzip
import hashlib
import mimetypes
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from app.errors import NotFound

PUBLIC = Path(__file__).resolve().parent.parent.parent / "public"
YEAR = "public, max-age=31536000, immutable"
COMPRESSIBLE = (".css", ".js", ".svg", ".json", ".txt", ".webmanifest")
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("application/manifest+json", ".webmanifest")


class Asset(NamedTuple):
    """One file as it is served."""

    content: bytes
    packed: bytes | None
    media_type: str
    version: str


@functools.cache
def all_assets() -> dict[str, Asset]:
    """Every file of public/ by its path."""
    return {
        str(path.relative_to(PUBLIC)): asset(path)
        for path in sorted(PUBLIC.rglob("*"))
        if path.is_file()
    }


def asset(path: Path) -> Asset:
    content = path.read_bytes()
    packed = gzip.compress(content, 9, mtime=0) if path.suffix in COMPRESSIBLE else None
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(content, packed, kind, hashlib.sha256(content).hexdigest()[:10])


def address(path: str) -> str:
    """The address of a file of public/ with its version. Raises KeyError for a file that is not there."""
    return f"/public/{path}?v={all_assets()[path].version}"


async def show(request: Request) -> Response:
    """One file of public/."""
    found = all_assets().get(request.path_params["path"])
    if found is None:
        raise NotFound("There is no such file.")
    versioned = request.query_params.get("v") == found.version
    headers = {
        "Cache-Control": YEAR if versioned else "public, max-age=300",
        "ETag": f'"{found.version}"',
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    content = found.content
    if found.packed and "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["Content-Encoding"] = found.packed, "gzip"
    return Response(content, headers=headers, media_type=found.media_type)
