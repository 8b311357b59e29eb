"""Social accounts and posts as their owner sees them; nobody else does, and the owner is the one who asks (rule 56)."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from prometheus_client import Counter

from app.domain.homepage import social_pictures
from app.domain.homepage.social_connections import DOORS, TITLES
from app.domain.homepage.widget_types import SocialSettings
from app.domain.platform.readers import Reader
from app.services import Services

FRESH, SLIGHTLY, STALE = timedelta(hours=24), timedelta(days=3), timedelta(days=7)
# Rule 56's words, the mildest first, and what the card of a widget calls them (rule 17).
CARD_STATES = {
    "fresh": "fresh",
    "waiting": "waiting",
    "slightly_stale": "ageing",
    "disconnected": "stale",
    "stale": "stale",
    "very_stale": "failing",
}
MILDEST_FIRST = list(CARD_STATES)
SERVED = Counter(
    "social_feed_requests", "Looks at a feed of social posts, by how fresh it is.", ("status",)
)
STATUSES = {
    "fresh": "fresh",
    "waiting": "fresh",
    "slightly_stale": "fresh",
    "stale": "stale",
    "very_stale": "stale",
    "disconnected": "disconnected",
}
for status in ("fresh", "stale", "disconnected"):
    SERVED.labels(status)
REASONS = {
    "token_void": "{} does not take this connection any more.",
    "no_permission": "{} was not allowed to show us the posts.",
    "not_found": "{} says that this account is not there any more.",
    "over_quota": "{} asks us to come less often.",
    "timeout": "{} did not answer in time.",
    "garbage": "{} sent something that we cannot read.",
    "key_missing": "This connection was kept under a key that is not here any more.",
}
NEEDS_HANDS = frozenset({"token_void", "no_permission", "not_found", "key_missing"})


class SocialPost(msgspec.Struct):
    """One post; `pictures` are addresses of our thumbnails, for the owner alone."""

    id: int
    account_id: int
    platform: str
    account: str
    kind: str
    caption: str
    permalink: str | None
    posted_at: datetime
    archived: bool
    pictures: list[str]
    engagement: dict[str, int]


class SocialAccount(msgspec.Struct):
    """One connected account: how fresh its posts are, in a word of rule 56, and what to do about it."""

    id: int
    platform: str
    title: str
    name: str
    state: str
    sentence: str
    needs_reconnect: bool
    is_connected: bool
    connected_at: datetime
    expires_at: datetime | None
    last_ok_at: datetime | None


class SocialPlatform(msgspec.Struct):
    """One platform that can be connected; a resting one does not answer at the moment."""

    name: str
    title: str
    is_resting: bool


class SocialPage(msgspec.Struct):
    """A member's accounts, the platforms of this site, and posts, the newest first."""

    accounts: list[SocialAccount]
    platforms: list[SocialPlatform]
    items: list[SocialPost]
    total: int | None = None
    next: str | None = None


class SocialWidget(msgspec.Struct):
    """The social feed of the homepage; `state` is the card's, `freshness` the word of rule 56."""

    state: str
    sentence: str = ""
    freshness: str | None = None
    needs_reconnect: bool = False
    as_of: datetime | None = None
    items: list[SocialPost] = []


def platforms(services: Services) -> list[SocialPlatform]:
    """The platforms that are set up, in their order."""
    found = [(name, services.outside.get(door)) for name, door in DOORS.items()]
    return [
        SocialPlatform(name, door.title, door.breaker.state == "open")
        for name, door in found
        if door is not None
    ]


ACCOUNTS = """
SELECT id, platform, account_name, granted_at, expires_at, last_ok_at, refresh_failures, error_code, revoked_at
FROM social_accounts WHERE user_id = $1 ORDER BY revoked_at IS NOT NULL, id
"""


async def accounts(services: Services, who: Reader) -> list[SocialAccount]:
    """The member's accounts, those that are connected first."""
    now = datetime.now(UTC)
    return [account(row, now) for row in await services.db.fetch(ACCOUNTS, who.id)]


def account(row: Any, now: datetime) -> SocialAccount:
    """One account as its owner sees it."""
    state, sentence, needs_reconnect = standing(row, now)
    return SocialAccount(
        id=row["id"],
        platform=row["platform"],
        title=TITLES[row["platform"]],
        name=row["account_name"],
        state=state,
        sentence=sentence,
        needs_reconnect=needs_reconnect,
        is_connected=row["revoked_at"] is None,
        connected_at=row["granted_at"],
        expires_at=row["expires_at"],
        last_ok_at=row["last_ok_at"],
    )


def standing(row: Any, now: datetime) -> tuple[str, str, bool]:
    """The word of rule 56 for an account, one sentence where something is wrong, and whether to connect it again."""
    title = TITLES[row["platform"]]
    whose = f"{title} {row['account_name']}".strip()
    if row["revoked_at"] is not None:
        return "disconnected", f"{whose} is not connected any more.", True
    reason = reason_of(row["error_code"], title)
    needs_hands = row["error_code"] in NEEDS_HANDS
    state = freshness(row["last_ok_at"], row["granted_at"], now)
    if needs_hands and state in ("fresh", "waiting", "slightly_stale"):
        # No age has to pass where the platform said no.
        return "stale", reason, True
    if state in ("stale", "very_stale"):
        return state, f"{whose}: no new look for {days(row, now)} days. {reason}".strip(), True
    if row["refresh_failures"]:
        ends = f" and ends on {row['expires_at']:%-d %b}" if row["expires_at"] else ""
        return "stale", f"The connection to {whose} could not be renewed{ends}.", True
    if state == "slightly_stale":
        return state, f"{whose}: no new look since yesterday. {reason}".strip(), False
    return state, reason, False


