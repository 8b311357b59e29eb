"""API tokens: shown once, never more than their owner may do now, JSON only; service accounts have nothing else."""

import httpx2
import pytest

from app.services import Services
from tests.people import Browser, member

MINE = "/api/settings/tokens"


async def token_of(browser: Browser, scopes: list[str], **wish: object) -> str:
    """The secret of a new token of whoever is signed in; then the browser signs out."""
    asked = {"name": "script", "scopes": scopes, **wish}
    answer = await browser.json("POST", MINE, asked)
    assert answer.status_code == 201, answer.text
    browser.sign_out()
    return str(answer.json()["token"])


async def ask(browser: Browser, token: str, path: str, method: str = "GET", **options: object) -> httpx2.Response:  # fmt: skip
    """One request as curl sends it."""
    headers = {"authorization": f"Bearer {token}"}
    return await browser.client.request(method, path, headers=headers, **options)  # type: ignore[arg-type]


async def test_a_token_is_shown_once_and_kept_as_a_hash(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    form = {"name": "backup", "scopes": ["read", "write"]}
    answer = await browser.post("/settings/tokens", form)
    assert answer.status_code == 201 and answer.headers["cache-control"] == "no-store"
    token = next(word for word in answer.text.replace("<", " ").split(">") if "vil_" in word)
    secret = token.split()[0]
    again = await browser.get("/settings/tokens")
    assert secret not in again.text and "backup" in again.text
    row = await services.db.fetchrow(
        "SELECT t::text AS all, expires_at - created_at AS lives FROM api_tokens t"
    )
    assert secret not in row["all"] and row["lives"].days == 90


async def test_it_asks_without_cookies_and_is_answered_with_json(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    token = await token_of(browser, ["read"])
    for path in ("/api/settings/tokens", "/settings/tokens", "/links", "/"):
        answer = await ask(browser, token, path)
        assert answer.status_code == 200, path
        assert answer.headers["content-type"] == "application/json", path
    used = "SELECT used_on = current_date FROM api_tokens"
    assert await services.db.fetchval(used)


async def test_cookies_beside_a_token_are_ignored(browser: Browser, services: Services) -> None:
    await browser.sign_in(await member(services, "token@example.org"))
    token = await token_of(browser, ["read"])
    await browser.sign_in(await member(services, "cookie@example.org"))
    listed = await ask(browser, token, MINE)
    assert listed.json()["total"] == 1
    bad = await ask(browser, "vil_nonsense", MINE)
    assert bad.status_code == 401


@pytest.mark.parametrize(
    ("scopes", "method", "path", "status"),
    [
        (["read"], "GET", "/api/links", 200),
        (["read"], "POST", "/api/links", 403),
        (["write"], "POST", "/api/links", 201),
        (["view_system"], "GET", "/api/links", 403),
        (["view_system"], "GET", "/admin/api/jobs", 200),
        (["view_system"], "POST", "/admin/api/jobs", 403),
        (["read", "write"], "GET", "/admin/api/jobs", 403),
    ],
)
async def test_a_token_may_what_its_scopes_name(
    browser: Browser, services: Services, scopes: list[str], method: str, path: str, status: int
) -> None:
    await browser.sign_in(await member(services, role="ops"))
    token = await token_of(browser, scopes)
    body = {"json": {"url": "https://a.example/"}} if method == "POST" else {}
    assert (await ask(browser, token, path, method, **body)).status_code == status


async def test_never_more_than_the_owner_has_now(browser: Browser, services: Services) -> None:
    ops = await member(services, role="ops")
    await browser.sign_in(ops)
    wish = {"name": "x", "scopes": ["read", "manage_money"]}
    refused = await browser.json("POST", MINE, wish)
    assert refused.status_code == 422 and "manage_money" in refused.json()["errors"]["scopes"]
    token = await token_of(browser, ["manage_system"])
    await services.db.execute("UPDATE users SET role = 'read_only' WHERE id = $1", ops.id)
    assert (await ask(browser, token, "/admin/api/jobs")).status_code == 403
    await services.db.execute("UPDATE users SET role = NULL WHERE id = $1", ops.id)
    assert (await ask(browser, token, "/admin/api/jobs")).status_code == 404


@pytest.mark.parametrize(
    "flaw", ["revoked_at = now()", "expires_at = now()", "allowed_ips = '{192.0.2.0/24}'"]
)
async def test_a_token_that_ended_or_comes_from_elsewhere_is_refused(
    browser: Browser, services: Services, flaw: str
) -> None:
    await browser.sign_in(await member(services))
    token = await token_of(browser, ["read"])
    await services.db.execute(f"UPDATE api_tokens SET {flaw}")
    answer = await ask(browser, token, MINE)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_void")


async def test_it_works_from_the_networks_that_were_named(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    token = await token_of(browser, ["read"], allowed_ips="192.0.2.1, 127.0.0.0/8", days=365)
    assert (await ask(browser, token, MINE)).status_code == 200


@pytest.mark.parametrize(
    "wish",
    [{"days": 366}, {"days": 0}, {"scopes": []}, {"allowed_ips": "my house"}, {"name": ""}],
)
async def test_what_a_token_cannot_be(
    browser: Browser, services: Services, wish: dict[str, object]
) -> None:
    await browser.sign_in(await member(services))
    asked = {"name": "x", "scopes": ["read"], **wish}
    answer = await browser.json("POST", MINE, asked)
    assert answer.status_code == 422 and answer.json()["errors"].keys() == wish.keys()


async def test_tokens_need_a_fresh_sign_in_and_cannot_make_others(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services))
    token = await token_of(browser, ["read", "write"])
    wish = {"name": "x", "scopes": ["read"]}
    answer = await ask(browser, token, MINE, "POST", json=wish)
    assert (answer.status_code, answer.json()["code"]) == (401, "step_up_needed")


async def test_a_revoked_token_is_dead_at_once(browser: Browser, services: Services) -> None:
    ada = await member(services)
    await browser.sign_in(ada)
    token = await token_of(browser, ["read"])
    token_id = await services.db.fetchval("SELECT id FROM api_tokens")
    await browser.sign_in(await member(services, "other@example.org"))
    assert (await browser.json("DELETE", f"{MINE}/{token_id}")).status_code == 404
    await browser.sign_in(ada)
    form = {"_method": "DELETE"}
    assert (await browser.post(f"/settings/tokens/{token_id}", form)).status_code == 303
    assert (await ask(browser, token, MINE)).status_code == 401


async def test_a_service_account_has_tokens_only(browser: Browser, services: Services) -> None:
    await browser.sign_in(await member(services, "root@example.org", "super_admin"))
    made = await browser.json(
        "POST", "/admin/api/users/services", {"name": "Firewall", "reason": "Reads the bans"}
    )
    path = f"/admin/api/users/services/{made.json()['id']}"
    wish = {"name": "eu", "scopes": ["view_limits"]}
    assert (await browser.json("POST", f"{path}/tokens", wish)).status_code == 422
    role = {"role": "read_only", "reason": "Bans only"}
    await browser.json("PUT", f"/admin/api/users/roles/{made.json()['id']}", role)
    wish["scopes"] = ["view_system"]
    token = (await browser.json("POST", f"{path}/tokens", wish)).json()["token"]
    assert "Firewall" in (await browser.get("/admin/users/services")).text
    page = await browser.get(f"/admin/users/services/{made.json()['id']}")
    assert "eu" in page.text and token not in page.text
    mine = browser.client.cookies
    browser.client.cookies = httpx2.Cookies()
    assert (await ask(browser, token, "/admin/api/jobs")).status_code == 200
    assert (await ask(browser, token, "/api/settings/tokens")).status_code == 403
    browser.client.cookies = mine
    assert (await browser.json("DELETE", path, {"reason": "Gone"})).status_code == 200
    browser.sign_out()
    assert (await ask(browser, token, "/admin/api/jobs")).status_code == 401


async def test_one_token_of_a_service_account_is_revoked(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services, "root@example.org", "super_admin"))
    new = {"name": "Firewall", "reason": "Reads the bans"}
    answer = await browser.post("/admin/users/services", new)
    path = answer.headers["location"]
    made = await browser.post(f"{path}/tokens", {"name": "eu", "scopes": "read"})
    assert made.status_code == 201 and "vil_" in made.text
    token_id = await services.db.fetchval("SELECT id FROM api_tokens")
    form = {"_method": "DELETE"}
    assert (await browser.post(f"{path}/tokens/{token_id}", form)).status_code == 303
    assert (await browser.json("GET", path)).json()["tokens"] == []
