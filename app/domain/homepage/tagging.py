"""Tagging of news by a model: whose turn it is, what is copied for nothing, what is asked (chapter 20 rules 38 to 47)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog
from prometheus_client import Counter

from app.domain.homepage import item_holds, tag_answers, tag_proposals, tags
from app.domain.homepage.tag_answers import Chosen, Item
from app.domain.homepage.tags import Word
from app.domain.platform import audit, flags
from app.domain.platform.ai import batches, budget, calls, results, usage
from app.domain.platform.readers import Reader
from app.errors import ServiceDown
from app.services import Services

log = structlog.get_logger("tagging")

FEATURE = "tagging"
NOT_SET_UP = "Tagging by a model is not set up; feeds' own tags and our rules go on."
SWITCHED_OFF = "The flag ai_tagging is off; feeds' own tags and our rules go on."
ATTEMPTS = 3
# Items that one run takes up; what is left waits for the next one.
A_RUN = 200
CLAIMED_FOR = timedelta(minutes=15)
ITEMS = Counter("ai_tagging_items_total", "News items given to a model, by outcome.", ["status"])
# `success` is what the documents print.
for outcome in ("success", "cached", "copied", "missed", "dropped"):
    ITEMS.labels(outcome)


async def ask(services: Services, who: Reader, batch_size: int, reason: str = "") -> int:
    """Let a job tag up to so many items; return its id."""
    async with services.tx() as tx:
        job_id = await tx.enqueue("tag_items", batch_size, actor_id=who.id)
        after = {"job_type": "tag_items", "batch_size": batch_size}
        await audit.add(tx, who, "job.run", ("job", job_id), reason, after=after)
        return job_id


def why_not(services: Services) -> str | None:
    """Why no model is asked; None when one is."""
    if not calls.is_set_up(services):
        return NOT_SET_UP
    return None if flags.is_on(services, None, "ai_tagging") else SWITCHED_OFF


async def paused(services: Services) -> str:
    """Say that no model tags news until the month is over; empty where one does, or where none is wanted."""
    if why_not(services) is not None:
        return ""
    row = await services.db.fetchrow(budget.STAND, budget.PROVIDER)
    found = row and budget.Stand(**dict(row))
    spent = found and found.limit_cents and found.state == "HARD_STOP"
    return usage.STATES["HARD_STOP"] if spent else ""


async def soon(tx: Services, *, critical: bool) -> None:
    """In the transaction that stored items: let them be tagged, one job waiting at most; next month without money."""
    if why_not(tx) is not None:
        return
    stand = await budget.stand(tx)
    why = stand.why(critical=critical)
    key = f"tag:{'critical' if critical else 'next'}"
    job_id = await tx.enqueue("tag_items", key=key, run_at=stand.opens_at if why else None)
    if why:
        await budget.note(tx, job_id, why)


# Whose turn it is (rule 39). A claim keeps other workers away until it ends by itself; a call that is lost with its
# worker thus costs once. $1 how many, $2 only what is critical, $3 only leads of stories of feeds that somebody reads.
# $4 how long the claim holds, $5 what is out in batches: whoever holds it may have ended before it was held.
CLAIM = """
WITH fed AS MATERIALIZED (
    SELECT f.id, f.ai_critical, f.visibility, (
        SELECT count(*) FROM feed_subscriptions s WHERE s.feed_id = f.id AND s.unsubscribed_at IS NULL) AS readers
    FROM feeds f WHERE f.owner_id IS NULL AND (NOT $2 OR f.ai_critical)
), taken AS (
    SELECT i.id FROM feed_items i JOIN fed f ON f.id = i.feed_id
    WHERE i.tagged_by IN ('none', 'feed', 'rules') AND i.tag_attempts < 3 AND i.published_at > now() - interval '7 days'
      AND (i.tag_asked_until IS NULL OR i.tag_asked_until < now())
      AND (f.visibility = 'listed' OR f.readers >= 2) AND i.id <> ALL($5::bigint[])
      AND (NOT $3 OR (f.readers > 0 AND EXISTS (SELECT FROM stories t WHERE t.id = i.story_id AND t.lead_item_id = i.id)))
    ORDER BY f.ai_critical DESC, f.readers DESC, i.published_at DESC, i.id LIMIT $1 FOR UPDATE OF i SKIP LOCKED
)
UPDATE feed_items SET tag_asked_until = now() + $4 WHERE id IN (SELECT id FROM taken)
RETURNING id, title, summary_html, body_text, language, tag_attempts, feed_id
"""


async def claimed(services: Services, stand: budget.Stand, most: int) -> list[Any]:
    """The items whose turn it is in this state of the budget, for this worker alone."""
    critical, leads = stand.state == "QUEUE", stand.state == "REDUCE"
    return await services.db.fetch(CLAIM, most, critical, leads, CLAIMED_FOR, await out(services))


async def out(services: Services) -> list[int]:
    """The items that are out in batches: their answers are paid for."""
    return [item for about in await batches.waiting(services, FEATURE) for item in about["items"]]


async def tag(services: Services, batch_size: int) -> None:
    """Tag up to so many items. Raises Defer when there is no money, ServiceDown when the model does not answer."""
    if (why := why_not(services)) is not None:
        log.info("tagging is off", batch_size=batch_size, why=why)
        await report(services, {"tagged": 0, "why": why})
        return
    words, left, done = await tags.in_use(services), min(batch_size, A_RUN), 0
    # Without a word on the list there is nothing to choose from.
    while words and left > 0:
        stand = await budget.stand(services)
        if (refused := budget.refused(stand, critical=True)) is not None:
            await wait_for_money(services, refused)
            return
        rows = await claimed(services, stand, min(left, stand.batch))
        if not rows:
            break
        left -= len(rows)
        try:
            done += await tag_claimed(services, rows, words)
        except budget.Refused as no_money:
            await wait_for_money(services, no_money)
            return
    await report(services, {"tagged": done})


# Each hour brings another run: the first that waits takes up what all of them would, if it does so no later.
WAITS = """
SELECT id FROM delayed_jobs
WHERE job_type = 'tag_items' AND status = 'pending' AND run_at > now() AND run_at <= $1 AND id <> $2 LIMIT 1
"""


async def wait_for_money(services: Services, refused: budget.Refused) -> None:
    """Let this run wait until the budget opens, unless another one does already. Raises Defer."""
    job_id = services.job.id if services.job else 0
    if job_id and await services.db.fetchval(WAITS, refused.until, job_id):
        await report(services, {"tagged": 0, "why": refused.sentence})
        return
    await budget.put_off(services, refused)


async def report(services: Services, found: dict[str, Any]) -> None:
    """Say on the job what it did."""
    if services.job is not None:
        await services.job.report(found)


# After so many calls in a row that were not taken it is not the items that are wrong.
IN_A_ROW = 5


async def tag_claimed(services: Services, rows: Sequence[Any], words: Sequence[Word]) -> int:
    """Tag claimed items: copied, out of kept answers, or asked; return how many have tags now.

    Raises Refused and ServiceDown; what was not asked then is anybody's again, and nothing counts against it.
    """
    asked, keys = await unpaid(services, rows, words)
    done, not_taken = len(rows) - len(asked), 0
    groups = together(asked, len(asked))
    for place, group in enumerate(groups):
        try:
            done += await tag_group(services, group, words, keys)
            not_taken = 0
        except ServiceDown as down:
            not_taken += 1
            await not_answered(services, group, down)
            if down.code != NOT_TAKEN or not_taken == IN_A_ROW:
                await let_go(services, [row for left in groups[place + 1 :] for row in left])
                raise
    return done


async def tag_group(
    services: Services, rows: Sequence[Any], words: Sequence[Word], keys: Mapping[int, bytes]
) -> int:
    """Ask about some items, in halves where there is no money left for all of them at once. Raises ServiceDown."""
    try:
        return await tag_asked(services, rows, words, keys)
    except budget.Refused as refused:
        if refused.code != "ai_budget_reached" or len(rows) == 1:
            raise
    half = len(rows) // 2
    first = await tag_group(services, rows[:half], words, keys)
    return first + await tag_group(services, rows[half:], words, keys)


async def unpaid(
    services: Services, rows: Sequence[Any], words: Sequence[Word]
) -> tuple[list[Any], dict[int, bytes]]:
    """Give items the tags that cost nothing, copied or out of kept answers; return the others, with their keys."""
    copied = await copy(services, rows)
    rest = [row for row in rows if row["id"] not in copied]
    keys = {row["id"]: key_of(services, row, words) for row in rest}
    at_hand = await results.kept(services, list(keys.values()))
    kept = {
        row["id"]: as_chosen(at_hand[keys[row["id"]]]) for row in rest if keys[row["id"]] in at_hand
    }
    await store(services, kept, rest, words, "cached")
    return [row for row in rest if row["id"] not in kept], keys


def together(rows: Sequence[Any], size: int) -> list[list[Any]]:
    """Items in groups for one call each. What was answered badly before is asked alone, so that it cannot spoil its
    neighbours again."""
    fresh = [row for row in rows if row["tag_attempts"] == 0]
    groups = [fresh[at : at + size] for at in range(0, len(fresh), size or 1)]
    return [*groups, *([row] for row in rows if row["tag_attempts"] > 0)]


# The provider's word that it does not take what was sent, however often: a filter of its own, as a rule.
NOT_TAKEN = "http_400"


async def not_answered(services: Services, rows: Sequence[Any], down: ServiceDown) -> None:
    """Let items go that a call gave no answer about. It counts against them where they may be why, and where it has
    cost as much as an answer: they are asked alone next, three times at most. What was alone and not taken keeps its
    claim, so that it does not stand first in line at once."""
    ids = [row["id"] for row in rows]
    if down.code == NOT_TAKEN:
        log.warning("call not taken", items=ids)
        await services.db.execute(MISSED if len(ids) > 1 else MISSED_AND_KEPT, ids)
    elif calls.was_paid(down):
        await services.db.execute(MISSED, ids)
    else:
        await let_go(services, rows)


def key_of(services: Services, row: Any, words: Sequence[Word]) -> bytes:
    """The name of one item's answer: equal texts are paid once, whichever model it was."""
    version = f"{tag_answers.PROMPT_VERSION}:{tags.version_of(list(words))}"
    item = as_item(row)
    return results.key(FEATURE, calls.bulk(services), version, item.title, item.summary, item.text)


