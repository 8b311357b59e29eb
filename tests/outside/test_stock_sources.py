"""Two sources of prices: their answers become prices, their troubles one family, and their keys are told to nobody."""

import gzip
import logging
import traceback
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from app.errors import Forbidden, NotFound, ServiceDown
from app.outside.alpha_vantage import AlphaVantage
from app.outside.breakers import Breaker
from app.outside.finnhub import Finnhub
from app.outside.prices import plain
from tests.outside.servers import Server, always, answer, serving

KEY = "canary-8d41c0"
NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
DOORS: dict[str, Any] = {"alphavantage": AlphaVantage, "finnhub": Finnhub}
QUOTE = {
    "05. price": "229.8700",
    "07. latest trading day": "2026-11-23",
    "08. previous close": "230.7800",
    "09. change": "-0.9100",
    "10. change percent": "-0.3943%",
}
CALM = {"c": 229.87, "d": -0.91, "dp": -0.3943, "pc": 230.78, "t": 1795532400}


@asynccontextmanager
async def door(source: str, said: bytes, **more: Any) -> AsyncIterator[tuple[Any, Server]]:
    """Give a door to a source that always says this."""
    async with serving(always(said)) as server:
        url = f"http://127.0.0.1:{server.port}"
        opened = DOORS[source](url, KEY, breaker=Breaker(source), clock=lambda: NOW, **more)
        yield opened, server
        await opened.close()


def saying(body: Any) -> bytes:
    """A whole answer with that body."""
    return answer(msgspec.json.encode(body))


async def test_alpha_vantage_is_asked_for_one_symbol_and_answers_in_decimals() -> None:
    async with door("alphavantage", saying({"Global Quote": QUOTE})) as (source, server):
        price = await source.price("^GSPC")
    asked = parse_qs(urlsplit(server.visits[0].path).query)
    assert (asked["function"], asked["symbol"], asked["apikey"]) == (
        ["GLOBAL_QUOTE"],
        ["^GSPC"],
        [KEY],
    )
    assert "%5EGSPC" in server.visits[0].path
    assert (price.price, price.change) == (Decimal("229.87"), Decimal("-0.91"))
    assert (price.change_percent, price.previous_close) == (Decimal("-0.3943"), Decimal("230.78"))
    assert (price.day, price.quoted_at) == (date(2026, 11, 23), None)


async def test_finnhub_gets_its_key_in_a_header_and_answers_with_the_time() -> None:
    async with door("finnhub", saying(CALM)) as (source, server):
        price = await source.price("BRK-B")
    assert KEY not in server.visits[0].path and server.visits[0].header("x-finnhub-token") == KEY
    assert (price.price, price.change) == (Decimal("229.87"), Decimal("-0.91"))
    assert price.quoted_at == datetime.fromtimestamp(CALM["t"], UTC)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("alphavantage", saying({"Global Quote": {}})),
        ("finnhub", saying({"c": 0, "d": None, "dp": None, "pc": 0, "t": 0})),
    ],
)
async def test_a_symbol_that_there_is_not_is_not_found(source: str, said: bytes) -> None:
    async with door(source, said) as (opened, _):
        with pytest.raises(NotFound):
            await opened.price("NOPE")


TROUBLES = [
    (
        "alphavantage",
        saying({"Note": "Thank you! Our limit is 25 requests per day."}),
        "over_quota",
    ),
    ("alphavantage", saying({"Information": "Please spread out."}), "over_quota"),
    ("alphavantage", saying({"Error Message": "the parameter apikey is invalid"}), "refused"),
    ("alphavantage", saying({}), "garbage"),
    ("alphavantage", saying([]), "garbage"),
    ("alphavantage", saying({"Global Quote": {"05. price": "1.00"}}), "garbage"),
    (
        "alphavantage",
        saying({"Global Quote": QUOTE | {"07. latest trading day": "2031-01-01"}}),
        "garbage",
    ),
    ("alphavantage", saying({"Global Quote": QUOTE | {"10. change percent": "much"}}), "garbage"),
    ("alphavantage", saying({"Global Quote": QUOTE | {"08. previous close": "-1"}}), "garbage"),
    ("finnhub", saying({"error": "Invalid API key"}), "garbage"),
    ("finnhub", saying(CALM | {"t": 99999999999999}), "garbage"),
    ("finnhub", saying(CALM | {"t": -5}), "garbage"),
    ("finnhub", saying(CALM | {"c": None}), "garbage"),
    ("finnhub", answer(b'{"c": NaN, "t": 1795532400}'), "garbage"),
    *((source, answer(b"<html>"), "garbage") for source in DOORS),
    *((source, answer(b"", status="429 Slow"), "over_quota") for source in DOORS),
    *((source, answer(b"", status="401 No"), "http_401") for source in DOORS),
    # A wrong address says nothing of a symbol, nor does a block in which the names of the figures have changed.
    *((source, answer(b"", status="404 Gone"), "http_404") for source in DOORS),
    *((source, answer(b"", status="799 What"), "garbage") for source in DOORS),
    *(
        (source, answer(b"", "Location: /elsewhere", status="302 There"), "http_302")
        for source in DOORS
    ),
    ("alphavantage", saying({"Global Quote": {"symbol": "MSFT", "price": "229.87"}}), "garbage"),
    *((source, answer(b'{"x":' + b"[" * 100_000), "garbage") for source in DOORS),
    *((source, answer(b"", status="503 Busy"), "http_503") for source in DOORS),
    *((source, b"", "unreachable") for source in DOORS),
]


