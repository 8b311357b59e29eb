"""Rotation of the keys under which secrets lie: everything that is sealed is sealed again under the first key."""

import base64
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import structlog

from app.config import Settings
from app.domain.platform import audit, secrets
from app.errors import NotConfigured, ServiceDown
from app.services import Services

log = structlog.get_logger("secrets")

BATCH = 500
# What a process with older settings seals while the walk goes by is found by the next one.
MOST_WALKS = 5
TRIES = 3
# Seals one piece again; a piece under the first key comes back as it is.
Reseal = Callable[[bytes], bytes]


class SealedPlace(NamedTuple):
    """One column with sealed pieces: its table and key, how pieces lie in it, and the column they are bound to."""

    table: str
    key: str
    column: str
    form: str = "bytes"
    bound_to: str = ""
    # Rows a transaction, where one row is large.
    batch: int | None = None


PLACES: tuple[SealedPlace, ...] = (
    SealedPlace("feeds", "id", "url_enc"),
    SealedPlace("feed_checks", "token_hash", "input", "text"),
    SealedPlace("feed_checks", "token_hash", "results", "urls", bound_to="input"),
    SealedPlace("opml_imports", "id", "content", "text", batch=20),
    SealedPlace("identities", "id", "refresh_token_enc"),
    SealedPlace("social_accounts", "id", "token_enc"),
    SealedPlace("token_revocations", "id", "token_enc"),
    SealedPlace("oauth_states", "state_hash", "verifier_enc"),
    SealedPlace("oauth_states", "state_hash", "form_enc"),
    SealedPlace("oauth_states", "state_hash", "found_enc"),
)


def in_bytes(reseal: Reseal, value: bytes) -> bytes:
    """A column that is one sealed piece."""
    return reseal(value)


def in_text(reseal: Reseal, value: str) -> str:
    """A text column that is one sealed piece in base64; an empty one holds none."""
    return base64.b64encode(reseal(base64.b64decode(value))).decode() if value else value


def in_urls(reseal: Reseal, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A list of objects whose `url` is a sealed piece in base64."""
    return [{**one, "url": in_text(reseal, one["url"])} for one in value]


FORMS: dict[str, Callable[[Reseal, Any], Any]] = {
    "bytes": in_bytes,
    "text": in_text,
    "urls": in_urls,
}


class Rotated(msgspec.Struct):
    """What became of one place: rows looked at, sealed again, and those that no key opens."""

    place: str
    seen: int = 0
    resealed: int = 0
    unreadable: int = 0


async def rotate(services: Services) -> list[Rotated]:
    """Seal everything under the first of SECRET_KEYS, 500 rows a transaction. Raises NotConfigured.

    A second call goes on where the first was stopped: what lies under the first key is only opened. The walk is
    repeated until it finds nothing to do, since a process that started with older settings may still seal under those.
    """
    names = list(secrets.keys_of(services.settings.secret_keys))
    if not names:
        raise NotConfigured("There are no secrets to rotate: SECRET_KEYS is not set.")
    found = [await rotate_place(services, place) for place in PLACES]
    last = found
    for _ in range(MOST_WALKS - 1):
        if not any(one.resealed for one in last):
            break
        last = [await rotate_place(services, place) for place in PLACES]
        found = [together(*pair) for pair in zip(found, last, strict=True)]
    counts = {one.place: msgspec.to_builtins(one) for one in found if one.seen}
    after = {"key": names[0], "places": counts}
    await audit.add(services, None, "secrets.rotated", ("secret_keys", names[0]), after=after)
    return found


def together(before: Rotated, last: Rotated) -> Rotated:
    """What two walks of one place did, and what the last one saw."""
    return Rotated(last.place, last.seen, before.resealed + last.resealed, last.unreadable)


async def rotate_place(services: Services, place: SealedPlace) -> Rotated:
    """Walk one column by its key."""
    done = Rotated(f"{place.table}.{place.column}")
    key: Any = None
    batch = place.batch or BATCH
    while True:
        async with services.tx() as tx:
            rows = await tx.db.fetch(rows_after(place), key, batch)
            for row in rows:
                await rotate_row(tx, place, row["key"], row["value"], done)
        if len(rows) < batch:
            log.info("secrets rotated", **msgspec.to_builtins(done))
            return done
        key = rows[-1]["key"]


def rows_after(place: SealedPlace) -> str:
    """The next rows of a place. The names stand in PLACES and nowhere else."""
    key, column = place.key, place.column
    return (
        f"SELECT {key} AS key, {column} AS value FROM {place.table} "  # noqa: S608
        f"WHERE {column} IS NOT NULL AND ($1::{key_type(place)} IS NULL OR {key} > $1) "
        f"ORDER BY {key} LIMIT $2"
    )


def key_type(place: SealedPlace) -> str:
    """The type of a place's key: a number, or the hash of a token."""
    return "bigint" if place.key == "id" else "bytea"


def rewrite_of(place: SealedPlace) -> str:
    """The statement that replaces a value which is still the one that was read."""
    return (
        f"UPDATE {place.table} SET {place.column} = $3 "  # noqa: S608
        f"WHERE {place.key} = $1 AND {place.column} = $2"
    )


def value_of(place: SealedPlace) -> str:
    """The statement that reads one value again."""
    return f"SELECT {place.column} FROM {place.table} WHERE {place.key} = $1"  # noqa: S608


async def rotate_row(
    services: Services, place: SealedPlace, key: Any, value: Any, done: Rotated
) -> None:
    """Seal the pieces of one row again where that is needed; what changed meanwhile is looked at again."""
    done.seen += 1
    for _ in range(TRIES):
        new = rewritten(services.settings, place, key, value)
        if new is None:
            done.unreadable += 1
        if new is None or new == value:
            return
        if (await services.db.execute(rewrite_of(place), key, value, new)).endswith(" 1"):
            done.resealed += 1
            return
        value = await services.db.fetchval(value_of(place), key)
        if value is None:
            return


def rewritten(settings: Settings, place: SealedPlace, key: Any, value: Any) -> Any:
    """A row's value with every piece under the first key; None when a piece is none, or no key opens it."""
    row = key.hex() if isinstance(key, bytes) else key
    bound = (place.table, place.bound_to or place.column, row)
    try:
        return FORMS[place.form](lambda piece: resealed(settings, bound, piece), value)
    except (ServiceDown, ValueError, TypeError, KeyError):
        return None


def resealed(settings: Settings, bound: tuple[str, str, object], piece: bytes) -> bytes:
    """The piece under the first key, which is tried even where its name stands there. Raises ServiceDown."""
    text = secrets.unseal(settings, *bound, piece)
    first = next(iter(secrets.keys_of(settings.secret_keys))).encode()
    if piece[:1] == bytes([len(first)]) and piece[1 : 1 + len(first)] == first:
        return piece
    return secrets.seal(settings, *bound, text)
