"""Ports on loopback: found free, and kept from one run to the next."""

import json
import secrets
import socket
import threading
from pathlib import Path

# Below the range that the kernel hands to outgoing connections: none of them takes a port we keep.
LOWEST, HIGHEST = 20_000, 32_000


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def next_free(first: int) -> int:
    """Return the first free port from the given one upwards. Raises OSError if there is none."""
    for port in range(first, 65_536):
        if is_free(port):
            return port
    raise OSError(f"No port from {first} upwards is free.")


class Ports:
    """The ports of one box by name, kept in a file so that addresses stay while they can."""

    def __init__(self, file: Path) -> None:
        self._file = file
        # Parts start side by side in threads.
        self._lock = threading.Lock()
        self._ports: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}

    def __getitem__(self, name: str) -> int:
        return self._ports[name]

    def choose(self, names: tuple[str, ...]) -> None:
        """Make sure that each name has a port that is free now; the old one where possible."""
        with self._lock:
            for name in names:
                if name not in self._ports or not is_free(self._ports[name]):
                    self._ports[name] = self._unused()
            self._keep()

    def forget(self, names: tuple[str, ...]) -> None:
        """Drop the ports of these names, because a server could not start on them."""
        with self._lock:
            for name in names:
                self._ports.pop(name, None)
            self._keep()

    def _unused(self) -> int:
        while True:
            port = LOWEST + secrets.randbelow(HIGHEST - LOWEST)
            if port not in self._ports.values() and is_free(port):
                return port

    def _keep(self) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(self._ports, indent=1, sort_keys=True))
        fresh.replace(self._file)
