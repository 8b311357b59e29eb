"""Which jobs one action on many is about: the console's filters, narrowed to states that the action can change."""

from typing import Any

from app.domain.platform.jobs.console import SLACK, SOURCES, UPPER, Filter, moment, source_of
from app.domain.platform.jobs.types import FAMILIES
from app.errors import Invalid
from app.services import Services

# One more is looked for than is counted: then there are "more than 100,000".
COUNTED = 100_000
CAN_CHANGE = {
    "retry": ("dead", "cancelled"),
    "cancel": ("pending", "running"),
    "delete": ("done", "dead", "cancelled"),
}


def walked(source: str) -> str:
    """The ids of one source, as its walks bring them."""
    return f"""
SELECT found.id
FROM (SELECT coalesce(first_job_since($3::timestamptz - $8::interval), 0)) AS bounds (low)
CROSS JOIN LATERAL ({source}) AS found
"""  # noqa: S608


IDS = {name: f"{walked(source)}ORDER BY found.id DESC LIMIT $1" for name, source in SOURCES.items()}
# A count needs no order, so the walks end as soon as there are enough.
MANY = {
    name: f"SELECT count(*) FROM ({walked(source)}LIMIT $1) AS counted"  # noqa: S608
    for name, source in SOURCES.items()
}


def states_of(action: str, asked: Filter) -> list[str]:
    """The states that are asked for and that the action can change. Raises Invalid when there is none, or no filter."""
    if not (asked.queue or asked.status or asked.type or asked.subject or asked.key or asked.id):
        sentence = "Narrow it first: choose a state, a queue or a type."
        raise Invalid(sentence, errors={"filter": sentence})
    states = [state for state in CAN_CHANGE[action] if asked.status in (None, state)]
    if not states:
        sentence = f"{action.capitalize()} is for jobs that are {' or '.join(CAN_CHANGE[action])}."
        raise Invalid(sentence, errors={"action": sentence})
    return states


async def ids(services: Services, action: str, asked: Filter, below: int, limit: int) -> list[int]:
    """The next ids that fit, newest first, below one."""
    source, *values = await bounds(services, action, asked, below)
    rows = await services.db.fetch(IDS[source], limit, *values)
    return [row["id"] for row in rows]


async def many(services: Services, action: str, asked: Filter, below: int) -> int:
    """How many fit, counted to 100,001."""
    source, *values = await bounds(services, action, asked, below)
    found: int = await services.db.fetchval(MANY[source], COUNTED + 1, *values)
    return found


async def bounds(services: Services, action: str, asked: Filter, below: int) -> tuple[Any, ...]:
    """The source of a filter, and the values of its statement after the limit. Raises Invalid."""
    states = states_of(action, asked)
    since, until = moment("from", asked.from_), moment("to", asked.to)
    if until is not None:
        below = min(below, await services.db.fetchval(UPPER, until + SLACK))
    source, value = source_of(asked)
    families = [asked.queue] if asked.queue else list(FAMILIES)
    return source, below, since, until, value, families, states, SLACK