@pytest.mark.parametrize(("source", "said", "code"), TROUBLES)
async def test_a_trouble_has_a_code_and_is_asked_for_once(
    source: str, said: bytes, code: str
) -> None:
    async with door(source, said) as (opened, server):
        with pytest.raises(ServiceDown) as down:
            await opened.price("MSFT")
    assert down.value.code == code
    # Each request counts against a quota: there is no second try.
    assert len(server.visits) == 1


async def test_the_wait_that_a_source_asks_for_is_told() -> None:
    async with door("finnhub", answer(b"", "Retry-After: 90", status="429 Slow")) as (source, _):
        with pytest.raises(ServiceDown) as down:
            await source.price("MSFT")
    assert down.value.retry_after == 90


@pytest.mark.parametrize("source", DOORS)
@pytest.mark.parametrize("said", [b"", answer(b"<html>"), answer(b"", status="500 Oh"), saying({})])
async def test_no_error_and_no_log_line_has_the_key(
    source: str, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with door(source, said) as (opened, _):
        with pytest.raises(ServiceDown) as down:
            await opened.price("MSFT")
    shown = "".join(traceback.format_exception(down.value))
    assert KEY not in shown and KEY not in caplog.text and KEY not in repr(vars(opened.breaker))


async def test_garbage_again_and_again_opens_the_breaker() -> None:
    async with door("alphavantage", saying({})) as (source, server):
        for _ in range(7):
            with pytest.raises(ServiceDown):
                await source.price("MSFT")
    assert source.breaker.state == "open" and len(server.visits) == 5


@pytest.mark.parametrize("source", DOORS)
async def test_a_bomb_is_not_unpacked(source: str) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b" " * 2**20) for _ in range(256)) + packer.flush()
    tracemalloc.start()
    try:
        async with door(source, answer(bomb, "Content-Encoding: gzip")) as (opened, _):
            with pytest.raises(ServiceDown) as down:
                await opened.price("MSFT")
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()
    assert down.value.code == "garbage"


@pytest.mark.parametrize("source", DOORS)
async def test_packed_answers_are_read(source: str) -> None:
    body = gzip.compress(msgspec.json.encode({"Global Quote": QUOTE} | CALM))
    async with door(source, answer(body, "Content-Encoding: gzip")) as (opened, server):
        assert (await opened.price("MSFT")).price == Decimal("229.87")
    assert server.visits[0].header("accept-encoding") == "gzip, deflate"


async def test_the_list_has_plain_names() -> None:
    lines = [
        {
            "symbol": "LNTN",
            "description": "LANTERN\u202e\x00 WORKS  <b>",
            "mic": "XNYS",
            "currency": "USD",
        },
        {"symbol": "X" * 40, "description": "n" * 500, "mic": None, "currency": "DOLLARS"},
    ]
    async with door("finnhub", saying(lines)) as (source, _):
        first, second = await source.symbols()
    assert (first.name, first.exchange, first.currency) == ("LANTERN WORKS <b>", "NYSE", "USD")
    assert (len(second.name), second.exchange, second.currency) == (80, None, None)
    assert plain("\x00\u200b") == ""


async def test_a_symbol_that_finnhub_refuses_says_nothing_about_finnhub() -> None:
    async with door("finnhub", answer(b"{}", status="403 Forbidden")) as (source, _):
        for _ in range(12):
            with pytest.raises(Forbidden):
                await source.price("SPX")
        assert source.breaker.state == "closed"
        with pytest.raises(ServiceDown, match="does not answer"):
            await source.symbols()
