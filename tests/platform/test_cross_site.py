"""Rule 48: no other site can make a browser write here; the exceptions stand in the map and are these."""

import pytest

from app.services import Services
from app.web.routes import ENDPOINTS
from tests.people import Browser, member
from tests.platform.test_rights_crawl import SAMPLES, address, twin

UNSAFE = [endpoint for endpoint in ENDPOINTS if endpoint.method != "GET"]
OURS, THEIRS = "http://testserver", "https://evil.example"
# What a browser says of where a request comes from, and whether we carry it out.
REFUSED: list[dict[str, str]] = [
    {"sec-fetch-site": site, **origin}
    for site in ("cross-site", "same-site", "", "SAME-ORIGIN", "none, same-origin")
    for origin in ({}, {"origin": OURS}, {"origin": THEIRS}, {"origin": "null"})
]
REFUSED += [
    {"origin": origin}
    for origin in (THEIRS, "null", "", f"{OURS}.evil.example", "http://testserver:1")
]
REFUSED += [{}]
TAKEN: list[dict[str, str]] = [
    {"sec-fetch-site": site, **origin}
    for site in ("same-origin", "none")
    for origin in ({}, {"origin": OURS})
]
TAKEN += [{"origin": OURS}]


async def send(
    browser: Browser, method: str, path: str, headers: dict[str, str]
) -> tuple[int, str]:
    """One write with the browser's cookie; the status and code of its answer."""
    answer = await browser.client.request(
        method, path, headers={"accept": "application/json", **headers}
    )
    try:
        return answer.status_code, answer.json().get("code", "")
    except (ValueError, AttributeError):
        return answer.status_code, ""


@pytest.mark.parametrize("headers", TAKEN, ids=str)
async def test_our_own_pages_may_write(
    browser: Browser, services: Services, headers: dict[str, str]
) -> None:
    await browser.sign_in(await member(services))
    assert (await send(browser, "POST", "/news/read-marks", headers))[1] != "cross_site"


@pytest.mark.parametrize("headers", REFUSED, ids=str)
async def test_nobody_else_may(
    browser: Browser, services: Services, headers: dict[str, str]
) -> None:
    await browser.sign_in(await member(services))
    assert await send(browser, "POST", "/news/read-marks", headers) == (403, "cross_site")


async def test_every_address_that_writes_refuses_another_site(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services, role="super_admin"))
    for endpoint in UNSAFE:
        path = address(endpoint, SAMPLES)
        for door in [path, twin(path)] if endpoint.twin else [path]:
            for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "null"}):
                status, code = await send(browser, endpoint.method, door, headers)
                assert (code == "cross_site") != endpoint.foreign, (
                    endpoint.method,
                    door,
                    status,
                    code,
                )


@pytest.mark.parametrize("path", ["/auth/login", "/auth/link", "/bootstrap"])
async def test_no_other_site_signs_a_browser_in_that_sends_it_no_cookie(
    browser: Browser, path: str
) -> None:
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": THEIRS}, {"origin": "null"}):
        assert await send(browser, "POST", path, headers) == (403, "cross_site")
    for headers in ({}, {"sec-fetch-site": "same-origin"}, {"origin": OURS}):
        assert (await send(browser, "POST", path, headers))[1] != "cross_site"


def test_the_exceptions_are_apple_s_answer_the_letter_s_one_click_and_meta_s_signed_requests() -> (
    None
):
    assert {endpoint.path for endpoint in UNSAFE if endpoint.foreign} == {
        "/auth/apple/callback",
        "/notifications/unsubscribe",
        "/social/meta/data-deletions",
        "/social/meta/deauthorizations",
    }


async def test_a_token_is_never_sent_by_a_browser_on_its_own(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    headers = {"authorization": "Bearer vil_nobody", "sec-fetch-site": "cross-site"}
    assert (await send(browser, "POST", "/api/news/read-marks", headers))[1] == "token_void"
    # Without /api an address may look at the cookie, so the rule holds.
    assert (await send(browser, "POST", "/auth/link", headers))[1] == "cross_site"


async def test_a_form_s_own_method_is_no_way_around(browser: Browser, services: Services) -> None:
    await browser.sign_in(await member(services))
    answer = await browser.client.post(
        "/settings/sessions/1", data={"_method": "DELETE"}, headers={"sec-fetch-site": "cross-site"}
    )
    assert answer.status_code == 403
