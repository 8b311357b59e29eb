"""Rule 50: of 10,000 log lines of a site in use, none holds a secret that went in or out."""

import asyncio
import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from app import config
from app.box import Box
from app.box.ports import next_free
from app.config import Settings
from app.db import migrate
from app.domain.platform import api_tokens
from app.domain.platform.flags import shipped
from app.services import Services
from app.start import open_services
from app.web import session as cookies
from app.web.routes import ENDPOINTS
from app.web.routing import Endpoint
from tests.conftest import SECRET, new_database
from tests.people import cookie_of, member, without_limits
from tests.platform.test_printed import begun, until
from tests.platform.test_rights_crawl import SAMPLES, address, twin

WORD = "kanarienvogel"
EMAIL, PASSWORD = f"{WORD}@example.org", f"hunter2-{WORD}"
LINES = 10_000
LEFT_OUT = {
    "/live",
    "/auth/logout",
    "/health/deep",
    "/settings/sessions",
    "/settings/privacy/deletion",
}
QUICK = {
    "/auth/link",
    "/auth/logout",
    "/news/stories/{id:int}",
    "/settings/tokens",
    "/admin/users/{id:int}",
    "/auth/login",
}
# Everything that a form of ours may be given, with a canary in each value.
FIELDS = {
    "email": EMAIL, "code": "864209", "token": f"{WORD}-token", "password": PASSWORD, "url": f"https://{WORD}:{PASSWORD}@feed.invalid/?key={WORD}",
    "body": f"dear {WORD}", "reason": f"because of {WORD}", "display_name": WORD, "phrase": WORD, "next": f"/{WORD}",
    "title": WORD, "text": WORD, "q": WORD, "cache_name": WORD, "job_type": "send_email", "name": WORD,
}  # fmt: skip


@pytest.fixture(scope="module")
def served(box: Box, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Path]]:
    """A site and a worker that log to one file."""
    port, folder = next_free(18_300), tmp_path_factory.mktemp("canaries")
    env = {
        **box.env,
        **{name.upper(): value for name, value in SECRET.items()},
        "ENVIRONMENT": "test",
        "DATABASE_URL": asyncio.run(new_database(box.env["DATABASE_URL"], "village_canaries")),
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "VAR_DIR": str(folder),
        "LOG_FILE": f"{folder}/village.log",
        "LOG_LEVEL": "DEBUG",
        "METRICS_PORT": "0",
    }
    asyncio.run(migrate(config.load(env)))
    started: list[subprocess.Popen[bytes]] = [
        begun(env, "serve"),
        begun(env, "work", JOB_PROCESSING_MODE="all"),
    ]
    try:
        yield config.load(env), folder / "village.log"
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(40)


async def furnished(services: Services) -> tuple[str, str]:
    """An admin's session and token: both are canaries too."""
    await without_limits(services)
    await shipped.seed(services)
    who = await member(services, EMAIL, role="super_admin")
    scopes = sorted(who.permissions | {"read", "write"})
    made = await api_tokens.add(
        services, who, who.id, who.permissions, api_tokens.NewToken(WORD, scopes[:30])
    )
    return await cookie_of(services, who), str(made.token)


async def used(settings: Settings, log: Path) -> list[str]:
    """Ask for every address, as form and as JSON, until there are enough lines; answer the secrets that were used."""
    async with open_services(settings, pool_size=2) as services:
        cookie, token = await furnished(services)
    async with httpx2.AsyncClient(base_url=settings.public_url, timeout=60) as client:
        await asyncio.gather(
            *(walk(client, cookie, token, number, ENDPOINTS) for number in range(2))
        )
        # The rest of the lines come from what answers quickly, with the same canaries.
        quick = [e for e in ENDPOINTS if e.path in QUICK]
        while lines_of(log) < LINES:
            await asyncio.gather(
                *(walk(client, cookie, token, number, quick) for number in range(64))
            )
    return [
        WORD,
        PASSWORD,
        "864209",
        cookie,
        token,
        base64.b64encode(EMAIL.encode()).decode(),
        *SECRET.values(),
    ]


def lines_of(log: Path) -> int:
    """How many lines were written so far."""
    return log.read_bytes().count(b"\n") if log.exists() else 0


async def walk(
    client: httpx2.AsyncClient, cookie: str, token: str, number: int, endpoints: list[Endpoint]
) -> None:
    """Every one of these addresses once, with a canary in the query, in the cookie, in the header and in each field."""
    for endpoint in endpoints:
        if endpoint.path in LEFT_OUT:
            continue
        path = address(endpoint, SAMPLES)
        headers = {
            "sec-fetch-site": "same-origin",
            "user-agent": f"Mozilla {WORD} {EMAIL}",
            "referer": f"http://x/?token={WORD}",
        }
        if number % 2 and endpoint.twin:
            path, headers["authorization"] = twin(path), f"Bearer {token}"
        else:
            headers["cookie"] = f"{cookies.SESSION}={cookie}; {cookies.FLOW}={WORD}"
        body = (
            {} if endpoint.method == "GET" else {"json": FIELDS} if number % 2 else {"data": FIELDS}
        )
        await client.request(
            endpoint.method, path, params={"token": WORD, "email": EMAIL}, headers=headers, **body
        )  # type: ignore[arg-type]


def test_no_secret_is_in_ten_thousand_lines(served: tuple[Settings, Path]) -> None:
    settings, log = served
    until(lambda: ready(settings))
    canaries = asyncio.run(used(settings, log))
    text = log.read_text()
    assert text.count("\n") >= LINES
    found = {
        word: [line for line in text.splitlines() if word in line][:3]
        for word in canaries
        if word in text
    }
    assert found == {}


def ready(settings: Settings) -> bool:
    """Whether the site answers."""
    try:
        return httpx2.get(settings.public_url + "/q/health/ready").status_code == 200
    except httpx2.HTTPError:
        return False
