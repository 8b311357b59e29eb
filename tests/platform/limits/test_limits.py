"""Limits: tiers, subjects, headers, the way a refusal looks, and what happens without Redis."""

import dataclasses
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from app.domain.platform import limiters, rate_limits, rate_violations
from app.domain.platform.limiters import Limit, Limiter
from app.domain.platform.rate_limits import OverLimit
from app.domain.platform.readers import Reader
from app.errors import Forbidden, ServiceDown, SignInNeeded
from app.services import Services
from tests.conftest import client_on
from tests.people import Browser, member

HERE, THERE = "203.0.113.7", "203.0.113.8"


def tightened(services: Services, **limits: int) -> Limiter:
    """The limiter of these services with some limits of all tiers changed: search=3."""
    limiter: Limiter = services.memory["limits"]
    for action, most in limits.items():
        for tier in limiters.TIERS:
            seconds = limiter.limit(action, tier).seconds
            limiter.limits[action, tier] = Limit(most, seconds)
    return limiter


async def spent(services: Services, who: Any, action: str, times: int, **where: str) -> int:
    """How many of so many acts are let through."""
    through = 0
    for _ in range(times):
        try:
            await rate_limits.spend(services, who, action, **where)
            through += 1
        except OverLimit as refused:
            assert refused.retry_after and refused.retry_after > 0
    return through


async def test_two_processes_share_one_count(process: Callable[[], Services]) -> None:
    one, other = process(), process()
    through = 0
    for services in (one, other) * 15:
        through += await spent(services, None, "search", 1, caller=HERE)
    assert through == 20
    assert await spent(one, None, "search", 1, caller=THERE) == 1


async def test_members_have_more_room_and_a_count_of_their_own(limited: Services) -> None:
    who = await member(limited)
    assert await spent(limited, who, "search", 60, caller=HERE) == 50
    assert await spent(limited, None, "search", 30, caller=HERE) == 20


async def test_a_starred_action_counts_the_member_and_the_address(limited: Services) -> None:
    ada = await member(limited)
    people = [await member(limited, f"p{n}@example.org") for n in range(5)]
    tightened(limited, vote=4)
    assert await spent(limited, ada, "vote", 6, caller=HERE) == 4
    # The address is used up for others too; from elsewhere they have room, and Ada has not.
    assert [await spent(limited, who, "vote", 1, caller=HERE) for who in people] == [0] * 5
    assert await spent(limited, people[0], "vote", 1, caller=THERE) == 1
    assert await spent(limited, ada, "vote", 1, caller=THERE) == 0


async def test_an_ipv6_network_of_64_bits_is_one_caller(limited: Services) -> None:
    tightened(limited, search=2)
    for address in ("2001:db8::1", "2001:db8::2"):
        assert await spent(limited, None, "search", 1, caller=address) == 1
    assert await spent(limited, None, "search", 1, caller="2001:db8::ffff") == 0
    assert await spent(limited, None, "search", 1, caller="2001:db8:0:1::1") == 1


async def test_admins_are_counted_and_not_stopped(limited: Services) -> None:
    limiter = tightened(limited, search=3)
    who = await member(limited, role="ops")
    assert await spent(limited, who, "search", 5, caller=HERE) == 5
    verdict = await rate_limits.spend(limited, who, "search", caller=HERE)
    assert verdict is not None and verdict.is_over and verdict.remaining == 0
    assert {subject.address for subject, _, _ in limiter.violations} == {None}


async def test_zero_is_not_for_this_tier(limited: Services) -> None:
    with pytest.raises(SignInNeeded):
        await rate_limits.spend(limited, None, "vote", caller=HERE)
    tightened(limited, vote=0)
    with pytest.raises(Forbidden) as refused:
        await rate_limits.spend(limited, await member(limited), "vote", caller=HERE)
    assert refused.value.code == "not_for_tier"


async def test_one_mail_address_is_one_subject_whoever_asks(limited: Services) -> None:
    for n in range(5):
        where = {"subject": "Ada@example.org" if n % 2 else "ada@example.org"}
        assert await spent(limited, None, "login_address", 1, **where) == 1
    assert await spent(limited, None, "login_address", 1, subject="ADA@example.org") == 0
    assert await spent(limited, None, "login_address", 1, subject="bob@example.org") == 1


async def test_a_click_over_the_limit_is_served_and_known(limited: Services) -> None:
    tightened(limited, click=1)
    assert await spent(limited, None, "click", 5, caller=HERE) == 5
    verdict = await rate_limits.spend(limited, None, "click", caller=HERE)
    assert verdict is not None and verdict.is_over


async def test_pages_counted_in_memory_are_shared_with_the_next_turn(
    process: Callable[[], Services],
) -> None:
    one, other = process(), process()
    for services in (one, other):
        assert await spent(services, None, "page", 149, caller=HERE) == 149
    for services in (one, other, one, other):
        await spent(services, None, "page", 1, caller=HERE)
        await rate_violations.tend(services)
    for services in (one, other):
        assert await spent(services, None, "page", 2, caller=HERE) == 0
    late = process()
    assert await spent(late, None, "page", 1, caller=HERE) == 1
    await rate_violations.tend(late)
    assert await spent(late, None, "page", 1, caller=HERE) == 0


async def test_without_redis_the_doors_count_in_postgresql(
    services: Services, alone: Services
) -> None:
    other = dataclasses.replace(services, memory={"limits": Limiter()})
    through = 0
    for here in (alone, other) * 8:
        through += await spent(here, None, "login", 1, caller=HERE)
    assert through == 10
    # The rest is counted by each process alone.
    assert [await spent(here, None, "search", 25, caller=HERE) for here in (alone, other)] == [
        20,
        20,
    ]


