"""The doctor: finds the servers of bin/run in its folder, and says what is missing and how to mend it."""

import asyncio
import dataclasses
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

from app.box import running
from app.config import Settings
from app.doctor import mailbox
from app.outside.breakers import Breaker
from app.outside.imap import Mailbox
from app.services import Services
from tests.conftest import ROOT, SECRET
from tests.platform.postbox import opened

PLAIN = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


async def findings(folder: Path, **given: str) -> tuple[int | None, dict[str, Any]]:
    """What the doctor says in a folder whose environment names no server; its exit code."""
    plain = {name: os.environ[name] for name in PLAIN if name in os.environ}
    secrets = {name.upper(): value for name, value in SECRET.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "doctor", "--json", cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        env={**plain, **secrets, "VAR_DIR": str(folder), **given},
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 40)
    return process.returncode, {found["what"]: found for found in json.loads(said)}


async def test_the_doctor_finds_the_servers_of_bin_run(settings: Settings, tmp_path: Path) -> None:
    env = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    running.keep(tmp_path, "http://127.0.0.1:8000", env)
    _, found = await findings(tmp_path)
    assert found["bin/run"]["says"] == f"runs here as process {os.getpid()}: http://127.0.0.1:8000"
    assert [found[name]["state"] for name in ("database", "extensions", "redis")] == ["ok"] * 3
    _, found = await findings(tmp_path, REDIS_URL="redis://127.0.0.1:1/0")
    assert found["redis"]["state"] == "warning"


async def test_the_doctor_says_that_nothing_runs_and_what_to_do(tmp_path: Path) -> None:
    code, found = await findings(tmp_path)
    assert code == 2
    assert (found["bin/run"]["says"], found["bin/run"]["mend"]) == (
        "is not running here",
        "Run: bin/run",
    )
    assert "set DATABASE_URL" in found["database"]["mend"]
    assert found["workers"]["says"] == "cannot be seen without the database"


async def test_a_database_that_does_not_answer_is_told_once(tmp_path: Path) -> None:
    _, found = await findings(tmp_path, DATABASE_URL="postgresql://village@127.0.0.1:1/village")
    assert [name for name, one in found.items() if one["state"] == "broken"] == ["database"]
    assert found["database"]["mend"] == "Start PostgreSQL, or change DATABASE_URL."


def test_what_runs_is_known_to_its_owner_alone_and_only_while_it_lives(tmp_path: Path) -> None:
    running.keep(tmp_path, "http://127.0.0.1:8000", {"REDIS_URL": "redis://one"})
    file = running.file_in(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert running.found(tmp_path) == (
        os.getpid(),
        "http://127.0.0.1:8000",
        {"REDIS_URL": "redis://one"},
    )
    file.write_text(json.dumps({**json.loads(file.read_text()), "started": 1}))
    assert running.found(tmp_path) is None
    running.forget(tmp_path)
    assert running.found(tmp_path) is None
    assert not file.exists()


async def test_the_mailbox_is_opened_and_its_trouble_named(services: Services) -> None:
    assert (await mailbox(services)).state == "off"
    async with opened(services) as postbox:
        assert (await mailbox(postbox.services)).state == "ok"
        door = Mailbox(postbox.server.url.replace("village:", "eve:"), breaker=Breaker("imap"))
        wrong = dataclasses.replace(services, outside={"imap": door})
        assert "IMAP_URL" in (await mailbox(wrong)).mend
        assert "of%20people" not in str(await mailbox(wrong))
