"""Does the AI budget hold to the cent while workers are killed and a provider bills and hangs? (chapter 20 §9 line 8)"""

import asyncio
import contextlib
import importlib
import json
import os
import random
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from app import config
from app.config import Settings
from app.db import migrate
from app.domain.platform.ai import budget, calls, ledger, results
from app.domain.platform.ai.budget import MICROS_A_CENT, Wish
from app.domain.platform.ai.prices import Tokens
from app.errors import ServiceDown
from app.outside.anthropic import Anthropic
from app.outside.breakers import Breaker
from app.services import Services
from app.start import open_services
from tests.world.claude import KEY, Claude
from tests.world.faults import Faults
from tests.world.servers import Site

ROOT = Path(__file__).resolve().parent.parent
GATE_RATIO, LIMIT_CENTS = 3.0, 200
ITEMS, A_CALL = 50_000, 20
PROCESSES, WORKERS_EACH = 4, 4
KILL_SECONDS, PATIENCE_SECONDS, LONGEST_SECONDS = 1.5, 1.0, 70.0
ROUNDS, PAIRS = 7, 150
MODES = ["honest"] * 12 + [
    "bill_then_hang",
    "429",
    "bill_then_502",
    "500",
    "bill_then_cut",
    "prose",
]
SCHEMA = {"type": "object"}
SECRETS = {name.lower(): "k1:" * name.endswith("_KEYS") + "5e" * 32 for name in config.DEV_SECRETS}

TABLES = """
CREATE TABLE bench_chunks (n integer PRIMARY KEY, done boolean NOT NULL DEFAULT false, free_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE bench_counter (id integer PRIMARY KEY, n bigint NOT NULL DEFAULT 0);
INSERT INTO bench_counter (id) VALUES (1), (2)
"""
TAKE = """
UPDATE bench_chunks SET free_at = now() + interval '4 seconds'
WHERE n = (SELECT n FROM bench_chunks WHERE NOT done AND free_at <= now() ORDER BY n LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING n
"""
BARE = "UPDATE bench_counter SET n = n + 1 WHERE id = $1"


def settings_of(**given: Any) -> Settings:
    """The settings of the bench's box."""
    return config.load({**os.environ, "ENVIRONMENT": "test"}, **SECRETS, **given)


# A worker process ------------------------------------------------------------------------------------------------------


async def work() -> None:
    """Four workers in one process, until nothing is left to do or no money to do it with."""
    async with open_services(settings_of(), pool_size=WORKERS_EACH + 1) as services:
        door = services.outside["anthropic"] = Anthropic(
            KEY, url=os.environ["AI_URL"], breaker=Breaker("anthropic", limit=10**6),
            timeout=PATIENCE_SECONDS,
        )  # fmt: skip
        await door._opened()
        await asyncio.gather(*(worker(services) for _ in range(WORKERS_EACH)))


async def worker(services: Services) -> None:
    """One worker: take a chunk, tag what is not known yet, keep the answers."""
    while True:
        chunk = await services.db.fetchval(TAKE)
        if chunk is None:
            if not await services.db.fetchval("SELECT count(*) FROM bench_chunks WHERE NOT done"):
                return
            await asyncio.sleep(0.2)
            continue
        try:
            await tag(services, chunk)
        except budget.Refused:
            return
        except ServiceDown:
            continue
        await services.db.execute("UPDATE bench_chunks SET done = true WHERE n = $1", chunk)


async def tag(services: Services, chunk: int) -> None:
    """Twenty critical items, by what is kept or by one call."""
    titles = [f"Shares of bank {n} fall" for n in range(chunk * A_CALL, (chunk + 1) * A_CALL)]
    model = calls.bulk(services)
    keys = {results.key("tagging", model, "1", title): title for title in titles}
    kept = await results.kept(services, list(keys))
    left = {key: title for key, title in keys.items() if key not in kept}
    if not left:
        return
    content = json.dumps([{"index": n, "title": title} for n, title in enumerate(left.values())])
    answer = await calls.ask(
        services, feature="tagging", model=model, system="Sort these.", content=content,
        schema=SCHEMA, max_tokens=500, items=len(left), critical=True,
    )  # fmt: skip
    if answer.value is None:
        raise ServiceDown("prose")
    told = dict(zip(left, answer.value["items"], strict=True))
    await results.keep(services, "tagging", told)


# The bench -------------------------------------------------------------------------------------------------------------


def nurse() -> None:
    """Bear a worker process for each line: the imports, which take seconds, are made once."""
    importlib.import_module("anthropic")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            asyncio.run(work())
            os._exit(0)
        print(pid, flush=True)


class Nursery:
    """The process that bears workers, and who of them lives."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.alive: set[int] = set()

    async def bear(self) -> None:
        """One more worker process."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(b"\n")
        self.alive.add(int(await self.process.stdout.readline()))

    def look(self) -> set[int]:
        """Who is alive now."""
        self.alive = {pid for pid in self.alive if Path(f"/proc/{pid}").exists()}
        return self.alive

    def kill(self, pid: int) -> None:
        """End one worker in the middle of whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextlib.asynccontextmanager
async def nursery(url: str) -> AsyncIterator[Nursery]:
    """The worker processes; what is left of them at the end is killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.ai_budget", "--nursery", cwd=ROOT,
        env={**os.environ, "AI_URL": url}, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    await process.stdout.readline()
    found = Nursery(process)
    try:
        yield found
    finally:
        for pid in found.look():
            found.kill(pid)
        process.kill()
        await process.wait()


