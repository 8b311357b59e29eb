"""Many calls at once, at half price: handed over together, their answers are fetched within a day (rule 47)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import structlog

from app.domain.platform.ai import budget, calls, ledger, prices
from app.errors import NotConfigured, NotFound, ServiceDown
from app.services import Services

log = structlog.get_logger("ai")

# Over so many items a backfill goes this way.
FROM_ITEMS = 200
# A provider answers within 24 hours; what is older and has not ended will not come.
PATIENCE = timedelta(hours=26)
# A provider that knows nothing of a batch so soon may only not know it yet.
FIRST_PATIENCE = timedelta(hours=1)
# For so long a provider that is away may come back and say how a batch has ended.
LAST_PATIENCE = timedelta(days=7)

# Told of one answer in the transaction that settles its call, or of why there is none.
Taker = Callable[[Services, Any, calls.Answer | ServiceDown], Awaitable[None]]


class Wish(msgspec.Struct, frozen=True):
    """One call of a batch; `about` is given back with its answer."""

    about: Any
    system: str
    content: str
    schema: Mapping[str, Any]
    max_tokens: int
    items: int = 1


ADD = (
    "INSERT INTO ai_batches (provider, feature, calls, price) VALUES ($1, $2, $3, $4) RETURNING id"
)
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
        batch_id: int = await tx.db.fetchval(
            ADD, budget.PROVIDER, feature, len(wishes), prices.figures(price)
        )
        ids = await budget.reserve(
            tx, feature, model, reserved, critical=critical, batch_id=batch_id
        )
    try:
        named = {str(call): request for call, request in zip(ids, requests, strict=True)}
        outside_id = await outside.send_batch(named)
    except ServiceDown as down:
        async with services.tx() as tx:
            for call_id in ids:
                await calls.ended_badly(tx, call_id, down)
            await tx.db.execute(LOST, batch_id)
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
    """What is out and not answered yet, as its sender called it: whoever asks for it again pays for it twice."""
    return [row["about"] for row in await services.db.fetch(WAITING, feature)]


OPEN = """
SELECT id, outside_id, feature, price, created_at < now() - $1::interval AS is_late,
    created_at < now() - $2::interval AS is_last_time, created_at > now() - $3::interval AS is_new
FROM ai_batches WHERE state = 'waiting' ORDER BY id
"""


async def collect(services: Services, takers: Mapping[str, Taker]) -> int:
    """Take in the answers of batches that have ended; return how many calls. What one batch raises stops no other one."""
    taken = 0
    faults: list[Exception] = []
    for batch in await services.db.fetch(OPEN, PATIENCE, LAST_PATIENCE, FIRST_PATIENCE):
        try:
            taken += await finish(services, batch, takers[batch["feature"]])
        except Exception as error:
            log.warning("batch not collected", batch_id=batch["id"], exc_info=True)
            faults.append(error)
    if faults:
        raise faults[0]
    return taken


DONE = "UPDATE ai_batches SET state = $2, ended_at = now() WHERE id = $1 AND state = 'waiting'"
LEFT = "SELECT id FROM ai_calls WHERE batch_id = $1 AND state = 'reserved' ORDER BY id"


async def finish(services: Services, batch: Any, taker: Taker) -> int:
    """Take in the answers of one batch, if it is over, and count in full what it left without one."""
    found = await replies(services, batch)
    if found is None:
        return 0
    taken = 0
    for name, reply in found:
        taken += await take(services, batch, name, reply, taker)
    for row in await services.db.fetch(LEFT, batch["id"]):
        log.warning("call of a batch lost", call_id=row["id"], batch_id=batch["id"])
        nothing = calls.NoAnswer("There is no answer.")
        await take(services, batch, str(row["id"]), nothing, taker)
    await services.db.execute(DONE, batch["id"], "done" if found else "lost")
    return taken


async def replies(services: Services, batch: Any) -> list[tuple[str, Any]] | None:
    """All answers of a batch; none of one that nobody can tell of any more; None while it is worth to wait."""
    try:
        outside = calls.door(services)
        if await outside.batch_ended(batch["outside_id"]):
            return [named async for named in outside.batch_replies(batch["outside_id"])]
    except NotFound:
        # The provider has forgotten it, and with it what it cost.
        return None if batch["is_new"] else []
    except NotConfigured:
        return [] if batch["is_late"] else None
    except ServiceDown:
        if not batch["is_last_time"]:
            raise
        return []
    return [] if batch["is_late"] else None


CALL = """
SELECT id, model, about FROM ai_calls WHERE id = $1 AND batch_id = $2 AND state = 'reserved' FOR UPDATE
"""


async def take(services: Services, batch: Any, name: str, reply: Any, taker: Taker) -> bool:
    """Settle one call of a batch and hand its answer on, together; False when that was done before."""
    if not (name.isascii() and name.isdecimal() and len(name) < 19):
        return False
    async with services.tx() as tx:
        row = await tx.db.fetchrow(CALL, int(name), batch["id"])
        if row is None:
            return False
        if isinstance(reply, ServiceDown):
            await calls.ended_badly(tx, row["id"], reply)
            await taker(tx, row["about"], reply)
            return True
        answer = calls.answer_of(row["id"], price_of(tx, batch, row["model"]), reply, in_batch=True)
        await ledger.settle(tx, row["id"], answer.cost_micros, answer.tokens)
        await taker(tx, row["about"], answer)
    return True


def price_of(services: Services, batch: Any, model: str) -> prices.Price:
    """What a model cost when the batch was handed over, whatever it costs today."""
    if batch["price"] is None:
        return calls.price_of(services, model)
    return prices.one(model, batch["price"])
