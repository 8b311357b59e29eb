"""The gate: hosts, cross-site writes, sizes, methods of plain forms, headers."""

import asyncio
import contextlib
import dataclasses
from typing import Any

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from app import config
from app.main import application
from app.services import Services
from app.web import gate
from app.web.gate import Gate
from tests.conftest import SECRET
from tests.people import Browser, member

SAME = {"sec-fetch-site": "same-origin"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"sec-fetch-site": "none"}, 303),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://testserver"}, 403),
        ({"origin": "http://testserver"}, 303),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({}, 403),
    ],
)
async def test_a_write_with_a_cookie_comes_from_our_own_pages(
    services: Services, browser: Browser, headers: dict[str, str], status: int
) -> None:
    await browser.sign_in(await member(services))
    answer = await browser.client.post("/auth/logout", headers={"accept": "text/html", **headers})
    assert answer.status_code == status


async def test_foreign_hosts_are_refused_and_probes_may_come_by_address(browser: Browser) -> None:
    assert (await browser.get("/news", headers={"host": "evil.example"})).status_code == 421
    assert (await browser.get("/", headers={"host": "evil.example"})).status_code == 421
    assert (await browser.get("/heartbeat", headers={"host": "10.1.2.3"})).status_code == 200


async def test_every_answer_carries_the_headers_of_a_strict_site(browser: Browser) -> None:
    for path in ("/", "/news", "/nothing-here", "/public/css/base.css", "/auth/login"):
        headers = (await browser.get(path)).headers
        assert headers["content-security-policy"].startswith(
            "default-src 'none'; script-src 'self';"
        )
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-request-id"]


