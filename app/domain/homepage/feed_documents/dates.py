"""Dates as feeds write them, read into UTC: RFC 822 in its wild forms, ISO, words, numbers."""

import calendar
import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

# The first letters of month names in the languages feeds are written in, accents folded away.
# Every spelling is matched by its longest known beginning.
MONTHS = {
    1: "jan gen ene oca sty led",
    2: "feb fev fév fevr févr lut uno şub sub",
    3: "mar mär mrz maa mär mars brez bře",
    4: "apr abr avr kwi dub nis",
    5: "may mai maj mei mag kvě kve",
    6: "jun juin giu cze čer cer haz",
    7: "jul juil lug lip čvc tem",
    8: "aug ago aoû aou sie srp ağu",
    9: "sep set eyl wrz zář zar",
    10: "oct okt out ott ekim paź paz říj rij",
    11: "nov kas lis",
    12: "dec dez déc dic ara gru pro",
}
MONTH_OF = {word: month for month, words in MONTHS.items() for word in words.split()}

# Hours from UTC of the zone names that RFC 822 and the wild use.
ZONE_NAMES = {
    -10.0: "hst",
    -9.0: "akst",
    -8.0: "pst akdt pt",
    -7.0: "mst pdt mt",
    -6.0: "cst mdt ct",
    -5.0: "est cdt et",
    -4.0: "edt ast",
    -3.5: "nst",
    -3.0: "adt brt art",
    -2.5: "ndt",
    0.0: "ut utc gmt z wet",
    1.0: "bst cet mez met west",
    2.0: "cest mesz eet sast",
    3.0: "eest msk",
    5.0: "pkt",
    5.5: "ist",
    8.0: "sgt hkt awst",
    9.0: "jst kst",
    9.5: "acst",
    10.0: "aest",
    11.0: "aedt",
    12.0: "nzst",
    13.0: "nzdt",
}
ZONES = {name: hours for hours, names in ZONE_NAMES.items() for name in names.split()}

CLOCK = re.compile(
    r"(?<![\d:])(\d{1,2})[:.h](\d{2})(?:[:.](\d{2})(?:[.,]\d+)?)?\s*([ap]\.?m\.?)?(?![\d])", re.I
)
COMPACT_CLOCK = re.compile(r"(?<=\s)(\d{2})(\d{2})(?=\s+[a-z]|\s*$)", re.I)
OFFSET = re.compile(r"(?:utc|gmt)?\s*([+-])(\d{1,2}):?(\d{2})?(?:\s*\(.*\))?\s*$", re.I)
ZONE_WORD = re.compile(r"([a-z]{1,4})\.?\s*(?:\(.*\))?\s*$", re.I)
DAY_MONTH_YEAR = re.compile(
    r"(\d{1,2})(?:st|nd|rd|th|\.)?[\s/.-]*(?:de\s+)?([^\W\d_]{3,})\.?,?[\s/.-]*(?:de\s+)?(\d{4}|\d{2})(?!\d)",
    re.I,
)
MONTH_DAY_YEAR = re.compile(
    r"([^\W\d_]{3,})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(?:at\s+)?(?:[\d:]+\s+(?:[a-z]{1,4}\s+)?)?(\d{4})",
    re.I,
)
YEAR_MONTH_DAY = re.compile(r"(?<!\d)(\d{4})[-/.年]\s?(\d{1,2})[-/.月]\s?(\d{1,2})")
NUMBERS = re.compile(r"(?<!\d)(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?!\d)")
EPOCH = re.compile(r"\d{9,10}(?:\.\d+)?$|\d{12,13}$")
RFC_822 = re.compile(
    r"(?:[A-Za-z]{3},?\s+)?(\d{1,2})\s+([A-Za-z]{3})\s+(\d{4})\s+"
    r"(\d\d):(\d\d):(\d\d)\s+(?:([+-])(\d\d)(\d\d)|(GMT|UTC|Z))$"
)
ENGLISH = dict(zip(calendar.month_abbr[1:], range(1, 13), strict=True))


@lru_cache(maxsize=4096)
def moment(text: str) -> datetime | None:
    """Return the moment a feed's date names, in UTC; None when it names none. A missing zone is UTC."""
    text = text.strip()[:100]
    try:
        found = _usual(text) or _iso(text) or _epoch(text) or _wild(text)
        found = found.astimezone(UTC) if found else None
    except (ValueError, OverflowError):
        return None
    # Year 1 and the epoch itself are what programs write when they have no date at all.
    if found is None or found.year < 1900 or found.timestamp() == 0 or found.year > 9000:
        return None
    return found


