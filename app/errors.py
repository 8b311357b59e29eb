"""The problems that the product answers with: one family, a code for machines and a sentence for people."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any


class Problem(Exception):
    """Something a caller can be told: `status`, `code`, `sentence`, and per-field sentences where there are any."""

    status = 500
    code = "internal"
    title = "Something broke on our side"

    def __init__(
        self,
        sentence: str,
        *,
        code: str | None = None,
        errors: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code or self.code
        self.errors = dict(errors or {})
        self.given: dict[str, Any] = {}
        self.retry_after = retry_after


class Invalid(Problem):
    """The input cannot be used as it is; `errors` says which field and why."""

    status, code, title = 422, "invalid", "Please check what you entered"


class SignInNeeded(Problem):
    """Only members may do this."""

    status, code, title = 401, "sign_in_needed", "Please sign in"


class Forbidden(Problem):
    """The caller is known and may not do this."""

    status, code, title = 403, "not_allowed", "This is not open to you"


class NotFound(Problem):
    """There is no such thing, or it is not the caller's."""

    status, code, title = 404, "not_found", "Nothing here"


class Conflict(Problem):
    """What stands has changed, or forbids this."""

    status, code, title = 409, "conflict", "This has changed meanwhile"


class Gone(Problem):
    """It was here and will not come back."""

    status, code, title = 410, "gone", "This is gone"


class TooMany(Problem):
    """The caller has to wait `retry_after` seconds."""

    status, code, title = 429, "too_many", "Please wait a moment"


class ServiceDown(Problem):
    """A service that this needs does not answer."""

    status, code, title = 503, "service_down", "Not available at the moment"


class Contended(ServiceDown):
    """Two changed the same at one moment and waited for each other: this one was ended, and nothing of it was done."""

    code = "contended"


class NotConfigured(ServiceDown):
    """The site has not set up the service that this needs."""

    code = "not_configured"


# Why a foreign address brings nothing, said to people; and the statuses that have a sentence of their own.
OUTSIDE_SENTENCES = {
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
OUTSIDE_STATUSES = {
    401: "The server asks for a password.",
    403: "The server does not let us in.",
    404: "There is nothing at this address.",
    410: "What was at this address is gone for good.",
    429: "The server asks us to come less often.",
}


class OutsideFailed(Exception):
    """A foreign address, document or picture cannot be used: `code` says why, `retry_after` is in seconds."""

    code = "outside"
    retry_after: float | None = None


def outside_status(status: int, sentences: dict[int, str] = OUTSIDE_STATUSES) -> str:
    """The sentence for people of an answer that is no success."""
    at_fault = "has a problem of its own" if status >= 500 else "did not accept the request"
    return sentences.get(status, f"The server {at_fault} ({status}).")


class Defer(Exception):
    """Raised in a job: try again at `until` (an aware datetime), and count no attempt."""

    def __init__(self, until: datetime, why: str = "") -> None:
        super().__init__(why)
        self.until = until
