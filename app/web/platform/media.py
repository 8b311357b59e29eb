"""/media: public pictures, from our own address, so that readers never load from a publisher's host."""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.domain.platform import objects
from app.web import session
from app.web.assets import YEAR


async def show(request: Request) -> Response:
    """One public file; its address carries its version and lasts a year. Raises NotFound, ServiceDown."""
    bucket, key = request.path_params["bucket"], request.path_params["key"]
    found, stored = await objects.public(session.services_of(request), bucket, key)
    headers = {
        "ETag": f'"{found.sha256.hex()[:32]}"',
        "Cache-Control": YEAR if request.query_params.get("v") else "public, max-age=3600",
        "Content-Length": str(found.size),
        "Content-Disposition": "inline",
    }
    return StreamingResponse(stored.chunks, headers=headers, media_type=found.content_type)