def _usual(text: str) -> datetime | None:
    match = RFC_822.match(text)
    if match is None:
        return None
    day, month, year, hour, minute, second, sign, hours, minutes, _ = match.groups()
    if month not in ENGLISH:
        return None
    if int(hour) > 23 or int(second) > 59:
        return None
    zone = UTC
    if sign:
        zone = _zone(sign, int(hours), int(minutes))
    return datetime(
        int(year), ENGLISH[month], int(day), int(hour), int(minute), int(second), tzinfo=zone
    )


def _iso(text: str) -> datetime | None:
    if not text[:4].isdigit() or len(text) < 8:
        return None
    try:
        found = datetime.fromisoformat(text.replace(" UTC", "Z").replace(" GMT", "Z"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _epoch(text: str) -> datetime | None:
    if not EPOCH.match(text):
        return None
    seconds = float(text)
    return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)


def _wild(text: str) -> datetime | None:
    found = _day(text)
    if found is None:
        return None
    day, rest = found
    hour, minute, second, rest = _clock(rest)
    # 24:00 and a leap second are written by honest clocks; both are the start of what follows.
    start = datetime(*day, tzinfo=_named_zone(rest))
    return start + timedelta(hours=hour, minutes=minute, seconds=second)


def _day(text: str) -> tuple[tuple[int, int, int], str] | None:
    """Return year, month and day, and the text in which the time of day is to be sought."""
    if match := YEAR_MONTH_DAY.search(text):
        return (int(match[1]), int(match[2]), int(match[3])), text[match.end() :]
    for match in DAY_MONTH_YEAR.finditer(text):
        if month_named := _month(match[2]):
            return (_year(match[3]), month_named, int(match[1])), _without(match)
    for match in MONTH_DAY_YEAR.finditer(text):
        # Here the time of day may stand between day and year.
        if month_named := _month(match[1]):
            rest = f"{text[: match.start(3)]} {text[match.end(3) :]}"
            return (_year(match[3]), month_named, int(match[2])), rest
    if match := NUMBERS.search(text):
        is_american = re.search(r"\d\s*[ap]\.?m", text, re.I) is not None
        day = _numbers(int(match[1]), match[2], int(match[3]), match[4], is_american)
        return day, _without(match)
    return None


def _without(match: re.Match[str]) -> str:
    return f"{match.string[: match.start()]} {match.string[match.end() :]}"


def _numbers(one: int, mark: str, two: int, year: str, is_american: bool) -> tuple[int, int, int]:
    """Tell day from month: above 12 it is the day; points and the 24-hour clock are European."""
    month_first = two > 12 or (one <= 12 and mark == "/" and is_american)
    month, day = (one, two) if month_first else (two, one)
    return _year(year), month, day


def _month(word: str) -> int | None:
    word = word.lower()
    for length in (4, 3):
        if month := MONTH_OF.get(word[:length]):
            return month
    return None


def _year(digits: str) -> int:
    year = int(digits)
    if len(digits) > 2:
        return year
    # RFC 2822, 4.3: 00 to 49 lie in this century, 50 to 99 in the last.
    return year + (2000 if year < 50 else 1900)


def _clock(text: str) -> tuple[int, int, int, str]:
    match = CLOCK.search(text) or COMPACT_CLOCK.search(text)
    # Four digits after a space may be the year; a year is never followed by a second one.
    if match is None or (match.re is COMPACT_CLOCK and not _is_clock(match)):
        return 0, 0, 0, text
    hour, minute = int(match[1]), int(match[2])
    second = int(match[3] or 0) if match.re is CLOCK else 0
    half = (match[4] or "").lower() if match.re is CLOCK else ""
    if half:
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    if hour > 24 or minute > 59 or second > 60:
        raise ValueError(text)
    return hour, minute, second, text[match.end() :]


def _is_clock(match: re.Match[str]) -> bool:
    return int(match[1]) < 24 and int(match[2]) < 60 and re.search(r"\d", match.string) is not None


def _named_zone(rest: str) -> timezone:
    if match := OFFSET.search(rest):
        return _zone(match[1], int(match[2]), int(match[3] or 0))
    match = ZONE_WORD.search(rest)
    return timezone(timedelta(hours=ZONES.get(match[1].lower(), 0.0))) if match else UTC


def _zone(sign: str, hours: int, minutes: int) -> timezone:
    offset = timedelta(hours=hours, minutes=minutes)
    # No place on earth is further than 14 hours from Greenwich; a wilder offset is noise.
    if offset > timedelta(hours=14):
        return UTC
    return timezone(-offset if sign == "-" else offset)
