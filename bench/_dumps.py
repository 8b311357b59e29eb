"""Dumps: what an operator has of yesterday, and what a search through every byte of the database reads."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from app.box.postgres import newest_programs


def run(program: str, *words: str, url: str) -> bytes:
    """Run one of PostgreSQL's programs on a database; what it printed."""
    parts = urlsplit(url)
    account = {
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port),
        "PGUSER": parts.username or "",
        "PGPASSWORD": parts.password or "",
        "PGDATABASE": parts.path.lstrip("/"),
    }
    found = subprocess.run(
        [newest_programs() / program, *words],
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"} | account,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    if found.returncode:
        raise RuntimeError(f"{program}: {found.stderr.decode()[-2000:]}")
    return found.stdout


def dump(url: str, file: Path) -> None:
    """Write a dump that pg_restore reads."""
    run("pg_dump", "-Fc", "-f", str(file), url=url)


def restore(url: str, file: Path) -> None:
    """Read a dump into an empty database."""
    run(
        "pg_restore",
        "--no-owner",
        "--no-comments",
        "-d",
        urlsplit(url).path[1:],
        str(file),
        url=url,
    )


def lines_with(url: str, canaries: Iterable[str]) -> list[str]:
    """The tables of a fresh dump whose rows hold one of the words, as text or as bytes."""
    wanted = [form for word in canaries for form in (word.encode(), word.encode().hex().encode())]
    table, found = "", []
    for line in run("pg_dump", "--data-only", url=url).splitlines():
        if line.startswith(b"COPY "):
            table = line.split()[1].decode()
        elif any(word in line for word in wanted):
            found.append(table)
    return found
