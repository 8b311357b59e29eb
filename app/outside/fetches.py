"""What one guarded fetch brings back, and the ways in which it fails."""

from dataclasses import dataclass, field

from app.errors import OUTSIDE_SENTENCES, OutsideFailed, outside_status


class FetchFailed(OutsideFailed):
    """A fetch failed: a code for machines, a sentence for people, seconds to wait if known."""

    def __init__(
        self, code: str, sentence: str | None = None, retry_after: float | None = None
    ) -> None:
        self.code = code
        self.sentence = sentence or OUTSIDE_SENTENCES[code]
        self.retry_after = retry_after
        super().__init__(self.code, self.sentence)


@dataclass(frozen=True)
class Fetched:
    """One answer. `url` is where it came from in the end, without credentials; `ms` the time taken.

    `permanent_url` is where an unbroken chain of 301 and 308 led, with the credentials that still
    belong to it, else null. `redirects` holds (status, from, to).
    """

    url: str
    status: int
    headers: dict[str, str]
    content: bytes
    redirects: list[tuple[int, str, str]] = field(default_factory=list)
    permanent_url: str | None = None
    ms: int = 0


def refused_by_status(status: int, retry_after: float | None) -> FetchFailed:
    """Return the failure `http_{status}` of an answer that is no success."""
    return FetchFailed(f"http_{status}", outside_status(status), retry_after)
