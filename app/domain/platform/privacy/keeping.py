"""What we keep, why and for how long, as people see it: made from the registry."""

import msgspec

from app.domain.platform.privacy.registry import ACCOUNT, PLACES

ERASED = {
    "delete": "erased",
    "clear": "emptied",
    "keep": "kept: {why}",
    "expires": "goes by itself: {until}",
}


class Kept(msgspec.Struct):
    """One line of the table: what, why, on what ground, how long, and what becomes of it when you leave."""

    what: str
    purpose: str
    basis: str
    retention: str
    on_deletion: str
    kind: str
    place: str


def table() -> list[Kept]:
    """The registry in its order, the account before all."""
    return [
        Kept(
            place.about,
            place.purpose,
            place.basis,
            place.retention,
            ERASED[place.erasure.how].format(why=place.erasure.why, until=place.erasure.until),
            place.kind,
            place.name,
        )
        for place in sorted(PLACES, key=lambda place: place not in ACCOUNT)
    ]
