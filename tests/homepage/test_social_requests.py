"""Signed requests of the platforms: only with their signature, and after a deletion nothing is left (chapter 20 rule 21)."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from app.box import Box
from app.domain.homepage import social_pictures, social_posts
from app.errors import Forbidden
from app.outside import meta_signed_requests
from app.services import Services
from app.web.routes.homepage import SOCIAL
from tests.homepage.job_runs import run_jobs
from tests.homepage.social_trips import Traveller, media, travelling
from tests.people import cookie_of, member
from tests.platform.stored import ensure, keys_in, storing
from tests.world.social import encoded

__all__ = ["storing"]
ADA = "17900000000001001"


@pytest.fixture
async def traveller(storing: Services, box: Box) -> AsyncIterator[Traveller]:
    """A traveller whose site keeps pictures, with one post that has one."""
    await ensure(storing, "profiles")
    async with travelling(storing) as traveller:
        vendor = traveller.world.vendors["instagram"]
        vendor.said = [media(1, media_url=vendor.picture(1))]
        yield traveller


async def asks(traveller: Traveller, what: str, signed: str) -> httpx2.Response:
    """The platform's server posts a signed request: no cookie of ours, another site."""
    headers = {
        "accept": "application/json",
        "sec-fetch-site": "cross-site",
        "origin": "https://meta.example",
    }
    kept = dict(traveller.browser.client.cookies)
    traveller.browser.client.cookies.clear()
    answer = await traveller.browser.post(
        f"/social/meta/{what}", {"signed_request": signed}, headers=headers
    )
    for name, value in kept.items():
        traveller.browser.client.cookies.set(name, value, domain="testserver.local", path="/")
    return answer


async def left(traveller: Traveller) -> tuple[Any, ...]:
    """How many accounts, posts and thumbnails there are."""
    count = traveller.services.db.fetchval
    return (
        await count("SELECT count(*) FROM social_accounts"),
        await count("SELECT count(*) FROM social_posts"),
        len(await keys_in(traveller.services, "profiles")),
    )


async def test_a_signed_deletion_leaves_no_post_and_no_thumbnail(traveller: Traveller) -> None:
    await traveller.connect()
    assert await left(traveller) == (1, 1, 1)
    signed = traveller.world.vendors["instagram"].signed_request(ADA)
    answer = await asks(traveller, "data-deletions", signed)
    assert answer.status_code == 200 and set(answer.json()) == {"url", "confirmation_code"}
    path = urlsplit(answer.json()["url"]).path
    assert path == f"/social/meta/data-deletions/{answer.json()['confirmation_code']}"
    before = await traveller.browser.get(path)
    assert "1 account and 1 post deleted" in before.text and "under way" in before.text
    await run_jobs(traveller.services, "erase_social_pictures")
    assert await left(traveller) == (0, 0, 0)
    assert await traveller.services.db.fetchval("SELECT count(*) FROM stored_objects") == 0
    assert (await traveller.browser.json("GET", f"/api{path}")).json()["done_at"]
    assert "All that we had of it is gone" in (await traveller.browser.get(path)).text


async def test_an_invented_code_tells_nothing(traveller: Traveller) -> None:
    for code in ("0" * 32, "x"):
        answer = await traveller.browser.json("GET", f"/api/social/meta/data-deletions/{code}")
        assert answer.status_code == 404


def forged(payload: dict[str, Any], secret: str = "guessed") -> str:
    body = encoded(json.dumps(payload).encode())
    proof = hmac.new(secret.encode(), body.encode(), hashlib.sha256).digest()
    return f"{encoded(proof)}.{body}"


async def test_a_request_that_does_not_say_when_it_was_made_is_refused() -> None:
    payload = {"algorithm": "HMAC-SHA256", "user_id": ADA}
    with pytest.raises(Forbidden):
        meta_signed_requests.read(forged(payload), "guessed")
    assert meta_signed_requests.read(forged({**payload, "issued_at": 1}), "guessed").issued_at == 1


@pytest.mark.parametrize("what", ["deauthorizations", "data-deletions"])
async def test_a_forged_signature_is_refused(traveller: Traveller, what: str) -> None:
    await traveller.connect()
    payload = {"algorithm": "HMAC-SHA256", "user_id": ADA, "issued_at": 1}
    right = traveller.world.vendors["instagram"].signed_request(ADA)
    sign, body = right.split(".")
    other = encoded(json.dumps({**payload, "user_id": "7"}).encode())
    tries = [
        forged(payload),
        forged(payload, ""),
        f"{sign}.{other}",
        f".{body}",
        body,
        "",
        "ä.ö",
        f"{sign[:-4]}.{body}",
        traveller.world.vendors["instagram"].signed_request(ADA, algorithm="none"),
        traveller.world.vendors["instagram"].signed_request(ADA, issued_at=4_000_000_000),
        base64.b64encode(b"x" * 6000).decode(),
    ]
    for signed in tries:
        answer = await asks(traveller, what, signed)
        assert (answer.status_code, answer.json()["code"]) == (403, "bad_signature"), signed
    assert await left(traveller) == (1, 1, 1)


