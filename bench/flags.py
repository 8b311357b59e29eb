"""What does a flag cost, are its cohorts true, and how soon do three processes see a change? (chapter 10 §10 line 6)"""

import asyncio
import hashlib
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app import config
from app.config import Settings
from app.db import migrate
from app.domain.platform.flags import changes, is_on, memory, shipped
from app.domain.platform.flags.changes import Author
from app.domain.platform.flags.evaluation import Rule, bucket, verdict
from app.domain.platform.readers import Reader
from app.services import Services
from app.start import open_services

GATE_EVALUATION, GATE_SECONDS = 8.0, 2.0
SUBJECTS, ROUNDS, CALLS, EDITS, PROCESSES, SWITCHES = 100_000, 9, 50_000, 300, 3, 10
PRINTED = {
    ("stocks_widget", "42"): 35,
    ("social_integration", "42"): 19,
    ("promoted_listings", "42"): 1,
    ("stocks_widget", "1"): 95,
}
KEY = "stocks_widget"
SECRETS = {name.lower(): "k1:" * name.endswith("_KEYS") + "5e" * 32 for name in config.DEV_SECRETS}
STATE = "SELECT flag_state(flag)::text FROM feature_flags AS flag WHERE key = $1"


async def main() -> None:
    """Measure all of it and print."""
    assert all(bucket(*pair) == expected for pair, expected in PRINTED.items())
    share = cohort()
    folder = os.environ.get("BENCH_FOLDER", "var/bench")
    settings = config.load({**os.environ, "ENVIRONMENT": "test", "VAR_DIR": folder}, **SECRETS)
    await migrate(settings)
    async with open_services(settings) as services:
        await shipped.seed(services)
        await memory.refresh(services)
        times = over_md5(services)
        equal = await restored(services)
        seconds = await seen_by_processes(services, settings)
    detail = {
        **times,
        "share_of_10_percent": share,
        "restored_byte_equal": equal,
        "slowest_process_s": seconds,
        "within": times["whole"] <= GATE_EVALUATION
        and abs(share - 10) <= 1
        and equal == EDITS
        and seconds <= GATE_SECONDS,
    }
    print(json.dumps({"bench": "flags", "ratio": times["whole"], "detail": detail}))


def cohort() -> float:
    """The percentage of 100,000 subjects that a flag at 10 % reaches."""
    rule = Rule(KEY, enabled=True, rollout_percentage=10)
    reached = sum(verdict(rule, str(subject))[0] for subject in range(1, SUBJECTS + 1))
    share = 100 * reached / SUBJECTS
    print(f"{reached:,} of {SUBJECTS:,} subjects are reached by 10 %")
    return round(share, 3)


def over_md5(services: Services) -> dict[str, float]:
    """Times of an evaluation, alone and with its counting and exposure, over the bare line; medians of turns."""
    rule = Rule(KEY, enabled=True, rollout_percentage=50)
    memory.of(services).rules[KEY] = rule
    people = [Reader(id=number, kind="member") for number in range(1, 1001)]
    subjects = [str(who.id) for who in people]
    ways: dict[str, Callable[[int], Any]] = {
        "bare": lambda n: (
            int.from_bytes(hashlib.md5(f"{KEY}:{subjects[n]}".encode()).digest()[:4], "big") % 100
        ),
        "verdict": lambda n: verdict(rule, subjects[n]),
        "whole": lambda n: is_on(services, people[n], KEY),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            begin = time.perf_counter()
            for number in range(CALLS):
                way(number % 1000)
            found[name].append((time.perf_counter() - begin) / CALLS)
    for name, seconds in found.items():
        print(f"{name:8} {1e6 * statistics.median(seconds):6.2f} µs")
    ratios = {
        name: [one / bare for one, bare in zip(seconds, found["bare"], strict=True)]
        for name, seconds in found.items()
    }
    return {name: round(statistics.median(ratios[name]), 2) for name in ("verdict", "whole")}


async def restored(services: Services) -> int:
    """How many of so many restores, each after a random edit, gave the old bytes back."""
    chance, kept, equal = random.Random(6), {}, 0
    by = Author(None, "bench")
    for _ in range(EDITS):
        await changes.change(services, by, KEY, edit(chance))
        number = await services.db.fetchval("SELECT version FROM feature_flags WHERE key = $1", KEY)
        kept[number] = await services.db.fetchval(STATE, KEY)
        version = chance.choice(list(kept))
        await changes.restore(services, by, KEY, version)
        equal += await services.db.fetchval(STATE, KEY) == kept[version]
    print(f"{equal} of {EDITS} restored versions are equal byte for byte")
    return equal


def edit(chance: random.Random) -> dict[str, Any]:
    """A random change of a few fields."""
    audience = [str(chance.randrange(1, 10**6)) for _ in range(chance.randrange(40))]
    every = {
        "enabled": chance.random() < 0.5,
        "rollout_percentage": chance.randrange(101),
        "whitelist": audience,
        "description": chance.choice(("", "Kurse — 股票", "prices")),
        "owner_id": chance.choice((None, 7)),
        "review_on": chance.choice((None, "2030-01-31")),
        "plan": chance.choice((None, {"uris": ["/news"]})),
    }
    return dict(chance.sample(sorted(every.items()), 3))


# A process that prints a line each time its flag changes.
WATCHER = """
import asyncio, sys
from bench import flags
asyncio.run(flags.watch())
"""


async def watch() -> None:
    """Be a web process: the running loops of app.main; say what the flag is whenever it changes."""
    from app.main import running

    settings = config.load(
        {
            **os.environ,
            "ENVIRONMENT": "test",
            "VAR_DIR": os.environ.get("BENCH_FOLDER", "var/bench"),
        },
        **SECRETS,
    )
    async with running(settings) as state:
        last = None
        while True:
            on = is_on(state["services"], None, KEY)
            if on is not last:
                print("on" if on else "off", flush=True)
            last = on
            await asyncio.sleep(0.002)


async def seen_by_processes(services: Services, settings: Settings) -> float:
    """Seconds from a change's commit until the last of three processes goes by it; the slowest of ten switches."""
    by, slowest = Author(None, "bench"), 0.0
    await changes.change(
        services, by, KEY, {"enabled": False, "rollout_percentage": 100, "plan": None}
    )
    env = {**os.environ, "DATABASE_URL": settings.database_url}
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", WATCHER, env=env, cwd=Path(__file__).parent.parent,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    try:
        await said(started, "off", 60)
        await asyncio.sleep(1)  # until each listens
        for number in range(SWITCHES):
            on = number % 2 == 0
            await changes.change(services, by, KEY, {"enabled": on})
            begin = time.perf_counter()
            await said(started, "on" if on else "off", 40)
            slowest = max(slowest, time.perf_counter() - begin)
    finally:
        for one in started:
            one.kill()
            await one.wait()
    print(f"{PROCESSES} processes see a change in {slowest:.3f} s at the latest")
    return round(slowest, 3)


async def said(started: list[asyncio.subprocess.Process], word: str, seconds: float) -> None:
    """Wait until every process has said the word."""
    async with asyncio.timeout(seconds):
        for one in started:
            assert one.stdout is not None
            while (line := (await one.stdout.readline()).decode().strip()) != word:
                if not line:
                    raise RuntimeError("a process has ended")


if __name__ == "__main__":
    asyncio.run(main())
