"""Rule 25: whole versions, restored byte for byte, refused where nobody watches, and audited."""

import random
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.platform import metrics
from app.domain.platform.flags import changes, history, listing, shipped
from app.domain.platform.flags.changes import Author
from app.domain.platform.readers import Reader
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.services import Services
from tests.people import member

KEY = "stocks_widget"
STATES = "SELECT version, after_state::text AS text FROM feature_flag_audit WHERE flag_key = $1 ORDER BY version"
NOW = "SELECT flag_state(flag)::text FROM feature_flags AS flag WHERE key = $1"
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.booleans(),
        "rollout_percentage": st.integers(0, 100),
        "whitelist": st.lists(st.integers(1, 99).map(str), max_size=5),
        "description": st.text("abc ÄĈ 漢", max_size=20),
        "kind": st.sampled_from(("release", "experiment", "ops", "kill_switch")),
        "owner_id": st.none() | st.integers(1, 99),
        "review_on": st.none() | st.dates().map(str),
        "plan": st.none() | st.just({"uris": ["/listings"]}),
        "needs_metrics": st.lists(st.just("never_seen_total"), max_size=1),
        "analytics_enabled": st.booleans(),
    },
)


@given(edits=st.lists(FIELDS, min_size=1, max_size=8), seed=st.integers())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_any_version_comes_back_byte_for_byte(
    services: Services, root: Reader, edits: list[dict[str, Any]], seed: int
) -> None:
    by, pick = Author(root, "test", override=True), random.Random(seed)
    for edit in edits:
        await changes.change(services, by, KEY, edit)
        kept = await services.db.fetch(STATES, KEY)
        assert kept[-1]["text"] == await services.db.fetchval(NOW, KEY)
        old = pick.choice(kept)
        await changes.restore(services, by, KEY, old["version"])
        assert await services.db.fetchval(NOW, KEY) == old["text"]
    kept = await services.db.fetch(STATES, KEY)
    assert [row["version"] for row in kept] == list(range(1, len(kept) + 1))


async def test_a_change_is_a_version_with_both_states_and_an_audit_row(
    services: Services, root: Reader
) -> None:
    await changes.change(services, Author(root, "try it"), KEY, {"enabled": True})
    found = (await history.of_flag(services, root, KEY)).items
    assert [(one.version, one.action) for one in found] == [(2, "changed"), (1, "created")]
    [difference] = found[0].differences
    assert (difference.name, difference.before, difference.after) == ("Switch", "off", "on")
    row = await services.db.fetchrow(
        "SELECT action, target_id, reason, before ->> 'enabled' AS before, after ->> 'enabled' AS after"
        " FROM audit_log WHERE actor_id = $1",
        root.id,
    )
    assert tuple(row) == ("flag.changed", KEY, "try it", "false", "true")


async def test_a_change_that_changes_nothing_is_no_version(
    services: Services, root: Reader
) -> None:
    await changes.change(services, Author(root), KEY, {"enabled": False, "rollout_percentage": 0})
    assert len(await services.db.fetch(STATES, KEY)) == 1


async def test_what_was_kept_of_a_version_cannot_be_changed(services: Services) -> None:
    for statement in (
        "UPDATE feature_flag_audit SET reason = 'other'",
        "DELETE FROM feature_flag_audit",
    ):
        with pytest.raises(asyncpg.RaiseError):
            async with services.tx() as tx:
                await tx.db.execute(statement)


async def test_two_admins_who_looked_at_the_same_version_do_not_overwrite_each_other(
    services: Services, root: Reader
) -> None:
    by = Author(root)
    await changes.change(services, by, KEY, {"enabled": True}, seen_version=1)
    with pytest.raises(Conflict):
        await changes.change(services, by, KEY, {"rollout_percentage": 3}, seen_version=1)


