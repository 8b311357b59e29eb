"""The last ten searches of a member, kept unless they switched that off (chapter 20 rule 58)."""

from app.domain.platform.readers import Reader
from app.services import Services

KEPT = 10

KEEP = """
INSERT INTO recent_searches (user_id, words) VALUES ($1, $2)
ON CONFLICT (user_id, words) DO UPDATE SET searched_at = clock_timestamp()
"""
# The order of the inner list is that of `mine`: what is not shown any more is not kept any more.
FORGET_OLDER = """
DELETE FROM recent_searches WHERE user_id = $1 AND words NOT IN (
    SELECT words FROM recent_searches WHERE user_id = $1 ORDER BY searched_at DESC, words LIMIT $2
)
"""


async def keep(services: Services, who: Reader | None, words: str) -> None:
    """Note what a member looked for; nothing for visitors, for who wants none kept, and for an admin who looks on."""
    if not is_kept(who) or who is None or who.impersonation_id is not None:
        return
    async with services.tx() as tx:
        await tx.db.execute(KEEP, who.id, words)
        await tx.db.execute(FORGET_OLDER, who.id, KEPT)


def is_kept(who: Reader | None) -> bool:
    """Whether this reader's searches are kept."""
    return who is not None and who.is_member and who.preferences.get("keep_searches", True) is True


MINE = """
SELECT words FROM recent_searches WHERE user_id = $1 ORDER BY searched_at DESC, words LIMIT $2
"""


async def mine(services: Services, who: Reader | None) -> list[str]:
    """The reader's own last searches, the newest first."""
    if not is_kept(who) or who is None:
        return []
    return [row["words"] for row in await services.db.fetch(MINE, who.id, KEPT)]


FORGET = "DELETE FROM recent_searches WHERE user_id = $1"


async def forget(services: Services, who: Reader) -> None:
    """Forget all searches of a person."""
    await services.db.execute(FORGET, who.id)
