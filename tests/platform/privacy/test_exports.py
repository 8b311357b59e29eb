"""The copy: everything the registry finds, hashes that fit, secrets named and not given, for its owner alone."""

import dataclasses
import hashlib
import io
import json
import tracemalloc
import zipfile
from typing import Any

import pytest

from app.domain.platform import object_sweeps, objects
from app.domain.platform.privacy import exports, requests
from app.domain.platform.readers import Reader
from app.errors import NotFound
from app.services import Services
from tests.conftest import client_on
from tests.people import Browser, member
from tests.platform.privacy.canaries import plant

CANARY = "nachtigallqz"


async def copy_of(services: Services, who: Reader) -> zipfile.ZipFile:
    """That person's copy, asked for and made."""
    found = await requests.export(services, who)
    await exports.export(services, found.id)
    _, stored = await exports.file(services, who.id, found.id)
    return zipfile.ZipFile(io.BytesIO(b"".join([chunk async for chunk in stored.chunks])))


def rows_of(copy: zipfile.ZipFile, table: str) -> list[dict[str, Any]]:
    """All rows of one table in the copy."""
    names = [name for name in copy.namelist() if name.endswith(f"-{table}.json")]
    return [row for name in names for row in json.loads(copy.read(name))["rows"]]


async def test_the_copy_holds_what_is_kept_and_opens_offline(storing: Services) -> None:
    who = await plant(storing, CANARY)
    copy = await copy_of(storing, who)
    assert [row["title"] for row in rows_of(copy, "quick_links")] == [CANARY]
    assert rows_of(copy, "preferences")[0]["doc"] == {"secret": CANARY}
    page = copy.read("index.html").decode()
    assert (
        CANARY in page
        and "<script" not in page
        and "http" not in page.replace(f"https://{CANARY}", "").replace("https://all.example", "")
    )


async def test_a_copy_that_is_ready_rings_the_bell_once(storing: Services) -> None:
    who = await plant_lightly(storing)
    await copy_of(storing, who)
    rows = await storing.db.fetch(
        "SELECT title, url FROM notifications WHERE user_id = $1 AND type = 'privacy'", who.id
    )
    assert [tuple(row) for row in rows] == [("Your copy is ready", "/settings/privacy")]


async def test_every_byte_of_the_copy_is_accounted_for(storing: Services) -> None:
    copy = await copy_of(storing, await plant(storing, CANARY))
    manifest = json.loads(copy.read("manifest.json"))
    listed = {entry["name"]: entry for entry in manifest["files"]}
    assert set(copy.namelist()) == {*listed, "manifest.json"}
    for name, entry in listed.items():
        content = copy.read(name)
        assert (len(content), hashlib.sha256(content).hexdigest()) == (
            entry["bytes"],
            entry["sha256"],
        )


async def test_secrets_are_named_and_not_given(storing: Services) -> None:
    who = await plant(storing, CANARY)
    copy = await copy_of(storing, who)
    [name] = [name for name in copy.namelist() if name.endswith("-sessions.json")]
    told = json.loads(copy.read(name))
    assert "token_hash" in told["secrets_not_given"]
    assert all("token_hash" not in row for row in told["rows"])


async def test_nothing_of_somebody_else_is_in_the_copy(storing: Services) -> None:
    await plant(storing, "fremderqz")
    copy = await copy_of(storing, await plant_lightly(storing))
    assert all(b"fremderqz" not in copy.read(name) for name in copy.namelist())


async def test_an_admin_s_copy_does_not_tell_of_others(storing: Services) -> None:
    who, other = await plant_lightly(storing), await member(storing, "other@example.org")
    await storing.db.execute(
        "INSERT INTO audit_log (actor_id, actor_kind, action, target_kind, target_id, reason, after) VALUES"
        " ($1, 'member', 'user.helped', 'member', $2::bigint::text, 'As fremderqz asked', '\"fremderqz\"'),"
        " (0, 'member', 'user.helped', 'member', $1::bigint::text, 'Why', '\"meinesqz\"')",
        who.id,
        other.id,
    )
    copy = await copy_of(storing, who)
    told = b"".join(copy.read(name) for name in copy.namelist())
    assert b"fremderqz" not in told
    assert b"meinesqz" in told


