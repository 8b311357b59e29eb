"""Violations are written down, and some of them are bans; banned networks and members are refused until the end."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.platform import bans, limiters, rate_violations
from app.domain.platform.limiters import Subject
from app.domain.platform.readers import Reader
from app.errors import Conflict, Invalid, NotFound
from app.services import Services
from tests.conftest import client_on
from tests.people import Browser, member

HERE = Subject(None, "203.0.113.7")
HOURS = "SELECT round(extract(epoch FROM ends_at - created_at) / 3600.0, 2)::float FROM bans ORDER BY id DESC LIMIT 1"


async def gone_over(
    services: Services, subject: Subject, action: str, times: int, tier: str = "anonymous"
) -> None:
    """Let a subject go over a limit so often, and write it down."""
    services.memory["limits"].violations[subject, action, tier] += times
    await rate_violations.tend(services)


async def ban_of(services: Services, subject: Subject) -> Any:
    """The live ban of a subject."""
    return await services.db.fetchrow(
        "SELECT * FROM bans WHERE (user_id = $1 OR network = $2::text::inet::cidr) AND lifted_at IS NULL AND ends_at > now()",
        *subject,
    )


async def let_pass(services: Services, hours: float) -> None:
    """Let so many hours go by for bans, violations and windows."""
    span = timedelta(hours=hours)
    await services.db.execute(
        "UPDATE bans SET ends_at = ends_at - $1::interval, created_at = created_at - $1::interval",
        span,
    )
    await services.db.execute(
        "UPDATE rate_limit_violations SET last_at = last_at - $1::interval", span
    )
    await services.db.execute(
        "UPDATE rate_limit_windows SET began_at = began_at - $1::interval", span
    )


async def test_one_subject_over_one_limit_is_one_row_a_day(alone: Services) -> None:
    who = await member(alone, role="ops")
    for times in (2, 3):
        await gone_over(alone, HERE, "search", times)
    await gone_over(alone, HERE, "page", 1)
    found = await rate_violations.found(
        alone, who, rate_violations.Filter(ip_address="203.0.113.7")
    )
    assert [(one.action, one.violation_count) for one in found.items] == [
        ("page", 1),
        ("search", 5),
    ]
    one = rate_violations.Filter(action="search", since="2020-01-01T00:00")
    assert [v.first_at <= v.last_at for v in (await rate_violations.found(alone, who, one)).items]


@pytest.mark.parametrize(
    ("action", "violations", "hours"),
    [("bootstrap", 5, 24.0), ("login", 10, 0.25), ("listing_create", 3, 1.0)],
)
async def test_a_rule_bans_at_its_number(
    alone: Services, action: str, violations: int, hours: float
) -> None:
    for _ in range(violations - 1):
        await gone_over(alone, HERE, action, 1)
    assert await ban_of(alone, HERE) is None
    await gone_over(alone, HERE, action, 1)
    assert (await ban_of(alone, HERE))["source"] == "rule"
    assert await alone.db.fetchval(HOURS) == hours


async def test_violations_long_apart_are_no_ban(alone: Services) -> None:
    for _ in range(6):
        await gone_over(alone, HERE, "bootstrap", 2)
        await let_pass(alone, 2.1)
    assert await ban_of(alone, HERE) is None


async def test_five_kinds_within_an_hour_are_a_ban(alone: Services) -> None:
    for action in ("search", "page", "api", "click"):
        await gone_over(alone, HERE, action, 1)
    await let_pass(alone, 1.1)
    await gone_over(alone, HERE, "suggest", 1)
    assert await ban_of(alone, HERE) is None
    for action in ("search", "page", "api", "click"):
        await gone_over(alone, HERE, action, 1)
    assert await alone.db.fetchval(HOURS) == 1.0


async def test_a_repeat_within_seven_days_doubles_up_to_seven_days(alone: Services) -> None:
    lengths = []
    for _ in range(5):
        await gone_over(alone, HERE, "bootstrap", 5)
        lengths.append(await alone.db.fetchval(HOURS))
        await let_pass(alone, lengths[-1] + 1)
    assert lengths == [24, 48, 96, 168, 168]
    await let_pass(alone, 8 * 24)
    await gone_over(alone, HERE, "bootstrap", 5)
    assert await alone.db.fetchval(HOURS) == 24


async def test_loopback_proxies_and_admins_are_never_banned_by_rule(alone: Services) -> None:
    settings = dataclasses.replace(alone.settings, trusted_proxies="198.51.100.0/24")
    here = dataclasses.replace(alone, settings=settings)
    admin = await member(here, role="support")
    for subject in (
        Subject(None, "127.0.0.1"),
        Subject(None, "198.51.100.9"),
        Subject(admin.id, None),
    ):
        await gone_over(here, subject, "bootstrap", 9)
        assert await ban_of(here, subject) is None
    assert await here.db.fetchval("SELECT count(*) FROM rate_limit_violations") == 3


async def test_a_member_banned_by_rule_may_read_and_change_nothing(
    limited: Services, caller: Browser
) -> None:
    who = await member(limited)
    await caller.sign_in(who)
    await gone_over(limited, Subject(who.id, None), "listing_create", 3, "logged_in")
    told = "SELECT template FROM emails WHERE user_id = $1"
    assert await limited.db.fetchval(told, who.id) == "banned"
    assert (await caller.get("/news")).status_code == 200
    answer = await caller.json("POST", "/api/links", {"url": "https://goats.example/"})
    assert (answer.status_code, answer.json()["code"]) == (403, "banned")
    assert str(datetime.now(UTC).year) in answer.json()["detail"]
    assert (await caller.post("/auth/logout")).status_code == 303


async def banned(services: Services, network: str, hours: int = 1) -> bans.Ban:
    """A network banned by an admin, and known to this process."""
    admin = await member(services, f"admin{network[:4]}@example.org", role="ops")
    end = datetime.now(UTC) + timedelta(hours=hours)
    ban = await bans.add(services, admin, network=network, reason="Scraping.", ends_at=end)
    await limiters.refresh(services)
    return ban


async def from_address(services: Services, address: str, *, who: Reader | None = None) -> Any:
    """A browser that calls from an address."""
    client = client_on(services)
    client._transport.client = (address, 1)  # type: ignore[attr-defined]
    browser = Browser(client, services)
    if who is not None:
        await browser.sign_in(who)
    return browser


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.8"),
        ("203.0.113.0/24", "203.0.113.200", "203.0.114.1"),
        ("2001:db8::/48", "2001:db8:0:7::1", "2001:db9::1"),
        ("203.0.113.7", "::ffff:203.0.113.7", "::ffff:203.0.113.8"),
    ],
)
async def test_a_banned_network_gets_no_page_but_the_probes(
    limited: Services, network: str, inside: str, outside: str
) -> None:
    await banned(limited, network)
    there = await from_address(limited, inside)
    for path in ("/", "/news", "/bootstrap"):
        assert (await there.get(path)).status_code == 403
    assert (await there.post("/auth/anonymous")).status_code == 403
    answer = await there.json("GET", "/api/news")
    assert (answer.status_code, answer.json()["code"]) == (403, "banned")
    assert (await there.get("/heartbeat")).status_code == 200
    assert (await (await from_address(limited, outside)).get("/news")).status_code == 200


async def test_members_in_a_banned_network_sign_in_within_the_limits(limited: Services) -> None:
    await gone_over(limited, HERE, "search", 1)
    await gone_over(limited, HERE, "bootstrap", 5)
    await limiters.refresh(limited)
    await member(limited)
    there = await from_address(limited, "203.0.113.7")
    refused = await there.get("/news")
    assert refused.status_code == 403 and "/auth/login" in refused.text
    assert (await there.get("/auth/login")).status_code == 200
    assert (await there.post("/auth/login", {"email": "ada@example.org"})).status_code == 202
    letter = await limited.db.fetchval("SELECT text_body FROM emails ORDER BY id DESC LIMIT 1")
    token = letter.split("token=")[1].split()[0]
    assert (await there.get(f"/auth/link?token={token}")).status_code == 200
    assert (await there.post("/auth/link", {"token": token})).status_code == 303
    assert (await there.get("/settings/privacy")).status_code == 200
    there.sign_out()
    tries = [(await there.post("/auth/login", {"email": "x"})).status_code for _ in range(10)]
    assert tries[-1] == 429 and 403 not in tries


async def test_in_a_banned_network_members_read_and_admins_work(limited: Services) -> None:
    await banned(limited, "203.0.113.0/24")
    link: dict[str, object] = {"url": "https://goats.example/"}
    ada = await from_address(limited, "203.0.113.7", who=await member(limited))
    assert (await ada.get("/news")).status_code == 200
    assert (await ada.post("/links", link)).status_code == 403
    admin = await member(limited, "ops@example.org", role="ops")
    assert (
        await (await from_address(limited, "203.0.113.8", who=admin)).post("/links", link)
    ).status_code == 303


async def test_a_ban_ends_by_itself_and_when_it_is_lifted(limited: Services) -> None:
    limiter = limited.memory["limits"]
    limiter.learn_bans({"203.0.113.7/32": datetime.now(UTC) - timedelta(seconds=1)})
    assert limiter.banned_until("203.0.113.7") is None
    ban = await banned(limited, "203.0.113.7")
    assert limiter.banned_until("203.0.113.7") == ban.ends_at
    await bans.lift(limited, await member(limited, role="ops"), ban.id)
    await limiters.refresh(limited)
    assert limiter.banned_until("203.0.113.7") is None


async def test_lifting_one_of_two_bans_of_a_member_leaves_the_other(alone: Services) -> None:
    admin, who = await member(alone, "ops@example.org", role="ops"), await member(alone)
    ends = [datetime.now(UTC) + timedelta(hours=hours) for hours in (5, 2)]
    found = [
        await bans.add(alone, admin, user_id=who.id, reason=f"For {n}", ends_at=end)
        for n, end in enumerate(ends)
    ]
    until = "SELECT banned_until FROM users WHERE id = $1"
    assert await alone.db.fetchval(until, who.id) == ends[0]
    await bans.lift(alone, admin, found[0].id)
    assert await alone.db.fetchval(until, who.id) == ends[1]
    await bans.lift_of_member(alone, admin, who.id, "Sorry.")
    assert await alone.db.fetchval(until, who.id) is None
    with pytest.raises(NotFound):
        await bans.lift_of_member(alone, admin, who.id)


async def test_every_ban_and_its_lifting_is_in_the_audit_log(alone: Services) -> None:
    admin = await member(alone, role="ops")
    await gone_over(alone, HERE, "bootstrap", 5)
    await bans.lift(alone, admin, (await ban_of(alone, HERE))["id"], "A school.")
    rows = await alone.db.fetch(
        "SELECT action, actor_kind, target_id, reason FROM audit_log ORDER BY id DESC LIMIT 2"
    )
    assert [tuple(row) for row in rows] == [
        ("ban.lifted", "member", "203.0.113.7/32", "A school."),
        ("ban.added", "system", "203.0.113.7/32", "Too many tries to become the first admin."),
    ]


@pytest.mark.parametrize(
    "network", ["127.0.0.1", "127.0.0.0/8", "::1", "8.0.0.0/4", "goats", "0.0.0.0/0"]
)
async def test_what_is_ours_too_wide_or_no_network_cannot_be_banned(
    alone: Services, network: str
) -> None:
    admin = await member(alone, role="ops")
    end = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(Invalid):
        await bans.add(alone, admin, network=network, reason="Why not.", ends_at=end)


async def test_nobody_bans_themselves_or_an_admin(alone: Services) -> None:
    admin, other = (
        await member(alone, role="ops"),
        await member(alone, "b@example.org", role="support"),
    )
    end = datetime.now(UTC) + timedelta(hours=1)
    for user_id, problem in ((admin.id, Invalid), (other.id, Conflict), (-1, NotFound)):
        with pytest.raises(problem):
            await bans.add(alone, admin, user_id=user_id, reason="Why not.", ends_at=end)


async def test_the_last_super_admin_is_not_banned_by_number(
    browser: Browser, services: Services
) -> None:
    last = await member(services, "last@example.org", role="super_admin")
    ops = await member(services, "ops@example.org", role="ops")
    await services.db.execute(GRANTED, ops.id)
    await browser.sign_in(ops)
    wish = {"user_id": last.id, "reason": "A coup.", "hours": 1}
    answer = await browser.json("POST", "/admin/api/bans", wish)
    assert (answer.status_code, answer.json()["code"]) == (409, "last_super_admin")
    await member(services, "second@example.org", role="super_admin")
    assert (await browser.json("POST", "/admin/api/bans", wish)).status_code == 201


GRANTED = (
    "INSERT INTO admin_grants (user_id, permission, reason) VALUES ($1, 'manage_roles', 'A test')"
)


async def test_a_banned_member_may_look_with_head_as_with_get(
    browser: Browser, services: Services
) -> None:
    who = await member(services)
    await services.db.execute("UPDATE users SET banned_until = now() + interval '1 day'")
    await browser.sign_in(who)
    assert (await browser.ask("HEAD", "/news")).status_code == 200
    assert (await browser.ask("DELETE", "/links/1")).status_code == 403
