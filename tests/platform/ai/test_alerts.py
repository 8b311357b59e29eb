"""Rule 46: at 75, 90 and 100 % one letter and one line in the chat, once over all processes, and again after a raise."""

import asyncio
import dataclasses
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.db import Connection, Database, prepare_connection
from app.domain.platform.ai import alerts, budget, ledger, limits, watch
from app.services import Services
from tests.homepage.job_runs import run_jobs
from tests.people import member
from tests.platform.ai.conftest import spent

ROOT = Path(__file__).resolve().parents[3]
LETTERS = "SELECT subject FROM emails WHERE template = 'ai_budget_alert' ORDER BY id"


async def subjects(services: Services) -> list[str]:
    """The percentages in the subjects of the letters that were written."""
    rows = await services.db.fetch(LETTERS)
    return [row["subject"].split(": ")[1].split(" ")[0] for row in rows]


class Channel:
    """A chat that remembers."""

    breaker = None

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    async def post(self, channel: str, text: str) -> None:
        """Remember one line."""
        self.lines.append((channel, text))


async def test_each_level_is_told_once_by_letter_and_chat(services: Services) -> None:
    chat = Channel()
    told = dataclasses.replace(services, outside={"slack": chat})
    for cents, levels in ((149, []), (150, ["75"]), (160, ["75"]), (180, ["75", "90"]), (200, ["75", "90", "100"])):  # fmt: skip
        await spent(told, cents, limit_cents=200)
        for _ in range(2):
            await watch.check(told)
        assert await subjects(told) == levels
    await run_jobs(told, "post_to_chat")
    assert [line[0] for line in chat.lines] == ["#ai-budget"] * 3
    assert chat.lines[1][1].startswith("90 % of the AI budget is spent: $1.80 of $2.00")


async def test_a_level_that_is_raised_away_is_told_again(services: Services) -> None:
    who = await member(services, role="ops")
    await spent(services, 190, limit_cents=200)
    await watch.check(services)
    month = (await budget.stand(services)).month
    wish = limits.LimitChange(1000, "The election needs more")
    await limits.change(services, who, month, wish)
    assert (await budget.stand(services)).alerted == 0
    await spent(services, 760, limit_cents=1000)
    await watch.check(services)
    assert await subjects(services) == ["75", "90", "75"]


async def test_a_limit_of_nothing_is_no_alert(services: Services) -> None:
    await spent(services, 0, limit_cents=0)
    await watch.check(services)
    assert await subjects(services) == []


async def test_the_call_that_crosses_a_level_tells_of_it_at_once(services: Services) -> None:
    await spent(services, 140, limit_cents=200)
    [call] = await budget.reserve(
        services, "tagging", "m", [budget.Wish(Decimal(15 * budget.MICROS_A_CENT))]
    )
    await ledger.lose(services, call, "timeout")
    assert await subjects(services) == ["75"]


@pytest.fixture
async def committed(settings: Any, services: Services) -> Any:
    """Services whose writes other processes see; what they wrote is taken away again."""
    pool = await asyncpg.create_pool(
        settings.database_url, min_size=1, max_size=4, connection_class=Connection,
        init=prepare_connection,
    )  # fmt: skip
    yield dataclasses.replace(services, db=Database(pool))
    await pool.execute(
        "TRUNCATE ai_usage_tracking, ai_usage_days, ai_calls, emails, delayed_jobs, job_count_deltas, job_counts, quality_checks CASCADE"
    )
    await pool.close()


TELLER = """
import asyncio, sys
from app import config
from app.domain.platform.ai import alerts, budget
from app.start import open_services

async def main():
    async with open_services(config.load()) as services:
        month = (await budget.stand(services)).month
        print("ready", flush=True)
        sys.stdin.readline()
        await asyncio.gather(*(alerts.tell(services, month) for _ in range(5)))

asyncio.run(main())
"""


async def test_four_processes_write_each_letter_once(committed: Services, settings: Any) -> None:
    await spent(committed, 200, limit_cents=200)
    env = {"DATABASE_URL": settings.database_url, "ENVIRONMENT": "test", "PATH": ""}
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", TELLER, cwd=ROOT, env=env,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout and await process.stdout.readline() == b"ready\n"
    for process in processes:
        await process.communicate(b"go\n")
    assert [process.returncode for process in processes] == [0] * 4
    assert await subjects(committed) == ["75", "90", "100"]
    assert (await budget.stand(committed)).alerted == 100
    assert alerts.level(await budget.stand(committed)) == 100


async def test_books_that_do_not_fit_are_a_finding_until_they_do(services: Services) -> None:
    open_ones = "SELECT name, says FROM quality_checks WHERE closed_at IS NULL"
    await spent(services, 3)
    await watch.check(services)
    [row] = await services.db.fetch(open_ones)
    assert tuple(row) == ("ai_books", "spent_off 30000 micros, days_off 30000 micros")
    await spent(services, 0)
    await watch.check(services)
    assert not await services.db.fetch(open_ones)


OLD_MONTH = """
INSERT INTO ai_usage_tracking (month, provider, budget_limit_cents, spent_micros)
VALUES ((date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 month')::date, 'anthropic', 200, $1)
ON CONFLICT (month, provider) DO UPDATE SET spent_micros = $1
"""


async def test_the_month_before_is_looked_at_as_long_as_calls_of_it_may_end(
    services: Services,
) -> None:
    subject = "SELECT sample[1] FROM quality_checks WHERE closed_at IS NULL AND name = 'ai_books'"
    await services.db.execute(OLD_MONTH, Decimal(1_500_000))
    await watch.check(services)
    month = (await budget.stand(services)).month
    assert await services.db.fetchval(subject) < f"{month:%Y-%m}"
    assert await subjects(services) == ["75"]
    await services.db.execute(OLD_MONTH, Decimal(0))
    await watch.check(services)
    assert await services.db.fetchval(subject) is None


async def test_a_finding_says_what_the_last_look_saw(services: Services) -> None:
    for cents in (3, 5):
        await spent(services, cents)
        await watch.check(services)
    says = await services.db.fetch("SELECT says FROM quality_checks WHERE closed_at IS NULL")
    assert [row["says"] for row in says] == ["spent_off 50000 micros, days_off 50000 micros"]
