"""API tokens: my own, and those of service accounts."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import api_tokens, roles, service_accounts
from app.domain.platform.api_tokens import NewToken, Token, TokenList
from app.errors import Invalid
from app.web import forms, session
from app.web.platform.roles import fresh
from app.web.platform.users import WithReason
from app.web.render import as_json, invalid, render, saved, wants

MINE = "platform/tokens/page.html#tokens"
SERVICES = "platform/services/list.html#accounts"
SERVICE = "platform/services/page.html#account"


async def show(request: Request) -> Response:
    """My tokens."""
    return await render(request, MINE, **await mine(request))


async def mine(request: Request, made: Token | None = None) -> dict[str, Any]:
    """The view of my tokens, with the secret of the one that was just made."""
    who = session.member(request)
    found = await api_tokens.live(session.services_of(request), who.id)
    return {
        "tokens": found,
        "_title": "Tokens",
        "_scopes": [*api_tokens.OWN, *sorted(who.permissions)],
        "_made": made,
    }


async def add(request: Request) -> Response:
    """Make a token. Its secret stands in this answer and nowhere else. Raises SignInNeeded, Conflict."""
    who = session.fresh(request)
    try:
        form = await forms.read(request, NewToken)
        made = await api_tokens.add(
            session.services_of(request), who, who.id, who.permissions, form
        )
    except Invalid as problem:
        return await invalid(request, problem, MINE, **await mine(request))
    return shown_once(await secret(request, made, MINE, await mine(request, made)))


async def secret(request: Request, made: Token, name: str, view: dict[str, Any]) -> Response:
    """The answer that shows a new token: no redirect, since it could not be shown after one."""
    if wants(request) == "json":
        return as_json(request, {"token": made}, 201)
    return await render(request, name, status=201, **view)


def shown_once(response: Response) -> Response:
    """The same answer, kept nowhere."""
    response.headers["Cache-Control"] = "no-store"
    return response


async def revoke(request: Request) -> Response:
    """End one of my tokens. Raises SignInNeeded, NotFound."""
    who = session.fresh(request)
    await api_tokens.revoke(session.services_of(request), who, who.id, request.path_params["id"])
    return await saved(
        request, "/settings/tokens", MINE, said="token_revoked", **await mine(request)
    )


async def show_services(request: Request) -> Response:
    """The service accounts."""
    return await render(request, SERVICES, **await accounts(request))


async def accounts(request: Request) -> dict[str, Any]:
    """The view of all service accounts."""
    found = await service_accounts.all_open(session.services_of(request))
    return {"accounts": found, "_title": "Service accounts"}


async def add_service(request: Request) -> Response:
    """Make a service account. Raises SignInNeeded."""
    who, services = fresh(request), session.services_of(request)
    try:
        form = await forms.read(request, service_accounts.NewServiceAccount)
    except Invalid as problem:
        return await invalid(request, problem, SERVICES, **await accounts(request))
    account = await service_accounts.add(services, who, form)
    if wants(request) == "json":
        return as_json(request, {"account": account}, 201)
    return await saved(request, f"/admin/users/services/{account.id}", said="saved")


async def show_service(request: Request) -> Response:
    """One service account with its tokens. Raises NotFound."""
    return await render(request, SERVICE, **await account(request))


async def account(request: Request, made: Token | None = None) -> dict[str, Any]:
    """The view of one service account. Raises NotFound."""
    services, account_id = session.services_of(request), request.path_params["id"]
    found = await service_accounts.one(services, account_id)
    allowed = (await roles.holder(services, account_id)).permissions
    return {
        "account": found,
        "_tokens": TokenList(found.tokens, len(found.tokens)),
        "_title": found.name,
        "_scopes": [*api_tokens.OWN, *allowed],
        "_made": made,
    }


async def close_service(request: Request) -> Response:
    """Close a service account. Raises SignInNeeded, NotFound."""
    who, form = fresh(request), await forms.read(request, WithReason)
    services = session.services_of(request)
    await service_accounts.close(services, who, request.path_params["id"], form.reason)
    return await saved(
        request,
        "/admin/users/services",
        SERVICES,
        said="service_closed",
        **await accounts(request),
    )


async def add_service_token(request: Request) -> Response:
    """Make a token of a service account. Raises SignInNeeded, NotFound, Conflict."""
    who, services = fresh(request), session.services_of(request)
    account_id = request.path_params["id"]
    try:
        form = await forms.read(request, NewToken)
        made = await service_accounts.add_token(services, who, account_id, form)
    except Invalid as problem:
        return await invalid(request, problem, SERVICE, **await account(request))
    return shown_once(await secret(request, made, SERVICE, await account(request, made)))


async def revoke_service_token(request: Request) -> Response:
    """End one token of a service account. Raises SignInNeeded, NotFound."""
    who, params = fresh(request), request.path_params
    services = session.services_of(request)
    await service_accounts.revoke_token(services, who, params["id"], params["token_id"])
    where = f"/admin/users/services/{params['id']}"
    return await saved(request, where, SERVICE, said="token_revoked", **await account(request))
