"""Anthropic: an answer with its bill, or what went wrong and whether that was clear."""

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import pytest

from app.errors import ServiceDown
from app.outside.anthropic import Anthropic, ModelDown, Reply
from app.outside.breakers import Breaker
from tests.conftest import ROOT
from tests.world.claude import KEY, Claude
from tests.world.faults import Faults
from tests.world.servers import Site

SCHEMA = {"type": "object"}


@pytest.fixture
async def claude() -> AsyncIterator[Claude]:
    """The provider."""
    faults = Faults()
    provider = Claude(time.time, faults)
    site = Site(provider.app)
    await site.start()
    provider.url = site.url
    yield provider
    faults.closing.set()
    await site.stop()


@pytest.fixture
async def door(claude: Claude) -> AsyncIterator[Anthropic]:
    """The door to it, which waits a second and a half at most."""
    found = Anthropic(KEY, url=claude.url, breaker=Breaker("anthropic", limit=1000), timeout=1.5)
    await found.reachable()
    yield found
    await found.close()


def request(
    door: Anthropic, content: str = '[{"index": 0, "title": "An election"}]'
) -> dict[str, object]:
    """One small request."""
    return door.request("claude-haiku-4-5", "Sort these.", content, SCHEMA, 200)


async def test_an_answer_has_its_text_and_its_bill(door: Anthropic, claude: Claude) -> None:
    reply = await door.ask(request(door))
    assert json.loads(reply.text)["items"][0]["tags"][0]["slug"] == "politics"
    line = claude.ledger[0]
    assert (reply.tokens_in, reply.tokens_out) == (line["input_tokens"], line["output_tokens"])
    assert (reply.why_ended, door.quota_left) == ("end_turn", 3999)


def test_the_size_of_a_request_counts_bytes_and_no_characters() -> None:
    door = Anthropic(KEY, url="http://127.0.0.1:9", breaker=Breaker("anthropic"))
    plain, wide = door.size(request(door, "aaaa")), door.size(request(door, "日本語文"))
    assert wide - plain == 8


@pytest.mark.parametrize(
    ("mode", "code", "is_clear"),
    [
        ("bill_then_hang", "timeout", False),
        ("bill_then_cut", "garbage", False),
        ("bill_then_502", "http_502", False),
        ("500", "http_500", True),
        ("529", "overloaded", True),
        ("429", "over_quota", True),
        ("400", "http_400", True),
        ("no_credit", "no_credit", True),
        ("408", "http_408", False),
        ("504", "http_504", False),
    ],
)
async def test_what_goes_wrong_says_whether_it_is_clear(
    door: Anthropic, claude: Claude, mode: str, code: str, is_clear: bool
) -> None:
    claude.order([mode])
    with pytest.raises(ServiceDown) as down:
        await door.ask(request(door))
    assert (down.value.code, getattr(down.value, "is_clear", None)) == (code, is_clear)


async def test_a_wrong_key_and_an_unknown_model_are_clear_refusals(claude: Claude) -> None:
    door = Anthropic("stolen", url=claude.url, breaker=Breaker("anthropic"))
    with pytest.raises(ServiceDown) as down:
        await door.reachable()
    assert down.value.code == "refused_key"
    await door.close()
    door = Anthropic(KEY, url=claude.url, breaker=Breaker("anthropic"))
    with pytest.raises(ServiceDown) as down:
        await door.ask(door.request("claude-9", "s", "c", SCHEMA, 9))
    assert (down.value.code, getattr(down.value, "is_clear", None)) == ("unknown_model", True)
    await door.close()


async def test_a_request_that_is_wrong_in_itself_rests_no_provider(claude: Claude) -> None:
    door = Anthropic(KEY, url=claude.url, breaker=Breaker("anthropic", limit=1))
    claude.order(["400", "honest", "500"])
    with pytest.raises(ServiceDown):
        await door.ask(request(door))
    assert isinstance(await door.ask(request(door)), Reply)
    with pytest.raises(ServiceDown):
        await door.ask(door.request("claude-9", "s", "c", SCHEMA, 9))
    assert door.breaker.state == "closed"
    await door.close()


async def test_a_provider_that_is_away_was_never_billed() -> None:
    door = Anthropic(KEY, url="http://127.0.0.1:9", breaker=Breaker("anthropic"))
    with pytest.raises(ServiceDown) as down:
        await door.ask(request(door))
    await door.close()
    assert (down.value.code, getattr(down.value, "is_clear", None)) == ("unreachable", True)


async def test_a_batch_gives_each_answer_its_name(door: Anthropic, claude: Claude) -> None:
    claude.order(["honest", "500"])
    name = await door.send_batch({"7": request(door), "8": request(door)})
    assert await door.batch_ended(name)
    found = {one: reply async for one, reply in door.batch_replies(name)}
    assert isinstance(found["7"], Reply) and isinstance(found["8"], ModelDown)
    assert (found["8"].code, found["8"].is_clear) == ("errored", True)
    claude.batch_seconds = 60
    assert not await door.batch_ended(await door.send_batch({"9": request(door)}))


def test_the_sdk_is_not_imported_before_it_is_needed() -> None:
    look = "import sys, app.start; from app import config; app.start.outside(config.load(anthropic_api_key='x')); assert 'anthropic' not in sys.modules"
    subprocess.run([sys.executable, "-c", look], cwd=ROOT, check=True, timeout=60)
