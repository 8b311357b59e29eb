"""The box: PostgreSQL, Redis and S3 on this machine, for running, testing and measuring."""

import fcntl
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from app.box import passwords
from app.box.parts import BoxError, Part
from app.box.ports import Ports
from app.box.postgres import Postgres
from app.box.seaweed import Seaweed
from app.box.valkey import Valkey

# What each part is called, and the setting that leads to a real server instead.
ELSEWHERE = {"postgres": "DATABASE_URL", "redis": "REDIS_URL", "s3": "S3_ENDPOINT"}
ALL_PARTS = tuple(ELSEWHERE)


class Box:
    """Servers with their data in one folder, up while the `with` block lasts.

    A part whose address stands in `settings` (our environment unless given) is not started. `env`
    leads to all of them. With `durable=False` PostgreSQL does not wait for the disk. With
    `spare=True` a folder that another process uses is no error: the next one, `folder-2`, is taken.
    """

    def __init__(
        self,
        folder: Path,
        parts: Iterable[str] = ALL_PARTS,
        *,
        durable: bool = True,
        spare: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.env: dict[str, str] = {}
        self._settings = os.environ if settings is None else settings
        self._wanted = [name for name in parts if not self._settings.get(ELSEWHERE[name])]
        self._durable = durable
        self._spare = spare
        self._parts: dict[str, Part] = {}
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        self._take_folder()
        try:
            self._make_parts()
            with ThreadPoolExecutor() as side_by_side:
                list(side_by_side.map(lambda part: part.start(), self._parts.values()))
        except BaseException:
            self.close()
            raise
        for part in self._parts.values():
            self.env |= part.env()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def postgres(self) -> Postgres:
        """Return our own PostgreSQL. Raises BoxError when DATABASE_URL leads elsewhere."""
        part = self._part("postgres")
        assert isinstance(part, Postgres)
        return part

    def holds(self, name: str) -> bool:
        """Say whether a part is ours: False when a setting leads elsewhere."""
        return name in self._parts

    def start(self, name: str) -> None:
        """Start a part again, on the port it had, after `stop` or `kill`."""
        self._part(name).start()

    def stop(self, name: str) -> None:
        """Stop a part in order."""
        self._part(name).stop()

    def kill(self, name: str) -> None:
        """Kill a part as a crash would."""
        self._part(name).kill()

    def pid(self, name: str) -> int | None:
        """Return the process id of a part; None while it is down."""
        child = self._part(name).child
        return child.pid if child else None

    def close(self) -> None:
        """Stop every part and leave the folder to others."""
        with ThreadPoolExecutor() as side_by_side:
            list(side_by_side.map(lambda part: part.stop(), self._parts.values()))
        if self._lock:
            self._lock.close()
            self._lock = None

    def _part(self, name: str) -> Part:
        if name not in self._parts:
            raise BoxError(f"{name} is not in this box: {ELSEWHERE[name]} leads to another.")
        return self._parts[name]

    def _take_folder(self) -> None:
        first, number = self.folder, 1
        while not self._lock_folder():
            if not self._spare:
                raise BoxError(f"Another process uses {self.folder}. Stop it first.")
            number += 1
            self.folder = first.with_name(f"{first.name}-{number}")

    def _lock_folder(self) -> bool:
        """Take the folder for us; the kernel gives it back however we end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def _make_parts(self) -> None:
        for name in ("log", "run"):
            (self.folder / name).mkdir(exist_ok=True)
        words = passwords.kept_in(self.folder / "passwords.json")
        ports = Ports(self.folder / "ports.json")
        for name in self._wanted:
            if name == "postgres":
                self._parts[name] = Postgres(self.folder, words, ports, self._durable)
            else:
                self._parts[name] = {"redis": Valkey, "s3": Seaweed}[name](
                    self.folder, words, ports
                )
