"""Connecting accounts: a trip in one session, tokens that nobody sees, and the way back (chapter 20 rules 54 and 64)."""

import dataclasses
from collections.abc import AsyncIterator

import pytest
from starlette.responses import JSONResponse

from app.domain.homepage import social, social_connections
from app.domain.platform import api_tokens, secret_rotation
from app.errors import NotFound
from app.services import Services
from app.web import seen_as
from tests.homepage.social_trips import Traveller, switch, travelling
from tests.people import cookie_of, member
from tests.world.identities import Person


@pytest.fixture
async def traveller(services: Services) -> AsyncIterator[Traveller]:
    async with travelling(services) as traveller:
        yield traveller


async def test_a_professional_account_is_connected_and_its_posts_come(traveller: Traveller) -> None:
    account = await traveller.connect()
    assert (account["title"], account["name"], account["state"]) == (
        "Instagram",
        "ada.makes",
        "fresh",
    )
    assert account["is_connected"] and account["expires_at"]
    assert len((await traveller.page("?limit=100"))["items"]) == 25


async def test_all_pages_that_a_person_looks_after_are_connected(traveller: Traveller) -> None:
    await traveller.connect("facebook")
    accounts = (await traveller.page())["accounts"]
    assert [one["name"] for one in accounts] == ["Harbour Books", "Friends of the Old Tram"]
    assert all(one["expires_at"] is None for one in accounts)


async def test_who_looks_after_no_page_connects_nothing(traveller: Traveller) -> None:
    answer = await traveller.go("facebook", "ben")
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_connect")


async def test_a_no_at_the_platform_connects_nothing(traveller: Traveller) -> None:
    answer = await traveller.consent(await traveller.set_out(), who="")
    back = await traveller.come_back(answer, accept="text/html")
    assert (back.status_code, back.headers["location"]) == (303, "/social")
    assert "Nothing was connected" in (await traveller.browser.get("/social")).text


async def test_without_script_a_page_leads_to_the_platform(traveller: Traveller) -> None:
    page = await traveller.browser.post("/social/instagram/connections")
    assert page.status_code == 200 and "Continue at Instagram" in page.text
    assert 'http-equiv="refresh"' in page.text and page.headers["cache-control"] == "no-store"
    quick = await traveller.browser.post(
        "/social/instagram/connections", headers={"hx-request": "true"}
    )
    assert quick.headers["hx-redirect"].startswith(traveller.world.vendors["instagram"].url)


async def test_an_answer_is_taken_once(traveller: Traveller) -> None:
    answer = await traveller.consent(await traveller.set_out())
    assert (await traveller.come_back(answer)).status_code == 200
    again = await traveller.come_back(answer)
    assert (again.status_code, again.json()["code"]) == (403, "bad_state")


async def test_an_old_or_invented_answer_is_refused(traveller: Traveller) -> None:
    answer = await traveller.consent(await traveller.set_out())
    await traveller.services.db.execute("UPDATE social_trips SET expires_at = now()")
    for tried in (answer, answer | {"state": "invented"}, {"code": answer["code"]}):
        refused = await traveller.come_back(tried)
        assert (refused.status_code, refused.json()["code"]) == (403, "bad_state")
    assert (await traveller.browser.get("/social/instagram/callback")).status_code == 403
    assert not (await traveller.page())["accounts"]


async def test_another_session_or_platform_cannot_bring_the_answer(traveller: Traveller) -> None:
    answer = await traveller.consent(await traveller.set_out())
    assert (await traveller.come_back(answer, "facebook")).json()["code"] == "bad_state"
    first = dict(traveller.browser.client.cookies)["vu_session"]
    other = await member(traveller.services, "eve@example.org")
    for who in (traveller.who, other):
        traveller.browser.carry(await cookie_of(traveller.services, who))
        assert (await traveller.come_back(answer)).json()["code"] == "bad_state"
    traveller.browser.carry(first)
    assert (await traveller.come_back(answer)).status_code == 200


async def test_a_code_that_the_platform_does_not_know_connects_nothing(
    traveller: Traveller,
) -> None:
    for name in ("instagram", "facebook"):
        answer = await traveller.consent(await traveller.set_out(name))
        refused = await traveller.come_back(answer | {"code": "invented"}, name)
        assert refused.status_code == 403
    assert not (await traveller.page())["accounts"]


@pytest.mark.parametrize("fault", ["503", "garbage", "shape", "half", "hang", "429"])
async def test_a_platform_in_trouble_connects_nothing_and_says_so(
    traveller: Traveller, fault: str
) -> None:
    traveller.services.outside["instagram"]._timeout = 0.5
    answer = await traveller.consent(await traveller.set_out())
    await traveller.world.fault("instagram", fault, times=None, seconds=2)
    back = await traveller.come_back(answer, accept="text/html")
    assert back.headers["location"] == "/social"
    assert "did not answer" in (await traveller.browser.get("/social")).text
    assert not (await traveller.page())["accounts"]


