"""Bearer tokens: scripts that ask for JSON with a key of their own; cookies beside it are ignored (chapter 10 rule 14)."""

import structlog
from starlette.requests import Request

from app.domain.platform import api_tokens
from app.errors import Forbidden, SignInNeeded
from app.web import limits, session

log = structlog.get_logger("security")

SCHEME = "bearer "


def is_sent(request: Request) -> bool:
    """Whether the request carries a token. What a proxy sends (Basic) is not for us."""
    return request.headers.get("authorization", "")[: len(SCHEME)].lower() == SCHEME


async def recognise(request: Request) -> None:
    """Find out who asks by their token; the answer is JSON. Raises SignInNeeded, and TooMany for guesses."""
    request.scope["twin"] = True
    request.state.reader = None
    token = request.headers["authorization"][len(SCHEME) :].strip()
    found = await api_tokens.reader_of(
        session.services_of(request), token, request.scope.get("caller", "")
    )
    if found is None:
        log.warning("login failed", method="token", code="token_void")
        await limits.spend(request, "login")
        raise SignInNeeded("This token is not known here, or it ended.", code="token_void")
    request.state.reader = found


def check_scope(request: Request, needs: session.Needs) -> None:
    """Refuse a token what its scopes do not name; addresses with a permission were checked by it. Raises Forbidden."""
    who = session.reader(request)
    if who is None or who.scopes is None or needs not in ("", "member"):
        return
    wanted = {"read", "write"} if request.method in ("GET", "HEAD") else {"write"}
    if not wanted & who.scopes:
        name = "read" if "read" in wanted else "write"
        raise Forbidden(f"This token lacks the scope {name}.", code="scope_missing")
