"""The child's side of a sandboxed process: one framed request in, one framed answer out."""

import ctypes
import math
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

import msgspec

LENGTH = struct.Struct(">I")
FRAME_CEILING = 64 * 2**20
# The exit status of a child whose memory ran out (ENOMEM).
OUT_OF_MEMORY = 12
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def serve(handler: Callable[[Any], object], memory_mb: int, cpu_seconds: float) -> None:
    """Answer requests from stdin on stdout, one at a time, until stdin closes.

    A frame is four bytes of big-endian length and that many bytes of msgpack. A request is what
    the parent passed to `Children.call`; the answer is what the handler returned. A handler that
    raises ends the process: what hostile input or a failed allocation left behind is not to be
    trusted, and the parent has a fresh process at hand.
    """
    requests, answers = _private_pipes()
    _die_with_the_parent()
    _lower_ceilings(memory_mb)
    try:
        while (frame := _read_frame(requests)) is not None:
            _allow_cpu(cpu_seconds)
            answers.write(packed(handler(msgspec.msgpack.decode(frame))))
            answers.flush()
    except MemoryError:
        sys.exit(OUT_OF_MEMORY)


def packed(message: object) -> bytes:
    """Return the message as one frame. Raises ValueError when it is over the ceiling."""
    body = msgspec.msgpack.encode(message)
    if len(body) > FRAME_CEILING:
        raise ValueError("A frame may not be longer than 64 MB.")
    return LENGTH.pack(len(body)) + body


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    # A library that prints would break the framing, so the real stdin and stdout move away and
    # the well-known numbers lead nowhere.
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    return requests, answers


def _die_with_the_parent() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # The parent may have died before the request reached the kernel.
    parent = os.environ.get("CHILD_OF")
    if parent and os.getppid() != int(parent):
        sys.exit(0)


def _lower_ceilings(memory_mb: int) -> None:
    memory = memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _allow_cpu(cpu_seconds: float) -> None:
    # The kernel counts from the birth of the process, so each call gets what was used so far
    # plus its own share. Only the soft limit moves: reaching it is SIGXCPU, which kills.
    used = resource.getrusage(resource.RUSAGE_SELF)
    ceiling = math.ceil(used.ru_utime + used.ru_stime + cpu_seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (ceiling, resource.RLIM_INFINITY))


def _read_frame(requests: BinaryIO) -> bytes | None:
    head = requests.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    return requests.read(length)
