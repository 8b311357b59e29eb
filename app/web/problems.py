"""One way to say that something went wrong: a page, a fragment, or problem+json (RFC 9457)."""

import contextlib
import http
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import Problem, ServiceDown, SignInNeeded, TooMany
from app.web import limits, session
from app.web.render import finish, markup, wants

log = structlog.get_logger("web")

SENTENCES = {
    400: "We could not read this request.",
    404: "There is nothing at this address. It may have moved, or the link may be wrong.",
    405: "This address does not take that kind of request.",
    413: "This is larger than we can take.",
    421: "This server does not answer for that host.",
}


async def show(request: Request, problem: Exception) -> Response:
    """Show a Problem. A visitor who has to sign in first is led there and brought back."""
    assert isinstance(problem, Problem)
    if isinstance(problem, SignInNeeded) and request.method == "GET" and wants(request) == "page":
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        door = "step-up" if problem.code == "step_up_needed" else "login"
        return finish(request, RedirectResponse(f"/auth/{door}?next={quote(here)}", 303))
    if problem.code == "step_up_needed" and wants(request) != "json":
        return to_step_up(request)
    limits.note(request.scope, problem)
    return answer(
        request,
        status=problem.status,
        title=problem.title,
        detail=problem.sentence,
        code=problem.code,
        errors=problem.errors,
        retry_after=problem.retry_after,
        given=problem.given if isinstance(problem, TooMany) else None,
        developer=f"{type(problem).__name__} raised by {request.method} {request.url.path}",
    )


def to_step_up(request: Request) -> Response:
    """Lead a form that needs a fresh sign-in to the proof, and back to the page it stands on."""
    page = urlsplit(request.headers.get("referer", ""))
    here = f"{page.path}?{page.query}" if page.query else page.path
    location = f"/auth/step-up?next={quote(session.safe_next(here))}"
    if wants(request) == "fragment":
        return finish(request, Response(status_code=401, headers={"HX-Redirect": location}))
    return finish(request, RedirectResponse(location, 303))


async def show_http(request: Request, error: Exception) -> Response:
    """Show what the router or a parser refused."""
    assert isinstance(error, HTTPException)
    if request.cookies and not hasattr(request.state, "reader"):
        # The router knows no such address; the page that says so is still the reader's own.
        with contextlib.suppress(ServiceDown):
            await session.recognise(request)
    title = http.HTTPStatus(error.status_code).phrase
    detail = SENTENCES.get(error.status_code, f"{title}.")
    response = answer(
        request,
        status=error.status_code,
        title=title,
        detail=detail,
        code=title.lower().replace(" ", "_"),
    )
    response.headers.update(error.headers or {})
    return response


async def show_broken(request: Request, error: Exception) -> Response:
    """Log what nobody foresaw with its trace; say only that it is our side."""
    log.error("unexpected", exc_info=error, request_id=request.scope.get("request_id"))
    return answer(
        request,
        status=500,
        title="Something broke on our side",
        detail="Something broke on our side. It is written down, with the number below. Please try again.",
        code="internal",
        developer=type(error).__name__,
    )


def answer(
    request: Request,
    *,
    status: int,
    title: str,
    detail: str,
    code: str,
    errors: dict[str, str] | None = None,
    retry_after: float | None = None,
    given: dict[str, Any] | None = None,
    developer: str = "",
) -> Response:
    """One problem in the shape that the caller reads."""
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request.scope.get("request_id", ""),
    }
    if errors:
        problem["errors"] = errors
    settings = session.services_of(request).settings
    if settings.show_developer_message:
        problem["developer_message"] = developer
    response = shaped(request, problem, given or {})
    if retry_after is not None:
        response.headers["Retry-After"] = str(max(1, round(retry_after)))
    response.headers["Cache-Control"] = "no-store"
    return response


def shaped(request: Request, problem: dict[str, Any], given: dict[str, Any]) -> Response:
    """The problem as JSON, fragment or page; what was entered in vain stands on it, to be sent again."""
    kind = wants(request)
    if kind == "json":
        body = msgspec.json.encode(problem)
        return finish(
            request, Response(body, problem["status"], media_type="application/problem+json")
        )
    html = markup(
        request,
        "problems/page.html#problem",
        kind,
        {"problem": problem, "_title": problem["title"], "_given": given},
    )
    return finish(request, Response(html, problem["status"], media_type="text/html"))
