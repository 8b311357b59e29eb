"""People for tests: members and visitors with their cookies."""

import dataclasses

import httpx2

from app.domain.platform import limiters, permissions, readers, sessions
from app.services import Services
from app.web import session as cookies

ADD_MEMBER = """
INSERT INTO users (kind, email, email_verified_at, display_name, role)
VALUES ('member', $1, now(), $2, $3) RETURNING id
"""


async def member(
    services: Services, email: str = "ada@example.org", role: str | None = None
) -> readers.Reader:
    """A member with a proven address, known to nothing else yet."""
    user_id = await services.db.fetchval(ADD_MEMBER, email, email.split("@")[0].title(), role)
    return readers.Reader(
        id=user_id,
        kind="member",
        name=email.split("@")[0].title(),
        email=email,
        role=role,
        permissions=permissions.of(role),
    )


NO_LIMITS = """
INSERT INTO rate_limits (action, tier, limit_count, window_seconds)
SELECT action, tier, 1000000000, 60 FROM unnest($1::text[]) AS action CROSS JOIN unnest($2::text[]) AS tier
ON CONFLICT (action, tier) DO UPDATE SET limit_count = EXCLUDED.limit_count
"""


async def without_limits(services: Services) -> None:
    """Let everybody ask a served site as often as they like, as an admin could."""
    await services.db.execute(NO_LIMITS, list(limiters.SHIPPED), list(limiters.TIERS))


async def cookie_of(services: Services, who: readers.Reader) -> str:
    """The value of vu_session for a new session of that member."""
    token = await sessions.open_for(
        services, who.id, "test", cookies.key_print(services.settings), {}
    )
    return str(cookies.signer(services.settings).dumps(token))


@dataclasses.dataclass
class Browser:
    """A client that behaves like a browser on our own pages, with one transaction below it."""

    client: httpx2.AsyncClient
    services: Services

    async def sign_in(self, who: readers.Reader) -> None:
        """Carry that member's session from now on."""
        self.carry(await cookie_of(self.services, who))

    def carry(self, value: str) -> None:
        """Carry this value of the session's cookie, and nothing else."""
        self.client.cookies.clear()
        self.client.cookies.set(cookies.SESSION, value, domain="testserver.local", path="/")

    def sign_out(self) -> None:
        """Forget every cookie."""
        self.client.cookies.clear()

    async def ask(self, method: str, path: str, **options: object) -> httpx2.Response:
        """One request as a browser sends it; redirects are not followed."""
        headers = {
            "accept": "text/html",
            "sec-fetch-site": "same-origin",
            **options.pop("headers", {}),
        }  # type: ignore[dict-item]
        return await self.client.request(method, path, headers=headers, **options)  # type: ignore[arg-type]

    async def get(self, path: str, **options: object) -> httpx2.Response:
        """GET a page."""
        return await self.ask("GET", path, **options)

    async def post(
        self, path: str, form: dict[str, object] | None = None, **options: object
    ) -> httpx2.Response:
        """POST a plain form."""
        return await self.ask("POST", path, data=form or {}, **options)

    async def fragment(self, path: str, **options: object) -> httpx2.Response:
        """GET as HTMX does."""
        return await self.ask("GET", path, headers={"hx-request": "true"}, **options)

    async def json(self, method: str, path: str, body: object = None) -> httpx2.Response:
        """Ask the twin."""
        options = {} if body is None else {"json": body}
        return await self.ask(method, path, headers={"accept": "application/json"}, **options)
