"""Rule 9: with a new key in front, rotate-secrets seals everything again, and the old key can go."""

import ast
import base64
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from app.domain.platform import secret_rotation, secrets
from app.errors import NotConfigured, ServiceDown
from app.services import Services
from tests.people import member

ROOT = Path(__file__).resolve().parent.parent.parent
OLD, NEW = "k1:" + "11" * 32, "k2:" + "22" * 32
STATE = "INSERT INTO oauth_states (state_hash, provider, browser_hash, nonce, verifier_enc, purpose, expires_at) VALUES ($1, 'google', 'b', 'n', $2, 'sign_in', now())"
CHECK = "INSERT INTO feed_checks (token_hash, user_id, input, results) VALUES ($1, $2, $3, $4)"


def under(services: Services, keys: str) -> Services:
    """The same services with other keys."""
    return dataclasses.replace(
        services, settings=dataclasses.replace(services.settings, secret_keys=keys)
    )


async def a_secret(services: Services, keys: str, hashed: bytes) -> None:
    """One trip to a provider with its sealed verifier."""
    sealed = secrets.seal(
        under(services, keys).settings, "oauth_states", "verifier_enc", hashed.hex(), "hush"
    )
    await services.db.execute(STATE, hashed, sealed)


async def verifier(services: Services, keys: str, hashed: bytes) -> str:
    """The verifier as it opens under some keys."""
    sealed = await services.db.fetchval(
        "SELECT verifier_enc FROM oauth_states WHERE state_hash = $1", hashed
    )
    return secrets.unseal(
        under(services, keys).settings, "oauth_states", "verifier_enc", hashed.hex(), sealed
    )


async def test_after_a_rotation_the_old_key_can_go(services: Services) -> None:
    await a_secret(services, OLD, b"one")
    with pytest.raises(ServiceDown):
        await verifier(services, NEW, b"one")
    await secret_rotation.rotate(under(services, f"{NEW},{OLD}"))
    assert await verifier(services, NEW, b"one") == "hush"


async def test_a_rotation_that_was_stopped_goes_on(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_rotation, "BATCH", 2)
    await a_secret(services, NEW, b"done")
    for number in range(5):
        await a_secret(services, OLD, bytes([number]))
    counts = [await secret_rotation.rotate(under(services, f"{NEW},{OLD}")) for _ in range(2)]
    found = [next(one for one in run if one.place == "oauth_states.verifier_enc") for run in counts]
    assert [(one.seen, one.resealed, one.unreadable) for one in found] == [(6, 5, 0), (6, 0, 0)]


async def test_what_no_key_opens_is_counted_and_left(services: Services) -> None:
    await a_secret(services, "k0:" + "33" * 32, b"lost")
    await a_secret(services, OLD, b"held")
    found = await secret_rotation.rotate(under(services, f"{NEW},{OLD}"))
    assert sum(one.unreadable for one in found) == 1
    assert await verifier(services, NEW, b"held") == "hush"


async def test_pieces_in_text_and_in_lists_are_sealed_again(services: Services) -> None:
    who = await member(services)
    old = under(services, OLD).settings
    text = base64.b64encode(
        secrets.seal(old, "feed_checks", "input", b"t".hex(), "https://a.example")
    ).decode()
    await services.db.execute(CHECK, b"t", who.id, text, [{"url": text, "title": "A"}])
    await secret_rotation.rotate(under(services, f"{NEW},{OLD}"))
    row = await services.db.fetchrow(
        "SELECT input, results FROM feed_checks WHERE token_hash = 't'"
    )
    for piece in (row["input"], row["results"][0]["url"]):
        opened = secrets.unseal(
            under(services, NEW).settings,
            "feed_checks",
            "input",
            b"t".hex(),
            base64.b64decode(piece),
        )
        assert opened == "https://a.example"


@pytest.mark.parametrize("odd", [[{"title": "no url"}], ["text"], {"url": "?"}, [{"url": "§"}]])
async def test_a_row_of_another_shape_stops_no_rotation(services: Services, odd: Any) -> None:
    who = await member(services)
    await services.db.execute(CHECK, b"o", who.id, "", odd)
    await a_secret(services, OLD, b"one")
    found = await secret_rotation.rotate(under(services, f"{NEW},{OLD}"))
    assert {one.place: one.unreadable for one in found}["feed_checks.results"] == 1
    assert await verifier(services, NEW, b"one") == "hush"


async def test_a_rotation_is_written_down_without_a_secret(services: Services) -> None:
    await a_secret(services, OLD, b"one")
    await secret_rotation.rotate(under(services, f"{NEW},{OLD}"))
    row = await services.db.fetchrow("SELECT * FROM audit_log WHERE action = 'secrets.rotated'")
    assert row["after"]["places"]["oauth_states.verifier_enc"]["resealed"] == 1
    assert "22" * 32 not in str(dict(row))
    with pytest.raises(NotConfigured):
        await secret_rotation.rotate(under(services, ""))


async def test_every_sealed_column_is_rotated(services: Services) -> None:
    columns = await services.db.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE column_name LIKE '%\\_enc' AND table_schema = 'public'"
    )
    known = {(place.table, place.column) for place in secret_rotation.PLACES}
    assert {tuple(row) for row in columns} <= known
    assert set(sealed_in_code()) <= known | {
        (place.table, place.bound_to) for place in secret_rotation.PLACES
    }


def sealed_in_code() -> list[tuple[Any, Any]]:
    """Table and column of each call of secrets.seal that names both."""
    found = []
    for path in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "secrets.seal":
                names = [one.value for one in node.args[1:3] if isinstance(one, ast.Constant)]
                found += [(names[0], names[1])] if len(names) == 2 else []
    assert len(found) > 3
    return found