async def test_the_same_account_again_is_one_account_with_the_newer_token(
    traveller: Traveller,
) -> None:
    await traveller.connect()
    first = await traveller.services.db.fetchval("SELECT token_enc FROM social_accounts")
    await traveller.connect()
    rows = await traveller.services.db.fetch("SELECT token_enc FROM social_accounts")
    assert len(rows) == 1 and rows[0]["token_enc"] != first


TABLES = """
SELECT table_name::text AS name FROM information_schema.tables
WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
"""


async def test_no_token_is_in_a_dump_a_log_an_event_or_an_address(
    traveller: Traveller, capfd: pytest.CaptureFixture[str]
) -> None:
    await traveller.connect()
    await traveller.connect("facebook")
    vendors = [traveller.world.vendors[name] for name in ("instagram", "facebook")]
    tokens = {token for vendor in vendors for token in vendor.access_tokens}
    tokens |= set(vendors[1].page_tokens)
    dump = ""
    for table in await traveller.services.db.fetch(TABLES):
        rows = await traveller.services.db.fetch(f'SELECT t::text AS row FROM "{table["name"]}" t')
        dump += "\n".join(row["row"] for row in rows)
    page = str(await traveller.page()) + (await traveller.browser.get("/social")).text
    logged = "".join(capfd.readouterr())
    asked = [
        one for one in traveller.world.requests() if "/media" in one.path or "/posts" in one.path
    ]
    assert len(tokens) >= 5 and len(asked) == 3
    for token in tokens:
        for text in (dump, page, logged, *(one.query for one in asked)):
            assert token not in text and token.encode().hex() not in text


async def test_a_rotated_key_leaves_the_tokens_readable(traveller: Traveller) -> None:
    await traveller.connect()
    older = traveller.services.settings
    newer = dataclasses.replace(older, secret_keys=f"k2:{'7a' * 32},{older.secret_keys}")
    services = dataclasses.replace(traveller.services, settings=newer)
    done = {one.place: one for one in await secret_rotation.rotate(services)}
    assert done["social_accounts.token_enc"].resealed == 1
    only_new = dataclasses.replace(newer, secret_keys=f"k2:{'7a' * 32}")
    services = dataclasses.replace(services, settings=only_new)
    row = await services.db.fetchrow("SELECT id, token_enc FROM social_accounts")
    token = social_connections.unsealed(services, row["id"], row["token_enc"])
    assert token in traveller.world.vendors["instagram"].access_tokens


async def test_disconnecting_keeps_the_posts_or_deletes_them_as_asked(traveller: Traveller) -> None:
    account = await traveller.connect()
    address = f"/social/accounts/{account['id']}"
    kept = (await traveller.browser.json("DELETE", f"/api{address}?posts=keep")).json()
    assert kept["accounts"][0]["state"] == "disconnected" and kept["items"][0]["archived"]
    assert await traveller.services.db.fetchval("SELECT token_enc FROM social_accounts") is None
    gone = await traveller.browser.post(f"{address}?posts=delete", {"_method": "DELETE"})
    assert gone.headers["location"] == "/social"
    page = await traveller.page()
    assert (page["accounts"], page["items"]) == ([], [])


async def test_connecting_again_goes_on_with_the_posts_that_were_kept(traveller: Traveller) -> None:
    account = await traveller.connect()
    await traveller.browser.json("DELETE", f"/api/social/accounts/{account['id']}?posts=keep")
    again = await traveller.connect()
    assert (again["id"], again["state"]) == (account["id"], "fresh")
    assert not any(one["archived"] for one in (await traveller.page())["items"])


async def test_deleted_posts_do_not_come_back_and_later_ones_do(traveller: Traveller) -> None:
    account = await traveller.connect()
    address = f"/social/accounts/{account['id']}/posts"
    assert (await traveller.browser.json("DELETE", f"/api{address}")).json()["items"] == []
    await traveller.again()
    assert (await traveller.page())["items"] == []
    traveller.world.shift(8 * 3600)
    vendor = traveller.world.vendors["instagram"]
    newest = {**vendor.post(vendor.numbers()[0]), "timestamp": None}
    vendor.said = [newest]
    await traveller.again()
    assert len((await traveller.page())["items"]) == 1


async def test_another_members_accounts_are_not_found(traveller: Traveller) -> None:
    account = await traveller.connect()
    await traveller.browser.sign_in(await member(traveller.services, "eve@example.org"))
    for path in (f"{account['id']}?posts=delete", f"{account['id']}/posts"):
        answer = await traveller.browser.json("DELETE", f"/api/social/accounts/{path}")
        assert answer.status_code == 404
    assert (await traveller.page())["items"] == (await traveller.page())["accounts"] == []
    assert (await traveller.page(f"?account={account['id']}"))["items"] == []
    await traveller.browser.sign_in(traveller.who)
    assert len((await traveller.page())["accounts"]) == 1


