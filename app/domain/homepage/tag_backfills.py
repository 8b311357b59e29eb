"""Tagging of many items at once, at half price within a day (chapter 20 rule 47)."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.homepage import tag_answers, tagging, tags
from app.domain.homepage.tags import Word
from app.domain.platform.ai import batches, budget, calls
from app.errors import ServiceDown
from app.services import Services

MOST = 2_000
ITEMS_A_CALL = 20

WAITING = """
SELECT count(*) FROM (
    SELECT FROM feed_items i JOIN feeds f ON f.id = i.feed_id
    WHERE i.tagged_by IN ('none', 'feed', 'rules') AND i.tag_attempts = 0 AND i.published_at > now() - interval '7 days'
      AND (i.tag_asked_until IS NULL OR i.tag_asked_until < now()) AND f.visibility = 'listed'
      AND i.id <> ALL($2::bigint[])
    LIMIT $1
) AS waiting
"""


# Held for the day only once they are sent: a worker that ends before keeps nobody waiting for longer than a claim.
HOLD = """
UPDATE feed_items SET tag_asked_until = now() + $2
WHERE id = ANY($1) AND tagged_by IN ('none', 'feed', 'rules')
"""


async def send(services: Services) -> int:
    """Hand over what is more than a run's work, where there is so much and money for it; return how many items.

    Raises ServiceDown.
    """
    if tagging.why_not(services) is not None:
        return 0
    stand = await budget.stand(services)
    most, away = batches.FROM_ITEMS, await tagging.out(services)
    enough = await services.db.fetchval(WAITING, most + 1, away) > most
    if not enough or stand.state != "NORMAL":
        return 0
    if not (words := await tags.in_use(services)):
        return 0
    rows, keys = await tagging.unpaid(services, await tagging.claimed(services, stand, MOST), words)
    if not rows:
        return 0
    groups = tagging.together(rows, ITEMS_A_CALL)
    try:
        await batches.send(
            services,
            feature=tagging.FEATURE,
            model=calls.bulk(services),
            wishes=[wish_of(group, words, keys) for group in groups],
        )
    except ServiceDown as down:
        if calls.was_paid(down):
            # It may have been taken, and is paid for. It says nothing against the items: asked alone for that, each of them
            # would cost as much as twenty. They rest as long as a batch may take.
            await services.db.execute(HOLD, [row["id"] for row in rows], batches.PATIENCE)
            raise
        # No money for so much at once, or nobody at home: single calls go on as the budget allows.
        await tagging.not_answered(services, rows, down)
        if not isinstance(down, budget.Refused):
            raise
        await tagging.report(services, {"sent": 0, "why": down.sentence})
        return 0
    await services.db.execute(HOLD, [row["id"] for row in rows], batches.PATIENCE)
    return len(rows)


def wish_of(rows: Sequence[Any], words: Sequence[Word], keys: Mapping[int, bytes]) -> batches.Wish:
    """One call of a batch; it comes back with the numbers of its items, and the names that their answers have."""
    items = [tagging.as_item(row) for row in rows]
    return batches.Wish(
        about={
            "items": [item.id for item in items],
            "keys": [keys[item.id].hex() for item in items],
        },
        system=tag_answers.system(words),
        content=tag_answers.content(items),
        schema=tag_answers.schema(words),
        max_tokens=tag_answers.max_tokens(len(items)),
        items=len(items),
    )


# Tagged meanwhile or gone: its place in the answer counts all the same.
ITEMS = """
SELECT id, title, summary_html, body_text, language, tag_attempts, feed_id FROM feed_items
WHERE id = ANY($1) AND tagged_by IN ('none', 'feed', 'rules')
"""


async def take(tx: Services, about: Any, answer: calls.Answer | ServiceDown) -> None:
    """Take one answer in, in the transaction that settles its call; without one the items wait for their next turn.

    The list of tags and the items may have changed since: the answer is kept under the name of what was asked, and what
    is not on today's list is dropped.
    """
    items = about["items"]
    rows = await tx.db.fetch(ITEMS, items)
    if isinstance(answer, ServiceDown):
        await tagging.not_answered(tx, rows, answer)
        return
    words = await tags.in_use(tx)
    slugs = frozenset(word.slug for word in words)
    found, dropped = tag_answers.usable(answer.value, len(items), slugs)
    tagging.ITEMS.labels("dropped").inc(dropped)
    there = {row["id"] for row in rows}
    chosen = {items[index]: one for index, one in found.items() if items[index] in there}
    keys = {item: bytes.fromhex(key) for item, key in zip(items, about["keys"], strict=True)}
    await tagging.store(tx, chosen, rows, words, "success", keys)
