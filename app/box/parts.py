"""What the servers of a box have in common: a port, a log, a start with patience, a stop."""

import os
import signal
from abc import ABC, abstractmethod
from pathlib import Path

from app.box import processes
from app.box.ports import Ports
from app.box.processes import Child

PATIENCE = 60.0


class BoxError(Exception):
    """The box cannot stand; the sentence says why and what to do."""


class Part(ABC):
    """One server of the box. Each kind says how it is prepared, started and known to be ready."""

    name: str
    port_names: tuple[str, ...]
    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path, passwords: dict[str, str], ports: Ports) -> None:
        self.folder = folder
        self.passwords = passwords
        self.ports = ports
        self.child: Child | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Make folders and configuration; may run on every start."""

    @abstractmethod
    def command(self) -> list[str | Path]:
        """Return the command that runs the server in the foreground."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Say whether it answers now."""

    @abstractmethod
    def env(self) -> dict[str, str]:
        """Return the settings that lead the app here."""

    def as_user(self) -> list[str]:
        """Return the options of setpriv that choose the user it runs as; none means our own."""
        return []

    def start(self) -> None:
        """Start it and wait until it answers. Raises BoxError with the end of its log."""
        processes.end_left_over(self._pid_file, self.stop_signal)
        for tries_left in (2, 1, 0):
            self.ports.choose(self.port_names)
            self.prepare()
            self.child = self._start_child()
            if self._became_ready(self.child):
                return
            last_words = self.child.last_words()
            self.stop()
            if not tries_left:
                raise BoxError(f"{self.name} did not start. The end of its log says:\n{last_words}")
            # Another process may have taken a port between our look and the server's own.
            self.ports.forget(self.port_names)

    def stop(self) -> None:
        """Stop it in order."""
        if self.child:
            self.child.stop()
            self.child = None

    def kill(self) -> None:
        """Kill it as a crash would, for tests of what happens then."""
        if self.child:
            self.child.kill()
            self.child = None

    @property
    def port(self) -> int:
        """Return the port that the app talks to."""
        return self.ports[self.port_names[0]]

    @property
    def _pid_file(self) -> Path:
        return self.folder / "run" / f"{self.name}.pid"

    def _start_child(self) -> Child:
        # Settings meant for us must not change a server: some of them read S3_… or PG… themselves.
        plain = {key: os.environ[key] for key in ("PATH", "TZ") if key in os.environ}
        return processes.start(
            self.name,
            self.command(),
            log=self.folder / "log" / f"{self.name}.log",
            env=plain | {"HOME": str(self.folder), "LC_ALL": "C.UTF-8"},
            cwd=Path("/"),
            stop_signal=self.stop_signal,
            death_signal=self.stop_signal,
            pid_file=self._pid_file,
            as_user=self.as_user(),
        )

    def _became_ready(self, child: Child) -> bool:
        processes.wait_until(lambda: not child.is_alive() or self.is_ready(), PATIENCE)
        return child.is_alive() and self.is_ready()
