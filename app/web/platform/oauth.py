"""Signing in with Google, Facebook or Apple: out by a link, back by a link or Apple's form."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.domain.platform import identities, oauth
from app.domain.platform.identities import Entered
from app.domain.platform.oauth import Answered
from app.errors import Conflict, Problem, ServiceDown, SignInNeeded
from app.web import session
from app.web.forms import body
from app.web.platform.sign_in import doors_of, failed, flow_of, in_flow, signed, with_no_store
from app.web.render import finish, saved, wants


async def set_out(request: Request) -> Response:
    """Lead to the provider; `purpose=link` adds it to the ways in of the signed-in member."""
    services, asked = session.services_of(request), request.query_params
    user_id = session.fresh(request).id if asked.get("purpose") == "link" else None
    flow, link = flow_of(request), asked.get("link")
    # An account that waits in another browser is not linked by a link that somebody sent.
    if link and await identities.waiting(services, link, flow) is None:
        link = None
    address = await oauth.begin(
        services,
        request.path_params["provider"],
        flow,
        next_path=session.safe_next(asked.get("next")),
        user_id=user_id,
        link=link,
    )
    return in_flow(request, onward(request, address), flow)


async def keep_form(request: Request) -> Response:
    """Keep the form that Apple's page posts without our cookies, and go on to the GET, which checks."""
    form = {name: value for name, value in (await body(request)).items() if isinstance(value, str)}
    await oauth.keep_form(session.services_of(request), "apple", form)
    state = urlencode({"state": form.get("state", "")})
    return onward(request, f"/auth/apple/callback?{state}")


async def come_back(request: Request) -> Response:
    """Take the provider's answer: signed in, linked, or one more proof. Raises Forbidden, Conflict, NotFound."""
    services, name = session.services_of(request), request.path_params["provider"]
    flow = request.cookies.get(session.FLOW, "")
    try:
        trip = await oauth.take(services, name, flow, request.query_params)
        if trip is None:
            return refused(request, name)
        if trip.purpose == "link":
            return await linked(request, trip)
        entered = await identities.enter(services, trip, flow)
    except ServiceDown as problem:
        failed(name, problem)
        if wants(request) == "json":
            raise
        doors = await doors_of(request, "/")
        return await with_no_store(request, doors, 503, {"": problem.sentence})
    except Problem as problem:
        failed(name, problem)
        raise
    if entered.user_id is None:
        return one_more_proof(request, entered, name, flow)
    return await signed(request, entered.user_id, session.safe_next(entered.next), name)


def refused(request: Request, name: str) -> Response:
    """The person said no at the provider: back to the other ways in. Raises SignInNeeded for JSON."""
    problem = SignInNeeded("You were not signed in.", code="refused")
    failed(name, problem)
    if wants(request) == "json":
        raise problem
    response = onward(request, "/auth/login")
    settings = session.services_of(request).settings
    session.set_cookie(response, settings, session.SAID, "provider_refused", 60)
    return response


async def linked(request: Request, trip: Answered) -> Response:
    """Add the account found to the ways in of the member who set out for it."""
    await identities.link(session.services_of(request), session.member(request), trip)
    return await saved(request, "/settings/sign-in", said="way_in_added", linked=trip.provider)


def one_more_proof(request: Request, entered: Entered, name: str, flow: str) -> Response:
    """Lead to the sign-in page, where a letter or an older way in links what was found. Raises Conflict for JSON."""
    problem = Conflict(
        "Sign in once by letter, or as before; then this account opens your door too.",
        code="link_needed",
    )
    failed(name, problem)
    if wants(request) == "json":
        raise problem
    query = urlencode({"link": entered.link or "", "next": session.safe_next(entered.next)})
    return in_flow(request, onward(request, f"/auth/login?{query}"), flow)


def onward(request: Request, location: str) -> Response:
    """Lead on; no cache keeps where to."""
    response = RedirectResponse(location, 303)
    response.headers["Cache-Control"] = "no-store"
    return finish(request, response)
