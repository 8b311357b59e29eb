"""Circuit breakers: a service that keeps failing is left alone for a while."""

import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from prometheus_client import Gauge, Histogram

from app.errors import Problem, ServiceDown

OUTSIDE_SECONDS = Histogram(
    "outside_request_duration_seconds",
    "Time of one request to an outside service, by its result.",
    ["service", "result"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 15, 30, 60),
)
OUTSIDE_BREAKER_OPEN = Gauge(
    "outside_breaker_open", "1 while the breaker of an outside service is not closed.", ["service"]
)

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True)
class Standing:
    """How a service stands now, for the portal: `retry_after` is in seconds, null when closed."""

    service: str
    state: State
    failures: int
    retry_after: float | None
    last_code: str | None
    # Unix time of the last good answer, null when there was none yet.
    last_ok: float | None = None


class Breaker:
    """Guards one service: closed, open after failures in a row, half open for one trial."""

    def __init__(
        self,
        service: str,
        *,
        limit: int = 5,
        rest: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.service = service
        self.limit = limit
        self.rest = rest
        self._clock = clock
        self._failures = 0
        self._until: float | None = None
        self._on_trial = False
        self._last_code: str | None = None
        self._last_ok: float | None = None
        # Requests by how they ended, since this process began: for the page of the services outside.
        self.results: Counter[str] = Counter()
        self._gauge = OUTSIDE_BREAKER_OPEN.labels(service)
        self._gauge.set(0)

    @property
    def state(self) -> State:
        """Return closed, open or half_open."""
        if self._until is None:
            return "closed"
        return "open" if self._on_trial or self._clock() < self._until else "half_open"

    def standing(self) -> Standing:
        """Return the readable state."""
        waits = None if self._until is None else max(0.0, self._until - self._clock())
        return Standing(
            self.service, self.state, self._failures, waits, self._last_code, self._last_ok
        )

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Time one request and count its end. Raises ServiceDown without calling while open.

        Only ServiceDown raised inside counts as the service's failure. Another Problem, such as
        NotFound, is a proper answer; anything else, such as a cancelled caller, says nothing
        about the service.
        """
        trial = self._let_through()
        started = time.perf_counter()
        result = "interrupted"
        try:
            yield
            result = "ok"
            self._succeeded()
        except ServiceDown as down:
            result = down.code
            self._failed(down)
            raise
        except Problem as problem:
            result = problem.code
            self._succeeded()
            raise
        finally:
            if trial:
                self._on_trial = False
            self.results[result] += 1
            OUTSIDE_SECONDS.labels(self.service, result).observe(time.perf_counter() - started)

    def _let_through(self) -> bool:
        if self.state == "open":
            waits = self.standing().retry_after
            raise ServiceDown("This source is resting.", code="breaker_open", retry_after=waits)
        # Half open lets exactly one request try; the others see it as open until it ends.
        trial = self._until is not None
        self._on_trial = self._on_trial or trial
        return trial

    def _succeeded(self) -> None:
        self._failures = 0
        self._until = self._last_code = None
        self._last_ok = time.time()
        self._gauge.set(0)

    def _failed(self, down: ServiceDown) -> None:
        self._failures += 1
        self._last_code = down.code
        if self._failures >= self.limit:
            # Jitter keeps several processes from trying at the same moment.
            rest = max(self.rest, down.retry_after or 0.0)
            self._until = self._clock() + rest * random.uniform(1.0, 1.25)  # noqa: S311
            self._gauge.set(1)