async def test_a_request_without_a_signature_is_no_request(traveller: Traveller) -> None:
    answer = await traveller.browser.json("POST", "/api/social/meta/data-deletions", {})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["signed_request"])
    answer = await traveller.browser.json("POST", "/api/social/meta/deauthorizations", {})
    assert answer.status_code == 422


def test_no_limit_and_no_ban_stops_a_platforms_signed_requests() -> None:
    mine = [one for one in SOCIAL if one.path.startswith("/social/meta/") and one.foreign]
    assert [one.spends for one in mine] == ["nothing", "nothing"]


async def test_a_deauthorization_disconnects_and_keeps_the_posts(traveller: Traveller) -> None:
    await traveller.connect()
    signed = traveller.world.vendors["instagram"].signed_request(ADA)
    assert (await asks(traveller, "deauthorizations", signed)).json() == {"accounts": 1}
    page = await traveller.page()
    assert page["accounts"][0]["state"] == "disconnected" and page["items"][0]["archived"]
    assert await traveller.services.db.fetchval("SELECT token_enc FROM social_accounts") is None


async def test_an_older_request_said_again_touches_no_newer_connection(
    traveller: Traveller,
) -> None:
    vendor = traveller.world.vendors["instagram"]
    await traveller.connect()
    older = vendor.signed_request(ADA, issued_at=1_700_000_000)
    for what in ("deauthorizations", "data-deletions"):
        await asks(traveller, what, older)
    assert await left(traveller) == (1, 1, 1)
    assert (await traveller.page())["accounts"][0]["is_connected"]


async def test_one_platforms_signature_is_not_anothers(traveller: Traveller) -> None:
    await traveller.connect("facebook")
    await traveller.connect()
    signed = traveller.world.vendors["facebook"].signed_request("1001")
    assert (await asks(traveller, "deauthorizations", signed)).json() == {"accounts": 2}
    states = {one["platform"]: one["is_connected"] for one in (await traveller.page())["accounts"]}
    assert states == {"instagram": True, "facebook": False}


async def test_two_platforms_with_one_secret_hear_each_others_requests(
    traveller: Traveller,
) -> None:
    vendors, doors = traveller.world.vendors, traveller.services.outside
    vendors["instagram"].client_secret = vendors["facebook"].client_secret
    doors["instagram"]._secret = doors["facebook_pages"]._secret
    await traveller.connect("facebook")
    await asks(traveller, "data-deletions", vendors["facebook"].signed_request("1001"))
    assert (await left(traveller))[:2] == (0, 0)
    noted = "SELECT platform || ' ' || accounts FROM social_deletions"
    assert await traveller.services.db.fetchval(noted) == "facebook 2"


async def test_everybody_who_connected_the_account_is_meant_and_nobody_else(
    traveller: Traveller,
) -> None:
    await traveller.connect()
    other = await member(traveller.services, "eve@example.org")
    traveller.browser.carry(await cookie_of(traveller.services, other))
    await traveller.connect()
    await traveller.connect(who="ben")
    await asks(
        traveller, "data-deletions", traveller.world.vendors["instagram"].signed_request(ADA)
    )
    names = [one["name"] for one in (await traveller.page())["accounts"]]
    assert names == ["ben_bakes"]
    assert await traveller.services.db.fetchval("SELECT count(*) FROM social_accounts") == 1


async def test_a_deletion_whose_job_died_is_taken_up_again_and_then_done(
    traveller: Traveller,
) -> None:
    services = traveller.services
    await traveller.connect()
    signed = traveller.world.vendors["instagram"].signed_request(ADA)
    answer = await asks(traveller, "data-deletions", signed)
    path = urlsplit(answer.json()["url"]).path
    await services.db.execute(
        "UPDATE delayed_jobs SET status = 'dead', finished_at = now() WHERE job_type = 'erase_social_pictures'"
    )
    await services.db.execute("UPDATE stored_objects SET created_at = now() - interval '1 day'")
    await services.db.execute("UPDATE social_deletions SET created_at = now() - interval '2 hours'")
    assert (await traveller.browser.json("GET", f"/api{path}")).json()["done_at"] is None
    await social_posts.archive(services)
    await run_jobs(services, "erase_social_pictures")
    assert await left(traveller) == (0, 0, 0)
    assert (await traveller.browser.json("GET", f"/api{path}")).json()["done_at"]


async def test_a_deletion_is_not_called_done_while_a_thumbnail_is_left(
    traveller: Traveller,
) -> None:
    services = traveller.services
    await traveller.connect()
    signed = traveller.world.vendors["instagram"].signed_request(ADA)
    await asks(traveller, "data-deletions", signed)
    await services.db.execute("UPDATE stored_objects SET created_at = now() - interval '1 minute'")
    await social_pictures.erase(services, [])
    done = "SELECT done_at IS NOT NULL FROM social_deletions"
    assert not await services.db.fetchval(done)
    await run_jobs(services, "erase_social_pictures")
    assert await services.db.fetchval(done)
