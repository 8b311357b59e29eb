"""What one guarded fetch brings back, and the ways in which it fails."""

from dataclasses import dataclass, field

from app.errors import OutsideFailed

SENTENCES = {
    "bad_address": "This is not a web address that can be opened.",
    "refused_address": "This address does not lead to the public internet.",
    "refused_port": "Only the usual ports of the web, 80 and 443, are opened.",
    "dns": "No server goes by that name.",
    "connect": "The server could not be reached.",
    "timeout": "The server stopped answering.",
    "too_slow": "The server took too long to send its answer.",
    "too_large": "The answer is larger than what is read.",
    "too_many_redirects": "The address leads on and on.",
    "tls": "The server's certificate is not valid for this name.",
    "protocol": "The server's answer is not proper HTTP.",
    "cut_off": "The answer broke off in the middle.",
    "encoding": "The answer is packed in a way that cannot be unpacked.",
}
HTTP_SENTENCES = {
    401: "The server asks for a password.",
    403: "The server does not let us in.",
    404: "There is nothing at this address.",
    410: "What was at this address is gone for good.",
    429: "The server asks us to come less often.",
}


class FetchFailed(OutsideFailed):
    """A fetch failed: a code for machines, a sentence for people, seconds to wait if known."""

    def __init__(
        self, code: str, sentence: str | None = None, retry_after: float | None = None
    ) -> None:
        self.code = code
        self.sentence = sentence or SENTENCES[code]
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
    told = HTTP_SENTENCES.get(status)
    if told is None:
        at_fault = "has a problem of its own" if status >= 500 else "did not accept the request"
        told = f"The server {at_fault} ({status})."
    return FetchFailed(f"http_{status}", told, retry_after)
