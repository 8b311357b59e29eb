"""/media and /files: public pictures from our own address, and private files for whoever may read them."""

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.domain.platform import file_links, objects
from app.errors import NotFound
from app.web import session
from app.web.assets import YEAR
from app.web.streams import file_answer


async def show(request: Request) -> Response:
    """One public file; its address carries its version and lasts a year. Raises NotFound, ServiceDown."""
    services = session.services_of(request)
    bucket, key = request.path_params["bucket"], request.path_params["key"]
    found = await objects.public(services, bucket, key)
    seconds = services.settings.signed_url_public_ttl * 60
    if address := await file_links.sent_on(services, found, seconds):
        # Kept for half of its time, so that nobody comes with one that has just run out.
        kept = {"Cache-Control": f"public, max-age={seconds // 2}"}
        return RedirectResponse(address, 302, headers=kept)
    versioned = request.query_params.get("v")
    cache = YEAR if versioned else "public, max-age=3600"
    return await file_answer(request, services, found, cache)


async def show_private(request: Request) -> Response:
    """A private file by its signed address, for its owner and whom the bucket is open to. Raises NotFound, Forbidden."""
    services, object_id = session.services_of(request), request.path_params["id"]
    ends = request.query_params.get("exp", "")
    if not re.fullmatch(r"[0-9]{1,12}", ends):
        raise NotFound("This is no link of ours, or a part of it is missing.")
    file_links.check(services.settings, object_id, int(ends), request.query_params.get("sig", ""))
    found = await file_links.readable(services, session.reader(request), object_id)
    if address := await file_links.sent_on(services, found, file_links.SENT_ON_SECONDS):
        return RedirectResponse(address, 302, headers={"Cache-Control": "no-store"})
    return await file_answer(request, services, found, "private, no-cache")
