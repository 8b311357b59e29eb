"""OPML imports: a list of feeds that a member brings, taken in by a job with a report a line (chapter 20 rule 29)."""

import base64
import binascii
from datetime import datetime
from typing import Any

import msgspec

from app.domain.homepage import feed_additions, feed_errors, feeds, subscriptions
from app.domain.homepage.feed_addresses import completed, looks_private, shown
from app.domain.homepage.feed_attempts import parsed
from app.domain.homepage.feed_documents import Outline, Unreadable, opml
from app.domain.platform import secrets
from app.domain.platform.readers import Reader
from app.errors import Invalid, NotFound, OutsideFailed
from app.services import Services

MOST_BYTES = 2**20
LINES_A_STEP = 100
FOLDER_LENGTH = 80


class Line(msgspec.Struct):
    """What became of one line of the file: added, known or failed, and why."""

    title: str
    url: str
    folder: str | None
    outcome: str
    sentence: str = ""
    feed_id: int | None = None


class Import(msgspec.Struct):
    """One list and how far it is taken in: waiting, running, done or failed."""

    id: int
    state: str
    total: int
    added: int
    known: int
    failed: int
    report: list[Line]
    sentence: str
    created_at: datetime
    finished_at: datetime | None

    @property
    def seen(self) -> int:
        """How many lines are dealt with."""
        return self.added + self.known + self.failed


ADD = "INSERT INTO opml_imports (user_id) VALUES ($1) RETURNING id"
HOLD = "UPDATE opml_imports SET content = $2 WHERE id = $1"


async def add(services: Services, who: Reader, content: bytes) -> Import:
    """Take a file in for the job to read. Raises Invalid when it is empty or over 1 MB."""
    if not content.strip():
        raise refused("Choose the file that holds your list of feeds.")
    if len(content) > MOST_BYTES:
        raise refused("This file is larger than 1 MB. Split it and bring the parts.")
    async with services.tx() as tx:
        import_id = await tx.db.fetchval(ADD, who.id)
        await tx.db.execute(HOLD, import_id, sealed(tx, import_id, content))
        await tx.enqueue("import_opml", import_id, key=f"opml:{import_id}")
        return await by_id(tx, who, import_id)


def refused(sentence: str) -> Invalid:
    """Why a file cannot be taken in."""
    return Invalid(sentence, errors={"file": sentence})


BY_ID = """
SELECT id, state, total, added, known, failed, report, error_code, created_at, finished_at FROM opml_imports
WHERE id = $1 AND user_id = $2
"""


async def by_id(services: Services, who: Reader, import_id: int) -> Import:
    """An import of the member's own, as far as it has come. Raises NotFound."""
    row = await services.db.fetchrow(BY_ID, import_id, who.id)
    if row is None:
        raise NotFound("There is no such import.")
    values = dict(row)
    sentence = feed_errors.sentence(values.pop("error_code"))
    report = msgspec.convert(values.pop("report"), list[Line])
    return Import(**values, report=report, sentence=sentence)


OPEN = "SELECT id, content FROM opml_imports WHERE id = $1 AND state IN ('waiting', 'running')"
BEGIN = "UPDATE opml_imports SET state = 'running', total = $2 WHERE id = $1"


async def take_in(services: Services, import_id: int) -> None:
    """Take a list in, some lines a transaction; a run that was cut off goes on after the last line that was kept."""
    row = await services.db.fetchrow(OPEN, import_id)
    if row is None:
        return
    try:
        outlines = await read(services, unsealed(services, import_id, row["content"]))
    except OutsideFailed as failed:
        await finish(services, import_id, "failed", f"parser_{failed.code}")
        return
    except Unreadable as failed:
        await finish(services, import_id, "failed", failed.code)
        return
    await services.db.execute(BEGIN, import_id, len(outlines))
    while await step(services, import_id, outlines):
        pass
    await finish(services, import_id, "done", None)


async def read(services: Services, content: bytes) -> list[Outline]:
    """The lines of a file, read in a child process. Raises Unreadable and OutsideFailed."""
    told = await parsed(services, content, None, "", "opml")
    if code := told.get("error_code"):
        raise Unreadable(code)
    return msgspec.convert(told.get("outlines") or [], list[Outline])


