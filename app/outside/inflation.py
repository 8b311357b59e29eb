"""Unpacks an answer as it comes, and stops at a ceiling without unpacking more."""

import zlib

from app.outside.fetches import FetchFailed

GZIP_OR_ZLIB = 47
RAW_DEFLATE = -15


class Inflation:
    """Collects a body that may be packed with gzip or deflate, up to `ceiling` bytes unpacked."""

    def __init__(self, encoding: str, ceiling: int) -> None:
        """Take the Content-Encoding. Raises FetchFailed encoding when it is none that we know."""
        encoding = encoding.strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise FetchFailed("encoding")
        self._packed = encoding not in ("", "identity")
        self._ceiling = ceiling
        self._arrived = 0
        self._head = b""
        self._engine: zlib._Decompress | None = None
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        """Take bytes from the wire. Raises FetchFailed too_large or encoding."""
        self._arrived += len(chunk)
        if self._arrived > self._ceiling:
            raise FetchFailed("too_large")
        if not self._packed:
            self._parts.append(chunk)
            return
        # The first two bytes tell which of the three packings it is.
        self._head += chunk
        if self._engine is None and len(self._head) < 2:
            return
        chunk, self._head = self._head, b""
        if self._engine is None and not self._start(chunk):
            self._parts.append(chunk)
            return
        self._unpack(chunk)

    def content(self) -> bytes:
        """Return the whole body. Raises FetchFailed cut_off when the packing did not end."""
        if self._engine is not None and not self._engine.eof:
            raise FetchFailed("cut_off")
        return b"".join(self._parts) + self._head

    def _start(self, chunk: bytes) -> bool:
        # "deflate" means zlib by RFC 9110 and raw deflate with many servers; and some servers
        # announce gzip in front of plain text.
        if chunk[:2] == b"\x1f\x8b" or _is_zlib(chunk):
            self._engine = zlib.decompressobj(GZIP_OR_ZLIB)
        elif chunk[:1] in b"<{\xef\xfe\xff \t\r\n":
            self._packed = False
        else:
            self._engine = zlib.decompressobj(RAW_DEFLATE)
        return self._packed

    def _unpack(self, chunk: bytes) -> None:
        try:
            while chunk:
                assert self._engine is not None
                room = self._ceiling - self._size + 1
                part = self._engine.decompress(chunk, room)
                self._parts.append(part)
                self._size += len(part)
                if self._size > self._ceiling:
                    raise FetchFailed("too_large")
                chunk = self._engine.unconsumed_tail or self._next_member()
        except zlib.error:
            raise FetchFailed("encoding") from None

    def _next_member(self) -> bytes:
        # A gzip file may be several in a row (RFC 1952); anything else after the end is padding.
        assert self._engine is not None
        rest = self._engine.unused_data
        if not self._engine.eof or not rest.startswith(b"\x1f\x8b"):
            return b""
        self._engine = zlib.decompressobj(GZIP_OR_ZLIB)
        return rest


def _is_zlib(chunk: bytes) -> bool:
    # RFC 1950: method 8, and the first two bytes as a number are a multiple of 31.
    return chunk[0] & 15 == 8 and chunk[0] >> 4 <= 7 and (chunk[0] << 8 | chunk[1]) % 31 == 0