def as_item(row: Any) -> Item:
    """What of an item a model is shown."""
    text = row["body_text"][: tag_answers.TEXT_CEILING]
    return Item(row["id"], row["title"], row["summary_html"], text, row["language"])


async def tag_asked(
    services: Services, rows: Sequence[Any], words: Sequence[Word], keys: Mapping[int, bytes]
) -> int:
    """Ask a model about some items and keep what can be used; return how many have tags now. Raises ServiceDown."""
    items = [as_item(row) for row in rows]
    last = max(row["tag_attempts"] for row in rows) == ATTEMPTS - 1
    answer = await calls.ask(
        services, feature=FEATURE, model=calls.hard(services) if last else calls.bulk(services),
        system=tag_answers.system(words), content=tag_answers.content(items),
        schema=tag_answers.schema(words), max_tokens=tag_answers.max_tokens(len(items)),
        items=len(items), critical=await all_critical(services, rows),
    )  # fmt: skip
    slugs = frozenset(word.slug for word in words)
    found, dropped = tag_answers.usable(answer.value, len(items), slugs)
    ITEMS.labels("dropped").inc(dropped)
    chosen = {items[index].id: one for index, one in found.items()}
    await store(services, chosen, rows, words, "success", keys)
    return len(chosen)


CRITICAL = "SELECT bool_and(ai_critical) FROM feeds WHERE id = ANY($1)"
LET_GO = "UPDATE feed_items SET tag_asked_until = NULL WHERE id = ANY($1)"
MISSED = """
UPDATE feed_items SET tag_attempts = tag_attempts + 1, tag_asked_until = NULL WHERE id = ANY($1)
"""
MISSED_AND_KEPT = "UPDATE feed_items SET tag_attempts = tag_attempts + 1 WHERE id = ANY($1)"