async def test_whoever_may_only_stop_flags_switches_one_off_and_nothing_else(
    services: Services,
) -> None:
    by = Author(await member(services, "ops@example.org", role="ops"), "it hurts")
    for fields in ({"enabled": True}, {"rollout_percentage": 5}, {"enabled": False, "whitelist": ["7"]}, {}):  # fmt: skip
        with pytest.raises(Forbidden):
            await changes.change(services, by, "marketplace", fields)
    await changes.change(services, by, "marketplace", {"enabled": False})
    row = await services.db.fetchrow(
        "SELECT action, version FROM feature_flag_audit WHERE flag_key = 'marketplace' ORDER BY version DESC LIMIT 1"
    )
    assert tuple(row) == ("stopped", 2)


async def test_nothing_goes_above_five_percent_without_the_metrics_it_needs(
    services: Services, root: Reader
) -> None:
    by = Author(root, "on")
    needs = {"needs_metrics": ["stock_quotes_total"], "enabled": True}
    await changes.change(services, by, KEY, {**needs, "rollout_percentage": 5})
    with pytest.raises(Conflict) as refused:
        await changes.change(services, by, KEY, {"rollout_percentage": 6})
    assert refused.value.code == "no_telemetry"
    await metrics.flush(services, [], ["stock_quotes_total"])
    await changes.change(services, by, KEY, {"rollout_percentage": 50})
    await services.db.execute("UPDATE metric_sightings SET seen_at = now() - interval '10 minutes'")
    with pytest.raises(Conflict):
        await changes.change(services, by, KEY, {"rollout_percentage": 51})
    # Fewer people are never refused, and neither is a super_admin who takes it upon themselves.
    await changes.change(services, by, KEY, {"rollout_percentage": 20})
    await changes.change(services, Author(root, "on", override=True), KEY, {"rollout_percentage": 100})  # fmt: skip


async def test_an_override_is_for_super_admins_alone(services: Services, root: Reader) -> None:
    granted = Reader(id=root.id, kind="member", role="ops", permissions=frozenset(["manage_flags"]))
    by = Author(granted, "please", override=True)
    fields = {"enabled": True, "rollout_percentage": 50, "needs_metrics": ["never_seen_total"]}
    with pytest.raises(Conflict):
        await changes.change(services, by, KEY, fields)


async def test_a_restored_version_is_watched_too(services: Services, root: Reader) -> None:
    over = Author(root, "on", override=True)
    wide = {"enabled": True, "rollout_percentage": 100, "needs_metrics": ["never_seen_total"]}
    await changes.change(services, over, KEY, wide)
    await changes.change(services, over, KEY, {"enabled": False})
    with pytest.raises(Conflict):
        await changes.restore(services, Author(root), KEY, 2)
    with pytest.raises(NotFound):
        await changes.restore(services, over, KEY, 99)


@pytest.mark.parametrize(
    "fields",
    [
        {"whitelist": ["ada@example.org"]},
        {"rollout_percentage": 101},
        {"kind": "other"},
        {"review_on": "soon"},
        {"needs_metrics": ["not a metric!"]},
        {"plan": {"uris": ["listings"]}},
    ],
)
async def test_what_cannot_be_used_is_refused(
    services: Services, root: Reader, fields: dict[str, Any]
) -> None:
    with pytest.raises(Invalid):
        await changes.change(services, Author(root), KEY, fields)


async def test_shipped_flags_come_once_and_stay_as_people_set_them(
    services: Services, root: Reader
) -> None:
    await changes.change(services, Author(root), "scenes", {"enabled": False})
    assert await shipped.seed(services) == 0
    found = {flag.key: flag for flag in (await listing.every(services, root)).items}
    assert len(found) == len(shipped.SHIPPED) == 13
    assert not found["scenes"].enabled
    assert found["marketplace"].enabled and found["marketplace"].rollout_percentage == 100
    assert await shipped.seed_demo(services) == 3
    assert await shipped.seed_demo(services) == 0
    assert (await listing.by_key(services, root, KEY)).enabled


async def test_people_on_a_list_are_hidden_from_those_who_may_not_see_people(
    services: Services, root: Reader
) -> None:
    await changes.change(services, Author(root), KEY, {"whitelist": ["4711"]})
    eyes = await member(services, "eyes@example.org", role="read_only")
    flag = await listing.by_key(services, eyes, KEY)
    assert (flag.whitelist, flag.whitelisted) == (None, 1)
    assert "4711" not in str(await history.of_flag(services, eyes, KEY))
