"""How far an erasure is: its steps with their times and counts, as the request's row keeps them."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from app.errors import Defer
from app.services import Services


class Progress:
    """The steps of one request. `address` is where the last letter goes, read before the account is gone."""

    def __init__(self, steps: list[dict[str, Any]], address: str | None) -> None:
        self.steps = steps
        self.address = address

    def step(self, name: str) -> dict[str, Any]:
        """The line of one step, made when it is new."""
        found = next((step for step in self.steps if step["name"] == name), None)
        if found is None:
            found = {"name": name, "at": None, "counts": {}}
            self.steps.append(found)
        return found

    def is_done(self, name: str) -> bool:
        """Whether a step needs no repeat."""
        return any(step["name"] == name and step["at"] for step in self.steps)

    def count(self, name: str, place: str, rows: int, *, anew: bool = False) -> None:
        """Add rows of a place to a step; `anew` when they were counted again and not added to."""
        counts = self.step(name)["counts"]
        counts[place] = rows + (0 if anew else counts.get(place, 0))

    def finish(self, name: str) -> None:
        """Note when a step was done."""
        self.step(name)["at"] = datetime.now(UTC).isoformat(timespec="seconds")

    def held(self, why: str, until: datetime) -> bool:
        """Note that the account is held; False when that was known."""
        line = self.step("held")
        is_new = "until" not in line
        line |= {"why": why, "until": until.isoformat(timespec="seconds")}
        if is_new:
            self.finish("held")
        return is_new

    def counts(self) -> dict[str, int]:
        """Rows by place, over all steps."""
        found: dict[str, int] = {}
        for step in self.steps:
            for place, rows in step["counts"].items():
                found[place] = found.get(place, 0) + rows
        return found


LOCK = """
SELECT r.steps, u.email::text AS address
FROM gdpr_requests r LEFT JOIN users u ON u.id = r.user_id WHERE r.id = $1 FOR UPDATE OF r
"""
WRITE = "UPDATE gdpr_requests SET steps = $2 WHERE id = $1"


async def lock(tx: Services, request_id: int) -> Progress:
    """How far a request is; others wait until this transaction ends."""
    row = await tx.db.fetchrow(LOCK, request_id)
    return Progress(list(row["steps"]), row["address"])


async def write(tx: Services, request_id: int, progress: Progress) -> None:
    """Keep how far a request is."""
    await tx.db.execute(WRITE, request_id, progress.steps)


FAILED = "UPDATE gdpr_requests SET status = 'failed' WHERE id = $1 AND finished_at IS NULL"


@contextlib.asynccontextmanager
async def failing(services: Services, request_id: int) -> AsyncIterator[None]:
    """Mark the request as failed when the block does in the job's last attempt."""
    try:
        yield
    except Exception as error:
        run = services.job
        is_last = run is not None and run.attempt >= run.job.max_attempts
        if is_last and not isinstance(error, Defer):
            await services.db.execute(FAILED, request_id)
        raise