async def test_large_bodies_are_refused_announced_or_not(browser: Browser) -> None:
    form = {"email": "x" * 1_000_001}
    assert (await browser.post("/auth/login", form)).status_code == 413

    async def endless() -> object:
        for _ in range(40):
            yield b"a" * 50_000

    for kind in ("application/x-www-form-urlencoded", "application/json"):
        headers = {**SAME, "content-type": kind}
        answer = await browser.client.post("/auth/login", content=endless(), headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 413


async def test_a_plain_form_says_its_method(browser: Browser, services: Services) -> None:
    await browser.sign_in(await member(services))
    answer = await browser.post("/settings/sessions/0", {"_method": "DELETE"})
    assert answer.status_code == 404
    assert (await browser.post("/settings/sessions/0")).status_code == 405


async def test_a_twin_answers_json_and_a_page_without_twin_does_not(browser: Browser) -> None:
    for path in ("/api/news", "/api/v1/news"):
        assert (await browser.get(path)).headers["content-type"] == "application/json"
    assert (await browser.get("/api/cabinet")).status_code == 404


async def test_unknown_addresses_and_methods_are_problems_from_every_door(browser: Browser) -> None:
    page, twin = await browser.get("/nothing"), await browser.json("GET", "/api/nothing")
    assert "<html" in page.text
    assert twin.headers["content-type"] == "application/problem+json"
    assert twin.json()["request_id"] == twin.headers["x-request-id"]
    assert (await browser.json("POST", "/api/news")).json()["status"] == 405


async def test_a_forged_forwarded_address_counts_only_behind_a_trusted_proxy(
    services: Services,
) -> None:
    scope = {"client": ("10.0.0.9", 1), "headers": []}
    headers = {b"x-forwarded-for": b"6.6.6.6, 203.0.113.7"}
    plain = Gate(httpx2.ASGITransport, services.settings)  # type: ignore[arg-type]
    trusting = Gate(
        httpx2.ASGITransport,  # type: ignore[arg-type]
        dataclasses.replace(services.settings, trusted_proxies="10.0.0.0/8"),
    )
    assert plain.caller(scope, headers) == "10.0.0.9"
    assert trusting.caller(scope, headers) == "203.0.113.7"


async def test_what_nobody_foresaw_is_said_without_the_exceptions_text(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = dataclasses.replace(services, db=None)  # type: ignore[arg-type]
    transport = httpx2.ASGITransport(
        app=application(services.settings, broken), raise_app_exceptions=False
    )
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
        answer = await client.get("/api/news")
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert "NoneType" not in answer.text


FRIEND = "https://friend.example"


async def answer_to(services: Services, origins: str, method: str, path: str, origin: str) -> str:
    """Which origin the answer lets read it; no answer of ours shares cookies."""
    settings = dataclasses.replace(services.settings, cors_origins=origins)
    there = httpx2.ASGITransport(application(settings, services))
    async with httpx2.AsyncClient(transport=there, base_url="http://testserver") as client:
        asks = {"access-control-request-method": "GET"} if method == "OPTIONS" else {}
        answer = await client.request(method, path, headers={"origin": origin, **asks})
    assert "access-control-allow-credentials" not in answer.headers
    return answer.headers.get("access-control-allow-origin", "")


async def test_only_named_origins_read_the_twins_and_none_the_pages(services: Services) -> None:
    for method in ("GET", "OPTIONS"):
        asked = (method, "/api/news")
        assert await answer_to(services, FRIEND, *asked, FRIEND) == FRIEND
        assert await answer_to(services, FRIEND, *asked, "https://evil.example") == ""
        assert await answer_to(services, "", *asked, FRIEND) == ""
        assert await answer_to(services, FRIEND, method, "/news", FRIEND) == ""


@pytest.mark.parametrize("origins", ["*", "http://friend.example", f"{FRIEND},https://*.example"])
def test_other_than_named_https_origins_end_the_start(services: Services, origins: str) -> None:
    strict = SECRET
    settings = dataclasses.replace(
        services.settings, environment="prod", public_url="https://village.example", **strict
    )
    settings = dataclasses.replace(settings, guard_hosts="", imap_url="", cors_origins=FRIEND)
    config.check(settings)
    with pytest.raises(config.Misconfigured, match="CORS_ORIGINS"):
        config.check(dataclasses.replace(settings, cors_origins=origins))


def slow_app(seconds_before: float, parts: int) -> Any:
    """An application that thinks, and then sends its answer in parts with a pause before each."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # Who begins at once does so before the loop can look at any clock, however busy the machine is.
        if seconds_before:
            await asyncio.sleep(seconds_before)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(parts):
            await asyncio.sleep(0.05)
            more = number + 1 < parts
            await send({"type": "http.response.body", "body": b".", "more_body": more})

    return app


async def through_the_gate(
    services: Services, app: Any, method: str = "GET", path: str = "/news"
) -> httpx2.Response:
    """What a gate before that application answers."""

    async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {"services": services}
        await Gate(app, services.settings)(scope, receive, send)

    there = httpx2.ASGITransport(with_state)
    async with httpx2.AsyncClient(transport=there, base_url="http://testserver") as client:
        return await client.request(method, path, headers={"accept": "application/json"})


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
async def test_no_request_thinks_longer_than_its_time(
    services: Services, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(gate, "SECONDS_CEILING", 0.1)
    answer = await through_the_gate(services, slow_app(30, 1), method)
    assert answer.status_code == 503
    assert method == "HEAD" or answer.json()["code"] == "too_slow"


async def test_an_answer_that_has_begun_may_take_its_time(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "SECONDS_CEILING", 0.1)
    assert (await through_the_gate(services, slow_app(0, 6))).text == "." * 6
    # An event stream begins when there is something to tell.
    assert (await through_the_gate(services, slow_app(0.3, 1), path="/live")).text == "."


async def test_an_answer_that_came_with_the_last_second_is_still_sent(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "SECONDS_CEILING", 0.1)
    ready = slow_app(0, 1)

    async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
        # As Python 3.11 loses a cancellation that meets the end of a wait_for.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(30)
        await ready(scope, receive, send)

    answer = await through_the_gate(services, deaf)
    assert (answer.status_code, answer.text) == (200, ".")


async def test_a_notice_is_shown_once_and_no_fragment_takes_it_away(browser: Browser) -> None:
    await browser.post("/news/filters", {"value": "goats"}, headers=SAME)
    assert browser.client.cookies["vu_said"] == "saved"
    fragment = await browser.fragment("/news/filters")
    assert "vu_said" not in fragment.headers.get("set-cookie", "")
    first = await browser.get("/news/filters")
    assert "Saved." in first.text and "vu_said" not in browser.client.cookies
    assert "Saved." not in (await browser.get("/news/filters")).text
