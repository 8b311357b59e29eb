"""What bin/run leaves in var/ while it runs, so that `python -m app doctor` finds its servers."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from app.box import processes
from app.box.passwords import write_private


class Running(NamedTuple):
    """A bin/run that is up: its process, where its site is, and the settings that lead to its servers."""

    pid: int
    url: str
    env: dict[str, str]


def keep(folder: Path, url: str, env: Mapping[str, str]) -> None:
    """Write down that this process runs a site with these settings; passwords are among them."""
    pid = os.getpid()
    told = {"pid": pid, "started": processes.start_time(pid), "url": url, "env": dict(env)}
    write_private(file_in(folder), json.dumps(told, indent=1))


def forget(folder: Path) -> None:
    """Remove what `keep` wrote."""
    file_in(folder).unlink(missing_ok=True)


def found(folder: Path) -> Running | None:
    """Return what runs on this folder; None when nothing does, also after a kill that left the file."""
    try:
        told = json.loads(file_in(folder).read_text())
    except FileNotFoundError:
        return None
    if processes.start_time(told["pid"]) != told["started"]:
        return None
    return Running(told["pid"], told["url"], told["env"])


def file_in(folder: Path) -> Path:
    """Return the file's path."""
    return folder / "running.json"
