"""Archives: a ZIP written as a stream, with the SHA-256 of each file in it and never more than a piece in memory."""

import hashlib
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import IO, Any, cast

import msgspec

PIECE = 64 * 1024


class Written(msgspec.Struct):
    """One file of an archive: name, bytes, SHA-256 in hexadecimal."""

    name: str
    bytes: int
    sha256: str


class Drain:
    """Where zipfile writes to: what has come is taken away piece by piece. It cannot go back, so zipfile does not try."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, piece: Any) -> int:
        """Take a piece."""
        self.pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        """What has come since the last time."""
        found = b"".join(self.pieces)
        self.pieces.clear()
        return found


class Archive:
    """One ZIP under way: each `add` yields the bytes that are ready; `end` yields the directory."""

    def __init__(self) -> None:
        self.drain = Drain()
        self.zip = zipfile.ZipFile(
            cast(IO[bytes], self.drain), "w", zipfile.ZIP_DEFLATED, compresslevel=6
        )
        self.files: list[Written] = []

    async def add(
        self, name: str, pieces: AsyncIterator[bytes], *, packed: bool = False
    ) -> AsyncIterator[bytes]:
        """Write one file; `packed` content (pictures) is stored as it is."""
        entry = zipfile.ZipInfo(name, datetime.now(UTC).timetuple()[:6])
        entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
        entry.external_attr = 0o600 << 16
        digest, size = hashlib.sha256(), 0
        # Nobody knows a file's length before it has been read, so each is written as one that may pass 4 GB.
        with self.zip.open(entry, "w", force_zip64=True) as file:
            async for piece in pieces:
                for start in range(0, len(piece), PIECE):
                    part = piece[start : start + PIECE]
                    digest.update(part)
                    size += len(part)
                    file.write(part)
                    if ready := self.drain.take():
                        yield ready
        self.files.append(Written(name, size, digest.hexdigest()))
        yield self.drain.take()

    def end(self) -> bytes:
        """Write the directory; what is left."""
        self.zip.close()
        return self.drain.take()


async def whole(content: bytes) -> AsyncIterator[bytes]:
    """Content that is at hand, as a stream."""
    yield content
