"""Rows of sessions, read with each request: those that are asked for while one statement runs share the next."""

import asyncio
from typing import Any

from app.domain.platform.readers import BY_VALUE
from app.services import Services

BY_VALUES = BY_VALUE.replace("s.token_hash = $1", "s.token_hash = ANY($1::bytea[])")


class SessionRows:
    """One statement at a time for all requests of a process; nothing is kept once it is answered.

    A row is always read after it was asked for, so that a ban or a sign-out is felt with the next request.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.waiting: dict[bytes, asyncio.Future[Any]] = {}
        self.reading: asyncio.Task[None] | None = None

    async def find(self, hashed: bytes, key_print: str) -> Any:
        """The row of the live session with this value under this secret, or None. Raises ServiceDown."""
        future = self.waiting.get(hashed)
        if future is None:
            future = self.waiting[hashed] = asyncio.get_running_loop().create_future()
        if self.reading is None:
            self.reading = asyncio.create_task(self.read(key_print))
        # A caller who leaves must not take the answer from the others.
        return await asyncio.shield(future)

    async def read(self, key_print: str) -> None:
        """Answer all who wait, and those who come meanwhile after them."""
        try:
            while self.waiting:
                asked, self.waiting = self.waiting, {}
                await self.answer(asked, key_print)
        finally:
            self.reading = None

    async def answer(self, asked: dict[bytes, asyncio.Future[Any]], key_print: str) -> None:
        """Read the rows of some values in one statement, and tell all who asked; a fault is told to them too."""
        try:
            rows = await self.services.db.fetch(BY_VALUES, list(asked), key_print)
        except BaseException as error:
            for future in asked.values():
                if not future.done():
                    future.set_exception(error)
                    # Whoever asked may have left; then nobody looks at the fault.
                    future.exception()
            if not isinstance(error, Exception):
                raise
            return
        found = {row["token_hash"]: row for row in rows}
        for hashed, future in asked.items():
            if not future.done():
                future.set_result(found.get(hashed))
