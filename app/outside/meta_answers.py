"""Answers of Meta's Graph, as far as they are read: tokens, accounts, posts. One bad post loses no neighbour."""

import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

CAPTION, PERMALINK, NAME = 2200, 2000, 200
PICTURES = 4
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
LARGEST = 2**31 - 1
# They end up in addresses, keys and rows.
Id = (
    Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.:-]{1,100}\Z")]
    | Annotated[int, Meta(ge=0, le=2**63 - 1)]
)
# They end up in a header.
Token = Annotated[str, Meta(pattern=r"\A[!-~]{1,4000}\Z")]
# What decoding raises of an answer that is none.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
A = TypeVar("A")


class Post(Struct, frozen=True, kw_only=True):
    """One post in our words: `kind` of chapter 20 §2, addresses of its pictures, figures by name."""

    id: str
    kind: str
    caption: str = ""
    permalink: str | None = None
    posted_at: datetime | None = None
    pictures: list[str] = []
    engagement: dict[str, int] = {}


class GraphError(Struct):
    """The Graph's error."""

    code: int = 0
    type: str = ""


class ErrorAnswer(Struct):
    """A refusal: the Graph's shape, or the one of Instagram's token endpoint."""

    error: GraphError | None = None
    error_type: str = ""
    code: int = 0


class TokenAnswer(Struct):
    """A token endpoint's answer."""

    access_token: Token
    expires_in: float | None = None

    @property
    def lasts(self) -> float | None:
        """The seconds that the token holds; None when it does not say, or says nonsense."""
        said = self.expires_in
        return said if said is not None and math.isfinite(said) and 0 < said < 10**9 else None


class RawList(Struct):
    """A list whose entries are read one by one."""

    data: list[msgspec.Raw] = []


def each(found: RawList, kind: type[A], limit: int) -> Iterable[A]:
    """The entries that are what they should be, at most so many."""
    for entry in found.data[:limit]:
        try:
            yield msgspec.json.decode(entry, type=kind)
        except UNREADABLE:
            continue


def read(found: RawList, kind: type[A], post: Callable[[A], Post], limit: int) -> list[Post]:
    """The posts of a list in our words, at most so many; those without a usable number are left out."""
    return [post(entry) for entry in each(found, kind, limit)]


def moment(said: str | None) -> datetime | None:
    """A time as 2026-11-24T09:42:00+0000; without a zone it is UTC. None when it is no time."""
    if not said:
        return None
    try:
        at = datetime.fromisoformat(said)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def text(said: str | None, longest: int) -> str:
    """A text without control signs, cut to its longest."""
    return CONTROL.sub("", said or "").strip()[:longest]


def web_address(said: str | None) -> str | None:
    """An address of the web; None for anything else that a link could be made of."""
    usable = said is not None and len(said) <= PERMALINK and said.isprintable() and " " not in said
    return said if usable and said and said.startswith(("https://", "http://")) else None


def figures(**counts: int | None) -> dict[str, int]:
    """The figures that are known and can be."""
    return {name: n for name, n in counts.items() if n is not None and 0 <= n <= LARGEST}


def pictures(addresses: Iterable[str | None]) -> list[str]:
    """The addresses of a post's pictures, each once, at most four."""
    usable = dict.fromkeys(found for one in addresses if (found := picture_address(one)))
    return list(usable)[:PICTURES]


def picture_address(said: str | None) -> str | None:
    """The address of a picture; signed ones are long."""
    is_web = said is not None and said.startswith(("https://", "http://")) and len(said) <= 8000
    return said if is_web else None


def kind_or(found: str | None, permalink: str | None) -> str:
    """A kind that we know, else `link` where the post can be opened, and `text`."""
    return found or ("link" if permalink else "text")
