"""Every command of docs/operate/printed.md, run with curl and psql against a site that is served."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app import config
from app.box import Box
from app.box.ports import next_free
from app.config import Settings
from app.db import migrate
from app.domain.platform import api_tokens
from app.domain.platform.flags import shipped
from app.services import Services
from app.start import open_services
from tests.conftest import ROOT, SECRET, new_database
from tests.people import member, without_limits

ROW = re.compile(r"^\| `((?:curl|SELECT|kubectl logs -n).+?)` \| (.+?) \|", re.M)
COMMANDS = [
    (found[1].replace("\\|", "|"), found[2])
    for found in ROW.finditer((ROOT / "docs/operate/printed.md").read_text())
]
HOST, LOGS = (
    "https://homepage.villagecompute.com",
    "kubectl logs -n homepage-prod deployment/village-homepage",
)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
FEED = """
INSERT INTO feeds (id, url, url_key, visibility, title, state) OVERRIDING SYSTEM VALUE
VALUES (123, 'https://feed.invalid/', 'k', 'listed', 'A feed', 'active')
"""
SCOPES = ["manage_system", "manage_flags", "view_flags"]

Run = Callable[[str], str]


@pytest.fixture(scope="module")
def installed(
    box: Box, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Settings, dict[str, str]]]:
    """Settings of a site of its own, and its processes' environment: served, with a worker, logging to a file."""
    port, folder = next_free(18_200), str(tmp_path_factory.mktemp("printed"))
    env = {
        **box.env,
        **{name.upper(): value for name, value in SECRET.items()},
        "ENVIRONMENT": "test",
        "DATABASE_URL": asyncio.run(new_database(box.env["DATABASE_URL"], "village_printed")),
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "VAR_DIR": folder,
        "LOG_FILE": f"{folder}/village.log",
        "METRICS_PORT": "0",
    }
    settings = config.load(env)
    asyncio.run(migrate(settings))
    started = [begun(env, "serve"), begun(env, "work", JOB_PROCESSING_MODE="all")]
    try:
        yield settings, env
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(40)


def begun(env: dict[str, str], command: str, **more: str) -> subprocess.Popen[bytes]:
    """Start one process of the site, which dies with us."""
    whole = ["setpriv", "--pdeathsig=KILL", sys.executable, "-m", "app", command]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        whole, env={**os.environ, **env, **more}, stdout=quiet, stderr=quiet, cwd=ROOT
    )


async def furnished(settings: Settings) -> str:
    """What the commands are about: feed 123, the flags, and the token of an admin."""
    async with open_services(settings, pool_size=2) as services:
        await without_limits(services)
        await shipped.seed(services)
        await services.db.execute(FEED)
        return await token(services)


async def token(services: Services) -> str:
    """A token with the scopes that the document names."""
    who = await member(services, "root@example.org", role="super_admin")
    made = await api_tokens.add(
        services, who, who.id, who.permissions, api_tokens.NewToken("runbook", SCOPES)
    )
    return str(made.token)


@pytest.fixture(scope="module")
def run(installed: tuple[Settings, dict[str, str]]) -> Run:
    """Runs one printed command: with our host, our token, our log file and our database."""
    settings, env = installed
    made = asyncio.run(furnished(settings))

    def shell(command: str) -> str:
        if command.startswith("SELECT"):
            words = ["psql", settings.database_url, "-v", "ON_ERROR_STOP=1", "-c", command]
            return subprocess.run(
                words, check=True, capture_output=True, text=True, timeout=60
            ).stdout
        text = command.replace(HOST, settings.public_url).replace("<ADMIN_TOKEN>", made)
        text = text.replace(LOGS, f"cat {env['LOG_FILE']}").replace(
            "curl -X", "curl -sS -w '\\n%{http_code}' -X"
        )
        done = subprocess.run(
            ["bash", "-c", text], check=False, capture_output=True, text=True, timeout=60
        )
        return done.stdout

    until(lambda: shell(f"curl -s {HOST}/q/health/ready"))
    for path, words in (
        ("/api/auth/login", '{"email": "a@example.org", "code": "000000"}'),
        ("/api/settings/tokens", "{}"),
    ):
        shell(f"curl -X POST {HOST}{path} -H 'Content-Type: application/json' -d '{words}'")
    shell(f"curl -X POST {HOST}/auth/logout -b vu_session=x -H 'Sec-Fetch-Site: cross-site'")
    shell(
        f"curl -X POST {HOST}/admin/api/search/reindex -H 'Authorization: Bearer <ADMIN_TOKEN>' -H 'traceparent: 00-{TRACE}-00f067aa0ba902b7-01'"
    )
    until(lambda: "reindex done" in Path(env["LOG_FILE"]).read_text())
    return shell


def until(is_true: Callable[[], object]) -> None:
    """Ask again and again until the answer is yes."""
    for _ in range(300):
        if is_true():
            return
        time.sleep(0.2)
    raise AssertionError("it did not come to pass in a minute")


@pytest.mark.parametrize(("command", "answer"), COMMANDS, ids=[text[-60:] for text, _ in COMMANDS])
def test_a_printed_command_does_what_its_line_says(run: Run, command: str, answer: str) -> None:
    said = run(command)
    if answer == "rows":
        assert re.search(r"\(\d+ rows?\)", said)
    elif answer.startswith("`"):
        assert all(word in said for word in re.findall(r"`([^`]+)`", answer)), said
    else:
        status, *names = answer.split()
        body, _, code = said.rpartition("\n")
        assert code == status, said
        assert set(names) <= json.loads(body).keys()


def test_the_document_has_every_command_that_asks_for_something() -> None:
    assert len(COMMANDS) == 19
    assert sum("curl" in command for command, _ in COMMANDS) == 14


def test_the_audit_log_is_read_as_printed(run: Run) -> None:
    said = run("SELECT * FROM audit_log WHERE timestamp > '2026-01-24 12:00:00';")
    assert "job.run" in said or "search.reindexed" in said


def test_an_operator_verifies_the_log_by_command(
    installed: tuple[Settings, dict[str, str]], run: Run
) -> None:
    _, env = installed
    words = [sys.executable, "-m", "app", "ops", "audit-verify"]
    done = subprocess.run(
        words,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "sealed days" in done.stdout) == (0, True), done.stderr
    assert "cli.called" in run("SELECT action, actor_kind FROM audit_log WHERE actor_kind = 'cli';")