async def all_critical(services: Services, rows: Sequence[Any]) -> bool:
    """Whether all of these items are of feeds that go first."""
    return bool(await services.db.fetchval(CRITICAL, [row["feed_id"] for row in rows]))


async def let_go(services: Services, rows: Sequence[Any]) -> None:
    """Give claimed items back: nobody answered, and nothing counts against them."""
    await services.db.execute(LET_GO, [row["id"] for row in rows])


# The same page, text or story was tagged before: its tags cost nothing. A private feed's items are never the source,
# because no model ever saw them.
COPY = """
WITH wanted AS (
    SELECT c.id, c.feed_id, source.id AS source_id
    FROM unnest($1::bigint[]) AS asked (id) JOIN feed_items c ON c.id = asked.id
    CROSS JOIN LATERAL (
        SELECT o.id FROM feed_items o
        WHERE o.tagged_by = 'ai' AND o.id <> c.id
          AND (o.content_hash = c.content_hash OR o.url_key = c.url_key OR o.story_id = c.story_id)
          AND EXISTS (SELECT FROM item_tags has WHERE has.item_id = o.id)
        ORDER BY o.id LIMIT 1
    ) AS source
), gone AS (
    DELETE FROM item_tags it USING wanted w WHERE it.item_id = w.id AND it.origin IN ('feed', 'rules') AND NOT EXISTS (
        SELECT FROM item_tags o WHERE o.item_id = w.source_id AND o.tag_id = it.tag_id)
), given AS (
    INSERT INTO item_tags (item_id, tag_id, origin, confidence)
    SELECT w.id, o.tag_id, 'ai', o.confidence FROM wanted w JOIN item_tags o ON o.item_id = w.source_id
    ON CONFLICT (item_id, tag_id) DO UPDATE SET origin = 'ai', confidence = EXCLUDED.confidence
    WHERE item_tags.origin <> 'person'
), told AS (
    UPDATE feeds SET version = version + 1 WHERE id IN (SELECT feed_id FROM wanted)
)
UPDATE feed_items SET tagged_by = 'ai' WHERE id IN (SELECT id FROM wanted) AND tagged_by <> 'person' RETURNING id
"""