async def test_a_redis_that_falls_forgives_no_sign_in(
    process: Callable[[], Services], alone: Services
) -> None:
    assert await spent(process(), None, "login", 6, caller=HERE) == 6
    assert await spent(alone, None, "login", 10, caller=HERE) == 4


async def test_without_redis_and_postgresql_the_doors_count_in_memory(
    alone: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise ServiceDown("away")

    monkeypatch.setattr("app.domain.platform.rate_windows.hit", away)
    assert await spent(alone, None, "login", 12, caller=HERE) == 10


async def test_where_no_limiter_is_nothing_is_counted(services: Services) -> None:
    assert await rate_limits.spend(services, None, "vote", caller=HERE) is None


async def test_an_answer_says_what_is_left(caller: Browser) -> None:
    for left in (19, 18):
        answer = await caller.get("/search?q=goats")
        assert answer.status_code == 200
        assert answer.headers["x-ratelimit-limit"] == "20"
        assert answer.headers["x-ratelimit-remaining"] == str(left)
        assert 0 < int(answer.headers["x-ratelimit-reset"]) <= 60
        assert answer.headers["x-ratelimit-window"] == "60"
    assert (await caller.get("/news")).headers["x-ratelimit-limit"] == "300"
    assert (await caller.json("GET", "/api/news")).headers["x-ratelimit-limit"] == "60"


@pytest.mark.parametrize("path", ["/heartbeat", "/metrics", "/public/css/base.css", "/q/health"])
async def test_probes_metrics_and_files_are_exempt(caller: Browser, path: str) -> None:
    tightened(caller.services, page=0)
    answer = await caller.get(path)
    assert answer.status_code == 200
    assert "x-ratelimit-limit" not in answer.headers


async def test_the_front_page_from_memory_is_counted(caller: Browser) -> None:
    tightened(caller.services, page=3)
    answers = [await caller.get("/") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == list("21000")


async def test_a_refused_twin_is_a_problem_with_retry_after(caller: Browser) -> None:
    tightened(caller.services, search=1)
    await caller.json("GET", "/api/search?q=goats")
    answer = await caller.json("GET", "/api/search?q=goats")
    assert answer.status_code == 429
    assert answer.json()["code"] == "too_many"
    assert 0 < int(answer.headers["retry-after"]) <= 121
    assert answer.headers["x-ratelimit-remaining"] == "0"


async def test_a_refused_form_keeps_what_was_entered(caller: Browser) -> None:
    tightened(caller.services, page_edit=1)
    form: dict[str, object] = {"url": "https://goats.example/", "title": "Goats & sheep"}
    await caller.post("/links", form)
    answer = await caller.post("/links", form)
    assert answer.status_code == 429
    assert 'name="title" value="Goats &amp; sheep"' in answer.text
    assert 'name="url" value="https://goats.example/"' in answer.text
    assert "Send it again" in answer.text


async def test_sign_ins_are_limited_by_address_and_by_letter(caller: Browser) -> None:
    statuses = [
        (await caller.post("/auth/login", {"email": f"p{n // 5}@example.org"})).status_code
        for n in range(11)
    ]
    assert statuses == [202] * 10 + [429]
    tightened(caller.services, login=100)
    answer = await caller.post("/auth/login", {"email": "p0@example.org"})
    assert answer.status_code == 429
    assert 'value="p0@example.org"' in answer.text


@pytest.mark.parametrize(("proxies", "through"), [("", 20), ("127.0.0.0/8", 25)])
async def test_a_forged_forwarded_address_gains_nothing(
    process: Callable[[], Services], proxies: str, through: int
) -> None:
    here = process()
    settings = dataclasses.replace(here.settings, trusted_proxies=proxies)
    async with client_on(dataclasses.replace(here, settings=settings)) as client:
        statuses = [
            (await client.get("/search?q=goats", headers=forwarded(n, proxies))).status_code
            for n in range(25)
        ]
        assert statuses.count(200) == through
        # Behind our proxy the last one counts, which the proxy itself has seen.
        if proxies:
            forged = {"x-forwarded-for": f"198.51.100.99, {THERE}"}
            found = [await client.get("/search?q=goats", headers=forged) for _ in range(21)]
            assert found[-1].status_code == 429


def forwarded(n: int, proxies: str) -> dict[str, str]:
    """A header by which each request claims another address."""
    return {"x-forwarded-for": f"198.51.100.{n}" + (f", 127.0.0.1{n % 2}" if not proxies else "")}


async def test_visitors_are_told_to_sign_in_where_an_act_is_for_members(caller: Browser) -> None:
    answer: httpx2.Response = await caller.json(
        "POST", "/api/feeds", {"url": "https://p.example/feed"}
    )
    assert answer.status_code == 401
    assert answer.json()["code"] == "sign_in_needed"


async def test_an_admin_who_sees_the_site_as_a_member_spends_their_own(alone: Services) -> None:
    tightened(alone, search=3)
    seen = Reader(id=7, kind="member", impersonator_id=1)
    assert await spent(alone, seen, "search", 5, caller=HERE) == 3
    assert {subject.user_id for subject, _, _ in alone.memory["limits"].violations} == {1}
    assert await spent(alone, Reader(id=7, kind="member"), "search", 5, caller=HERE) == 3


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("OPTIONS", "/news")])
async def test_what_finds_no_endpoint_is_counted_as_a_page(
    limited: Services, caller: Browser, method: str, path: str
) -> None:
    tightened(limited, page=3)
    answers = [await caller.ask(method, path) for _ in range(5)]
    missed = 404 if method == "GET" else 405
    assert [answer.status_code for answer in answers] == [missed] * 3 + [429] * 2
