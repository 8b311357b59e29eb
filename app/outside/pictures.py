"""Makes WebP of foreign pictures, in a child process that may fail without harm."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from prometheus_client import Counter

from app.errors import OutsideFailed
from app.outside.children import ChildFailed, Children

MOST_BYTES = 10 * 2**20

CONVERSIONS = Counter(
    "storage_webp_conversions_total", "Pictures turned into WebP, by outcome.", ["status"]
)

Variant = tuple[str, int, int, Literal["cropped", "fitted"]]


@dataclass(frozen=True)
class Picture:
    """One variant: its WebP bytes and its size in pixels."""

    name: str
    content: bytes
    width: int
    height: int


class Unusable(OutsideFailed):
    """The bytes are no picture that we can show.

    The code is `too_large`, `too_many_pixels`, `not_a_picture`, `broken`, `timeout`, `memory` or
    `crash`.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Pictures:
    """The door to the picture child: 512 MB, 20 seconds, at most `size` at once."""

    def __init__(self, *, size: int = 1, wall_seconds: float = 20.0) -> None:
        self._children = Children(
            "app.outside.pictures_child",
            size=size,
            cpu_seconds=20,
            memory_mb=512,
            wall_seconds=wall_seconds,
        )

    async def webp(self, content: bytes, variants: Sequence[Variant]) -> list[Picture]:
        """Return the variants upright, without metadata, never enlarged. Raises Unusable."""
        try:
            made = await self._made(content, variants)
        except Unusable as unusable:
            CONVERSIONS.labels(unusable.code).inc()
            raise
        CONVERSIONS.labels("ok").inc()
        return made

    async def close(self) -> None:
        """End the children."""
        await self._children.close()

    async def _made(self, content: bytes, variants: Sequence[Variant]) -> list[Picture]:
        if len(content) > MOST_BYTES:
            raise Unusable("too_large")
        try:
            answer = await self._children.call([content, variants])
        except ChildFailed as failed:
            raise Unusable(failed.code) from failed
        told = cast(dict[str, Any], answer)
        if "refused" in told:
            raise Unusable(told["refused"])
        return [Picture(*made) for made in told["pictures"]]