async def copy(services: Services, rows: Sequence[Any]) -> set[int]:
    """Give items the tags of the same page, text or story where there are any; return whose."""
    ids = [row["id"] for row in rows]

    async def copied(tx: Services) -> set[int]:
        await item_holds.held(tx, ids)
        return {row["id"] for row in await tx.db.fetch(COPY, ids)}

    found = await services.again(copied)
    ITEMS.labels("copied").inc(len(found))
    return found


# Tags of feeds and rules make room for what a model chose; those of people stay. What three members took off stays off.
STORE = """
WITH chosen AS (
    SELECT c.item_id, t.id AS tag_id, c.confidence
    FROM unnest($1::bigint[], $2::text[], $3::real[]) AS c (item_id, slug, confidence)
    JOIN tags t ON t.slug = c.slug AND t.state = 'active'
    WHERE (SELECT count(*) FROM tag_verdicts v JOIN users u ON u.id = v.user_id
           WHERE v.item_id = c.item_id AND v.tag_id = t.id AND v.verdict = 'wrong' AND u.kind = 'member') < 3
), gone AS (
    DELETE FROM item_tags it WHERE it.item_id = ANY($1) AND it.origin IN ('feed', 'rules')
        AND (it.item_id, it.tag_id) NOT IN (SELECT item_id, tag_id FROM chosen)
), given AS (
    INSERT INTO item_tags (item_id, tag_id, origin, confidence) SELECT item_id, tag_id, 'ai', confidence FROM chosen
    ON CONFLICT (item_id, tag_id) DO UPDATE SET origin = 'ai', confidence = EXCLUDED.confidence
    WHERE item_tags.origin <> 'person'
), told AS (
    UPDATE feeds SET version = version + 1 WHERE id IN (SELECT feed_id FROM feed_items WHERE id = ANY($1))
)
UPDATE feed_items SET tagged_by = 'ai' WHERE id = ANY($1) AND tagged_by <> 'person'
"""


async def store(
    services: Services,
    chosen: Mapping[int, Chosen],
    rows: Sequence[Any],
    words: Sequence[Word],
    status: str,
    keys: Mapping[int, bytes] | None = None,
) -> None:
    """Write down what was chosen; without an answer an item has one attempt less. `keys`: the answers are new and kept."""
    titles = {row["id"]: row["title"] for row in rows}
    pairs = [(item_id, slug, sure) for item_id, one in chosen.items() for slug, sure in one.tags]
    missed = [row["id"] for row in rows if row["id"] not in chosen and keys is not None]

    async def stored(tx: Services) -> None:
        # What was deleted while its answer was on its way costs the others nothing.
        there = await item_holds.held(tx, list(titles))
        given = [pair for pair in pairs if pair[0] in there]
        if given:
            await tx.db.execute(STORE, *(list(column) for column in zip(*given, strict=True)))
        if keys is not None:
            await tx.db.execute(MISSED, missed)
            await propose(tx, chosen, titles)
            kept = {keys[item_id]: as_kept(one) for item_id, one in chosen.items()}
            await results.keep(tx, FEATURE, kept)

    # What was paid for must not be lost because two waited for each other.
    await services.again(stored)
    ITEMS.labels("missed").inc(len(missed))
    ITEMS.labels(status).inc(len(chosen))


# What only some may read is not shown to curators either.
LISTED = """
SELECT i.id FROM feed_items i JOIN feeds f ON f.id = i.feed_id WHERE i.id = ANY($1) AND f.visibility = 'listed'
"""


async def propose(tx: Services, chosen: Mapping[int, Chosen], titles: Mapping[int, str]) -> None:
    """Note the words that items of listed feeds need, each with its headline."""
    words = {item_id: one.proposal for item_id, one in chosen.items() if one.proposal}
    listed = {row["id"] for row in await tx.db.fetch(LISTED, list(words))} if words else set()
    wanted = [(word, titles[item_id]) for item_id, word in words.items() if item_id in listed]
    await tag_proposals.note(tx, wanted)


def as_kept(one: Chosen) -> list[list[Any]]:
    """An answer as it is kept."""
    return [list(pair) for pair in one.tags]


def as_chosen(kept: Any) -> Chosen:
    """A kept answer; the list of tags is part of its name, so all its slugs were on the list."""
    return Chosen(tuple((slug, sure) for slug, sure in kept))
