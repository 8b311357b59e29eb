"""Services: what a request or a job works with. Built once a process, narrowed to one connection in a transaction."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from app.config import Settings
from app.db import CONTENDED, LOST, TRIES, Database, contended, database_away, is_away
from app.errors import Contended

Found = TypeVar("Found")


class Ledger(Protocol):
    """What writes jobs: app/domain/platform/jobs/ledger.py, given the registry of jobs/ when the process starts."""

    @property
    def registry(self) -> Mapping[str, Any]:
        """The types of jobs by name."""

    @property
    def add(self) -> Callable[..., Awaitable[list[int]]]:
        """Write one job a call in the transaction of the given services; answer their ids in order."""


class Letter(NamedTuple):
    """One letter in words: subject, plain text, HTML."""

    subject: str
    text: str
    html: str


class LetterWriter(Protocol):
    """What fills the templates of letters: app/web/letters.py, given when the process starts."""

    def __call__(self, template: str, **context: Any) -> Letter:
        """Fill one letter."""


@dataclasses.dataclass(frozen=True)
class Services:
    """The database, Redis and each outside service. `in_tx` tells whether `enqueue` may be called."""

    settings: Settings
    db: Database
    ledger: "Ledger"
    letters: "LetterWriter"
    redis: Any = None
    outside: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    in_tx: bool = False
    # The attempt that runs (jobs/runs.py): step(name), key(name), report(progress); None outside a job.
    job: Any = None
    trace: Mapping[str, str] = dataclasses.field(default_factory=dict)
    # Where the request came from, for the audit log: address and agent; on a command line kind and caller.
    origin: Mapping[str, str] = dataclasses.field(default_factory=dict)
    # What this process keeps in memory of the database, by name (app/domain/platform/memories.py).
    memory: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator["Services"]:
        """The same services on one connection, for several reads. Raises ServiceDown."""
        async with self.db.held() as connection:
            yield dataclasses.replace(self, db=Database(None, connection))

    @contextlib.asynccontextmanager
    async def tx(self, *, ends_job: bool = False) -> AsyncIterator["Services"]:
        """The same services inside one transaction (a savepoint when already in one). Raises ServiceDown.

        Where PostgreSQL ends it because two waited for each other it raises Contended, and is not begun again here: what
        the block did outside of it would be done twice. A request is asked to try again, a job is tried again by its
        ledger as long as it has attempts; what knows that it can begin anew uses `again`.

        With `ends_job` the running job, if there is one, is done with this very commit.
        """
        async with self.db.held() as connection:
            try:
                async with connection.transaction():
                    inner = dataclasses.replace(self, db=Database(None, connection), in_tx=True)
                    yield inner
                    if ends_job and self.job is not None:
                        await self.job.end(inner)
                    elif self.job is not None:
                        # An attempt that has lost its job commits nothing more (jobs/runs.py).
                        self.job.check()
            except CONTENDED as error:
                raise contended() from error
            except LOST as error:
                if not is_away(error):
                    raise
                raise database_away() from error

    async def again(self, work: Callable[["Services"], Awaitable[Found]]) -> Found:
        """Do `work` in a transaction; from its start again where it was ended because two waited for each other.

        Only for work that does nothing but write to the database. Inside another transaction it is done once: what that
        one holds cannot be let go here. Raises Contended after three times, and what `work` raises.
        """
        for left in reversed(range(TRIES)):
            try:
                async with self.tx() as tx:
                    return await work(tx)
            except Contended:
                if self.in_tx or not left:
                    raise
        raise AssertionError

    async def enqueue(self, job_type: str, *arguments: Any, **options: Any) -> int:
        """Write one job in the caller's transaction; answer its id."""
        [job_id] = await self.enqueue_many(job_type, [arguments], **options)
        return job_id

    async def enqueue_many(
        self, job_type: str, calls: Sequence[Sequence[Any]], **options: Any
    ) -> list[int]:
        """Write many jobs of one type in one statement of the caller's transaction; answer their ids."""
        if not self.in_tx:
            raise RuntimeError(f"{job_type} was enqueued outside a transaction")
        return await self.ledger.add(self, job_type, calls, **options)
