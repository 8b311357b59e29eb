"""What a mailbox answers: UIDs found, and letters fetched, out of the lines that the library leaves."""

import re
from typing import Any, NamedTuple

FETCH_BEGINS = re.compile(rb"^\d+ FETCH \(", re.I)
UID = re.compile(rb"\bUID (\d+)", re.I)
SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)", re.I)


class Listed(NamedTuple):
    """One letter as the server lists it; `message_id` is empty where it has none."""

    uid: int
    size: int
    message_id: str


class Part(NamedTuple):
    """The answer to FETCH about one letter: what stands around the literal, and the literal."""

    uid: int
    around: bytes
    literal: bytes


def parts(lines: list[Any]) -> list[Part]:
    """The answers in the lines of one FETCH."""
    found: list[tuple[bytes, bytes]] = []
    for line in lines:
        if isinstance(line, bytearray) and found:
            found[-1] = (found[-1][0], bytes(line))
        elif FETCH_BEGINS.match(bytes(line)):
            found.append((bytes(line), b""))
        elif found:
            found[-1] = (found[-1][0] + b" " + bytes(line), found[-1][1])
    return [
        Part(int(uid[1]), around, literal)
        for around, literal in found
        if (uid := UID.search(around))
    ]


def listed_of(part: Part) -> Listed:
    """What a part of a list says of a letter."""
    size = SIZE.search(part.around)
    _, _, value = part.literal.decode("utf-8", "replace").partition(":")
    return Listed(part.uid, int(size[1]) if size else 0, "".join(value.split())[:998])


def uids_of(lines: list[Any]) -> list[int]:
    """The UIDs in an answer to SEARCH, in their order; its closing sentence has none."""
    found = [bytes(line).split() for line in lines if re.fullmatch(rb"[\d ]+", line)]
    return sorted(int(number) for numbers in found for number in numbers)
