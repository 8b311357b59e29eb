"""python -m app ops gdpr replay: what an operator does after a restore."""

import asyncio
import dataclasses
import os
import subprocess
import sys

from app import ops
from app.config import Settings
from app.db import migrate
from tests.conftest import ROOT, SECRET, new_database


def test_replay_tells_what_it_found(settings: Settings) -> None:
    # The command commits, so it gets a database of its own.
    url = asyncio.run(new_database(settings.database_url, "village_ops"))
    asyncio.run(migrate(dataclasses.replace(settings, database_url=url)))
    env = {
        **os.environ,
        **{name.upper(): value for name, value in SECRET.items()},
        "ENVIRONMENT": "test",
        "DATABASE_URL": url,
        # The bucket of this run has lines of other tests, whose people are in no table.
        "S3_ENDPOINT": "",
        "VAR_DIR": settings.var_dir,
    }
    said = subprocess.run(
        [sys.executable, "-m", "app", "ops", "gdpr", "replay"],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr
    assert "numbers in the journal, 0 people erased again, 0 rows" in said.stdout


def test_every_operators_command_says_what_it_is_for() -> None:
    for command in ops.COMMANDS:
        assert command.words and command.help