def reason_of(code: str | None, title: str) -> str:
    """The sentence of a code; nothing when all is well."""
    return REASONS.get(code, "{} does not answer at the moment.").format(title) if code else ""


def freshness(last_ok: datetime | None, granted: datetime, now: datetime) -> str:
    """How old the last success is, as rule 56 counts it."""
    age = now - (last_ok or granted)
    if age < FRESH:
        return "fresh" if last_ok else "waiting"
    if age < SLIGHTLY:
        return "slightly_stale"
    return "stale" if age < STALE else "very_stale"


def days(row: Any, now: datetime) -> int:
    """The whole days since the last success."""
    return int((now - (row["last_ok_at"] or row["granted_at"])).days)


POSTS = """
SELECT p.id, p.account_id, p.platform, a.account_name AS account, p.post_type AS kind, p.caption, p.permalink, p.posted_at,
       p.archived, p.media, p.engagement
FROM social_posts p JOIN social_accounts a ON a.id = p.account_id
WHERE p.user_id = $1 AND ($2::bigint IS NULL OR p.account_id = $2)
  AND ($3::bigint IS NULL OR (p.posted_at, p.id) < (
      SELECT c.posted_at, c.id FROM social_posts c WHERE c.id = $3 AND c.user_id = $1))
ORDER BY p.posted_at DESC, p.id DESC LIMIT $4
"""


async def posts(
    services: Services,
    who: Reader,
    limit: int,
    account_id: int | None = None,
    after: int | None = None,
) -> list[SocialPost]:
    """The member's posts, of one account or of all, the newest first."""
    rows = await services.db.fetch(POSTS, who.id, account_id, after, limit)
    keys = [key for row in rows for key in row["media"] or []]
    found = await social_pictures.addresses(services, who.id, keys, time.time())
    return [post(row, found) for row in rows]


def post(row: Any, addresses: dict[str, str]) -> SocialPost:
    """One post with the addresses of the thumbnails that are there."""
    values = {name: value for name, value in row.items() if name != "media"}
    pictures = [addresses[key] for key in row["media"] or [] if key in addresses]
    return SocialPost(pictures=pictures, **values)


async def page(
    services: Services,
    who: Reader,
    account_id: int | None = None,
    after: int | None = None,
    limit: int = 20,
) -> SocialPage:
    """The member's accounts, and posts from a cursor on."""
    found = await posts(services, who, limit + 1, account_id, after)
    following = str(found[limit - 1].id) if len(found) > limit else None
    mine = await accounts(services, who)
    return SocialPage(mine, platforms(services), found[:limit], None, following)


async def filled(
    services: Services, who: Reader | None, wishes: Sequence[SocialSettings]
) -> list[SocialWidget]:
    """The social feeds of one page."""
    if not platforms(services) and (who is None or not who.is_member):
        return [off() for _ in wishes]
    if who is None or not who.is_member:
        return [
            SocialWidget("empty", "Sign in and connect an account to see its posts.")
            for _ in wishes
        ]
    mine = await accounts(services, who)
    return [await widget(services, who, mine, wish) for wish in wishes]


def off() -> SocialWidget:
    """What shows while no platform is set up."""
    return SocialWidget("off", "Social feeds are not set up on this site.")


async def widget(
    services: Services, who: Reader, mine: list[SocialAccount], wish: SocialSettings
) -> SocialWidget:
    """One feed: the posts that are kept, and the worst of how its accounts stand."""
    own = [one for one in mine if wish.account_id in (None, one.id)]
    if not own:
        return empty(services)
    worst = max(live(own), key=lambda one: MILDEST_FIRST.index(one.state))
    items = await posts(services, who, wish.count, wish.account_id)
    SERVED.labels(STATUSES[worst.state]).inc()
    state = CARD_STATES[worst.state]
    if state == "waiting" and items:
        state = "fresh"
    if state == "fresh" and not items:
        return SocialWidget(
            "empty", "No posts yet.", worst.state, as_of=oldest(own), needs_reconnect=False
        )
    return SocialWidget(
        state=state,
        sentence=worst.sentence,
        freshness=worst.state,
        needs_reconnect=worst.needs_reconnect,
        as_of=oldest(own),
        items=items,
    )


def empty(services: Services) -> SocialWidget:
    """What shows before the first account is connected."""
    SERVED.labels("disconnected").inc()
    if not platforms(services):
        return off()
    return SocialWidget("empty", "Connect an account to see its posts here.")


def live(own: list[SocialAccount]) -> list[SocialAccount]:
    """The accounts that are connected; all where none is."""
    return [one for one in own if one.is_connected] or own


def oldest(own: list[SocialAccount]) -> datetime | None:
    """The oldest of the last successes: no part of the feed is older."""
    return min((one.last_ok_at for one in live(own) if one.last_ok_at), default=None)
