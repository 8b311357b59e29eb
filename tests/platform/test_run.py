"""bin/run keeps a worker: one that dies is started anew, but not for ever."""

import sys
import time
from pathlib import Path

import pytest

from app.box import processes, run
from app.box.processes import Child
from app.box.run import Restarts, Trouble, Village
from app.config import MISCONFIGURED


def ended(tmp_path: Path, code: str) -> Child:
    """A child whose program has ended."""
    command = [sys.executable, "-c", f"import os, signal; print('I fell'); {code}"]
    child = processes.start("worker", command, log=tmp_path / "worker.log")
    child.process.wait()
    return child


class Watched(Village):
    """A village whose worker dies again and again, and of which nothing else is started."""

    def __init__(self, tmp_path: Path) -> None:
        self.children = {}
        self.restarts = Restarts()
        self.tmp_path = tmp_path
        self.starts = 0

    def start_work(self) -> None:
        """Start a worker that is killed at once."""
        self.restarts.begin()
        self.starts += 1
        self.children["worker"] = ended(self.tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")


def test_a_worker_that_is_killed_is_started_anew_until_it_dies_too_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "PAUSES", (0.0, 0.1, 0.2))
    village = Watched(tmp_path)
    village.start_work()
    with pytest.raises(Trouble, match=r"(?s)killed by signal 9.*not started again.*I fell"):
        village.watch(places=ended(tmp_path, ""))
    assert village.starts == 4
    said = capsys.readouterr().out
    assert "started anew at once" in said
    assert "started anew in 0.1 s" in said


def test_a_worker_that_lived_for_a_minute_has_all_its_chances_again(tmp_path: Path) -> None:
    restarts = Restarts()
    child = ended(tmp_path, "")
    for _ in range(20):
        restarts.begin()
        restarts.began -= run.WELL_AFTER + 1
        restarts.plan(child, 70)
    assert restarts.is_due()


def test_a_pause_is_kept(tmp_path: Path) -> None:
    restarts = Restarts()
    child = ended(tmp_path, "")
    restarts.plan(child, 1)
    restarts.plan(child, 1)
    assert restarts.due is not None
    assert restarts.due > time.monotonic()
    assert not restarts.is_due()


def test_a_worker_without_its_settings_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="ended with 78"):
        Restarts().plan(ended(tmp_path, ""), MISCONFIGURED)
