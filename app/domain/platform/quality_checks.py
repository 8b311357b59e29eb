"""Checks of what we keep: what each found last, and what is open until it is mended (chapter 90 §2 and rule 43)."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from prometheus_client import Gauge

from app.domain.platform import audit
from app.domain.platform.readers import Reader
from app.errors import NotFound
from app.services import Services

BAD_ROWS = Gauge(
    "data_quality_bad_rows",
    "How much a check of our data has found.",
    ["check"],
    multiprocess_mode="mostrecent",
)
SAMPLE = 20


class Check(NamedTuple):
    """One check: what is wrong when it finds something, and how it is mended."""

    title: str
    mend: str


CHECKS: dict[str, Check] = {
    "untagged_days": Check(
        "Days with under 80 % of the news tagged",
        "Look at the AI budget and at the jobs of type tag_items.",
    ),
    "documents_without_version": Check(
        "Documents without a known version of their form",
        "Open and save it once, or put its defaults back.",
    ),
    "orphans": Check(
        "Rows that point to something that is gone",
        "Delete the rows, and find out who left them.",
    ),
    "preferences": Check(
        "Preferences that cannot be read",
        "Their owner sees the defaults: put those back, or mend the document.",
    ),
    "widget_settings": Check(
        "Widgets whose settings cannot be read",
        "They show their defaults: ask the owner to set them up anew, or mend the settings.",
    ),
    "flag_reasons": Check(
        "Flags changed without a reason",
        "Ask whoever did it, then close this.",
    ),
    "ai_books": Check(
        "Sums of the AI budget that differ from its calls",
        "Compare ai_usage_tracking with ai_calls; something wrote past the ledger.",
    ),
}
for name in CHECKS:
    BAD_ROWS.labels(name)


class Finding(msgspec.Struct):
    """What one check saw at one time; open while `closed_at` is null."""

    id: int
    name: str
    title: str
    mend: str
    looked_at: datetime
    bad: int
    sample: list[str]
    says: str
    closed_at: datetime | None


class FindingList(msgspec.Struct):
    """Findings, the open ones first. `total` counts the open ones."""

    items: list[Finding]
    total: int
    next: str | None = None


# A finding that is open already keeps its age, which says how long it has been so, and takes the new words. Of two rows
# only the one that was just inserted has no xmax.
ADD = """
INSERT INTO quality_checks AS kept (name, bad, sample, says) VALUES ($1, 1, ARRAY[$2::text], left($3, 500))
ON CONFLICT (name, (sample[1])) WHERE closed_at IS NULL DO UPDATE SET says = EXCLUDED.says WHERE kept.says <> EXCLUDED.says
RETURNING xmax = 0 AS is_new
"""


async def add(services: Services, name: str, subject: str, says: str = "") -> bool:
    """Write a finding about one subject; False while it is open already. May stand in a transaction."""
    return bool(await services.db.fetchval(ADD, checked(name), subject, says))


CLOSE = """
UPDATE quality_checks SET closed_at = now() WHERE name = $1 AND sample[1] = $2 AND closed_at IS NULL
"""


async def close(services: Services, name: str, subject: str) -> bool:
    """Say that a subject is well again; False when nothing was open."""
    return (await services.db.execute(CLOSE, checked(name), subject)) != "UPDATE 0"


DISMISS = """
UPDATE quality_checks SET closed_at = now() WHERE id = $1 AND closed_at IS NULL RETURNING name, sample, says
"""


async def dismiss(services: Services, who: Reader, finding_id: int) -> None:
    """Close a finding by hand. Raises NotFound when it is none or closed. The next look finds it again if it is there."""
    async with services.tx() as tx:
        row = await tx.db.fetchrow(DISMISS, finding_id)
        if row is None:
            raise NotFound("There is no open finding of that number.")
        target = ("finding", finding_id)
        await audit.add(tx, who, "finding.closed", target, before=dict(row))


SUPERSEDE = "UPDATE quality_checks SET closed_at = now() WHERE name = $1 AND closed_at IS NULL"
RECORD = """
INSERT INTO quality_checks (name, bad, sample, says, closed_at)
VALUES ($1, $2::bigint, $3, left($4, 500), CASE WHEN $2::bigint = 0 THEN now() END)
"""


async def record(
    services: Services, name: str, bad: int, sample: Sequence[object] = (), says: str = ""
) -> None:
    """Write what a look at everything found; it takes the place of this check's earlier findings."""
    ids = [str(one) for one in sample][:SAMPLE]
    async with services.tx() as tx:
        await tx.db.execute(SUPERSEDE, checked(name))
        await tx.db.execute(RECORD, name, bad, ids or (["?"] if bad else []), says)


def checked(name: str) -> str:
    """The name, if there is such a check. Raises LookupError."""
    if name not in CHECKS:
        raise LookupError(f"There is no check {name}: add it to quality_checks.CHECKS")
    return name


# What is open, and beneath it the newest looks that are over.
LISTED = """
SELECT id, name, looked_at, bad, sample, says, closed_at FROM quality_checks
WHERE closed_at IS NULL OR looked_at > now() - interval '14 days'
ORDER BY closed_at IS NOT NULL, looked_at DESC, id DESC LIMIT 200
"""
OPEN = (
    "SELECT name, sum(bad)::bigint AS bad FROM quality_checks WHERE closed_at IS NULL GROUP BY name"
)


async def listed(services: Services) -> FindingList:
    """Open findings, then what the last two weeks' looks said."""
    rows = await services.db.fetch(LISTED)
    items = []
    for row in rows:
        # A check that the program does not know any more still shows what it found.
        check = CHECKS.get(row["name"], Check(row["name"], ""))
        items.append(Finding(title=check.title, mend=check.mend, **dict(row)))
    return FindingList(items, sum(one.closed_at is None for one in items))


async def show_figures(services: Services) -> None:
    """Set this process's gauges to what is open."""
    found = {row["name"]: row["bad"] for row in await services.db.fetch(OPEN)}
    for name in CHECKS:
        BAD_ROWS.labels(name).set(found.get(name, 0))


PURGE = "DELETE FROM quality_checks WHERE closed_at < now() - interval '90 days'"


async def purge(services: Services) -> None:
    """Forget what was mended 90 days ago."""
    await services.db.execute(PURGE)
