"""Links out: a signed token that names the target and where its link stood; the address is read when it is used."""

import base64
import hmac
import struct
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple

from app.config import Settings
from app.domain.platform.readers import Reader
from app.errors import NotFound
from app.services import Services

# Version, type, target kind, target id, container kind, container id, placement, position, category, bubbled, day.
SHAPE = struct.Struct(">BBBQBIBHIBH")
MAC_BYTES = 16
VERSION = 1
EPOCH = date(2020, 1, 1)
KINDS = ("item", "site", "profile_link", "article", "social_post", "listing", "event")
CONTAINERS = ("page", "news_feed", "rss_feed", "search", "story", "saved")


class Click(NamedTuple):
    """What a token says: the target, and where its link stood."""

    kind: str
    target_id: int
    container: str
    container_id: int
    position: int
    day: date


Target = Callable[[Services, Reader | None, int], Awaitable[str]]
# Each chapter adds its kind: a function that answers the address a reader may go to, and raises NotFound or Gone.
TARGETS: dict[str, Target] = {}


def keys_of(settings: Settings) -> tuple[tuple[int, bytes], ...]:
    """CLICK_KEYS as numbers and keys; the first signs, all are valid."""
    return keys_in(settings.click_keys)


# A page of news signs twenty links.
@lru_cache(maxsize=8)
def keys_in(text: str) -> tuple[tuple[int, bytes], ...]:
    """Keys as a setting holds them."""
    pairs = [part.split(":", 1) for part in text.split(",") if ":" in part]
    return tuple((int(name[1:]), bytes.fromhex(key)) for name, key in pairs)


def token(
    settings: Settings,
    kind: str,
    target_id: int,
    container: str,
    position: int = 0,
    container_id: int = 0,
) -> str:
    """A token of 57 characters, the same for all readers on one day. Contract: chapter 50 rule 27."""
    number, key = keys_of(settings)[0]
    day = (datetime.now(UTC).date() - EPOCH).days
    places = (
        KINDS.index(kind),
        target_id,
        CONTAINERS.index(container),
        container_id,
        0,
        min(position, 65_535),
        0,
        0,
        day,
    )
    body = bytes([number]) + SHAPE.pack(VERSION, 0, *places)
    return base64.urlsafe_b64encode(body + mac(key, body)).rstrip(b"=").decode()


def mac(key: bytes, body: bytes) -> bytes:
    """The first 128 bits of HMAC-SHA256."""
    begun = keyed(key).copy()
    begun.update(body)
    return begun.digest()[:MAC_BYTES]


@lru_cache(maxsize=8)
def keyed(key: bytes) -> hmac.HMAC:
    """An HMAC that has read its key."""
    return hmac.new(key, digestmod="sha256")


def read_token(settings: Settings, text: str) -> Click:
    """What a token of ours says. Raises NotFound for any other."""
    try:
        raw = base64.b64decode(
            text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
        )
    except ValueError:
        raise not_ours() from None
    body, sent = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    keys = dict(keys_of(settings))
    if (
        len(body) != SHAPE.size + 1
        or body[0] not in keys
        or not hmac.compare_digest(mac(keys[body[0]], body), sent)
    ):
        raise not_ours()
    (
        version,
        _type,
        kind,
        target_id,
        container,
        container_id,
        _placement,
        position,
        _category,
        _bubbled,
        day,
    ) = SHAPE.unpack(body[1:])
    if version != VERSION or kind >= len(KINDS) or container >= len(CONTAINERS):
        raise not_ours()
    issued = date.fromordinal(EPOCH.toordinal() + day)
    return Click(KINDS[kind], target_id, CONTAINERS[container], container_id, position, issued)


def not_ours() -> NotFound:
    """The problem of a link that we did not sign."""
    return NotFound("This link is not one of ours.", code="foreign_link")


async def target_of(services: Services, who: Reader | None, text: str) -> str:
    """Where a link leads for this reader, read from our tables now. Raises NotFound, Gone."""
    click = read_token(services.settings, text)
    target = TARGETS.get(click.kind)
    if target is None:
        raise not_ours()
    return await target(services, who, click.target_id)
