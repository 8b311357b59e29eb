"""What became of a wish, as dated steps that people read."""

from datetime import datetime
from typing import Any

import msgspec

SAID = {
    "evaluations": "What you were shown is erased",
    "objects": "Your files are erased",
    "search": "Your words are out of the search",
    "caches": "Our memory is cleared",
    "tokens": "Sessions and keys are erased",
    "clicks": "Your clicks are erased",
    "messages": "Your messages are erased",
    "content": "Your content is erased",
    "mail": "Letters are erased",
    "jobs": "Open work is called off",
    "account": "Your account is erased",
    "archive": "Put together",
}


class Step(msgspec.Struct):
    """One step: what, how it stands (done, now, next, failed), when, and a note."""

    label: str
    state: str
    at: datetime | None = None
    note: str = ""


class Request(msgspec.Struct):
    """One wish with its steps. `file` is where its copy can be fetched, `receipt` its proof."""

    id: int
    user_id: int
    request_type: str
    status: str
    asked_by: int | None
    created_at: datetime
    run_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    steps: list[Step]
    reason: str | None = None
    file: str | None = None
    receipt: str | None = None


def request_of(row: Any) -> Request:
    """A row of gdpr_requests as people see it."""
    is_ready = row["request_type"] == "EXPORT" and row["status"] == "completed"
    return Request(
        **{name: row[name] for name in Request.__struct_fields__ if name in row and name != "steps"},
        steps=steps_of(row),
        file=f"/settings/privacy/exports/{row['id']}/file" if is_ready else None,
        receipt=f"/receipts/{row['receipt_id']}" if row["receipt_id"] else None,
    )  # fmt: skip


def steps_of(row: Any) -> list[Step]:
    """The dated steps of one wish."""
    status = row["status"]
    asked = [Step("Asked for", "done", row["created_at"])]
    if status == "cancelled":
        return [*asked, Step("Called off", "done", row["finished_at"])]
    done = [step_of(step) for step in row["steps"] if step["at"]]
    if status == "failed":
        return [*asked, *done, Step("Failed. We know of it and look after it", "failed")]
    if row["request_type"] == "EXPORT":
        return [*asked, *export_steps(row, done)]
    return [*asked, *deletion_steps(row, done)]


def step_of(step: dict[str, Any]) -> Step:
    """One step that was taken."""
    at = datetime.fromisoformat(step["at"])
    if step["name"] == "held":
        until = datetime.fromisoformat(step["until"])
        return Step("Held", "done", at, f"until {until:%d %B %Y}: {step['why']}")
    return Step(SAID.get(step["name"], step["name"]), "done", at)


def export_steps(row: Any, done: list[Step]) -> list[Step]:
    """Put together, then ready until a day."""
    if row["status"] != "completed":
        return [Step("Put together", "now"), Step("Ready to fetch", "next")]
    note = f"until {row['expires_at']:%d %B %Y}" if row["expires_at"] else ""
    return [*done, Step("Ready to fetch", "done", row["finished_at"], note)]


def deletion_steps(row: Any, done: list[Step]) -> list[Step]:
    """Closed and waiting, then the steps of the erasure."""
    closed = Step("Signed out everywhere and hidden", "done", row["created_at"])
    if row["status"] == "waiting":
        until = f"until {row['run_at']:%d %B %Y, %H:%M} UTC it can be undone"
        return [closed, Step("Waits", "now", None, until), Step("Erased", "next")]
    if row["status"] == "completed":
        return [closed, *done, Step("Receipt given", "done", row["finished_at"])]
    return [closed, *done, Step("Being erased", "now")]
