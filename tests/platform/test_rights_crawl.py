"""Every address by everybody: who comes in is exactly what the map and rule 16 say, and nobody reads of a stranger."""

import re
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response

from app import main
from app.domain.platform import api_tokens, permissions
from app.domain.platform.api_tokens import NewToken
from app.services import Services
from app.web import session as cookies
from app.web.routes import ENDPOINTS
from app.web.routing import Endpoint
from tests.people import cookie_of, member

# Rule 16 as it is printed, a line a permission, a mark a role.
PRINTED = """
                    super_admin support ops read_only
manage_roles             x         .     .      .
manage_settings          x         .     .      .
manage_flags             x         .     .      .
manage_money             x         .     .      .
manage_users             x         x     .      .
view_users               x         x     .      .
impersonate              x         x     .      .
impersonate_writing      x         .     .      .
handle_privacy           x         .     .      .
moderate                 x         x     .      .
manage_system            x         .     x      .
manage_limits            x         .     x      .
manage_budget            x         .     x      .
stop_flags               x         .     x      .
manage_content           x         .     x      .
view_content             x         x     x      x
view_system              x         .     x      x
view_flags               x         .     x      x
view_limits              x         .     x      x
view_analytics           x         .     x      x
view_audit               x         x     x      x
"""
# What chapter 10 §3 asks for at some of its addresses: GETs, then all else.
DOORS = {
    "/admin/users": ("view_users", ""),
    "/admin/users/{id:int}": ("view_users", ""),
    "/admin/users/{id:int}/ban": ("", "manage_users"),
    "/admin/users/{id:int}/sign-outs": ("", "manage_users"),
    "/admin/users/{id:int}/letters": ("", "manage_users"),
    "/admin/users/roles": ("manage_roles", ""),
    "/admin/users/roles/{id:int}": ("manage_roles", "manage_roles"),
    "/admin/users/{id:int}/grants": ("", "manage_roles"),
    "/admin/users/services": ("manage_roles", "manage_roles"),
    "/admin/users/services/{id:int}": ("manage_roles", "manage_roles"),
    "/admin/users/services/{id:int}/tokens": ("", "manage_roles"),
    "/admin/users/services/{id:int}/tokens/{token_id:int}": ("", "manage_roles"),
    "/settings/tokens/{id:int}": ("", "member"),
    "/admin/impersonations": ("impersonate", "impersonate"),
    "/admin/jobs": ("view_system", "manage_system"),
    "/admin/jobs/{id:int}": ("view_system", "manage_system"),
    "/admin/queues": ("view_system", ""),
    "/admin/queues/{queue}/pause": ("", "manage_system"),
}
# Below /admin, and yet for whoever is seen as someone (rule 17).
FOR_MEMBERS = {"/admin/impersonations/current"}

# What the link of a letter opens, so that nobody has to sign in for it.
BY_LETTER = {"/settings/privacy/deletion"}

# A value for each part of an address: {name}. An address of its own may ask for another one: "/files/{id}": "7".
SAMPLES = {
    "id": "1",
    "token_id": "1",
    "slug": "home",
    "symbol": "MSFT",
    "key": "news",
    "kind": "weather",
    "name": "0b57d0",
    "token": "x" * 43,
    "bucket": "listings",
    "path": "nothing.webp",
    "queue": "LOW",
    "type": "purge_news",
    "provider": "google",
    "platform": "instagram",
    "code": "0" * 32,
    "action": "search",
    "tier": "anonymous",
    "template": "sign_in",
    "day": "2026-01-24",
    "month": "2026-11",
    "service": "nws",
}
# These do not end (an event stream), or need a pool: they are let in, and no further.
ENDLESS = {"/live", "/health/deep"}
# The outbox of development shows every letter to whoever develops.
OPEN_IN_DEVELOPMENT = {"/dev/mail"}
# What says that its bearer may read of people.
OF_PEOPLE = {"view_users", "manage_users", "manage_roles", "impersonate", "impersonate_writing", "handle_privacy", "moderate", "view_audit"}  # fmt: skip

CANARY = "kanarienvogel"


class Caller(NamedTuple):
    """Somebody who asks: a name for messages, headers, and what they may do."""

    name: str
    headers: dict[str, str]
    rights: frozenset[str]
    role: str | None = None
    scopes: frozenset[str] | None = None
    is_member: bool = True


def expected(endpoint: Endpoint, who: Caller) -> tuple[int, ...]:
    """The statuses of a refusal, or nothing for who is let in."""
    wanted = {endpoint.needs} if isinstance(endpoint.needs, str) else set(endpoint.needs)
    if wanted & {"", "member"}:
        if wanted == {"member"} and not who.is_member:
            return (401, 303)
        reads = endpoint.method == "GET"
        enough = {"read", "write"} if reads else {"write"}
        return () if who.scopes is None or enough & who.scopes else (403,)
    if not who.is_member:
        return (401, 303)
    if who.role is None:
        return (404,)
    return () if wanted & who.rights else (403,)


