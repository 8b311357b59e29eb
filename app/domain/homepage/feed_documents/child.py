"""The child process that reads documents: `python -m app.domain.homepage.feed_documents.child`.

It answers length-prefixed MessagePack on stdin and stdout until stdin ends. It limits its own
memory and the CPU time of each request; the parent kills it when it does not answer in time.
"""

import resource
import struct
import sys
from typing import BinaryIO, Literal

import msgspec

from app.domain.homepage.feed_documents import discover, opml, read
from app.domain.homepage.feed_documents.documents import (
    Candidate,
    FeedDocument,
    Outline,
    Unreadable,
)

MEMORY = 256 * 1024 * 1024
CPU_SECONDS = 5
LENGTH = struct.Struct(">I")
LONGEST = 64 * 1024 * 1024


class Request(msgspec.Struct, kw_only=True):
    """One document to be read, or a page in which feeds are to be found."""

    content: bytes
    content_type: str | None = None
    url: str = ""
    work: Literal["read", "discover", "opml"] = "read"


class Answer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What was found; with `error_code` nothing was. `too_big` also means: out of memory."""

    document: FeedDocument | None = None
    candidates: list[Candidate] | None = None
    outlines: list[Outline] | None = None
    error_code: str | None = None


def framed(message: Request | Answer) -> bytes:
    """Return a message as it goes over the pipe: four bytes of length, then MessagePack."""
    body = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(body)) + body


def answer(request: Request) -> Answer:
    """Do the work of one request; what cannot be read is an answer too."""
    try:
        if request.work == "discover":
            found = discover(request.content, request.content_type, request.url)
            return Answer(candidates=found)
        if request.work == "opml":
            return Answer(outlines=opml.read(request.content))
        return Answer(document=read(request.content, request.content_type, request.url))
    except Unreadable as reason:
        return Answer(error_code=reason.code)
    except MemoryError:
        return Answer(error_code="too_big")


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until the source ends."""
    while len(head := source.read(LENGTH.size)) == LENGTH.size:
        (length,) = LENGTH.unpack(head)
        if length > LONGEST:
            return
        request = msgspec.msgpack.decode(source.read(length), type=Request)
        _limit_time()
        sink.write(framed(answer(request)))
        sink.flush()


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_time() -> None:
    """Give this request five seconds: the limit counts from the start of the process, so it moves.

    The signal's own action stays: it ends the process even inside a C library.
    """
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (used + CPU_SECONDS, hard))


if __name__ == "__main__":
    _limit_memory()
    serve(sys.stdin.buffer, sys.stdout.buffer)
