"""The flags that Village is shipped with (chapter 10 rule 23), and how they come into a new database."""

from typing import NamedTuple

from app.domain.platform.flags.evaluation import Rule
from app.services import Services


class Shipped(NamedTuple):
    """One flag as it is shipped: on for everybody, or off for everybody."""

    key: str
    kind: str
    is_on: bool
    description: str


SHIPPED = (
    Shipped("stocks_widget", "release", False, "The widget of stock prices on the homepage."),
    Shipped("social_integration", "release", False, "The widget of posts from social networks."),
    Shipped("promoted_listings", "release", False, "Listings that people pay to have seen first."),
    Shipped("marketplace", "kill_switch", True, "The marketplace: its pages, menu entry and jobs."),
    Shipped("good_sites", "kill_switch", True, "The link directory: its pages, menu and jobs."),
    Shipped("profiles", "kill_switch", True, "Public profiles."),
    Shipped("scenes", "kill_switch", True, "Scenes, their alliances and trust."),
    Shipped("campaigns", "kill_switch", True, "Campaigns that hand out codes."),
    Shipped("ai_tagging", "kill_switch", True, "News is sorted by AI beside the rules."),
    Shipped("radar_overlay", "kill_switch", True, "Rain radar on the weather page."),
    Shipped("screenshot_service", "kill_switch", True, "Pictures of sites are taken."),
    Shipped("screenshots_limited", "ops", False, "Says that few pictures can be taken now."),
    Shipped("search_degraded", "ops", False, "Says that search runs on its second engine."),
)
DEMO = ("stocks_widget", "social_integration", "promoted_listings")


def rules() -> dict[str, Rule]:
    """Return what a process goes by that has not yet heard from the database."""
    return {
        flag.key: Rule(flag.key, enabled=flag.is_on, rollout_percentage=100 * flag.is_on)
        for flag in SHIPPED
    }


# Every flag has its first version; one that is there already stays as people have set it.
SEED = """
WITH made AS (
    INSERT INTO feature_flags AS flag (key, kind, enabled, rollout_percentage, description)
    SELECT key, kind, is_on, CASE WHEN is_on THEN 100 ELSE 0 END, description
    FROM unnest($1::text[], $2::text[], $3::boolean[], $4::text[]) AS shipped (key, kind, is_on, description)
    ON CONFLICT (key) DO NOTHING
    RETURNING key, flag_state(flag) AS state
)
INSERT INTO feature_flag_audit (flag_key, version, action, after_state, actor_type, reason)
SELECT key, 1, 'created', state, 'system', 'Shipped with Village' FROM made
"""


async def seed(services: Services) -> int:
    """Add the shipped flags that are not there yet; return how many."""
    tag = await services.db.execute(SEED, *(list(column) for column in zip(*SHIPPED, strict=True)))
    return int(tag.split()[-1])


# Only what nobody has changed since: a demo that is started again leaves flags as people set them.
SEED_DEMO = """
WITH turned AS (
    UPDATE feature_flags AS flag
    SET enabled = true, rollout_percentage = 100, version = version + 1, step_since = now(), updated_at = now()
    WHERE key = ANY($1::text[]) AND version = 1
    RETURNING key, version, flag_state(flag) AS state
)
INSERT INTO feature_flag_audit (flag_key, version, action, before_state, after_state, actor_type, reason)
SELECT turned.key, turned.version, 'changed', older.after_state, turned.state, 'cli', 'Started as a demo'
FROM turned JOIN feature_flag_audit AS older ON older.flag_key = turned.key AND older.version = 1
"""


async def seed_demo(services: Services) -> int:
    """Switch on what a demo shows, where nobody has decided otherwise; return how many flags."""
    await seed(services)
    return int((await services.db.execute(SEED_DEMO, list(DEMO))).split()[-1])