def address(endpoint: Endpoint, samples: dict[str, str]) -> str:
    """The address with a value for each of its parts."""

    def value(part: re.Match[str]) -> str:
        found = samples.get(endpoint.path) or samples.get(part[1])
        assert found is not None, (
            f"{endpoint.path}: add a value for {part[1]!r} to SAMPLES in {__file__} "
            "(where there is such a thing, one that belongs to the victim)"
        )
        return found

    return re.sub(r"\{(\w+)(?::\w+)?\}", value, endpoint.path)


def twin(path: str) -> str:
    """The address of the JSON twin."""
    return f"/admin/api{path[6:]}" if path.startswith("/admin") else f"/api{path}"


class Crawl:
    """The application with a note at each handler of whether it was reached."""

    def __init__(self, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        self.services = services
        self.reached = False
        noted = [endpoint._replace(handler=self.noting(endpoint)) for endpoint in ENDPOINTS]
        monkeypatch.setattr(main, "ENDPOINTS", noted)
        app = main.application(services.settings, services)
        app.state["shared"].look_again = float("inf")
        transport = httpx2.ASGITransport(app=app, client=("127.0.0.1", 1))
        self.client = httpx2.AsyncClient(transport=transport, base_url="http://testserver")

    def noting(self, endpoint: Endpoint) -> Any:
        """The handler, with a note that it was reached."""

        async def handler(request: Request) -> Response:
            self.reached = True
            if endpoint.path in ENDLESS:
                return Response(status_code=204)
            return await endpoint.handler(request)

        handler.__name__, handler.__doc__ = endpoint.handler.__name__, endpoint.handler.__doc__
        return handler

    async def ask(self, method: str, path: str, who: Caller, *, as_twin: bool) -> httpx2.Response:
        """One request, after which everything is as it was before."""
        self.reached = False
        self.client.cookies.clear()
        kind = "application/json" if as_twin else "text/html"
        headers = {"accept": kind, "sec-fetch-site": "same-origin", **who.headers}
        if as_twin and method != "GET":
            headers["content-type"] = "application/json"
        savepoint = self.services.db.connection.transaction()
        await savepoint.start()
        try:
            return await self.client.request(method, path, headers=headers)
        finally:
            await savepoint.rollback()


@pytest.fixture
async def crawl(services: Services, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Crawl]:
    """A crawl of the whole map."""
    made = Crawl(services, monkeypatch)
    async with made.client:
        yield made


async def in_a_browser(services: Services, name: str, role: str | None = None) -> Caller:
    """Somebody who is signed in."""
    who = await member(services, f"{name}@example.org", role)
    cookie = {"cookie": f"{cookies.SESSION}={await cookie_of(services, who)}"}
    return Caller(name, cookie, permissions.of(role), role)


async def with_tokens(services: Services) -> list[Caller]:
    """A token a scope, all of them of one who may everything."""
    root = await member(services, "tokens@example.org", "super_admin")
    found = []
    for scope in (*api_tokens.OWN, *permissions.MATRIX):
        new = NewToken(scope, [scope])
        made = await api_tokens.add(services, root, root.id, root.permissions, new)
        only = frozenset((scope,))
        bearer = {"authorization": f"Bearer {made.token}"}
        await services.db.execute(api_tokens.USED, made.id)
        found.append(Caller(f"token {scope}", bearer, only, "super_admin", only))
    return found


async def victim(crawl: Crawl) -> dict[str, str]:
    """A member with things of every kind, all of which say the canary's name; answers samples of what is theirs."""
    services = crawl.services
    owner = await in_a_browser(services, CANARY)
    client, samples = crawl.client, dict(SAMPLES)
    headers = {**owner.headers, "sec-fetch-site": "same-origin", "accept": "application/json"}
    made = [
        ("POST", "/api/links", {"url": f"https://{CANARY}.example/", "title": CANARY}),
        ("POST", "/api/pages", {"name": CANARY}),
        ("POST", "/api/news/filters", {"value": CANARY, "kind": "mute_word"}),
        ("POST", "/api/settings/tokens", {"name": CANARY, "scopes": ["read"]}),
        ("POST", "/api/widgets", {"type": "note", "page": "home", "settings": {"text": CANARY}}),
    ]
    for method, path, body in made:
        answer = await client.request(method, path, headers=headers, json=body)
        assert answer.status_code < 300, (path, answer.text)
    seen = await client.get("/links", headers=owner.headers)
    assert CANARY in seen.text
    their = "SELECT id FROM users WHERE display_name ILIKE $1"
    number = await services.db.fetchval(their, CANARY)
    for path, query in (
        ("/links/{id:int}", "SELECT max(id) FROM quick_links WHERE user_id = $1"),
        ("/links/{id:int}/restorations", "SELECT max(id) FROM quick_links WHERE user_id = $1"),
        ("/news/filters/{id:int}", "SELECT max(id) FROM news_filters WHERE user_id = $1"),
        ("/settings/tokens/{id:int}", "SELECT max(id) FROM api_tokens WHERE user_id = $1"),
        ("/settings/sessions/{id:int}", "SELECT max(id) FROM sessions WHERE user_id = $1"),
    ):
        samples[path] = str(await services.db.fetchval(query, number))
    for path in ("/admin/users/{id:int}", "/admin/users/roles/{id:int}"):
        samples[path] = str(number)
    return samples


async def everybody(services: Services) -> list[Caller]:
    """A visitor, a member, the four roles."""
    found = [Caller("visitor", {}, frozenset(), is_member=False)]
    found.append(await in_a_browser(services, "other"))
    for role in permissions.ROLES:
        found.append(await in_a_browser(services, role.replace("_", "-"), role))
    return found


async def faults_of(
    crawl: Crawl, endpoint: Endpoint, who: Caller, path: str, *, as_twin: bool
) -> list[str]:
    """What is wrong with the answer of one address to one caller."""
    answer = await crawl.ask(endpoint.method, twin(path) if as_twin else path, who, as_twin=as_twin)
    at = f"{endpoint.method} {answer.request.url.path} as {who.name}: {answer.status_code}"
    refusal = expected(endpoint, who)
    found = [f"{at}, a fault of ours"] if answer.status_code >= 500 and crawl.reached and answer.status_code != 503 else []  # fmt: skip
    if bool(refusal) == crawl.reached:
        found.append(f"{at}, but {'refused' if refusal else 'let in'} is right (needs {endpoint.needs!r})")  # fmt: skip
    elif refusal and answer.status_code not in refusal:
        found.append(f"{at}, but a refusal is {refusal}")
    may_know = endpoint.path in OPEN_IN_DEVELOPMENT or OF_PEOPLE & who.rights
    if CANARY in answer.text.lower() and not may_know:
        found.append(f"{at}, and it tells of the victim")
    return found


async def test_everybody_comes_in_where_the_matrix_says(crawl: Crawl) -> None:
    samples, faults = await victim(crawl), []
    people = await everybody(crawl.services)
    for endpoint in ENDPOINTS:
        path, is_open = address(endpoint, samples), endpoint.needs in ("", "member")
        # Where no role is asked for, one of them stands for all. A write has the same door as page and as twin.
        for who in [*people[:2], people[-1]] if is_open else people:
            if endpoint.method == "GET" or is_open or not endpoint.twin:
                faults += await faults_of(crawl, endpoint, who, path, as_twin=False)
            if endpoint.twin:
                faults += await faults_of(crawl, endpoint, who, path, as_twin=True)
    assert not faults, f"{len(faults)} faults\n" + "\n".join(faults)


async def test_a_token_comes_in_where_its_one_scope_says(crawl: Crawl) -> None:
    samples, faults = await victim(crawl), []
    tokens = await with_tokens(crawl.services)
    for endpoint in ENDPOINTS:
        if not endpoint.twin:
            continue
        # For what is one's own all permissions are alike: one of them stands for all.
        is_own = endpoint.needs in ("", "member")
        for who in tokens[:3] if is_own else tokens:
            path = address(endpoint, samples)
            faults += await faults_of(crawl, endpoint, who, path, as_twin=True)
    assert not faults, f"{len(faults)} faults\n" + "\n".join(faults)


def test_the_matrix_is_the_printed_one() -> None:
    head, *lines = [line.split() for line in PRINTED.strip().splitlines()]
    printed = {
        name: {role for role, mark in zip(head, marks, strict=True) if mark == "x"}
        for name, *marks in lines
    }
    assert {name: set(roles) for name, roles in permissions.MATRIX.items()} == printed


def test_the_doors_ask_for_what_the_chapter_says() -> None:
    for endpoint in ENDPOINTS:
        reads, writes = DOORS.get(endpoint.path, ("", ""))
        wanted = reads if endpoint.method == "GET" else writes
        assert not wanted or endpoint.needs == wanted, endpoint


def test_nothing_of_admins_or_of_an_account_stands_open() -> None:
    for endpoint in ENDPOINTS:
        wanted = {endpoint.needs} if isinstance(endpoint.needs, str) else set(endpoint.needs)
        if endpoint.path.startswith("/admin") and endpoint.path not in FOR_MEMBERS:
            assert wanted <= set(permissions.MATRIX), endpoint
        elif endpoint.path.startswith("/settings") and endpoint.path not in BY_LETTER:
            assert wanted == {"member"}, endpoint
