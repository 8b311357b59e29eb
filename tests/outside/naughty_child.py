"""A child that does what it is told, however bad."""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from app.child_frames import serve


def spin_for(seconds: float) -> str:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
    return "done"


def hoard() -> int:
    return len([bytes(8 * 2**20) for _ in range(100)])


def fork_and_sleep() -> None:
    if os.fork() == 0:
        time.sleep(60)
    time.sleep(60)


def escape() -> None:
    if os.fork() == 0:
        os.setsid()
        time.sleep(20)
        os._exit(0)
    time.sleep(60)


def write(path: str) -> str:
    try:
        Path(path).write_bytes(b"x" * 9)
    except OSError:
        return "refused"
    return "written"


def shout(word: str) -> str:
    print(word, flush=True)
    os.write(1, b"raw bytes")
    return "printed"


def lied(frame: bytes) -> None:
    # The real pipe to the parent is the last one that serve has opened.
    for number in range(3, 10):
        try:
            os.write(number, frame)
        except OSError:
            continue
    time.sleep(60)


def nap() -> int:
    time.sleep(0.3)
    return os.getpid()


# What Python itself reads or adds is no secret.
PYTHONS = {"PYTHONDONTWRITEBYTECODE", "PYTHONUTF8", "LC_CTYPE", "LANG"}
DEEDS: dict[str, Any] = {
    "pid": os.getpid,
    "echo": lambda value: value,
    "spin": lambda: spin_for(60),
    "spin_for": spin_for,
    "sleep": lambda: time.sleep(60),
    "stopped": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "hoard": hoard,
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: ctypes.string_at(0),
    "quit": lambda: os._exit(0),
    "raise": lambda: 1 / 0,
    "print": shout,
    "gibberish": lambda: lied(b"\0\0\0\3\xc1\xc1\xc1"),
    "huge_frame": lambda: lied(b"\xff\xff\xff\xff"),
    "environment": lambda: sorted(set(os.environ) - PYTHONS),
    "write": write,
    "nap": nap,
    "fork_and_sleep": fork_and_sleep,
    "escape": escape,
}


def done(request: list[Any]) -> object:
    """Do one deed."""
    return DEEDS[request[0]](*request[1:])


if __name__ == "__main__":
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123
    serve(done, 200, 1)
