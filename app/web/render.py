"""Answers: the only place that knows page, fragment and JSON."""

import dataclasses
import functools
import hashlib
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from jinja2_fragments import render_block
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.domain.platform import flags
from app.domain.platform.readers import Reader
from app.errors import Invalid
from app.web import assets, session, words
from app.web.homepage.story_menus import story_menu
from app.web.homepage.widget_menus import widget_menu
from app.web.pages import page_frame

ROOT = Path(__file__).resolve().parent.parent.parent
VARY = "Cookie, Accept, HX-Request"


@functools.cache
def templates() -> jinja2.Environment:
    """The templates, strict: a name that was not given is an error, never an empty string."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT / "fragments"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(words.FILTERS)
    environment.globals["asset"] = assets.address
    environment.globals["story_menu"] = story_menu
    environment.globals["widget_menu"] = widget_menu
    return environment


def wants(request: Request) -> str:
    """How the caller wants the answer: 'json', 'fragment' or 'page'."""
    if request.scope.get("twin") or prefers_json(request.headers.get("accept", "")):
        return "json"
    headers = request.headers
    restored = headers.get("hx-history-restore-request") == "true"
    whole = "hx-boosted" in headers or restored or headers.get("hx-request-type") == "full"
    if headers.get("hx-request") == "true" and not whole:
        return "fragment"
    return "page"


def prefers_json(accept: str) -> bool:
    """Whether an Accept header names JSON and not HTML."""
    return "application/json" in accept and "text/html" not in accept


async def render(request: Request, name: str, *, status: int = 200, **view: Any) -> Response:
    """Answer with `page.html#block`: JSON of the view, the block, or the whole page."""
    kind = wants(request)
    if kind == "json":
        return as_json(
            request, {key: value for key, value in view.items() if key[0] != "_"}, status
        )
    html = markup(request, name, kind, view)
    response = Response(html, status, media_type="text/html")
    return finish(request, response)


def markup(request: Request, name: str, kind: str, view: dict[str, Any]) -> str:
    """The HTML of a page or of one block of it."""
    template, _, block = name.partition("#")
    context = {
        **{key.lstrip("_"): value for key, value in view.items()},
        "page": page_frame(request, view),
        # Fragments ask {% if is_on('stocks_widget') %}: from memory, about whoever reads.
        "is_on": partial(flags.is_on, session.services_of(request), session.reader(request)),
    }
    context.setdefault("errors", {})
    context.setdefault("given", {})
    if kind == "fragment" and block:
        return fragment(template, block, context)
    return templates().get_template(template).render(**context)


def fragment(template: str, block: str, context: dict[str, Any]) -> str:
    """One block of a template."""
    return render_block(templates(), template, block, **{**context, **tops(template, context)})


def tops(name: str, context: dict[str, Any]) -> dict[str, Any]:
    """The imports and macros at the top of a template, which a block alone does not know.

    The template runs to its first output, which comes after them; its layout is not rendered.
    """
    template = templates().get_template(name)
    made = template.new_context(context)
    next(template.root_render_func(made), None)
    return dict(made.vars)


def as_json(request: Request, view: dict[str, Any], status: int = 200) -> Response:
    """One name: its own fields; several: an object of them."""
    body = next(iter(view.values())) if len(view) == 1 else view
    return finish(
        request, Response(msgspec.json.encode(body), status, media_type="application/json")
    )


def finish(request: Request, response: Response) -> Response:
    """Say how the answer may be kept: personal ones by nobody else, each told apart by what it depends on."""
    headers: MutableHeaders = response.headers
    headers.setdefault("Vary", VARY)
    headers.setdefault("Cache-Control", "private, no-cache")
    who = session.reader(request)
    if who is not None and who.impersonation is not None:
        headers["X-Impersonating"] = str(who.id)
    return response


async def saved(
    request: Request,
    location: str,
    name: str = "",
    *,
    status: int = 200,
    said: str = "",
    **view: Any,
) -> Response:
    """Answer a write: a plain form is led to `location` (303), HTMX and JSON see the result."""
    kind = wants(request)
    if kind == "json":
        return as_json(
            request, {key: value for key, value in view.items() if key[0] != "_"}, status
        )
    if kind == "fragment" and name:
        return await render(request, name, status=status, **view)
    response: Response = RedirectResponse(location, 303)
    if kind == "fragment":
        response = Response(status_code=200, headers={"HX-Redirect": location})
    if said:
        session.set_cookie(response, session.services_of(request).settings, session.SAID, said, 60)
    return finish(request, response)


async def invalid(request: Request, problem: Invalid, name: str, **view: Any) -> Response:
    """Show the form again with what was wrong and what was entered, 422; JSON gets the problem."""
    if wants(request) == "json":
        raise problem
    given = problem.given or getattr(request.state, "given", {})
    view = {**view, "_errors": problem.errors or {"": problem.sentence}, "_given": given}
    return await render(request, name, status=422, **view)


def etag(*parts: object) -> str:
    """A strong ETag of what an answer was made of."""
    return f'"{hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()}"'


def not_modified(request: Request, tag: str) -> bool:
    """Whether the caller has the answer with this ETag already."""
    sent = request.headers.get("if-none-match", "")
    return bool(sent) and tag in (part.strip().removeprefix("W/") for part in sent.split(","))


@dataclasses.dataclass(frozen=True)
class Clock:
    """How this reader reads times: zone name and 12 or 24 hours."""

    zone: str
    hours: str


def clock_of(reader: Reader | None, fallback: str = "UTC") -> Clock:
    """The reader's clock from their preferences."""
    preferences = reader.preferences if reader else {}
    zone = preferences.get("time_zone") or (reader.time_zone if reader else None) or fallback
    return Clock(zone, preferences.get("clock", "24"))


def now() -> datetime:
    """The present, with zone."""
    return datetime.now(UTC)
