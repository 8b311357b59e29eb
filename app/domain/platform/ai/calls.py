"""One call to a model: reserve, ask, settle. Nothing is held open while we wait for the answer."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from app.domain.platform.ai import alerts, budget, ledger, prices
from app.domain.platform.ai.prices import Price, Tokens
from app.errors import NotConfigured, ServiceDown
from app.services import Services

OFF = "No model is set up on this site."


class Answer(msgspec.Struct, frozen=True):
    """What a model said: `value` is its JSON, None when it wrote something else; that costs all the same."""

    call_id: int
    text: str
    value: Any
    cost_micros: Decimal
    tokens: Tokens
    why_ended: str


def is_set_up(services: Services) -> bool:
    """Whether there is a model to ask."""
    return budget.PROVIDER in services.outside


def bulk(services: Services) -> str:
    """The model for what there is much of."""
    return services.settings.ai_model_bulk


def hard(services: Services) -> str:
    """The model for what the other one cannot tell."""
    return services.settings.ai_model_hard


def door(services: Services) -> Any:
    """The way to the provider. Raises NotConfigured."""
    if not is_set_up(services):
        raise NotConfigured(OFF)
    return services.outside[budget.PROVIDER]


def price_of(services: Services, model: str) -> Price:
    """The price of a model. Raises ServiceDown with code ai_unpriced: what it would cost is not known."""
    price = prices.of(services).get(model)
    if price is None:
        sentence = f"{model} has no price, so it is not asked. Add it to AI_PRICES."
        raise ServiceDown(sentence, code="ai_unpriced")
    return price


async def ask(
    services: Services,
    *,
    feature: str,
    model: str,
    system: str,
    content: str,
    schema: Mapping[str, Any],
    max_tokens: int,
    items: int = 1,
    critical: bool = False,
) -> Answer:
    """Ask a model once and pay for it. Raises budget.Refused, NotConfigured, ServiceDown.

    The caller says how many items of its own the call holds. Each further try is a call of its own.
    """
    if services.in_tx:
        raise RuntimeError("A model is asked outside of any transaction: it may take a minute.")
    outside, price = door(services), price_of(services, model)
    request = outside.request(model, system, content, schema, max_tokens)
    wish = budget.Wish(price.worst(outside.size(request), max_tokens), items)
    try:
        [call_id] = await budget.reserve(services, feature, model, [wish], critical=critical)
    except budget.Refused as refused:
        if refused.filled is not None:
            await alerts.tell(services, refused.filled)
        raise
    try:
        reply = await outside.ask(request)
    except ServiceDown as down:
        await ended_badly(services, call_id, down)
        raise
    answer = answer_of(call_id, price, reply)
    await ledger.settle(services, call_id, answer.cost_micros, answer.tokens)
    return answer


async def ended_badly(services: Services, call_id: int, down: ServiceDown) -> None:
    """Give the money back where the provider clearly did not work; else count it as spent."""
    if down.code == "breaker_open" or getattr(down, "is_clear", False):
        await ledger.release(services, call_id, down.code)
    else:
        await ledger.lose(services, call_id, down.code)


class NoAnswer(ServiceDown):
    """A call went out and nothing will come back."""

    code = "no_answer"
    is_clear = False


def was_paid(down: ServiceDown) -> bool:
    """Whether a call went out and counts in full though it has no answer."""
    return getattr(down, "is_clear", True) is False


def answer_of(call_id: int, price: Price, reply: Any, *, in_batch: bool = False) -> Answer:
    """A provider's reply with its cost."""
    tokens = Tokens(reply.tokens_in, reply.tokens_out, reply.cache_write, reply.cache_read)
    cost = price.cost(tokens, in_batch=in_batch)
    return Answer(call_id, reply.text, json_in(reply.text), cost, tokens, reply.why_ended)


def json_in(text: str) -> Any:
    """The JSON that a model wrote; None when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
