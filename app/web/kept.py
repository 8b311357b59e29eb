"""Kept answers: what was rendered once and still holds. Bounded by bytes; a key tells all that the bytes depend on."""

import hashlib
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

CEILING = 48 * 2**20
PLANS = 5_000
OVERHEAD = 400  # bytes a kept piece costs beside its content, measured with tracemalloc
PLAN_COST = 1_600  # bytes a page's plan costs with its key
TAG_COST = 1_200  # bytes a page's ETag costs with its key


def digest(*parts: object) -> bytes:
    """A short key for what a piece depends on: nothing of what people wrote stands in a key."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()


class Kept:
    """The most recently used pieces, up to CEILING bytes."""

    def __init__(self, ceiling: int = CEILING) -> None:
        self.ceiling = ceiling
        self.bytes = 0
        self.pieces: OrderedDict[Hashable, bytes] = OrderedDict()
        self.versions: dict[int, tuple[Hashable, Any]] = {}
        self.plans: OrderedDict[Hashable, tuple[Hashable, ...]] = OrderedDict()
        self.tags: OrderedDict[Hashable, bytes] = OrderedDict()

    def get(self, key: Hashable) -> bytes | None:
        """The piece of that key, or None."""
        piece = self.pieces.get(key)
        if piece is not None:
            self.pieces.move_to_end(key)
        return piece

    def put(self, key: Hashable, piece: bytes) -> bytes:
        """Keep a piece; the longest unused ones go when room is short."""
        if old := self.pieces.pop(key, None):
            self.bytes -= len(old) + OVERHEAD
        self.pieces[key] = piece
        self.bytes += len(piece) + OVERHEAD
        self.make_room()
        return piece

    def make_room(self) -> None:
        """Let the longest unused go until all that is kept fits: pieces first, then what was made of them."""
        while self.bytes > self.ceiling and self.pieces:
            _, gone = self.pieces.popitem(last=False)
            self.bytes -= len(gone) + OVERHEAD
        while self.bytes > self.ceiling and self.plans:
            self.plans.popitem(last=False)
            self.bytes -= PLAN_COST
        while self.bytes > self.ceiling and self.tags:
            self.tags.popitem(last=False)
            self.bytes -= TAG_COST

    def joined(self, key: Hashable) -> bytes | None:
        """A page whose plan (the keys of its pieces, in order) is known and whose pieces are all still here."""
        plan = self.plans.get(key)
        if plan is None:
            return None
        self.plans.move_to_end(key)
        found = [self.get(piece) for piece in plan]
        return None if None in found else b"".join(found)  # type: ignore[arg-type]

    def plan(self, key: Hashable, pieces: Iterable[Hashable]) -> None:
        """Remember of which pieces a page is joined."""
        self.bytes += PLAN_COST * (key not in self.plans)
        self.plans[key] = tuple(pieces)
        if len(self.plans) > PLANS:
            self.plans.popitem(last=False)
            self.bytes -= PLAN_COST
        self.make_room()

    def forget(self) -> None:
        """Forget everything: somebody was erased, and their words may be in any piece."""
        self.bytes = 0
        for part in (self.pieces, self.versions, self.plans, self.tags):
            part.clear()

    def tag(self, key: Hashable, tag: bytes) -> bytes:
        """Remember the ETag of a page."""
        self.bytes += TAG_COST * (key not in self.tags)
        self.tags[key] = tag
        if len(self.tags) > PLANS:
            self.tags.popitem(last=False)
            self.bytes -= TAG_COST
        self.make_room()
        return tag


class SharedAnswer(NamedTuple):
    """One whole answer that is the same for every visitor without cookies."""

    body: bytes
    packed: bytes
    etag: bytes
    made_of: Hashable
    headers: list[tuple[bytes, bytes]]
    packed_headers: list[tuple[bytes, bytes]]
    unchanged_headers: list[tuple[bytes, bytes]]