LOCK = """
SELECT user_id, jsonb_array_length(report) AS seen FROM opml_imports
WHERE id = $1 AND state = 'running' FOR UPDATE
"""
STEP = """
UPDATE opml_imports SET report = report || $2::jsonb, added = added + $3, known = known + $4, failed = failed + $5
WHERE id = $1
"""


async def step(services: Services, import_id: int, outlines: list[Outline]) -> bool:
    """Take the next lines in; whether there are more. The row is locked: a second worker finds them dealt with."""
    async with services.tx() as tx:
        row = await tx.db.fetchrow(LOCK, import_id)
        if row is None or row["seen"] >= len(outlines):
            return False
        part = outlines[row["seen"] : row["seen"] + LINES_A_STEP]
        lines = await taken(tx, row["user_id"], part)
        counts = [
            sum(line.outcome == name for line in lines) for name in ("added", "known", "failed")
        ]
        await tx.db.execute(STEP, import_id, msgspec.to_builtins(lines), *counts)
        return bool(row["seen"] + len(part) < len(outlines))


async def taken(tx: Services, user_id: int, outlines: list[Outline]) -> list[Line]:
    """What became of some lines, in their order."""
    addresses = [completed(outline.url) for outline in outlines]
    wishes = [
        feed_additions.Wish(url, outline.title or None, folder_of(outline))
        for url, outline in zip(addresses, outlines, strict=True)
        if url
    ]
    found = iter(await feed_additions.add(tx, user_id, wishes, "opml"))
    return [
        as_line(outline, url, next(found) if url else None)
        for url, outline in zip(addresses, outlines, strict=True)
    ]


def as_line(outline: Outline, url: str | None, added: feed_additions.Added | None) -> Line:
    """One line of the report; an address that holds a key is said by its host."""
    if url is None or added is None:
        reason = feed_errors.sentence("bad_address")
        # What is no address may still hold a password, so the report names it by its title alone.
        title = outline.title or "A line without a name"
        return Line(title, "", folder_of(outline), "failed", reason)
    address = shown(url, private=looks_private(url))
    line = Line(outline.title or address, address, folder_of(outline), "known")
    if added.code is not None:
        line.outcome, line.sentence = "failed", feed_errors.sentence(added.code)
        return line
    line.feed_id = added.feed_id
    line.outcome = "added" if added.new else "known"
    return line


def folder_of(outline: Outline) -> str | None:
    """The folder of a line, as long as ours may be."""
    return (outline.folder or "")[:FOLDER_LENGTH].strip() or None


# The file goes with the last line: what is needed of it is in the report.
FINISH = """
UPDATE opml_imports SET state = $2, error_code = $3, content = NULL, finished_at = now()
WHERE id = $1 AND state IN ('waiting', 'running')
"""


async def finish(services: Services, import_id: int, state: str, code: str | None) -> None:
    """Note the end of an import."""
    await services.db.execute(FINISH, import_id, state, code)


EXPORT = subscriptions.READ


async def export(services: Services, who: Reader | None, *, private: bool = False) -> str:
    """A person's feeds as OPML 2. Addresses that are secrets go along only when their owner asks for them."""
    rows = await services.db.fetch(EXPORT, *feeds.asker(who))
    outlines = [
        Outline(feeds.address(services, row), name_of(services, row), row["folder"])
        for row in rows
        if row["url"] is not None or private
    ]
    return opml.write(f"Feeds from {services.settings.site_name}", outlines)


def name_of(services: Services, row: Any) -> str:
    """What the person calls a feed."""
    return subscriptions.as_subscription(services, row).title


def sealed(services: Services, import_id: int, content: bytes) -> str:
    """The file for its column: lines of it may hold keys, so it is never stored open."""
    text = base64.b64encode(content).decode()
    secret = secrets.seal(services.settings, "opml_imports", "content", import_id, text)
    return base64.b64encode(secret).decode()


def unsealed(services: Services, import_id: int, text: str | None) -> bytes:
    """The file that `sealed` hid; of one that is gone, nothing."""
    try:
        secret = base64.b64decode(text or "")
        return base64.b64decode(
            secrets.unseal(services.settings, "opml_imports", "content", import_id, secret)
        )
    except binascii.Error:
        return b""
