"""A parent of the reading child for tests: asks, and sees what it cost and whether it lived."""

import os
import selectors
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from app.domain.homepage.feed_documents.child import LENGTH, Answer, Request, framed

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60


class Child:
    """One reading child; `ask` returns None when it died over a document."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.domain.homepage.feed_documents.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )

    def ask(self, request: Request) -> Answer | None:
        """Send one request and wait for its answer."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(framed(request))
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        if not self._answers():
            # A parent never waits for a child that does not answer.
            self.process.kill()
            return None
        head = self.process.stdout.read(LENGTH.size)
        if len(head) < LENGTH.size:
            return None
        body = self.process.stdout.read(LENGTH.unpack(head)[0])
        return msgspec.msgpack.decode(body, type=Answer)

    def _answers(self) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            return bool(selector.select(PATIENCE))

    def cpu_seconds(self) -> float:
        """Return the CPU time the child has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_bytes(self) -> int:
        """Return the most memory the child has held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def close(self) -> None:
        """End the child by closing its input, or by force."""
        assert self.process.stdin and self.process.stdout
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
