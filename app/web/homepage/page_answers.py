"""Answers of everything that changes a page: the page as it is arranged now, in the shape the caller reads."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage.page_changes import Outdated
from app.domain.homepage.pages import PageView
from app.domain.platform.readers import Reader
from app.web import problems, session
from app.web.homepage import home
from app.web.render import as_json, markup, saved, wants


async def editor(request: Request) -> Reader:
    """Who changes a page: the reader, or a visitor's row made with this first change."""
    return await session.saver(request)


def page_address(slug: str) -> str:
    """Where a page is read."""
    return "/" if slug == "home" else f"/pages/{slug}"


def edit_address(slug: str) -> str:
    """Where a page is arranged."""
    return f"{page_address(slug)}?edit=1"


async def arranged(
    request: Request, view: PageView, anchor: str = "", *, status: int = 200, done: str = ""
) -> Response:
    """The page after a change; a plain form is led back to the widget that it was about.

    A form of the page itself (`?then=page`) leads there, where a notice says what was done and offers to undo it.
    """
    if wants(request) == "json":
        return as_json(request, {"page": view}, status)
    if wants(request) == "fragment":
        return with_notice(request, await home.edited(request, view.slug, said=view.said))
    said = "saved_visitor" if is_first_save(request) else "step_skipped" if view.said else ""
    if request.query_params.get("then") == "page":
        done = said or (f"{done}.{view.slug}" if done else "")
        key = anchor.partition("-")[2]
        return await saved(
            request, page_address(view.slug) + (f"#widget-{key}" if key else ""), said=done
        )
    return await saved(
        request, edit_address(view.slug) + (f"#{anchor}" if anchor else ""), said=said
    )


def is_first_save(request: Request) -> bool:
    """Whether this very request made the visitor's row."""
    return getattr(request.state, "new_visitor", None) is not None


def with_notice(request: Request, response: Response) -> Response:
    """The fragment, and with a visitor's first save the sentence that says where it is kept."""
    if not is_first_save(request):
        return response
    notice = markup(request, "homepage/pages/_saved_once.html", "page", {})
    return Response(bytes(response.body) + notice.encode(), media_type="text/html")


async def outdated(request: Request, problem: Outdated) -> Response:
    """The problem, and the newer page with it."""
    if wants(request) == "json":
        response = await problems.show(request, problem)
        body = {**msgspec.json.decode(response.body), "page": problem.page}
        return as_json(request, {"problem": body}, problem.status)
    slug, said = problem.page.slug, problem.sentence
    return await home.edited(request, slug, status=problem.status, said=said)
