"""A market of the world: invented companies beside symbols that people know, all at invented prices that move by the clock."""

import math
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/New_York")
# Companies that there are not, so that nobody takes a demo for the truth.
COMPANIES = {
    "LNTN": ("Lantern Works", 231.4),
    "HRBR": ("Harbour & Hale", 58.2),
    "MOSS": ("Mossfield Foods", 17.35),
    "QRRY": ("Quarry Instruments", 412.9),
    "TIDE": ("Tidewater Rail", 96.1),
    "OAKS": ("Oakstead Homes", 8.42),
    "PLOV": ("Plover Air", 143.75),
    "VILG": ("Village Commons", 64.0),
    "<B>": ("Not a symbol", 1.0),
}
KNOWN = ("AAPL", "AMZN", "DIS", "GOOGL", "IBM", "JPM", "KO", "MSFT", "NVDA", "SPY", "TSLA", "WMT")


class Quoted(NamedTuple):
    """One symbol at one moment."""

    price: float
    previous: float
    day: datetime
    at: int


def begins_at(symbol: str) -> float | None:
    """What a symbol is worth on the whole; None for one that there is not."""
    if symbol in COMPANIES:
        return COMPANIES[symbol][1]
    return 40 + Random(symbol).random() * 400 if symbol in KNOWN else None


def price_at(symbol: str, seconds: float) -> float:
    """The price at a moment: slow waves and quick ones, the same for whoever asks."""
    chance = Random(symbol)
    value = begins_at(symbol) or 0.0
    for days, share in ((19, 0.03), (5, 0.012), (0.9, 0.005), (0.04, 0.001)):
        value *= 1 + share * math.sin(seconds / 86_400 / days * math.tau + chance.random() * 6)
    return round(value, 2)


def quoted(symbol: str, now: float) -> Quoted | None:
    """The last price: trade rests at night and at weekends."""
    if begins_at(symbol) is None:
        return None
    moment = datetime.fromtimestamp(now, UTC).astimezone(ZONE)
    last = last_trade(moment)
    day_before = last_trade((last - timedelta(days=1)).replace(hour=23))
    price = price_at(symbol, last.timestamp())
    return Quoted(price, price_at(symbol, day_before.timestamp()), last, int(last.timestamp()))


def last_trade(moment: datetime) -> datetime:
    """The last minute of trade up to a moment; this market knows no holidays."""
    while moment.weekday() >= 5 or (moment.hour, moment.minute) < (9, 30):
        moment = (moment - timedelta(days=1)).replace(hour=23, minute=0)
    return min(moment, moment.replace(hour=16, minute=0, second=0, microsecond=0))
