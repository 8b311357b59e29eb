"""A pool of sandboxed child processes that are killed and replaced when they overstep."""

import asyncio
import contextlib
import math
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Literal

import msgspec

from app.child_frames import FRAME_CEILING, LENGTH, OUT_OF_MEMORY, packed
from app.errors import OutsideFailed

ROOT = Path(__file__).parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
# A fresh process now and then sheds whatever a long line of odd inputs made it keep.
CALLS_A_LIFE = 1000


class ChildFailed(OutsideFailed):
    """A child broke a ceiling or died: code is `timeout`, `memory` or `crash`."""

    def __init__(self, code: Literal["timeout", "memory", "crash"]) -> None:
        super().__init__(code)
        self.code = code


class Children:
    """Up to `size` processes of `python -m MODULE`, which talk as `child_frames.serve` does."""

    def __init__(
        self,
        module: str,
        *,
        size: int = 1,
        cpu_seconds: float,
        memory_mb: int,
        wall_seconds: float,
    ) -> None:
        self.module = module
        self.cpu_seconds = cpu_seconds
        self.memory_mb = memory_mb
        self.wall_seconds = wall_seconds
        self._seats = asyncio.Semaphore(size)
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._closed = False

    async def call(self, request: object) -> object:
        """Return the child's answer to one request. Raises ChildFailed.

        Request and answer are whatever msgpack can carry. A child that breaks a ceiling is
        killed with its whole process group; the next call finds a fresh one.
        """
        async with self._seats:
            child = await self._child()
            self._busy.add(child)
            try:
                async with asyncio.timeout(self.wall_seconds):
                    answer = await child.answer(request, self.cpu_seconds)
            except TimeoutError:
                await child.kill()
                raise ChildFailed("timeout") from None
            except (EOFError, OSError, msgspec.DecodeError):
                cause = await child.cause_of_death()
                raise ChildFailed("crash" if self._closed else cause) from None
            except BaseException:
                await child.kill()
                raise
            finally:
                self._busy.discard(child)
            await self._keep(child)
            return answer

    async def close(self) -> None:
        """Kill every child, one that works too; calls that run or come later fail with `crash`."""
        self._closed = True
        for child in [*self._idle, *self._busy]:
            await child.kill()
        self._idle.clear()

    async def _child(self) -> "_Child":
        while self._idle:
            child = self._idle.pop()
            if child.process.returncode is None:
                return child
        child = await _born(self.module, self.memory_mb)
        if self._closed:
            await child.kill()
            raise ChildFailed("crash")
        return child

    async def _keep(self, child: "_Child") -> None:
        if self._closed or child.calls >= CALLS_A_LIFE:
            await child.kill()
        else:
            self._idle.append(child)


async def _born(module: str, memory_mb: int) -> "_Child":
    # No variable of ours goes along: a child needs no secret to read a document.
    environment = {
        "PATH": os.defpath,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "CHILD_OF": str(os.getpid()),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )
    child = _Child(process)
    # The child lowers its own ceilings too; set from here they hold even if it forgets.
    child.limit(resource.RLIMIT_AS, memory_mb * 2**20)
    return child


class _Child:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.calls = 0
        self.born = _started(process.pid)

    async def answer(self, request: object, cpu_seconds: float) -> object:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None and stdout is not None
        self.calls += 1
        self.limit(resource.RLIMIT_CPU, math.ceil(self._cpu_used() + cpu_seconds))
        stdin.write(packed(request))
        await stdin.drain()
        (length,) = LENGTH.unpack(await stdout.readexactly(LENGTH.size))
        if length > FRAME_CEILING:
            raise EOFError
        return msgspec.msgpack.decode(await stdout.readexactly(length))

    @property
    def is_replaced(self) -> bool:
        """Whether it is gone and its number was given to a stranger, who must feel nothing of us.

        The kernel gives no number that a process group still bears: then nobody of ours is left.
        """
        return _started(self.process.pid) not in (None, self.born)

    def limit(self, which: int, soft: int) -> None:
        if self.is_replaced:
            return
        try:
            _, hard = resource.prlimit(self.process.pid, which)
            resource.prlimit(self.process.pid, which, (soft, hard))
        except ProcessLookupError:
            # It died meanwhile; reading its answer will say so.
            return

    def _cpu_used(self) -> float:
        # User and system time.
        fields = _stat(self.process.pid)
        return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0.0

    def end_group(self) -> None:
        if not self.is_replaced:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    async def kill(self) -> None:
        self.end_group()
        # Waiting ends when the pipes are closed too, and a grandchild that left the group may
        # hold them; asyncio has no public way to let go of its ends.
        self.process._transport.close()  # type: ignore[attr-defined]
        await self.process.wait()

    async def cause_of_death(self) -> Literal["timeout", "memory", "crash"]:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self.process.wait()
        code = self.process.returncode
        await self.kill()
        if code == -signal.SIGXCPU:
            return "timeout"
        # Nobody but the kernel short of memory kills a child that we have not killed.
        return "memory" if code in (-signal.SIGKILL, OUT_OF_MEMORY) else "crash"


def _started(pid: int) -> str | None:
    """When a process began; None when it is gone."""
    fields = _stat(pid)
    return fields[19] if fields else None


def _stat(pid: int) -> list[str]:
    """What the kernel says of a process, after its name (man 5 proc: the third field on); empty when it is gone."""
    try:
        # The name stands in brackets and may hold spaces, so fields are counted after it.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
