"""Impact of a template: whom it would reach if it were published now, and what of theirs it touches (rule 5)."""

import msgspec

from app.domain.homepage import layout_templates, template_differences, template_drafts
from app.domain.homepage.page_rows import Item
from app.domain.homepage.template_differences import Difference
from app.services import Services


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a publication touches. People are members and visitors with a row; shared pages have no number.

    `arranged` have changes of their own, which stay; `set_aside` are those of whom a lock hides some; `become_own` keep
    a widget that the template drops.
    """

    members: int
    visitors: int
    arranged: int
    set_aside: int
    become_own: int
    differences: list[Difference]
    sentence: str


# The choice of rule 6 for everybody at once, as if this one were published: it fits, and none fits that goes before it.
# Flags in the order of evaluation.verdict. $1 the template, $2 what it locks, $3 pins and $4 drops.
REACHED = """
WITH wanted AS (
    SELECT t.id, t.audience, f.key, f.enabled, f.rollout_percentage, f.whitelist, t.flag_key,
        row_number() OVER (ORDER BY t.priority DESC, t.id) AS place
    FROM layout_templates t LEFT JOIN feature_flags f ON f.key = t.flag_key
    WHERE t.state = 'published' OR t.id = $1
), first AS MATERIALIZED (
    SELECT id, audience, key, enabled, rollout_percentage, whitelist, flag_key FROM wanted
    WHERE place <= (SELECT place FROM wanted WHERE id = $1)
), people AS (
    SELECT u.id, u.kind,
        CASE WHEN u.kind = 'visitor' THEN left(encode(u.anon_hash, 'hex'), 16) ELSE u.id::text END AS subject
    FROM users u WHERE u.kind IN ('member', 'visitor') AND u.closed_at IS NULL
), reached AS (
    SELECT people.id, people.kind FROM people WHERE (
        SELECT count(*) = 1 AND min(w.id) = $1 AND max(w.id) = $1 FROM first w
        WHERE (w.audience = 'all' OR (w.audience = 'members') = (people.kind = 'member'))
            AND (w.flag_key IS NULL OR (w.enabled AND (
                w.whitelist ? people.subject OR w.rollout_percentage >= 100
                OR ('x' || left(md5(w.key || ':' || people.subject), 8))::bit(32)::bigint % 100 < w.rollout_percentage))))
), touched AS (
    SELECT p.user_id, bool_or(d.key = ANY($2) OR (d.key = ANY($3) AND (d.removed OR d.phone_hidden))) AS is_set_aside,
        bool_or(d.key = ANY($4) AND NOT d.removed AND (
            d.origin = 'own' OR d.x IS NOT NULL OR d.title IS NOT NULL OR d.settings IS NOT NULL
            OR d.phone_w IS NOT NULL OR d.phone_hidden IS NOT NULL)) AS becomes_own
    FROM pages p JOIN page_widgets d ON d.page_id = p.id WHERE p.slug = 'home' GROUP BY p.user_id
)
SELECT count(*) FILTER (WHERE kind = 'member') AS members, count(*) FILTER (WHERE kind = 'visitor') AS visitors,
    count(touched.user_id) AS arranged, count(*) FILTER (WHERE touched.is_set_aside) AS set_aside,
    count(*) FILTER (WHERE touched.becomes_own) AS become_own
FROM reached LEFT JOIN touched ON touched.user_id = reached.id
"""


async def of(services: Services, slug: str) -> Impact:
    """Count whom a template touches when what is drawn up is published. Raises NotFound."""
    async with services.held() as held:
        row = await layout_templates.held(held, slug, only_read=True)
        after = (await template_drafts.draft_of(held, row)).items
        before = await layout_templates.widgets(held, row["id"], row["version"])
        found = await held.db.fetchrow(
            REACHED,
            row["id"],
            newly("locked", before, after),
            newly("pinned", before, after),
            sorted({item.key for item in before} - {item.key for item in after}),
        )
    differences = template_differences.between(before, after)
    return Impact(**found, differences=differences, sentence=sentence(**found))


def newly(lock: str, before: list[Item], after: list[Item]) -> list[str]:
    """The keys of the widgets that get this lock."""
    had = {item.key for item in before if item.lock == lock}
    return sorted(item.key for item in after if item.lock == lock and item.key not in had)


def sentence(*, members: int, visitors: int, arranged: int, set_aside: int, become_own: int) -> str:
    """The counts in words."""
    words = (
        f"It reaches {members:,} {'member' if members == 1 else 'members'} and "
        f"{visitors:,} {'visitor' if visitors == 1 else 'visitors'} who saved something."
    )
    if arranged:
        words += f" {arranged:,} of them arranged their page; what they changed stays theirs."
    if set_aside:
        words += f" For {set_aside:,} a lock sets a change of theirs aside."
    if become_own:
        words += f" {become_own:,} keep a widget that is dropped, because they had changed it."
    return words
