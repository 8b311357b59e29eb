"""bin/bench: each benchmark in a process of its own, beside a box, its last line kept."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from app.box import Box, BoxError

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "var" / "bench"


def main(names: list[str]) -> int:
    """Run the benchmarks named, or all; return 1 when one of them failed."""
    every = sorted(file.stem for file in (ROOT / "bench").glob("*.py") if file.stem[0] != "_")
    if unknown := set(names) - set(every):
        print(
            f"No benchmark is called {', '.join(sorted(unknown))}. There are: {', '.join(every)}."
        )
        return 2
    try:
        with Box(FOLDER) as box:
            failed = [name for name in names or every if not measure(box, name)]
    except BoxError as problem:
        print(problem, file=sys.stderr)
        return 1
    if failed:
        print(f"Failed: {', '.join(failed)}")
    return 1 if failed else 0


def measure(box: Box, name: str) -> bool:
    """Run one benchmark in a fresh database, show what it prints, keep its result."""
    print(f"\n== {name}", flush=True)
    begin = time.monotonic()
    last = ""
    with subprocess.Popen(
        ["setpriv", "--pdeathsig=KILL", sys.executable, "-m", f"bench.{name}"],
        cwd=ROOT,
        env=environment(box, name),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
    print(f"({time.monotonic() - begin:.0f} s)", flush=True)
    return process.returncode == 0 and keep(last)


def environment(box: Box, name: str) -> dict[str, str]:
    """Return the settings of one benchmark; a database of its own, made anew, is in them."""
    env = {**os.environ, **box.env, "BENCH_FOLDER": str(FOLDER), "PYTHONUNBUFFERED": "1"}
    if box.holds("postgres"):
        database = f"bench_{name}"
        box.postgres.drop_database(database)
        box.postgres.make_database(database)
        env["DATABASE_URL"] = box.postgres.url(database)
        env["ADMIN_DATABASE_URL"] = box.postgres.admin_url
    return env


def keep(line: str) -> bool:
    """Write down a benchmark's last line; say whether it is a result."""
    try:
        result = json.loads(line)
    except json.JSONDecodeError:
        print("Its last line is no JSON object.")
        return False
    with (FOLDER / "results.jsonl").open("a") as results:
        results.write(json.dumps({"at": time.strftime("%FT%TZ", time.gmtime()), **result}) + "\n")
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