async def run(services: Services, url: str, *, kill: bool) -> tuple[int, float]:
    """Let the workers go through all chunks; return how many were killed, and seconds."""
    killed = 0
    async with nursery(url) as found:
        begin = last = time.monotonic()
        for _ in range(PROCESSES):
            await found.bear()
        while found.look() and time.monotonic() - begin < LONGEST_SECONDS:
            await asyncio.sleep(0.1)
            if kill and time.monotonic() - last > KILL_SECONDS and found.look():
                found.kill(random.choice(sorted(found.alive)))
                killed += 1
                last = time.monotonic()
                if (await budget.stand(services)).state != "HARD_STOP":
                    await found.bear()
        return killed, time.monotonic() - begin


async def chaos(services: Services, claude: Claude, url: str) -> dict[str, Any]:
    """50,000 items, 200 cents, 16 workers, a provider that bills and hangs, workers killed."""
    await services.db.execute(
        "INSERT INTO bench_chunks (n) SELECT generate_series(0, $1 - 1)", ITEMS // A_CALL
    )
    await budget.open_month(services)
    await services.db.execute("UPDATE ai_usage_tracking SET budget_limit_cents = $1", LIMIT_CENTS)
    claude.order(MODES)
    killed, seconds = await run(services, url, kill=True)
    # Whoever was killed left its call behind: a quarter of an hour later it counts in full.
    await services.db.execute(
        "UPDATE ai_calls SET made_at = made_at - interval '16 minutes' WHERE state = 'reserved'"
    )
    await ledger.sweep(services)
    stand = await budget.stand(services)
    off = await ledger.imbalance(services, stand.month, budget.PROVIDER)
    states = await services.db.fetch("SELECT state, count(*) AS n FROM ai_calls GROUP BY state")
    done = await services.db.fetchval("SELECT count(*) FROM bench_chunks WHERE done")
    return {
        "items": done * A_CALL,
        "calls": {row["state"]: row["n"] for row in states},
        "killed": killed,
        "seconds": round(seconds, 1),
        "billed_cents": round(float(claude.billed / MICROS_A_CENT), 2),
        "spent_cents": round(float(stand.spent_micros / MICROS_A_CENT), 2),
        "off_micros": float(abs(off["spent_off"]) + abs(off["reserved_off"])),
    }


async def again(services: Services, claude: Claude, url: str) -> float:
    """The tagged items once more, with money to burn: what that costs, in micros."""
    before = claude.billed
    await services.db.execute("DELETE FROM bench_chunks WHERE NOT done")
    await services.db.execute("UPDATE bench_chunks SET done = false, free_at = now()")
    await services.db.execute("UPDATE ai_usage_tracking SET budget_limit_cents = 100000")
    claude.order(["honest"])
    await run(services, url, kill=False)
    assert not await services.db.fetchval("SELECT count(*) FROM bench_chunks WHERE NOT done")
    return float(claude.billed - before)


async def price_of_care(services: Services) -> tuple[float, float]:
    """Median milliseconds of a reserve and a settle, and of two bare UPDATEs."""
    await services.db.execute("UPDATE ai_usage_tracking SET budget_limit_cents = 10000000")
    ours, bare = [], []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(PAIRS):
            [call] = await budget.reserve(services, "tagging", "m", [Wish(Decimal(5000), 20)])
            await ledger.settle(services, call, Decimal(1200), Tokens(800, 80))
        ours.append((time.perf_counter() - begin) / PAIRS * 1000)
        begin = time.perf_counter()
        for _ in range(PAIRS):
            await services.db.execute(BARE, 1)
            await services.db.execute(BARE, 2)
        bare.append((time.perf_counter() - begin) / PAIRS * 1000)
    return statistics.median(ours), statistics.median(bare)


async def main() -> None:
    """Measure all of it and print."""
    settings = settings_of()
    await migrate(settings)
    claude = Claude(time.time, Faults())
    site = Site(claude.app)
    await site.start()
    claude.url = site.url
    async with open_services(settings) as services:
        await services.db.execute(TABLES)
        found = await chaos(services, claude, site.url)
        print(json.dumps(found))
        second = await again(services, claude, site.url)
        ours, bare = await price_of_care(services)
    claude.faults.closing.set()
    await site.stop()
    ratio = ours / bare
    print(
        f"reserve + settle {ours:.2f} ms, two bare UPDATEs {bare:.2f} ms; second run {second} micros"
    )
    holds = (
        found["billed_cents"] <= LIMIT_CENTS
        and found["spent_cents"] <= LIMIT_CENTS
        and found["billed_cents"] <= found["spent_cents"]
        and found["off_micros"] == 0
        and second == 0
    )
    last = {"ratio": round(ratio, 2), "gate": GATE_RATIO, **found, "second_micros": second}
    print(json.dumps(last))
    if not holds or ratio > GATE_RATIO:
        sys.exit(1)


if __name__ == "__main__":
    if "--nursery" in sys.argv:
        nurse()
    else:
        asyncio.run(main())
