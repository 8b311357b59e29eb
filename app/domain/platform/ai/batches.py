"""Many calls at once, at half price: handed over together, their answers are fetched within a day (rule 47)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import structlog

from app.domain.platform.ai import budget, calls, ledger
from app.errors import NotFound, ServiceDown
from app.services import Services

log = structlog.get_logger("ai")

# Over so many items a backfill goes this way.
FROM_ITEMS = 200
# A provider answers within 24 hours; what is older will not come.
PATIENCE = timedelta(hours=26)

# Told of one answer in the transaction that settles its call; without an answer the call failed and cost nothing known.
Taker = Callable[[Services, Any, calls.Answer | None], Awaitable[None]]


class Wish(msgspec.Struct, frozen=True):
    """One call of a batch; `about` is given back with its answer."""

    about: Any
    system: str
    content: str
    schema: Mapping[str, Any]
    max_tokens: int
    items: int = 1


ADD = "INSERT INTO ai_batches (provider, feature, calls) VALUES ($1, $2, $3) RETURNING id"
SENT = "UPDATE ai_batches SET state = 'waiting', outside_id = $2 WHERE id = $1"
LOST = "UPDATE ai_batches SET state = 'lost', ended_at = now() WHERE id = $1"


async def send(
    services: Services,
    *,
    feature: str,
    model: str,
    wishes: Sequence[Wish],
    critical: bool = False,
) -> int:
    """Hand over many calls; return the batch's id. Raises budget.Refused, NotConfigured, ServiceDown."""
    if services.in_tx:
        raise RuntimeError("A batch is sent outside of any transaction: it may take a minute.")
    outside, price = calls.door(services), calls.price_of(services, model)
    requests = [
        outside.request(model, wish.system, wish.content, wish.schema, wish.max_tokens)
        for wish in wishes
    ]
    reserved = [
        budget.Wish(
            price.worst(outside.size(request), wish.max_tokens, in_batch=True),
            wish.items,
            wish.about,
        )
        for wish, request in zip(wishes, requests, strict=True)
    ]
    async with services.tx() as tx:
        batch_id: int = await tx.db.fetchval(ADD, budget.PROVIDER, feature, len(wishes))
        ids = await budget.reserve(
            tx, feature, model, reserved, critical=critical, batch_id=batch_id
        )
    try:
        named = {str(call): request for call, request in zip(ids, requests, strict=True)}
        outside_id = await outside.send_batch(named)
    except ServiceDown as down:
        for call_id in ids:
            await calls.ended_badly(services, call_id, down)
        await services.db.execute(LOST, batch_id)
        raise
    await services.db.execute(SENT, batch_id, outside_id)
    return batch_id


WAITING = """
SELECT call.about FROM ai_calls AS call
JOIN ai_batches AS batch ON batch.id = call.batch_id
WHERE batch.state IN ('sending', 'waiting') AND batch.feature = $1 AND call.state = 'reserved'
ORDER BY call.id
"""


async def waiting(services: Services, feature: str) -> list[Any]:
    """What is out and not answered yet, as its sender called it."""
    return [row["about"] for row in await services.db.fetch(WAITING, feature)]


OPEN = """
SELECT id, outside_id, feature, created_at < now() - $1::interval AS is_late
FROM ai_batches WHERE state = 'waiting' ORDER BY id
"""
DONE = "UPDATE ai_batches SET state = $2, ended_at = now() WHERE id = $1 AND state = 'waiting'"
LEFT = "SELECT id, about FROM ai_calls WHERE batch_id = $1 AND state = 'reserved' ORDER BY id"


async def collect(services: Services, takers: Mapping[str, Taker]) -> int:
    """Take in the answers of batches that have ended; return how many calls. Raises NotConfigured, ServiceDown."""
    taken = 0
    for batch in await services.db.fetch(OPEN, PATIENCE):
        outside = calls.door(services)
        try:
            ended = await outside.batch_ended(batch["outside_id"])
        except NotFound:
            # The provider has forgotten it, and with it what it cost.
            ended, batch = True, {**dict(batch), "is_late": True}
        if ended and not batch["is_late"]:
            async for name, reply in outside.batch_replies(batch["outside_id"]):
                taken += await take(services, int(name), reply, takers[batch["feature"]])
        if ended or batch["is_late"]:
            await give_up(services, batch["id"], takers[batch["feature"]])
            await services.db.execute(DONE, batch["id"], "lost" if batch["is_late"] else "done")
    return taken


CALL = """
SELECT id, model, about FROM ai_calls WHERE id = $1 AND state = 'reserved' FOR UPDATE
"""


async def take(services: Services, call_id: int, reply: Any, taker: Taker) -> bool:
    """Settle one call of a batch and hand its answer on, together; False when that was done before."""
    async with services.tx() as tx:
        row = await tx.db.fetchrow(CALL, call_id)
        if row is None:
            return False
        if reply is None:
            # The provider says that it failed, and does not bill such calls.
            await ledger.release(tx, call_id, "failed")
            await taker(tx, row["about"], None)
            return True
        price = calls.price_of(tx, row["model"])
        answer = calls.answer_of(call_id, price, reply, in_batch=True)
        await ledger.settle(tx, call_id, answer.cost_micros, answer.tokens)
        await taker(tx, row["about"], answer)
    return True


async def give_up(services: Services, batch_id: int, taker: Taker) -> None:
    """Count in full what a batch that is over left without an answer."""
    for row in await services.db.fetch(LEFT, batch_id):
        async with services.tx() as tx:
            if await ledger.lose(tx, row["id"], "no_answer"):
                log.warning("call of a batch lost", call_id=row["id"], batch_id=batch_id)
                await taker(tx, row["about"], None)