async def test_a_copy_tells_of_impersonations_and_not_who_the_other_was(storing: Services) -> None:
    who, other = await plant_lightly(storing), await member(storing, "other@example.org")
    await storing.db.execute(
        "INSERT INTO impersonation_audit (impersonator_id, target_user_id, reason, ip, expires_at, ended_at) VALUES"
        " ($1, $2, 'Looked after fremderqz', '{\"agent\": \"meinesqz\"}', now(), now()),"
        " ($2, $1, 'Looked after myself', '{\"agent\": \"fremderqz\"}', now(), now())",
        who.id,
        other.id,
    )
    copy = await copy_of(storing, who)
    told = b"".join(copy.read(name) for name in copy.namelist())
    assert b"fremderqz" not in told and b"meinesqz" in told and b"Looked after myself" in told
    rows = rows_of(copy, "impersonation_audit")
    assert len(rows) == 2
    assert other.id not in [value for row in rows for value in row.values()]


async def plant_lightly(services: Services) -> Reader:
    """A member with one link."""
    who = await member(services, "light@example.org")
    await services.db.execute(
        "INSERT INTO quick_links (user_id, title, url) VALUES ($1, 'mine', 'https://mine.example/')",
        who.id,
    )
    return who


async def test_files_are_in_the_copy_as_they_are(storing: Services) -> None:
    who = await member(storing)
    content = bytes(range(256)) * 40_000
    await objects.store_of(storing).put("homepage-news", f"own/{who.id}.bin", content, "image/webp")
    await storing.db.execute(
        "INSERT INTO stored_objects (bucket, key, owner_id, content_type, state)"
        " VALUES ('news', $1, $2, 'image/webp', 'live')",
        f"own/{who.id}.bin",
        who.id,
    )
    copy = await copy_of(storing, who)
    assert copy.read(f"files/news/own/{who.id}.bin") == content


async def test_a_large_copy_stays_small_in_memory(storing: Services) -> None:
    who = await member(storing)
    await storing.db.execute(
        "INSERT INTO notifications (user_id, type, title, body)"
        " SELECT $1, 'news', 'Number ' || n, string_agg(md5(n::text || m), '') FROM generate_series(1, 20000) AS n,"
        " generate_series(1, 30) AS m GROUP BY n",
        who.id,
    )
    tracemalloc.start()
    try:
        made = sum([len(piece) async for piece in one_by_one(storing, who)])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert made > 8_000_000
    assert peak < 8_000_000


async def one_by_one(services: Services, who: Reader) -> Any:
    """The archive's pieces, none of them kept."""
    async with services.tx() as tx:
        async for piece in exports.archive(tx, who.id):
            yield piece


async def test_only_the_owner_signed_in_fresh_can_fetch_it(storing: Services) -> None:
    who, other = await member(storing), await member(storing, "eve@example.org")
    found = await requests.export(storing, who)
    await exports.export(storing, found.id)
    path = f"/settings/privacy/exports/{found.id}/file"
    async with client_on(storing) as client:
        browser = Browser(client, storing)
        assert (await browser.get(path)).status_code in (303, 401)
        await browser.sign_in(other)
        assert (await browser.get(path)).status_code == 404
        await browser.sign_in(who)
        answer = await browser.get(path)
        assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None
        await storing.db.execute("UPDATE sessions SET fresh_until = now() - interval '1 s'")
        stale = await browser.json("GET", path)
        assert (stale.status_code, stale.json()["code"]) == (401, "step_up_needed")


async def test_a_copy_is_gone_after_its_days(storing: Services) -> None:
    who = await member(storing)
    found = await requests.export(storing, who)
    await exports.export(storing, found.id)
    key = await storing.db.fetchval("SELECT key FROM stored_objects WHERE bucket = 'gdpr-exports'")
    await storing.db.execute("UPDATE stored_objects SET expires_at = now() - interval '1 day'")
    await storing.db.execute("UPDATE gdpr_requests SET expires_at = now() - interval '1 day'")
    await object_sweeps.sweep_rows(storing)
    assert [one async for one in objects.store_of(storing).listed("gdpr-exports", key)] == []
    with pytest.raises(NotFound):
        await exports.file(storing, who.id, found.id)


async def test_the_person_is_told_that_the_copy_is_ready(storing: Services) -> None:
    who = await member(storing)
    found = await requests.export(storing, who)
    await exports.export(storing, found.id)
    await exports.export(storing, found.id)
    rows = await storing.db.fetch("SELECT to_address FROM emails WHERE template = 'export_ready'")
    assert [row["to_address"] for row in rows] == ["ada@example.org"]


async def test_without_a_store_a_copy_waits(services: Services) -> None:
    found = await requests.export(services, await member(services))
    bare = dataclasses.replace(services, outside={})
    try:
        await exports.export(bare, found.id)
    except Exception as problem:
        assert getattr(problem, "code", "") == "not_configured"
    assert (await requests.one(services, found.id)).status == "processing"
