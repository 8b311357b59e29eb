"""Cross-origin reading: scripts of the origins in CORS_ORIGINS may read the twins, never with our cookies."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
LIMITS = [f"X-RateLimit-{word}" for word in ("Limit", "Remaining", "Reset", "Window")]


class SharedTwins:
    """ASGI middleware that lets the named origins in to the twins; pages stay as they are."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self.app = app
        self.open = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=("Authorization", "Content-Type"),
            expose_headers=(*LIMITS, "Retry-After", "X-Request-Id"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a twin's request on with CORS, any other without."""
        await (self.open if scope.get("twin") else self.app)(scope, receive, send)