async def test_with_the_flag_off_there_is_no_such_page_but_deleting_goes_on(
    traveller: Traveller,
) -> None:
    account = await traveller.connect()
    switch(traveller.services, on=False)
    for method, path in (("GET", "/social"), ("POST", "/social/instagram/connections")):
        assert (await traveller.browser.json(method, f"/api{path}")).status_code == 404
    gone = f"/api/social/accounts/{account['id']}?posts=delete"
    assert (await traveller.browser.json("DELETE", gone)).status_code == 200


async def test_what_is_not_set_up_cannot_be_connected(traveller: Traveller) -> None:
    own = dataclasses.replace(traveller.services, outside={})
    assert not social.platforms(own)
    for name in ("instagram", "facebook", "friendster"):
        with pytest.raises(NotFound):
            social_connections.door(own, name)


async def test_at_most_ten_accounts_are_connected(traveller: Traveller) -> None:
    for number in range(10):
        await traveller.services.db.execute(
            "INSERT INTO social_accounts (user_id, platform, account_id, subject) VALUES ($1, 'facebook', $2, 'x')",
            traveller.who.id,
            str(number),
        )
    answer = await traveller.go()
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many")


async def test_the_widget_comes_and_goes_with_the_flag(traveller: Traveller) -> None:
    await traveller.connect()
    added = await traveller.browser.json("POST", "/api/widgets", {"type": "social_feed"})
    assert added.status_code == 201
    key = added.json()["widget"]["key"]
    front = (await traveller.browser.get("/")).text
    assert f"widget-{key}" in front and "ada.makes" in front
    switch(traveller.services, on=False)
    assert "ada.makes" not in (await traveller.browser.get("/")).text
    offered = (await traveller.browser.json("GET", "/api/widgets")).json()
    assert "social_feed" not in {one["type"] for one in offered["types"]}
    for address in ("/api/widgets/social", f"/api/widgets/social?at=home.{key}"):
        assert (await traveller.browser.json("GET", address)).status_code == 404
    switch(traveller.services, on=True)
    assert "ada.makes" in (await traveller.browser.get("/")).text


async def test_a_disconnected_page_changes_at_once_although_it_is_kept(
    traveller: Traveller,
) -> None:
    account = await traveller.connect()
    await traveller.browser.json("POST", "/api/widgets", {"type": "social_feed"})
    before = await traveller.browser.get("/")
    same = await traveller.browser.get("/", headers={"if-none-match": before.headers["etag"]})
    assert same.status_code == 304
    await traveller.browser.json("DELETE", f"/api/social/accounts/{account['id']}?posts=delete")
    after = await traveller.browser.get("/", headers={"if-none-match": before.headers["etag"]})
    assert after.status_code == 200 and "ada.makes" not in after.text


@pytest.mark.parametrize("subject", ["", "a\u0000b", "x" * 500, "../7"])
async def test_a_platform_that_says_nonsense_of_who_came_connects_nothing(
    traveller: Traveller, subject: str
) -> None:
    vendor = traveller.world.vendors["instagram"]
    vendor.people["ada"] = Person(subject, "ada.makes", None)
    answer = await traveller.go()
    assert (answer.status_code, answer.json()["code"]) == (503, "garbage")
    assert await traveller.services.db.fetchval("SELECT count(*) FROM social_accounts") == 0


@pytest.mark.parametrize("token", ["t\u00f6ken", "to\nken", "", "x" * 20_000])
async def test_a_token_that_no_header_can_hold_is_none(traveller: Traveller, token: str) -> None:
    traveller.world.vendors["instagram"].longer = lambda _: JSONResponse({"access_token": token})
    answer = await traveller.go()
    assert (answer.status_code, answer.json()["code"]) == (503, "garbage")


async def test_a_script_or_an_admin_in_disguise_connects_nothing(traveller: Traveller) -> None:
    services, who = traveller.services, traveller.who
    wish = api_tokens.NewToken("script", ["read", "write"])
    token = await api_tokens.add(services, who, who.id, who.permissions, wish)
    traveller.browser.sign_out()
    headers = {"accept": "application/json", "authorization": f"Bearer {token.token}"}
    answer = await traveller.browser.post("/api/social/instagram/connections", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "no_session")
    assert {"connections", "callback"} <= seen_as.NEVER


async def test_the_platforms_own_page_can_send_its_signed_requests(traveller: Traveller) -> None:
    vendor = traveller.world.vendors["instagram"]
    page = await traveller.platform.get(f"{vendor.url}/apps")
    assert "Remove the app of ada.makes" in page.text
    early = await traveller.platform.post(f"{vendor.url}/apps", data={"who": "ada", "what": "x"})
    assert early.status_code == 409
